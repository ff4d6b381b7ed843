package pvesim

import (
	"slices"
	"strings"
	"time"
)

type destroyPlan struct {
	VMID  int
	Force bool
	Purge bool
	All   bool // volumes that nothing refers to as well
}

// destroyContainer removes a container with its volumes.
func (x *tx) destroyContainer(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	p := destroyPlan{
		VMID: c.vmid, Force: c.params.Bool("force"), Purge: c.params.Bool("purge"),
		All: c.params.Bool("destroy-unreferenced-disks"),
	}
	if err := x.destroyable(g, p); err != nil {
		return nil, err
	}
	steps := []step{
		powerLock(c.vmid),
		call("ct.destroy", p).after(50 * time.Millisecond),
		call("ct.destroyed", p).after(100 * time.Millisecond),
	}
	return x.spawn(c, "vzdestroy", vmidKey(c.vmid), steps...), nil
}

// destroyable is checked at once and again in the task.
func (x *tx) destroyable(g *guest, p destroyPlan) error {
	switch {
	case g.Config["protection"] == "1":
		return die("can't remove CT %d - protection mode enabled", g.VMID)
	case g.unlocked() != nil && g.Config["lock"] != "destroyed":
		return g.unlocked()
	case !p.Purge && x.tied(g) != nil:
		return x.tied(g)
	case g.Running && !p.Force:
		return die("unable to destroy CT %d - container is running", g.VMID)
	}
	for _, v := range x.volumesOf(g) {
		if linked := x.linkedTo(v); linked != nil {
			return die("base volume '%s' is still in use by linked clones", v.id())
		}
	}
	return nil
}

// linkedTo returns a volume that is a linked clone of another, or nil.
func (x *tx) linkedTo(base *volume) *volume {
	for _, v := range x.volumes.rows {
		if v.Parent == base.id() && v.Node == base.Node {
			return v
		}
	}
	return nil
}

// volumesOf returns the volumes that a guest's settings name and that it owns, waiting settings and snapshots included.
func (x *tx) volumesOf(g *guest) []*volume {
	var owned []*volume
	settings := []map[string]string{g.Config, g.Pending}
	for _, s := range g.Snaps {
		settings = append(settings, s.Config)
	}
	for _, config := range settings {
		for key, text := range config {
			if !isDisk(key) && stem(key) != "unused" {
				continue
			}
			v := x.volume(g.Node, volumeOf(text))
			if v != nil && v.VMID == g.VMID && !slices.Contains(owned, v) {
				owned = append(owned, v)
			}
		}
	}
	return owned
}

// destroyNow removes volumes; the configuration stays with a lock until the end of the task.
func (x *tx) destroyNow(t *task, p destroyPlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if err := x.destroyable(g, p); err != nil {
		return err
	}
	for _, key := range diskOrder(g.Config) {
		if volid := volumeOf(g.Config[key]); mountKind(volid) == "volume" {
			if _, _, err := x.parseVolume(volid); err != nil {
				return err
			}
		}
	}
	for _, volid := range notOwned(g.Config, g.VMID) {
		t.logf("ignore deletion of '%s', CT %d isn't the owner!", volid, g.VMID)
	}
	x.logMissing(t, g)
	x.changed(g)
	if g.Running {
		t.logf("forced to stop CT %d before destroying!", g.VMID)
		g.Running, g.PID = false, 0
	}
	x.dropHA(g.VMID) // before its volumes: nobody is to start it any more
	for _, v := range x.volumesOf(g) {
		x.dropVolume(v)
	}
	if p.All {
		x.dropStrays(g)
	}
	g.Config, g.Pending, g.Deletes, g.Snaps = map[string]string{"lock": "destroyed"}, nil, nil, nil
	return nil
}

// logMissing tells of disks in directories that somebody took away.
func (x *tx) logMissing(t *task, g *guest) {
	for _, key := range diskOrder(g.Config) {
		id, name, _ := strings.Cut(volumeOf(g.Config[key]), ":")
		s := x.storages.at(id)
		if s == nil || !s.isDir() || ownerOf(id+":"+name) != vmidKey(g.VMID) || x.volume(g.Node, id+":"+name) != nil {
			continue
		}
		t.logf("disk image '%s' does not exist", s.filePath(&volume{Name: name}))
	}
}

// dropStrays removes volumes of a container that no setting names.
func (x *tx) dropStrays(g *guest) {
	for _, v := range x.volumes.all() {
		disk := v.Content == "rootdir" || v.Content == "images"
		if disk && v.VMID == g.VMID && (v.Node == g.Node || v.Node == "") {
			x.dropVolume(v)
		}
	}
}

// destroyed takes a container out of everything that names it. Backup jobs keep its id unless purge is asked for.
func (x *tx) destroyed(t *task, p destroyPlan) error {
	x.forgetGuest(p.VMID)
	if p.Purge {
		t.logf("purging CT %d from related configurations..", p.VMID)
		x.purgeJobs(p.VMID)
		x.dropHA(p.VMID)
		for _, r := range x.replicationsOf(p.VMID) {
			x.replications.drop(r.ID)
		}
	}
	return nil
}

// forgetGuest drops a guest, its ACL entries and its pool membership.
func (x *tx) forgetGuest(vmid int) {
	x.guests.drop(vmidKey(vmid))
	path := "/vms/" + vmidKey(vmid)
	for _, e := range x.acl.all() {
		if e.Path == path || strings.HasPrefix(e.Path, path+"/") {
			x.acl.drop(e.key())
		}
	}
	for _, p := range x.pools.all() {
		if slices.Contains(p.Guests, vmid) {
			p.Guests = slices.DeleteFunc(p.Guests, func(id int) bool { return id == vmid })
			x.pools.touch(p.ID)
		}
	}
}

// purgeJobs takes a guest out of backup jobs; a job that names nobody any more goes away.
func (x *tx) purgeJobs(vmid int) {
	for _, j := range x.jobs.all() {
		for _, key := range []string{"vmid", "exclude"} {
			list, ok := j.Config[key]
			if !ok {
				continue
			}
			ids := slices.DeleteFunc(strings.Split(list, ","), func(id string) bool { return id == vmidKey(vmid) })
			switch {
			case len(ids) > 0:
				j.Config[key] = strings.Join(ids, ",")
			case key == "exclude":
				delete(j.Config, key)
			default:
				x.jobs.drop(j.ID)
				continue
			}
			x.jobs.touch(j.ID)
		}
	}
}
