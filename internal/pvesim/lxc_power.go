package pvesim

import (
	"time"
)

// startTime is how long a container takes to start.
const startTime = 600 * time.Millisecond

// startSteps are the steps of a start: the lock is taken in the task, so trouble with it shows there.
func startSteps(vmid int) []step {
	return []step{
		step{}.locking(guestLock(vmid)).orTimeout(lockTimeout(guestLockFile(vmid))),
		call("ct.start", startPlan{VMID: vmid}).after(startTime),
	}
}

type startPlan struct {
	VMID     int
	SkipLock bool
}

// powerLock is the first step of a power task.
func powerLock(vmid int) step {
	return step{}.locking(guestLock(vmid)).orTimeout(lockTimeout(guestLockFile(vmid)))
}

// running returns the container of a request if it runs; else the error that Proxmox has for it, also for one that does
// not exist.
func (x *tx) running(c *request, noun string) (*guest, error) {
	g, err := x.container(c)
	if err != nil || !g.Running {
		return nil, die("%s %d not running", noun, c.vmid)
	}
	return g, nil
}

// skipLock checks the option that ignores a lock: it is for root@pam alone.
func skipLock(c *request) error {
	if c.params.Bool("skiplock") && !c.who.isRoot() {
		return badParam("skiplock", "Only root may use this option.")
	}
	return nil
}

// lockInRequest makes a request wait for the container's lock where the task does not do that.
func (x *tx) lockInRequest(c *request) error {
	if x.has(lockInWorker) {
		return nil
	}
	return x.flock(c, c.vmid)
}

func (x *tx) startContainer(c *request) (any, error) {
	if err := skipLock(c); err != nil {
		return nil, err
	}
	g, err := x.container(c)
	if err == nil && g.Running {
		return nil, die("CT %d already running", c.vmid)
	}
	if err == nil && x.managed(g) != nil {
		h := x.managed(g)
		says := "Requesting HA start for CT " + vmidKey(c.vmid)
		return x.haRequest(c, h, "hastart", says, func() { h.Config["state"] = "started" }), nil
	}
	if err := x.lockInRequest(c); err != nil {
		return nil, err
	}
	start := startPlan{VMID: c.vmid, SkipLock: c.params.Bool("skiplock")}
	return x.spawn(c, "vzstart", vmidKey(c.vmid), powerLock(c.vmid), call("ct.start", start).after(startTime)), nil
}

// startNow starts a container, with waiting settings applied before.
func (x *tx) startNow(t *task, p startPlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if g.Config["template"] == "1" {
		return die("you can't start a CT if it's a template")
	}
	if lock := g.Config["lock"]; lock != "" && lock != "mounted" && !p.SkipLock {
		return die("CT is locked (%s)", lock)
	}
	if err := x.startable(g); err != nil {
		return err
	}
	x.applyWaiting(g)
	x.makeMountDirs(g.Node, g.Config)
	x.setRunning(g)
	for range 2 { // once before and once after the start
		x.warnNesting(t, g.Software, g.Config)
	}
	return nil
}

// startable is the error of a container whose disks or bridges are not there.
func (x *tx) startable(g *guest) error {
	for _, key := range diskOrder(g.Config) {
		volid := volumeOf(g.Config[key])
		if mountKind(volid) != "volume" {
			continue
		}
		s, _, err := x.parseVolume(volid)
		if err != nil {
			return err
		}
		if err := s.online(); err != nil {
			return err
		}
		if x.volume(g.Node, volid) == nil {
			return die("volume '%s' does not exist", volid)
		}
	}
	return x.bridges(g)
}

// bridgeOf is the error of an interface whose bridge is not there.
func (x *tx) bridgeOf(nic string) error {
	name := props("net", nic)["bridge"]
	if _, ok := x.meta.at("").Bridges[name]; !ok {
		return die("bridge '%s' does not exist", name)
	}
	return nil
}

func (x *tx) setRunning(g *guest) {
	x.changed(g)
	x.haNotices(g.VMID)
	n := x.nodes.at(g.Node)
	n.PID += 11
	x.nodes.touch(g.Node)
	g.Running, g.Since, g.PID = true, x.now, n.PID
}

// setStopped stops a container and applies what waited for that.
func (x *tx) setStopped(g *guest) {
	x.changed(g)
	x.haNotices(g.VMID)
	g.Running, g.PID = false, 0
	x.applyWaiting(g)
}

func (x *tx) stopContainer(c *request) (any, error) {
	if err := skipLock(c); err != nil {
		return nil, err
	}
	g, err := x.running(c, "CT")
	if err != nil {
		return nil, err
	}
	if h := x.managed(g); h != nil {
		if c.params.Bool("overrule-shutdown") {
			return nil, badParam("overrule-shutdown", "not possible for a container that is managed by HA")
		}
		return x.haStop(c, h), nil
	}
	if err := x.lockInRequest(c); err != nil {
		return nil, err
	}
	if c.params.Bool("overrule-shutdown") {
		x.abortShutdowns(c.vmid)
	}
	stop := stopPlan{VMID: c.vmid, SkipLock: c.params.Bool("skiplock")}
	return x.spawn(c, "vzstop", vmidKey(c.vmid), powerLock(c.vmid), call("ct.stop", stop).after(900*time.Millisecond)), nil
}

// abortShutdowns ends the shutdown tasks of a container.
func (x *tx) abortShutdowns(vmid int) {
	for _, t := range x.tasks.all() {
		if !t.ended() && t.Type == "vzshutdown" && t.ID == vmidKey(vmid) {
			x.fail(t, die("received interrupt"))
		}
	}
}

type stopPlan struct {
	VMID     int
	SkipLock bool
}

func (x *tx) stopNow(t *task, p stopPlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if lock := g.Config["lock"]; lock != "" && lock != "mounted" && !p.SkipLock {
		return die("CT is locked (%s)", lock)
	}
	x.setStopped(g)
	return nil
}

type shutdownPlan struct {
	VMID    int
	Timeout int // seconds
	Force   bool
	Reboot  bool
}

func (x *tx) shutdownContainer(c *request) (any, error) {
	g, err := x.running(c, "CT")
	if err != nil {
		return nil, err
	}
	if h := x.managed(g); h != nil {
		return x.haStop(c, h), nil
	}
	if err := x.lockInRequest(c); err != nil {
		return nil, err
	}
	p := shutdownPlan{VMID: c.vmid, Timeout: c.params.Int("timeout", 60), Force: c.params.Bool("forceStop")}
	return x.spawn(c, "vzshutdown", vmidKey(c.vmid), powerLock(c.vmid), call("ct.shutdown", p).after(100*time.Millisecond)), nil
}

// rebootContainer shuts a container down and starts it again; one that does not answer is killed after the timeout.
func (x *tx) rebootContainer(c *request) (any, error) {
	if _, err := x.running(c, "VM"); err != nil {
		return nil, err
	}
	if err := x.lockInRequest(c); err != nil {
		return nil, err
	}
	p := shutdownPlan{VMID: c.vmid, Timeout: c.params.Int("timeout", 60), Force: true, Reboot: true}
	return x.spawn(c, "vzreboot", vmidKey(c.vmid), powerLock(c.vmid), call("ct.shutdown", p).after(100*time.Millisecond)), nil
}

// shutdownNow asks a container to go down and plans what comes of it.
func (x *tx) shutdownNow(t *task, p shutdownPlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if err := g.unlocked(); err != nil && g.Config["lock"] != "mounted" {
		return err
	}
	stop := call("ct.stop", stopPlan{VMID: p.VMID})
	timeout := time.Duration(p.Timeout) * time.Second
	switch {
	case !g.Software.IgnoreShutdown:
		t.then(stop.after(1200 * time.Millisecond))
	case p.Force:
		t.then(stop.after(timeout))
	default:
		t.then(call("ct.notStopped", p).after(timeout))
		return nil
	}
	if p.Reboot {
		t.Steps = append(t.Steps, call("ct.start", startPlan{VMID: p.VMID}).after(startTime))
	}
	return nil
}

func (x *tx) notStopped(t *task, p shutdownPlan) error {
	t.logf("command 'lxc-stop -n %d --nokill --timeout %d' failed: exit code 1", p.VMID, p.Timeout)
	return die("container did not stop")
}

// suspendContainer and resumeContainer end in tasks that fail: checkpoints of containers do not work in practice.
func (x *tx) suspendContainer(c *request) (any, error) {
	if _, err := x.running(c, "CT"); err != nil {
		return nil, err
	}
	text := "command 'lxc-checkpoint -n " + vmidKey(c.vmid) + " -s -D /var/lib/vz/dump' failed: exit code 1"
	return x.spawn(c, "vzsuspend", vmidKey(c.vmid), call("fail", text).after(200*time.Millisecond)), nil
}

func (x *tx) resumeContainer(c *request) (any, error) {
	if g, err := x.container(c); err == nil && g.Running {
		return nil, die("CT %d already running", c.vmid)
	}
	id := vmidKey(c.vmid)
	text := "command 'lxc-checkpoint -n " + id + " -r --foreground -D /var/lib/vz/dump' failed: exit code 1"
	says := "lxc-checkpoint: " + id + ": ../src/lxc/tools/lxc_checkpoint.c: main: 298 " + id + " is not defined"
	return x.spawn(c, "vzresume", id, step{}.logging(says), call("fail", text).after(200*time.Millisecond)), nil
}
