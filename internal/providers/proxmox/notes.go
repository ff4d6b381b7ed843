package proxmox

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// notesOn returns what people should know of a container, whatever is planned
// for it.
func notesOn(t providers.Target, guest row, s resource.Seen) diag.List {
	var notes diag.List
	say := func(summary, hint, detail string, args ...any) {
		d := diag.Notef(nil, summary, detail, args...)
		d.Hint = hint
		notes = append(notes, d)
	}
	id, name := s.Object.ID, t.Addr.String()
	if s.Locked != "" {
		say(fmt.Sprintf("%s is locked (%s)", name, s.Locked), "",
			"container %s is busy; a change waits until it is free, a quarter of an hour at most", id)
	}
	if t.Want != nil && len(s.Pending) > 0 && isManual(*t.Want) {
		say(fmt.Sprintf("%s waits for a restart", name), fmt.Sprintf("on node %s: pct reboot %s", guest.Node, id),
			"restart is manual, and so these changes are not in force yet: %s", strings.Join(s.Pending, ", "))
	}
	if wanted := wishedNode(t); guest.isKept() && wanted != "" && wanted != guest.Node {
		say(fmt.Sprintf("%s is on node %s", name, guest.Node), "",
			"high availability keeps container %s running and decides where; node = %q is not enforced meanwhile", id, wanted)
	}
	return notes
}

func isManual(want resource.Resource) bool { return firstText("restart", want.Want) == "manual" }

// isKept reports whether high availability keeps the container running, on a
// node of its own choice.
func (r row) isKept() bool { return r.HAState != "" && r.HAState != "ignored" }

// leaves returns what is no difference: the node that high availability chose,
// unless people ask for another one than before, and where the disk of a
// container lies that is a directory of the node instead of a volume.
func leaves(t providers.Target, guest row, cfg config) []resource.Path {
	var paths []resource.Path
	if guest.isKept() && t.Prior != nil && wishedNode(t) == resource.Text(t.Prior.Attrs, "node") {
		paths = append(paths, resource.Path{"node"})
	}
	if strings.HasPrefix(cfg.coming["rootfs"], "/") {
		paths = append(paths, resource.Path{"disk", "storage"}, resource.Path{"disk", "size"})
	}
	return paths
}

// wishedNode returns the node that is asked for, else the recorded one.
func wishedNode(t providers.Target) string {
	want := cty.NilVal
	if t.Want != nil {
		want = t.Want.Want
	}
	prior := cty.NilVal
	if t.Prior != nil {
		prior = t.Prior.Attrs
	}
	return firstText("node", want, prior)
}
