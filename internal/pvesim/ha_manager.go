package pvesim

import "time"

// haCycle is how long the manager and a node's own manager take to see a change and act on it; fenceAfter how long a node
// must be silent before its guests are taken from it.
const (
	haCycle    = 10 * time.Second
	fenceAfter = 60 * time.Second
)

// haAttempts is how often a start or migration is tried before the resource is in error.
const haAttempts = 3

// nextHA returns the resource that the manager looks at next, nil when none is due at any time.
func (x *tx) nextHA() *haResource {
	var next *haResource
	for _, h := range x.ha.rows {
		if !h.Due.IsZero() && (next == nil || h.Due.Before(next.Due) || h.Due.Equal(next.Due) && h.SID < next.SID) {
			next = h
		}
	}
	return next
}

// haSoon lets the manager look at a resource in its next cycle.
func (x *tx) haSoon(h *haResource) {
	h.Due = x.now.Add(haCycle)
	x.ha.touch(h.SID)
}

// haMove asks for a resource to go to a node.
func (x *tx) haMove(h *haResource, node string) {
	h.Target, h.Failed = node, 0
	x.haSoon(h)
}

// haRequest is a power task of a guest that high availability looks after: it ends when the request is noted, and what it
// asks for comes later.
func (x *tx) haRequest(c *request, h *haResource, kind, says string, change func()) string {
	change()
	h.Failed = 0
	x.haSoon(h)
	return x.spawn(c, kind, vmidKey(c.vmid), step{After: 300 * time.Millisecond, Log: []string{says}})
}

func (x *tx) haStop(c *request, h *haResource) string {
	return x.haRequest(c, h, "hastop", "Requesting HA stop for CT "+vmidKey(c.vmid), func() { h.Config["state"] = "stopped" })
}

// manage is one look of the manager at a resource.
func (x *tx) manage(h *haResource) {
	h.Due = time.Time{}
	x.ha.touch(h.SID)
	g := x.guests.at(vmidKey(h.VMID))
	if g == nil || h.Config["state"] == "ignored" {
		h.Current = ""
		return
	}
	if n := x.nodes.at(g.Node); n == nil || n.Offline {
		x.recover(h, g)
		return
	}
	if w := x.tasks.at(h.Worker); w != nil {
		if !w.ended() {
			h.Due = x.now.Add(time.Second)
			return
		}
		h.Worker = ""
		if h.Failed++; w.verdict() == "ok" || w.verdict() == "warning" {
			h.Failed = 0
		}
	}
	x.decide(h, g)
}

// decide begins what a resource lacks to be as it is wanted.
func (x *tx) decide(h *haResource, g *guest) {
	wanted := h.Config["state"] == "started"
	switch {
	case h.Failed >= haAttempts:
		h.Current, h.Target = "error", ""
	case h.Target != "" && h.Target != g.Node:
		h.Current = "migrate"
		p := migratePlan{VMID: h.VMID, Target: h.Target, Restart: true}
		x.haWork(h, g, "vzmigrate", powerLock(h.VMID), call("migrate.begin", p).after(300*time.Millisecond))
	case wanted && !g.Running:
		h.Current, h.Target = "started", ""
		x.haWork(h, g, "vzstart", startSteps(h.VMID)...)
	case !wanted && g.Running:
		h.Current, h.Target = "request_stop", ""
		stop := call("ct.shutdown", shutdownPlan{VMID: h.VMID, Timeout: 60, Force: true})
		x.haWork(h, g, "vzshutdown", powerLock(h.VMID), stop.after(100*time.Millisecond))
	case wanted:
		h.Current, h.Target = "started", ""
	default:
		h.Current, h.Target = "stopped", ""
	}
}

// haWork starts the task that a node's manager does for a resource.
func (x *tx) haWork(h *haResource, g *guest, kind string, steps ...step) {
	t := x.newTask(g.Node, kind, vmidKey(h.VMID), rootUser)
	x.launch(t, steps)
	h.Worker, h.Due = t.UPID, x.now.Add(time.Second)
}

// recover takes a resource from a node that is silent: first it is fenced, then it is started elsewhere, if its disks can be
// had there. One that cannot be recovered waits for its node.
func (x *tx) recover(h *haResource, g *guest) {
	h.Worker = ""
	if h.Current != "fence" && h.Current != "recovery" {
		h.Current, h.Due = "fence", x.now.Add(fenceAfter)
		return
	}
	h.Current = "recovery"
	for _, n := range x.nodes.all() {
		if n.Offline || !x.reachableFrom(g, n.Name) {
			continue
		}
		x.changed(g)
		g.Node, g.Running, g.PID = n.Name, false, 0
		delete(g.Config, "lock")
		h.Current, h.Target = "started", ""
		x.decide(h, g)
		return
	}
}

// reachableFrom reports whether all disks of a guest can be had on another node.
func (x *tx) reachableFrom(g *guest, node string) bool {
	for _, key := range diskOrder(g.Config) {
		s, _, err := x.parseVolume(volumeOf(g.Config[key]))
		if err != nil || !s.Shared {
			return false
		}
	}
	return len(x.storagesLacking(g, migratePlan{Target: node})) == 0
}

// haNotices lets the manager see that a guest was started, stopped or moved by somebody else.
func (x *tx) haNotices(vmid int) {
	for _, h := range x.ha.rows {
		if h.VMID == vmid && h.Due.IsZero() {
			x.haSoon(h)
		}
	}
}

// setOffline takes a node from the cluster or brings it back. Its tasks die with it and its guests are off when it is back,
// but for those that are started with it.
func (x *tx) setOffline(n *node, offline bool) {
	if n.Offline == offline {
		return
	}
	n.Offline = offline
	x.nodes.touch(n.Name)
	for _, t := range x.tasks.all() {
		if t.Node == n.Name && !t.ended() && offline {
			x.kill(t)
		}
	}
	for _, g := range x.guestsByID() {
		if g.Node != n.Name {
			x.haNotices(g.VMID) // it may wait for a node to go to
			continue
		}
		x.haNotices(g.VMID)
		switch {
		case offline && g.Running:
			x.changed(g)
			g.Running, g.PID = false, 0
		case !offline && g.Config["onboot"] == "1" && x.managed(g) == nil:
			x.setRunning(g)
		}
	}
	if !offline {
		n.Boot = x.now
	}
}

// kill ends a task as losing its process does: nothing is undone, and there is no last word in its log.
func (x *tx) kill(t *task) {
	t.Exit = "unexpected status"
	x.end(t)
}
