package pvesim

import (
	"cmp"
	"errors"
	"strings"
	"time"
)

func cloneHandlers() map[string]handler {
	return map[string]handler{
		"POST /nodes/{node}/lxc/{vmid}/clone":    (*tx).cloneContainer,
		"POST /nodes/{node}/lxc/{vmid}/template": (*tx).templateContainer,
	}
}

func cloneEffects() map[string]effect {
	return map[string]effect{
		"clone.disk":     effectOf((*tx).cloneDisk),
		"clone.done":     effectOf((*tx).cloneDone),
		"clone.undo":     effectOf((*tx).cloneUndo),
		"clone.template": effectOf((*tx).makeTemplate),
	}
}

// clonePlan is a copy of a container in the making.
type clonePlan struct {
	Source, VMID int
	Node         string // of the copy
	Full         bool
	Storage      string            // of the copy's disks; "": where the source has them
	Config       map[string]string // the source's, or its snapshot's
	Key          string            // the disk that a step copies
	Pool         string
}

// cloneContainer copies a container: fully, or linked to the disks of a template.
func (x *tx) cloneContainer(c *request) (any, error) {
	p := clonePlan{
		Source: c.vmid, VMID: c.int("newid"), Node: cmp.Or(c.params.Str("target"), c.node),
		Storage: c.params.Str("storage"), Pool: c.params.Str("pool"),
	}
	if x.nodes.at(p.Node) == nil {
		return nil, die("no such cluster node '%s'", p.Node)
	}
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	p.Full = c.params.Bool("full") || !c.params.Has("full") && g.Config["template"] != "1"
	p.Config = g.Config
	if err := cmp.Or(x.mayClone(c, p), g.unlocked(), x.vmidFree(p.VMID), p.pick(g, c.params.Str("snapname"))); err != nil {
		return nil, err
	}
	order := x.shuffled(p.Config)
	if err := x.clonable(c, g, p, order); err != nil {
		return nil, err
	}
	x.beginClone(c, g, p)
	steps := []step{step{}.logging("creating a clone of container " + vmidKey(p.Source) + " with ID " + vmidKey(p.VMID))}
	for _, key := range order {
		p.Key = key
		steps = append(steps, x.cloneSteps(g, p)...)
	}
	upid := x.spawn(c, "vzclone", vmidKey(p.Source), append(steps, call("clone.done", p))...)
	x.tasks.at(upid).Undo = []step{call("clone.undo", p)}
	return upid, nil
}

// mayClone checks the rights that the declared permission does not know.
func (x *tx) mayClone(c *request, p clonePlan) error {
	if p.Pool != "" && x.pools.at(p.Pool) == nil {
		return forbidden("pool '%s' does not exist", p.Pool)
	}
	if p.Pool != "" && x.allowed(c.who, "/pool/"+p.Pool, "VM.Allocate") {
		return nil
	}
	return x.check(c.who, "/vms/"+vmidKey(p.VMID), "VM.Allocate")
}

// pick takes the settings of a snapshot when one is named; a running container has to be copied from one.
func (p *clonePlan) pick(g *guest, snapshot string) error {
	if snapshot != "" {
		s := g.Snaps[snapshot]
		if s == nil {
			return die("snapshot '%s' does not exist", snapshot)
		}
		p.Config = s.Config
		return nil
	}
	if g.Running && p.Full {
		return die("Full clone of a running container is only possible from a snapshot")
	}
	return nil
}

// clonable is the error of a disk that cannot be copied as asked for.
func (x *tx) clonable(c *request, g *guest, p clonePlan, order []string) error {
	if !p.Full && p.Storage != "" {
		return die("parameter 'storage' not allowed for linked clones")
	}
	for _, key := range order {
		volid := volumeOf(p.Config[key])
		if kind := mountKind(volid); kind != "volume" {
			return die("unable to clone mountpoint '%s' (type %s)", key, kind)
		}
		s, _, err := x.parseVolume(volid)
		if err != nil {
			return err
		}
		if !p.Full && !s.Snapshots {
			return die("Linked clone feature for '%s' is not available", volid)
		}
		if err := x.mayAllocate(c, cmp.Or(p.Storage, s.ID)); err != nil {
			return err
		}
		if p.Node != g.Node && !s.Shared {
			return die("can't clone CT to node '%s' (CT uses local storage)", p.Node)
		}
		if target := x.storages.at(p.Storage); p.Node != g.Node && target != nil && !target.Shared {
			return die("can't clone to non-shared storage '%s'", p.Storage)
		}
	}
	return nil
}

// beginClone locks the source and makes the copy's configuration.
func (x *tx) beginClone(c *request, g *guest, p clonePlan) {
	x.guests.put(vmidKey(p.VMID), &guest{
		VMID: p.VMID, Kind: "lxc", Node: p.Node, Config: map[string]string{"lock": "create"}, Changed: x.now,
		Software: g.Software, Making: &making{Config: x.copiedConfig(c, p)},
	})
	g.Config["lock"] = "disk"
	x.touchGuest(g)
}

// cloneSteps copy one disk.
func (x *tx) cloneSteps(g *guest, p clonePlan) []step {
	volid := volumeOf(p.Config[p.Key])
	copying := 100 * time.Millisecond
	if v := x.volume(g.Node, volid); v != nil && p.Full {
		copying = seconds(0.3 + float64(v.Used)/(200<<20))
	}
	id, _, _ := strings.Cut(volid, ":")
	s := x.storages.at(cmp.Or(p.Storage, id))
	lock := storageLock(s.home(p.Node), s.ID)
	timeout := "clone failed: " + s.lockTimeout()
	return []step{
		step{}.locking(lock).orTimeout(timeout),
		call("clone.disk", p).after(seconds(s.LockSeconds)).unlocking(lock),
		pause(copying),
	}
}

// link makes a volume depend on its base, where the storage has such a thing: on btrfs a copy stands on its own.
func (x *tx) link(s *storage, base, v *volume) {
	if s.Type == "btrfs" {
		return
	}
	v.Parent = base.id()
	x.touchVolume(v)
}

func (x *tx) cloneDone(t *task, p clonePlan) error {
	if err := x.unlockConfig(t, p.Source); err != nil {
		return err
	}
	if err := x.created(t, createdPlan{VMID: p.VMID, Pool: p.Pool}); err != nil {
		return err
	}
	g := x.guests.at(vmidKey(p.VMID))
	x.warnNesting(t, g.Software, g.Config)
	return nil
}

// cloneUndo takes back what a failed copy made.
func (x *tx) cloneUndo(t *task, p clonePlan) error {
	return errors.Join(x.unlockConfig(t, p.Source), x.unmake(t, p.VMID))
}

// templateContainer makes a container a template. A task does it, but its UPID is not answered.
func (x *tx) templateContainer(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	switch {
	case len(g.Snaps) > 0:
		return nil, die("unable to create template, because CT contains snapshots")
	case g.Config["template"] == "1":
		return nil, die("you can't convert a template to a template")
	case g.Running:
		return nil, die("you can't convert a CT to template if the CT is running")
	case g.unlocked() != nil:
		return nil, g.unlocked()
	}
	for _, key := range diskOrder(g.Config) {
		v := x.volume(g.Node, volumeOf(g.Config[key]))
		if v != nil && x.storages.at(v.Storage).Type == "lvm" {
			return nil, die("Template feature is not available for '%s'", v.id())
		}
	}
	x.spawn(c, "vztemplate", vmidKey(c.vmid), powerLock(c.vmid), call("clone.template", c.vmid).after(100*time.Millisecond))
	return nil, nil
}

// makeTemplate renames the disks of a container to bases.
func (x *tx) makeTemplate(t *task, vmid int) error {
	g, err := x.containerOn(t.Node, vmid)
	if err != nil {
		return err
	}
	x.changed(g)
	for _, key := range diskOrder(g.Config) {
		options := parseMount(key, g.Config[key])
		v := x.volume(g.Node, options["volume"])
		if v == nil {
			return die("volume '%s' does not exist", options["volume"])
		}
		x.dropVolume(v)
		v.Name = strings.Replace(strings.Replace(v.Name, "subvol-", "basevol-", 1), "vm-", "base-", 1)
		x.putVolume(v)
		options["volume"] = v.id()
		g.Config[key] = printMount(key, options)
	}
	g.Config["template"] = "1"
	return nil
}
