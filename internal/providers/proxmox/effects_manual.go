package proxmox

import (
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/resource"
)

// judgePatiently is judgeApp for people who restart containers themselves: what
// needs a restart waits for theirs.
func judgePatiently(e resource.Edit, want resource.Resource, live resource.Seen) resource.Verdict {
	verdict := judgeApp(e, want, live)
	if verdict.Effect == resource.Restart && isManual(want) {
		verdict.Effect = resource.Pending
	}
	return verdict
}

// stillWaits reports whether something waits for a restart that is not taken
// back anyway: of that, the attributes have what waits instead of what is in
// force. A label with a dot in it is never taken for taken back.
func stillWaits(live resource.Seen) bool {
	return slices.ContainsFunc(live.Pending, func(name string) bool {
		path := resource.Path(strings.Split(name, "."))
		return same(valueAt(live.InForce, path), valueAt(live.Object.Attrs, path))
	})
}
