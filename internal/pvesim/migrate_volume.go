package pvesim

import (
	"cmp"
	"maps"
	"slices"
	"time"
)

// movePlan is a disk on its way to another storage or container.
type movePlan struct {
	VMID      int
	Key       string
	Storage   string
	Delete    bool
	Target    int // a container that gets the disk instead
	TargetKey string
}

func (x *tx) moveVolume(c *request) (any, error) {
	p := movePlan{
		VMID: c.vmid, Key: c.params.Str("volume"), Storage: c.params.Str("storage"), Delete: c.params.Bool("delete"),
		Target: c.int("target-vmid"), TargetKey: cmp.Or(c.params.Str("target-volume"), c.params.Str("volume")),
	}
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	switch digest := c.params.Str("digest"); {
	case p.Storage != "" && p.Target != 0:
		return nil, badParam("target-vmid", "either set storage or target-vmid, but not both")
	case p.Storage == "" && p.Target == 0:
		return nil, badParam("storage", "both 'target-vmid' and 'storage' missing, either needs to be set")
	case digest != "" && digest != g.digest():
		return nil, die("detected modified configuration - file changed by other user? Try again.")
	case g.unlocked() != nil:
		return nil, g.unlocked()
	case g.Running:
		return nil, die("cannot move volumes of a running container")
	case g.Config[p.Key] == "":
		return nil, die("mountpoint '%s' does not exist", p.Key)
	case mountKind(volumeOf(g.Config[p.Key])) != "volume":
		return nil, die("mount point '%s' has no volume", p.Key)
	}
	id := vmidKey(c.vmid)
	if p.Target != 0 {
		if err := x.reassignable(c, p); err != nil {
			return nil, err
		}
		id += "-" + p.Key + ">" + vmidKey(p.Target) + "-" + p.TargetKey
	} else if err := x.mayAllocate(c, p.Storage); err != nil {
		return nil, err
	}
	copying := 500 * time.Millisecond
	if v := x.volume(g.Node, volumeOf(g.Config[p.Key])); v != nil && p.Target == 0 {
		copying = seconds(0.5 + float64(v.Used)/(200<<20))
	}
	steps := []step{powerLock(c.vmid), call("move.begin", p)}
	if s := x.storages.at(p.Storage); s != nil {
		lock := storageLock(s.home(c.node), s.ID)
		steps = append(steps, step{}.locking(lock).orTimeout(s.lockTimeout()), pause(seconds(s.LockSeconds)).unlocking(lock))
	}
	return x.spawn(c, "move_volume", id, append(steps, call("move.copy", p).after(copying))...), nil
}

// reassignable is the error of a disk that cannot become another container's.
func (x *tx) reassignable(c *request, p movePlan) error {
	if err := x.check(c.who, "/vms/"+vmidKey(p.Target), "VM.Config.Disk"); err != nil {
		return err
	}
	to, err := x.containerOn(c.node, p.Target)
	switch {
	case err != nil:
		return err
	case p.Key == "rootfs":
		return die("cannot reassign 'rootfs'")
	case to.Config[p.TargetKey] != "":
		return die("volume key '%s' already exists for container '%d'", p.TargetKey, p.Target)
	}
	return to.unlocked()
}

func (x *tx) moveBegin(t *task, p movePlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if err := g.unlocked(); err != nil {
		return err
	}
	g.Config["lock"] = "disk"
	t.Undo = []step{call("snapshot.unlock", p.VMID)}
	x.touchGuest(g)
	return nil
}

// moveCopy copies a disk; the old one goes away or stays as an unused one.
func (x *tx) moveCopy(t *task, p movePlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	options := parseMount(p.Key, g.Config[p.Key])
	from := x.volume(t.Node, options["volume"])
	if from == nil {
		return die("volume '%s' does not exist", options["volume"])
	}
	if p.Target != 0 {
		return x.reassign(t, g, from, p)
	}
	s, err := x.storageFor(p.Storage, t.Node)
	if err != nil {
		return err
	}
	v, err := x.allocate(s, t.Node, p.VMID, from.Size)
	if err != nil {
		return err
	}
	v.Used, v.Files, v.MountDirs = from.Used, maps.Clone(from.Files), slices.Clone(from.MountDirs)
	x.changed(g)
	delete(g.Config, "lock")
	options["volume"], options["size"] = v.id(), formatSize(v.Size)
	g.Config[p.Key] = printMount(p.Key, options)
	if p.Delete {
		t.logf("Removed volume '%s'", from.id())
		x.dropVolume(from)
		return nil
	}
	g.addUnused(from.id())
	return nil
}

// reassign gives a disk to another container under a new name.
func (x *tx) reassign(_ *task, g *guest, v *volume, p movePlan) error {
	to, err := x.containerOn(g.Node, p.Target)
	if err != nil {
		return err
	}
	options := parseMount(p.Key, g.Config[p.Key])
	x.dropVolume(v)
	v.VMID, v.Name = p.Target, x.freeDisk(x.storages.at(v.Storage), g.Node, p.Target)
	x.putVolume(v)
	options["volume"] = v.id()
	delete(g.Config, "lock")
	delete(g.Config, p.Key)
	to.Config[p.TargetKey] = printMount(p.TargetKey, options)
	x.touchGuest(g)
	x.touchGuest(to)
	return nil
}
