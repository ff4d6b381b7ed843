package pvesim

import (
	"maps"
	"slices"
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

// createContainer makes a container. What it checks at once and what only in the task is as on a real node: a missing
// template shows in the task.
func (x *tx) createContainer(c *request) (any, error) {
	vmid := c.int("vmid")
	if c.params.Bool("restore") {
		return x.restoreContainer(c)
	}
	if x.has(unprivileged) && !x.unprivilegedWanted(c) && !c.who.isRoot() {
		if err := x.check(c.who, "/", "Sys.Modify"); err != nil {
			return nil, err
		}
	}
	if c.params.Bool("ha-managed") {
		if err := x.check(c.who, "/", "Sys.Console"); err != nil {
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
	return x.has(unprivileged)
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
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if stem(key) != "net" {
			continue
		}
		nic := props("net", config[key])
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
		call("ct.created", createdPlan{
			VMID: vmid, Pool: c.params.Str("pool"), Start: c.params.Bool("start"), HA: c.params.Bool("ha-managed"),
		}),
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

// inTheMaking returns the container that a task makes; somebody may have taken it away behind its back.
func (x *tx) inTheMaking(t *task, vmid int) (*guest, error) {
	g := x.guests.at(vmidKey(vmid))
	if g == nil || g.Making == nil {
		return nil, die("%sConfiguration file 'nodes/%s/lxc/%d.conf' does not exist", t.Doing, t.Node, vmid)
	}
	return g, nil
}

type createdPlan struct {
	VMID  int
	Pool  string
	Start bool
	HA    bool
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
	x.joinPool(p.Pool, p.VMID)
	t.Undo = nil
	if p.HA {
		state := "stopped"
		if p.Start {
			state = "started"
		}
		x.lookAfter(p.VMID, state)
	}
	if p.Start {
		x.startAfter(t, p.VMID)
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
	if g.Making.Old != nil {
		x.changed(g)
		g.Config, g.Making = g.Making.Old, nil
		return nil
	}
	x.guests.drop(vmidKey(vmid))
	return nil
}
