package pvesim

import (
	"maps"
	"slices"
	"strings"
	"time"
)

// diskPlan is a disk that a new container gets: made anew when Storage is set, otherwise an existing volume.
type diskPlan struct {
	VMID    int
	Key     string
	Storage string
	Size    int64
	Options map[string]string // of the setting, with the volume
	Prefix  string            // of the error
}

// mayUseVolume checks a disk's volume: its name, and the rights to an existing one.
func (x *tx) mayUseVolume(c *request, volume string) error {
	if _, _, isNew := parseNewVolume(volume); isNew || mountKind(volume) != "volume" {
		return nil
	}
	if c.who.isRoot() && bareNumber(volume) {
		return nil
	}
	s, _, err := x.parseVolume(volume)
	if err != nil {
		return err
	}
	if v := x.volume(c.node, volume); v != nil && v.VMID != 0 && !x.allowed(c.who, "/storage/"+s.ID, "Datastore.Allocate") {
		if err := x.check(c.who, "/vms/"+vmidKey(v.VMID), "VM.Config.Disk"); err != nil {
			return err
		}
	}
	return nil
}

// bareNumber reports whether a volume is only a size, which works for root@pam alone.
func bareNumber(volume string) bool { _, _, ok := parseNewVolume("x:" + volume); return ok }

// checkTemplate holds the template against its storage. Whether the file is there shows in the task.
func (x *tx) checkTemplate(c *request, volid string) error {
	s, name, err := x.parseVolume(volid)
	if err != nil {
		return err
	}
	if contentOf(name) != "vztmpl" {
		return die("unable to use volume %s - content type needs to be 'vztmpl'", volid)
	}
	return x.checkAny(c.who, "/storage/"+s.ID, "Datastore.AllocateSpace", "Datastore.Audit")
}

// planDisks lists the disks of a new container, the root disk first, and checks their storages.
func (x *tx) planDisks(c *request, vmid int) ([]diskPlan, error) {
	byDefault := "local"
	if c.params.Has("storage") {
		byDefault = c.params.Str("storage")
	}
	wanted := map[string]string{}
	for key, value := range c.params {
		if isDisk(key) {
			wanted[key] = value
		}
	}
	if len(wanted) > 0 && wanted["rootfs"] == "" {
		return nil, die("mount points configured, but 'rootfs' not set - aborting")
	}
	if len(wanted) == 0 {
		wanted["rootfs"] = byDefault + ":4"
	}
	var disks []diskPlan
	for _, key := range diskOrder(wanted) {
		d := diskPlan{VMID: vmid, Key: key, Options: parseMount(key, wanted[key]), Prefix: "unable to create CT " + vmidKey(vmid) + " - "}
		volume := d.Options["volume"]
		if bareNumber(volume) {
			volume = byDefault + ":" + volume
		}
		if id, size, isNew := parseNewVolume(volume); isNew {
			d.Storage, d.Size = id, size
			if err := x.mayAllocate(c, id); err != nil {
				return nil, err
			}
		}
		disks = append(disks, d)
	}
	return disks, nil
}

// diskOrder returns the disks among settings: rootfs, then mount points by number.
func diskOrder[V any](settings map[string]V) []string {
	var keys []string
	for key := range settings {
		if isDisk(key) {
			keys = append(keys, key)
		}
	}
	slices.SortFunc(keys, func(a, b string) int {
		if (a == "rootfs") != (b == "rootfs") {
			return bit(b == "rootfs") - bit(a == "rootfs")
		}
		if len(a) != len(b) {
			return len(a) - len(b)
		}
		return strings.Compare(a, b)
	})
	return keys
}

// mayAllocate is the error of a storage on which the caller cannot get a new volume.
func (x *tx) mayAllocate(c *request, id string) error {
	s, err := x.storageFor(id, c.node)
	if err != nil {
		return err
	}
	if !s.holds("rootdir") {
		return badParam("storage", "storage '%s' does not support container directories", id)
	}
	if err := x.check(c.who, "/storage/"+id, "Datastore.AllocateSpace"); err != nil {
		return err
	}
	return s.online()
}

// allocationSteps make one disk. Allocations on a storage of a node are done one at a time.
func (x *tx) allocationSteps(node string, d diskPlan) []step {
	if d.Storage == "" {
		return []step{call("ct.allocate", d)}
	}
	s := x.storages.at(d.Storage)
	lock := storageLock(s.home(node), s.ID)
	take := step{Admits: s.LockAdmits}
	return []step{
		take.locking(lock).orTimeout(d.Prefix + s.lockTimeout()),
		call("ct.allocate", d).after(seconds(s.LockSeconds)).unlocking(lock),
		pause(50 * time.Millisecond),
	}
}

// lockTimeout is the error of who did not get the lock of a storage in time.
func (s *storage) lockTimeout() string {
	if s.Shared {
		return "cfs-lock 'storage-" + s.ID + "' error: got lock request timeout"
	}
	return lockTimeout("/var/lock/pve-manager/pve-storage-" + s.ID)
}

// allocateDisk makes a disk of a container that is being made.
func (x *tx) allocateDisk(t *task, d diskPlan) error {
	g, err := x.inTheMaking(t, d.VMID)
	if err != nil {
		return err
	}
	options := maps.Clone(d.Options)
	switch {
	case d.Storage != "":
		s := x.storages.at(d.Storage)
		if s == nil {
			return die("%sstorage '%s' does not exist", d.Prefix, d.Storage)
		}
		v, err := x.allocate(s, t.Node, d.VMID, d.Size)
		if err != nil {
			return die("%s%v", d.Prefix, err)
		}
		t.Log = append(t.Log, x.filesystemLines(s, v)...)
		g.Making.Volumes = append(g.Making.Volumes, v.id())
		options["volume"], options["size"] = v.id(), formatSize(v.Size)
	case mountKind(options["volume"]) == "volume":
		v := x.volume(t.Node, options["volume"])
		if v == nil {
			return die("%svolume '%s' does not exist", d.Prefix, options["volume"])
		}
		options["size"] = formatSize(v.Size)
	}
	g.Making.Config[d.Key] = printMount(d.Key, options)
	x.touchGuest(g)
	return nil
}
