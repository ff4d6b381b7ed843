package pvesim

import (
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// callOnly reports whether a parameter of a create belongs to the call and is no setting.
func callOnly(key string) bool {
	switch key {
	case "node", "vmid", "ostemplate", "restore", "force", "unique", "storage", "password", "ssh-public-keys", "pool", "bwlimit",
		"ignore-unpack-errors", "start", "ha-managed":
		return true
	}
	return stem(key) == "unused"
}

// diskPlan is a disk that a new container gets: made anew when Storage is set, otherwise an existing volume.
type diskPlan struct {
	VMID    int
	Key     string
	Storage string
	Size    int64
	Options map[string]string // of the setting, with the volume
	Prefix  string            // of the error
}

// createContainer makes a container. What it checks at once and what only in the task is as on a real node: a missing
// template shows in the task.
func (x *tx) createContainer(c *request) (any, error) {
	vmid := c.int("vmid")
	if c.params.Bool("restore") {
		return x.restoreContainer(c)
	}
	if !x.unprivilegedWanted(c) && !c.who.isRoot() {
		if err := x.check(c.who, "/", "Sys.Modify"); err != nil {
			return nil, err
		}
	}
	if err := x.vmidFree(vmid); err != nil {
		return nil, err
	}
	if err := x.mayCreate(c, vmid); err != nil {
		return nil, err
	}
	config, err := x.newConfig(c)
	if err != nil {
		return nil, err
	}
	template := c.params.Str("ostemplate")
	if err := x.checkTemplate(c, template); err != nil {
		return nil, err
	}
	disks, err := x.planDisks(c, vmid)
	if err != nil {
		return nil, err
	}
	if x.holder(guestLock(vmid)) != nil {
		return nil, die("unable to create CT %d - %s", vmid, lockTimeout(guestLockFile(vmid)))
	}
	x.guests.put(vmidKey(vmid), &guest{
		VMID: vmid, Kind: "lxc", Node: c.node, Config: map[string]string{"lock": "create"}, Changed: x.now,
		Making: &making{Config: config},
	})
	return x.spawnCreate(c, template, disks), nil
}

func (x *tx) unprivilegedWanted(c *request) bool {
	if c.params.Has("unprivileged") {
		return c.params.Bool("unprivileged")
	}
	return x.version().unprivileged
}

// createRace is how long a create takes from its first look at an id to taking it: another one in that time fails later.
const createRace = 10 * time.Millisecond

// vmidFree is the error of an id that is taken anywhere in the cluster.
func (x *tx) vmidFree(vmid int) error {
	g := x.guests.at(vmidKey(vmid))
	switch {
	case g == nil:
		return nil
	case g.Making != nil && x.now.Sub(g.Changed) < createRace:
		return die("unable to create CT %d - CT %d already exists on node '%s'", vmid, vmid, g.Node)
	case g.Kind == "lxc":
		return die("CT %d already exists on node '%s'", vmid, g.Node)
	}
	return die("VM %d already exists on node '%s'", vmid, g.Node)
}

// mayCreate checks keys, pool and the right to make the container.
func (x *tx) mayCreate(c *request, vmid int) error {
	if !sshKeys(c.params.Str("ssh-public-keys")) {
		return die("SSH public key validation error")
	}
	pool := c.params.Str("pool")
	if pool != "" && x.pools.at(pool) == nil {
		return forbidden("pool '%s' does not exist", pool)
	}
	if x.allowed(c.who, "/vms/"+vmidKey(vmid), "VM.Allocate") || pool != "" && x.allowed(c.who, "/pool/"+pool, "VM.Allocate") {
		return nil
	}
	return forbidden("")
}

// newConfig checks the rights to each setting and returns them as they will be stored, without disks.
func (x *tx) newConfig(c *request) (map[string]string, error) {
	vmid := c.int("vmid")
	ch := change{vmid: vmid, node: c.node, pool: c.params.Str("pool"), unprivileged: x.unprivilegedWanted(c)}
	config := map[string]string{"memory": "512", "swap": "512", "hostname": "CT" + vmidKey(vmid)}
	if ch.unprivileged {
		config["unprivileged"] = "1"
	}
	for _, key := range slices.Sorted(maps.Keys(c.params)) {
		value := c.params[key]
		if callOnly(key) {
			continue
		}
		if err := x.mayChange(c, ch, key, &value); err != nil {
			return nil, err
		}
		if isDisk(key) {
			if err := x.mayUseVolume(c, volumeOf(value)); err != nil {
				return nil, err
			}
			continue
		}
		if stored, ok := x.stored(key, value); ok {
			config[key] = stored
		}
	}
	return config, x.checkNICs(config)
}

// stored is a setting that is no disk as it is stored; false when it leaves nothing.
func (x *tx) stored(key, value string) (string, bool) {
	if stem(key) == "net" {
		return x.normalNet(value), true
	}
	value = normal(key, value)
	return value, value != "" || key != "description"
}

// checkNICs is the error of an interface whose MTU its bridge does not have.
func (x *tx) checkNICs(config map[string]string) error {
	for key, text := range config {
		if stem(key) != "net" {
			continue
		}
		nic := props("net", text)
		b, known := x.meta.at("").Bridges[nic["bridge"]]
		mtu, bridgeMTU := schema.Values(nic).Int("mtu", 0), b.MTU
		if bridgeMTU == 0 {
			bridgeMTU = 1500
		}
		if known && mtu > bridgeMTU {
			return die("%s: MTU size '%d' is bigger than bridge MTU '%d'", key, mtu, bridgeMTU)
		}
	}
	return nil
}

// mayUseVolume checks a disk's volume: its name, and the rights to an existing one.
func (x *tx) mayUseVolume(c *request, volume string) error {
	if _, _, isNew := parseNewVolume(volume); isNew || mountKind(volume) != "volume" {
		return nil
	}
	if c.who.isRoot() && bareNumber(volume) {
		return nil
	}
	s, name, err := x.parseVolume(volume)
	if err != nil {
		return err
	}
	if v := x.volume(c.node, volume); v != nil && v.VMID != 0 && !x.allowed(c.who, "/storage/"+s.ID, "Datastore.Allocate") {
		if err := x.check(c.who, "/vms/"+vmidKey(v.VMID), "VM.Config.Disk"); err != nil {
			return err
		}
	}
	_ = name
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

// spawnCreate starts the task: allocate each disk under its storage's lock, make file systems, unpack, write the
// configuration.
func (x *tx) spawnCreate(c *request, template string, disks []diskPlan) string {
	vmid := c.int("vmid")
	steps := []step{step{}.locking(guestLock(vmid)).orTimeout(lockTimeout(guestLockFile(vmid)))}
	for _, d := range disks {
		steps = append(steps, x.allocationSteps(c.node, d)...)
	}
	pack := unpackPlan{
		VMID: vmid, Template: template, Arch: c.params.Has("arch"), OSType: c.params.Str("ostype"), Limit: c.int("bwlimit"),
	}
	steps = append(steps,
		call("ct.unpack", pack).after(50*time.Millisecond),
		call("ct.unpacked", pack).after(x.unpackTime(c, template)),
		call("ct.created", createdPlan{VMID: vmid, Pool: c.params.Str("pool"), Start: c.params.Bool("start")}),
	)
	return x.spawnUndoing(c, "vzcreate", vmid, steps)
}

// spawnUndoing starts a task that takes back a half-made container when it fails.
func (x *tx) spawnUndoing(c *request, kind string, vmid int, steps []step) string {
	upid := x.spawn(c, kind, vmidKey(vmid), steps...)
	t := x.tasks.at(upid)
	t.Undo, t.Doing = []step{call("ct.unmake", vmid)}, "unable to create CT "+vmidKey(vmid)+" - "
	return upid
}

// unpackTime is how long a template takes to unpack: what the bandwidth limit says, else some 300 MiB a second.
func (x *tx) unpackTime(c *request, template string) time.Duration {
	v := x.volume(c.node, template)
	if v == nil || v.Software == nil {
		return 0
	}
	if limit := c.params.Float("bwlimit", 0); limit > 0 {
		return seconds(float64(v.Size) / (limit * 1024))
	}
	return 200*time.Millisecond + seconds(float64(v.Software.Unpacked)/(300<<20))
}

// allocationSteps make one disk. Allocations on a storage of a node are done one at a time.
func (x *tx) allocationSteps(node string, d diskPlan) []step {
	if d.Storage == "" {
		return []step{call("ct.allocate", d)}
	}
	s := x.storages.at(d.Storage)
	lock, file := storageLock(s.home(node), s.ID), "/var/lock/pve-manager/pve-storage-"+s.ID
	timeout := lockTimeout(file)
	if s.Shared {
		timeout = "cfs-lock 'storage-" + s.ID + "' error: got lock request timeout"
	}
	return []step{
		step{}.locking(lock).orTimeout(d.Prefix + timeout),
		call("ct.allocate", d).after(seconds(s.LockSeconds)).unlocking(lock),
		pause(50 * time.Millisecond),
	}
}

// inTheMaking returns the container that a task makes; somebody may have taken it away behind its back.
func (x *tx) inTheMaking(t *task, vmid int) (*guest, error) {
	g := x.guests.at(vmidKey(vmid))
	if g == nil || g.Making == nil {
		return nil, die("%sConfiguration file 'nodes/%s/lxc/%d.conf' does not exist", t.Doing, t.Node, vmid)
	}
	return g, nil
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

type createdPlan struct {
	VMID  int
	Pool  string
	Start bool
}

// created makes the configuration of a container real: its lock goes, it joins its pool, and it is started by a task of
// its own.
func (x *tx) created(t *task, p createdPlan) error {
	g, err := x.inTheMaking(t, p.VMID)
	if err != nil {
		return err
	}
	x.changed(g)
	g.Config, g.Making = g.Making.Config, nil
	if pool := x.pools.at(p.Pool); pool != nil {
		pool.Guests = append(pool.Guests, p.VMID)
		x.pools.touch(p.Pool)
	}
	t.Undo = nil
	if p.Start {
		x.unlock(t, guestLock(p.VMID))
		start := x.newTask(t.Node, "vzstart", vmidKey(p.VMID), t.User)
		x.launch(start, startSteps(p.VMID))
	}
	return nil
}

// unmake removes what a failed task made of a container.
func (x *tx) unmake(t *task, vmid int) error {
	g := x.guests.at(vmidKey(vmid))
	if g == nil || g.Making == nil {
		return nil
	}
	for _, volid := range g.Making.Volumes {
		if v := x.volume(t.Node, volid); v != nil {
			x.dropVolume(v)
		}
	}
	x.guests.drop(vmidKey(vmid))
	return nil
}
