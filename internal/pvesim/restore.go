package pvesim

import (
	"cmp"
	"fmt"
	"maps"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

func restoreEffects() map[string]effect {
	return map[string]effect{
		"restore.recover": effectOf((*tx).restoreRecover),
		"restore.extract": effectOf((*tx).restoreExtract),
		"restore.done":    effectOf((*tx).restoreDone),
	}
}

// restorePlan is a container to be made from a backup.
type restorePlan struct {
	VMID    int
	Archive string
	Given   map[string]string // settings that win over those of the backup, as they are stored
	Storage string            // for disks of the backup
	Disks   []diskPlan        // given ones: then those of the backup are left out
	Unique  bool
	Root    bool // the caller is root@pam
	End     createdPlan
}

// restoreContainer makes a container from a backup, under a new id or, with force, in place of a stopped container.
func (x *tx) restoreContainer(c *request) (any, error) {
	vmid := c.int("vmid")
	old, err := x.restoreTarget(c, vmid)
	if err != nil {
		return nil, err
	}
	if err := x.mayRestore(c, vmid, old); err != nil {
		return nil, err
	}
	config, err := x.newConfig(c)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(config, func(key, _ string) bool { return !c.params.Has(key) })
	p := restorePlan{
		VMID: vmid, Archive: c.params.Str("ostemplate"), Given: config, Storage: cmp.Or(c.params.Str("storage"), "local"),
		Unique: c.params.Bool("unique"), Root: c.who.isRoot(),
		End: createdPlan{VMID: vmid, Pool: c.params.Str("pool"), Start: c.params.Bool("start")},
	}
	if _, err := x.archiveAt(c, p.Archive); err != nil {
		return nil, err
	}
	if p.Disks, err = x.restoreDisks(c, vmid); err != nil {
		return nil, err
	}
	if len(p.Disks) == 0 {
		if err := x.mayAllocate(c, p.Storage); err != nil {
			return nil, err
		}
	}
	if x.holder(guestLock(vmid)) != nil {
		return nil, die("unable to restore CT %d - %s", vmid, lockTimeout(guestLockFile(vmid)))
	}
	x.beginRestore(c, vmid, old)
	steps := []step{powerLock(vmid), call("restore.recover", p).after(100 * time.Millisecond)}
	upid := x.spawnUndoing(c, "vzrestore", vmid, steps)
	x.tasks.at(upid).Doing = restoring(vmid)
	return upid, nil
}

func restoring(vmid int) string { return fmt.Sprintf("unable to restore CT %d - ", vmid) }

// restoreTarget is the container that is restored in place, nil for a new one.
func (x *tx) restoreTarget(c *request, vmid int) (*guest, error) {
	g := x.guests.at(vmidKey(vmid))
	if g == nil || g.Kind != "lxc" || g.Node != c.node || !c.params.Bool("force") {
		return nil, x.vmidFree(vmid)
	}
	switch {
	case g.Running:
		return nil, die("can't overwrite running container")
	case g.Config["protection"] == "1":
		return nil, die("unable to restore CT %d - protection mode enabled", vmid)
	case g.unlocked() != nil:
		return nil, die("unable to restore CT %d - %s", vmid, g.unlocked())
	}
	return g, nil
}

// mayRestore: who may back a container up may also restore it in place.
func (x *tx) mayRestore(c *request, vmid int, old *guest) error {
	if old != nil && sshKeys(c.params.Str("ssh-public-keys")) && x.allowed(c.who, "/vms/"+vmidKey(vmid), "VM.Backup") {
		return nil
	}
	return x.mayCreate(c, vmid)
}

// restoreDisks are the disks that the request names, none when those of the backup are wanted.
func (x *tx) restoreDisks(c *request, vmid int) ([]diskPlan, error) {
	if !c.params.Has("rootfs") {
		for key := range c.params {
			if isMount(key) {
				return nil, die("mount points configured, but 'rootfs' not set - aborting")
			}
		}
		return nil, nil
	}
	disks, err := x.planDisks(c, vmid)
	for i := range disks {
		disks[i].Prefix = restoring(vmid)
	}
	return disks, err
}

// beginRestore locks the container's configuration, or makes one.
func (x *tx) beginRestore(c *request, vmid int, old *guest) {
	m := &making{Config: map[string]string{}}
	if old == nil {
		x.guests.put(vmidKey(vmid), &guest{
			VMID: vmid, Kind: "lxc", Node: c.node, Config: map[string]string{"lock": "create"}, Changed: x.now, Making: m,
		})
		return
	}
	x.changed(old)
	m.Old = old.Config
	for _, v := range x.volumesOf(old) {
		m.OldIDs = append(m.OldIDs, v.id())
	}
	old.Config, old.Making = map[string]string{"lock": "create"}, m
}

// restoreRecover reads the backup and plans the disks.
func (x *tx) restoreRecover(t *task, p restorePlan) error {
	t.logf("recovering backed-up configuration from '%s'", p.Archive)
	g, err := x.inTheMaking(t, p.VMID)
	if err != nil {
		return err
	}
	v := x.volume(t.Node, p.Archive)
	if v == nil || v.Archive == nil {
		return die("%svolume '%s' does not exist", t.Doing, p.Archive)
	}
	g.Making.Config = x.mergeConfig(v.Archive.Config, p)
	g.Software = v.Archive.Software
	disks := p.Disks
	if len(disks) == 0 {
		if disks, err = p.disksOf(v.Archive); err != nil {
			return err
		}
	}
	var steps []step
	for _, d := range disks {
		if d.Storage != "" && x.storages.at(d.Storage) == nil {
			return die("%sstorage '%s' does not exist", t.Doing, d.Storage)
		}
		steps = append(steps, x.allocationSteps(t.Node, d)...)
	}
	extract := seconds(0.1 + float64(v.Size)/(200<<20))
	t.then(append(steps, call("restore.extract", p), call("restore.done", p).after(extract))...)
	x.touchGuest(g)
	return nil
}

// mergeConfig puts given settings over those of the backup. Disks come later, and some things are not taken over at all.
func (x *tx) mergeConfig(backed map[string]string, p restorePlan) map[string]string {
	config := map[string]string{}
	for key, value := range backed {
		if isDisk(key) || stem(key) == "unused" || key == "template" || key == "parent" || key == "lock" {
			continue
		}
		if stem(key) == "net" && p.Unique {
			nic := props("net", value)
			delete(nic, "hwaddr")
			value = x.normalNet(schema.PrintProps("net", nic))
		}
		config[key] = value
	}
	maps.Copy(config, p.Given)
	if config["unprivileged"] == "0" {
		delete(config, "unprivileged")
	}
	return config
}

// disksOf are the disks of a backup, those that were left out of it among them: they are made again, empty.
func (p restorePlan) disksOf(a *archive) ([]diskPlan, error) {
	var disks []diskPlan
	for _, key := range diskOrder(a.Config) {
		d := diskPlan{VMID: p.VMID, Key: key, Options: parseMount(key, a.Config[key]), Prefix: restoring(p.VMID)}
		if kind := mountKind(d.Options["volume"]); kind != "volume" {
			if !p.Root {
				return nil, die("%srestoring '%s' to %s mount is only possible for root", d.Prefix, key, kind)
			}
			disks = append(disks, d)
			continue
		}
		d.Storage = p.Storage
		d.Size, _ = parseSize(d.Options["size"]) // none: what the archive says
		d.Size = max(d.Size, a.Disks[key].Size)
		disks = append(disks, d)
	}
	return disks, nil
}

func (x *tx) restoreExtract(t *task, p restorePlan) error {
	v := x.volume(t.Node, p.Archive)
	if v == nil {
		return die("%svolume '%s' does not exist", t.Doing, p.Archive)
	}
	t.logf("restoring '%s' now..", p.Archive)
	t.logf("extracting archive '%s'", x.storages.at(v.Storage).filePath(v))
	return nil
}

// restoreDone fills the disks, removes those of a container that was replaced, and makes the configuration real.
func (x *tx) restoreDone(t *task, p restorePlan) error {
	g, err := x.inTheMaking(t, p.VMID)
	if err != nil {
		return err
	}
	v := x.volume(t.Node, p.Archive)
	if v == nil {
		return die("%svolume '%s' does not exist", t.Doing, p.Archive)
	}
	read := int64(10240)
	for key, from := range v.Archive.Disks {
		read += x.fill(t.Node, g.Making.Config, key, from, mountPath(v.Archive.Config[key]))
	}
	t.logf("Total bytes read: %d (%.1fMiB, 200MiB/s)", read, float64(read)/(1<<20))
	t.logf("merging backed-up and given configuration..")
	for _, volid := range g.Making.OldIDs {
		if old := x.volume(t.Node, volid); old != nil {
			x.dropVolume(old)
		}
	}
	g.Pending, g.Deletes, g.Snaps = nil, nil, nil
	return x.created(t, p.End)
}

// fill puts the content of a backed up disk into the new disk, or into the root disk when there is no such disk any more.
func (x *tx) fill(node string, config map[string]string, key string, from disk, at string) int64 {
	prefix := ""
	if config[key] == "" {
		key, prefix = "rootfs", at
	}
	to := x.volume(node, volumeOf(config[key]))
	if to == nil {
		return 0
	}
	if to.Files == nil {
		to.Files = map[string]string{}
	}
	for path, hash := range from.Files {
		to.Files[prefix+path] = hash
	}
	to.Used = max(to.Used, from.Size/4)
	x.touchVolume(to)
	return from.Size / 4
}

// mountPath is where a disk is mounted, "" for the root disk.
func mountPath(text string) string {
	return strings.TrimSuffix(parseMount("mp0", text)["mp"], "/")
}
