package proxmox

import "github.com/proximity-cli/proximity/internal/resource"

// judgePatiently is judgeApp for people who restart containers themselves: what
// needs a restart waits for theirs.
func judgePatiently(e resource.Edit, want resource.Resource, live resource.Seen) resource.Verdict {
	verdict := judgeApp(e, want, live)
	if verdict.Effect == resource.Restart && isManual(want) {
		verdict.Effect = resource.Pending
	}
	return verdict
}
