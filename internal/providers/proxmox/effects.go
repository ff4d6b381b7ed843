package proxmox

import (
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// rule says what it takes to change one setting of a container. Stopped is for
// a container that does not run, where it differs.
type rule struct {
	running resource.Effect
	stopped resource.Effect
	judge   func(e resource.Edit, live resource.Seen) resource.Verdict // nil: the effects above
}

func always(e resource.Effect) rule { return rule{running: e, stopped: e} }

// waits is for what Proxmox keeps as pending until the container stops.
var waits = rule{running: resource.Restart, stopped: resource.Live}

// appRules are Proxmox's rules, as its sources and recordings of running
// containers show them. A star stands for the label of a block; the most exact
// entry counts: volume.*.size, then volume.*, then volume.
var appRules = map[string]rule{
	"node":         {judge: judgeNode},
	"vmid":         {judge: judgeVMID},
	"hostname":     always(resource.Live),
	"pool":         always(resource.Live),
	"tags":         always(resource.Live),
	"description":  always(resource.Live),
	"protection":   always(resource.Live),
	"template":     {judge: judgeOrigin},
	"image":        {judge: judgeOrigin},
	"clone":        {judge: judgeOrigin},
	"cores":        always(resource.Live),
	"cpu_limit":    always(resource.Live),
	"cpu_units":    always(resource.Live),
	"memory":       always(resource.Live),
	"swap":         always(resource.Live),
	"unprivileged": {judge: judgeUnprivileged},
	"hook":         always(resource.Live),
	"timezone":     waits,
	"env":          waits,
	"entrypoint":   waits,
	"os_type":      {judge: judgeFact},
	"arch":         {judge: judgeFact},
	"debug":        waits,
	"restart":      {judge: judgeRestart},
	"password":     {judge: judgeSecret},
	"ssh_keys":     {judge: judgeSecret},
	"running":      always(resource.Live),

	"disk":             waits,
	"disk.size":        {judge: judgeSize},
	"disk.storage":     {judge: judgeStorage},
	"volume.*":         {judge: judgeWhole},
	"volume.*.size":    {judge: judgeSize},
	"volume.*.storage": {judge: judgeStorage},
	"volume":           waits,
	"bind.*":           {judge: judgeWhole},
	"bind":             waits,
	"device.*":         {judge: judgeWhole},
	"device":           waits,
	"network.*":        {judge: judgeInterface},
	"network.*.mac":    {judge: judgeMAC},
	"network":          always(resource.Live),
	"port":             always(resource.Record),
	"dns":              waits,
	"features":         waits,
	"startup":          always(resource.Live),
	"console":          waits,
}

// judgeApp tells what it takes to make one edit of a container. To take back
// what waits for a restart takes none, and to take away what Proxmox would
// assume anyway takes nothing at all.
func judgeApp(e resource.Edit, want resource.Resource, live resource.Seen) resource.Verdict {
	r, verdict := findRule(e.Path), resource.Verdict{}
	switch {
	case e.New.IsNull() && same(e.Old, nothingOf(e.Old.Type(), fieldOf(e.Path))):
		return verdict
	case r.judge != nil:
		verdict = r.judge(e, live)
	case isRunning(live):
		verdict.Effect = r.running
	default:
		verdict.Effect = r.stopped
	}
	if verdict.Effect == resource.Restart && live.InForce != cty.NilVal && isInForce(e, live.InForce) {
		verdict.Effect = resource.Live
	}
	needsLeave := verdict.Effect == resource.Live || verdict.Effect == resource.Restart
	if needsLeave && isDrive(e.Path) && isTrue(live.Object.Attrs, "protection") && isTrue(want.Want, "protection") {
		return resource.Verdict{Effect: resource.Refused, Reason: "it is protected, and so Proxmox changes none of its volumes and mounts",
			Hint: "set protection = false in the same change, and true again afterwards"}
	}
	return verdict
}

// isDrive reports whether a path leads to a line of a volume or mount.
func isDrive(path resource.Path) bool {
	return slices.Contains([]string{"disk", "volume", "bind"}, path[0])
}

// isInForce reports whether what an edit wants is there, under what waits.
func isInForce(e resource.Edit, now cty.Value) bool {
	have, wanted := valueAt(now, e.Path), e.New
	if wanted.IsNull() && !have.IsNull() {
		wanted = nothingOf(have.Type(), fieldOf(e.Path))
	}
	return same(wanted, have)
}

func findRule(path resource.Path) rule {
	key := path[0]
	best := appRules[key]
	if len(path) == 1 {
		return best
	}
	if r, ok := appRules[key+"."+path[1]]; ok {
		return r
	}
	if r, ok := appRules[key+".*"]; ok && len(path) == 2 {
		return r
	}
	if len(path) == 3 {
		if r, ok := appRules[key+".*."+path[2]]; ok {
			return r
		}
	}
	return best
}

func isRunning(live resource.Seen) bool {
	return resource.Text(live.Object.Attrs, "status") == "running"
}

func judgeNode(e resource.Edit, live resource.Seen) resource.Verdict {
	switch {
	case e.New.IsNull():
		return resource.Verdict{Effect: resource.Record}
	case isRunning(live):
		return resource.Verdict{Effect: resource.Migrate, Reason: "it is stopped for that, and started again"}
	}
	return resource.Verdict{Effect: resource.Migrate}
}

func judgeVMID(e resource.Edit, _ resource.Seen) resource.Verdict {
	if e.New.IsNull() {
		return resource.Verdict{Effect: resource.Record}
	}
	return resource.Verdict{Effect: resource.Replace, Reason: "Proxmox cannot renumber a container"}
}

// judgeOrigin is for what a container was made from. It cannot be read back, so
// of a container that was taken over it is only noted; and to say no more what
// it was changes nothing by itself. Nor does another version of a template: it
// matters when a container is made.
func judgeOrigin(e resource.Edit, live resource.Seen) resource.Verdict {
	switch {
	case isAdopted(live) || e.New.IsNull() || !hasOrigin(live),
		e.Path[0] == "template" && e.New.IsKnown() && !e.Old.IsNull() && isSameTemplate(e.Old.AsString(), e.New.AsString()):
		return resource.Verdict{Effect: resource.Record}
	}
	return resource.Verdict{Effect: resource.Replace,
		Reason: "a container is made from its template or image once; another one means another container",
		Hint:   fmt.Sprintf("add %s to ignore_changes in its lifecycle block to keep the container", e.Path)}
}

// hasOrigin reports whether it is recorded what a container was made from.
func hasOrigin(live resource.Seen) bool {
	for _, name := range []string{"template", "image", "clone"} {
		if !resource.Attribute(live.Object.Attrs, name).IsNull() {
			return true
		}
	}
	return false
}

// isAdopted reports whether state knows nothing yet of what is there.
func isAdopted(live resource.Seen) bool { return live.Object.Changed.IsZero() }

// judgeFact is for what Proxmox finds out and needs: it refuses to forget the
// system, and without an architecture no container starts. So what people do
// not name any more stays as it is.
func judgeFact(e resource.Edit, live resource.Seen) resource.Verdict {
	switch {
	case e.New.IsNull():
		return resource.Verdict{Effect: resource.Record}
	case isRunning(live):
		return resource.Verdict{Effect: resource.Restart}
	}
	return resource.Verdict{Effect: resource.Live}
}

// judgeRestart is for people who leave restarts to the program from now on: what
// they have let wait comes into force.
func judgeRestart(e resource.Edit, live resource.Seen) resource.Verdict {
	text := func(v cty.Value) string { return encode(v, "") }
	if text(e.Old) == "manual" && text(e.New) == "auto" && isRunning(live) && stillWaits(live) {
		return resource.Verdict{Effect: resource.Restart,
			Reason: "these wait for a restart: " + strings.Join(live.Pending, ", ")}
	}
	return resource.Verdict{Effect: resource.Record}
}

// judgeUnprivileged never lets drift destroy anything.
func judgeUnprivileged(e resource.Edit, _ resource.Seen) resource.Verdict {
	const reason = "Proxmox cannot change whether a container is unprivileged"
	switch {
	case e.New.IsNull():
		return resource.Verdict{Effect: resource.Record}
	case e.Cause == resource.Drift:
		return resource.Verdict{Effect: resource.Refused, Reason: reason,
			Hint: "write what it is, or add unprivileged to ignore_changes in its lifecycle block"}
	}
	return resource.Verdict{Effect: resource.Replace, Reason: reason}
}

func judgeSecret(e resource.Edit, live resource.Seen) resource.Verdict {
	if e.New.IsNull() || isAdopted(live) {
		return resource.Verdict{Effect: resource.Record}
	}
	command := "passwd"
	if e.Path[0] == "ssh_keys" {
		command = "tee -a /root/.ssh/authorized_keys"
	}
	return resource.Verdict{Effect: resource.Refused,
		Reason: "Proxmox sets it only when it makes the container",
		Hint: fmt.Sprintf("on the node: pct exec %s -- %s; then add %s to ignore_changes in its lifecycle block",
			live.Object.ID, command, e.Path)}
}

func judgeSize(e resource.Edit, _ resource.Seen) resource.Verdict {
	switch {
	case e.New.IsNull():
		return resource.Verdict{Effect: resource.Record}
	case !e.New.IsKnown() || e.Old.IsNull() || e.New.GreaterThan(e.Old).True():
		return resource.Verdict{Effect: resource.Resize}
	}
	return resource.Verdict{Effect: resource.Refused,
		Reason: fmt.Sprintf("a volume can grow but not shrink, and it has %s", resource.SizeText(bytesOf(e.Old))),
		Hint:   fmt.Sprintf("write size = %q, or move the data to a new smaller volume", resource.SizeText(bytesOf(e.Old)))}
}

// judgeStorage knows that Proxmox moves volumes of a stopped container only.
func judgeStorage(e resource.Edit, live resource.Seen) resource.Verdict {
	switch {
	case e.New.IsNull():
		return resource.Verdict{Effect: resource.Record}
	case isRunning(live):
		return resource.Verdict{Effect: resource.Move, Reason: "it is stopped while the volume is copied"}
	}
	return resource.Verdict{Effect: resource.Move}
}

// judgeWhole is for whole mount points and devices: new ones are plugged in
// at once, removed ones stay until the container stops, unless they are detached
// already.
func judgeWhole(e resource.Edit, live resource.Seen) resource.Verdict {
	isDetached := strings.HasPrefix(resource.Text(e.Old, "slot"), "unused")
	if e.New.IsNull() && isRunning(live) && !isDetached {
		return resource.Verdict{Effect: resource.Restart}
	}
	return resource.Verdict{Effect: resource.Live}
}

// judgeInterface knows that Proxmox unplugs only net0 to net9 at once.
func judgeInterface(e resource.Edit, live resource.Seen) resource.Verdict {
	if e.New.IsNull() && isRunning(live) && len(resource.Text(e.Old, "slot")) > len("net0") {
		return resource.Verdict{Effect: resource.Restart}
	}
	return resource.Verdict{Effect: resource.Live}
}

// judgeMAC: an address that nobody asks for any more stays.
func judgeMAC(e resource.Edit, _ resource.Seen) resource.Verdict {
	if e.New.IsNull() {
		return resource.Verdict{Effect: resource.Record}
	}
	return resource.Verdict{Effect: resource.Live}
}

// judgePolicy: every setting of a backup job can be changed at any time.
func judgePolicy(resource.Edit, resource.Resource, resource.Seen) resource.Verdict {
	return resource.Verdict{Effect: resource.Live}
}

// bytesOf returns a size, or 0 when it is null or unknown.
func bytesOf(v cty.Value) int64 {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return 0
	}
	n, _ := v.AsBigFloat().Int64()
	return n
}
