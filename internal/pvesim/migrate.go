package pvesim

import (
	"cmp"
	"errors"
	"strings"
	"time"
)

func migrateHandlers() map[string]handler {
	const at = "/nodes/{node}/lxc/{vmid}"
	return map[string]handler{
		"GET " + at + "/migrate":      (*tx).migrateCheck,
		"POST " + at + "/migrate":     (*tx).migrate,
		"POST " + at + "/move_volume": (*tx).moveVolume,
	}
}

func migrateEffects() map[string]effect {
	return map[string]effect{
		"migrate.begin": effectOf((*tx).migrateBegin),
		"migrate.stop":  effectOf((*tx).migrateStop),
		"migrate.done":  effectOf((*tx).migrateDone),
		"migrate.undo":  effectOf((*tx).migrateUndo),
		"move.begin":    effectOf((*tx).moveBegin),
		"move.copy":     effectOf((*tx).moveCopy),
	}
}

// migratePlan is a container on its way to another node.
type migratePlan struct {
	VMID    int
	Target  string
	Storage string // for its local disks there; "": of the same names
	Online  bool
	Restart bool
	WasUp   bool // set when it was stopped for the migration
}

// migrateCheck tells to which nodes a container can go.
func (x *tx) migrateCheck(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	allowed, not := []string{}, map[string]any{}
	for _, n := range x.nodes.all() {
		if n.Name == g.Node || n.Offline {
			continue
		}
		if lacking := x.storagesLacking(g, migratePlan{Target: n.Name}); len(lacking) > 0 {
			not[n.Name] = map[string]any{"unavailable_storages": lacking}
			continue
		}
		allowed = append(allowed, n.Name)
	}
	return map[string]any{"running": bit(g.Running), "allowed-nodes": allowed, "not-allowed-nodes": not}, nil
}

// storagesLacking are the storages that a container's disks need on a node that does not have them.
func (x *tx) storagesLacking(g *guest, p migratePlan) []string {
	var lacking []string
	for _, key := range diskOrder(g.Config) {
		volid := volumeOf(g.Config[key])
		if mountKind(volid) != "volume" {
			continue
		}
		id, _, _ := strings.Cut(volid, ":")
		if s := x.storages.at(id); s == nil || !s.Shared {
			id = cmp.Or(p.Storage, id)
		}
		if _, err := x.storageFor(id, p.Target); err != nil {
			lacking = append(lacking, id)
		}
	}
	return lacking
}

func (x *tx) migrate(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	p := migratePlan{
		VMID: c.vmid, Target: c.params.Str("target"), Online: c.params.Bool("online"), Restart: c.params.Bool("restart"),
		Storage: targetStorage(c.params.Str("target-storage")),
	}
	n := x.nodes.at(p.Target)
	switch {
	case p.Target == g.Node || p.Target == "localhost":
		return nil, badParam("target", "target is local node.")
	case n == nil:
		return nil, die("no such cluster node '%s'", p.Target)
	case n.Offline:
		return nil, die("target node '%s' is offline", p.Target)
	case g.Running && !p.Online && !p.Restart:
		return nil, die("can't migrate running container without --online or --restart")
	}
	if p.Storage != "" {
		if err := x.check(c.who, "/storage/"+p.Storage, "Datastore.AllocateSpace"); err != nil {
			return nil, err
		}
	}
	if h := x.managed(g); h != nil {
		says := "Requesting HA migration for CT " + vmidKey(c.vmid) + " to node " + p.Target
		return x.haRequest(c, h, "hamigrate", says, func() { h.Target = p.Target }), nil
	}
	return x.spawn(c, "vzmigrate", vmidKey(c.vmid), powerLock(c.vmid), call("migrate.begin", p).after(300*time.Millisecond)), nil
}

// targetStorage is the storage for all disks; a map of several storages counts with its last.
func targetStorage(text string) string {
	_, last, ok := strings.Cut(text, ":")
	switch {
	case text == "1":
		return ""
	case ok:
		return last
	}
	return text
}

func (x *tx) migrateBegin(t *task, p migratePlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	t.logf("starting migration of CT %d to node '%s' (%s)", p.VMID, p.Target, x.nodes.at(p.Target).IP)
	if err := x.migratable(g, p); err != nil {
		t.logf("ERROR: migration aborted (duration 00:00:00): %v", err)
		return errors.New("migration aborted")
	}
	g.Config["lock"] = "migrate"
	x.touchGuest(g)
	if p.WasUp = g.Running; p.WasUp {
		wait := 1200 * time.Millisecond
		if g.Software.IgnoreShutdown {
			wait = 10 * time.Second
		}
		t.logf("shutdown CT %d", p.VMID)
		t.then(call("migrate.stop", p).after(wait))
	}
	t.Undo = []step{call("migrate.undo", p)}
	copying := 500 * time.Millisecond
	for _, v := range x.volumesOf(g) {
		if v.Node != "" {
			t.logf("found local volume '%s' (in current VM config)", v.id())
			copying += seconds(float64(v.Used) / (110 << 20))
		}
	}
	t.Steps = append(t.Steps, call("migrate.done", p).after(copying))
	return nil
}

// migratable is the error of a container that cannot go.
func (x *tx) migratable(g *guest, p migratePlan) error {
	switch {
	case g.unlocked() != nil:
		return g.unlocked()
	case g.Running && p.Online && !p.Restart:
		return errors.New("lxc live migration is currently not implemented")
	}
	for _, key := range diskOrder(g.Config) {
		if kind := mountKind(volumeOf(g.Config[key])); kind != "volume" {
			return die("cannot migrate local %s mount point '%s'", kind, key)
		}
	}
	if lacking := x.storagesLacking(g, p); len(lacking) > 0 {
		return die("storage '%s' is not available on node '%s'", lacking[0], p.Target)
	}
	return nil
}

func (x *tx) migrateStop(_ *task, p migratePlan) error {
	if g := x.guests.at(vmidKey(p.VMID)); g != nil && g.Running {
		x.setStopped(g)
	}
	return nil
}

// migrateDone puts the container on its new node. Local disks go along, perhaps to another storage.
func (x *tx) migrateDone(t *task, p migratePlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if lacking := x.storagesLacking(g, p); len(lacking) > 0 {
		return die("storage '%s' is not available on node '%s'", lacking[0], p.Target)
	}
	for _, v := range x.volumesOf(g) {
		if v.Node != "" {
			x.carry(g, v, p)
		}
	}
	x.changed(g)
	delete(g.Config, "lock")
	g.Node, t.Undo = p.Target, nil
	if p.WasUp {
		t.logf("start container on target node")
		x.setRunning(g)
	}
	t.logf("migration finished successfully (duration %s)", clockOf(x.now.Sub(t.Start)))
	return nil
}

// carry moves a volume to another node and lets the container's settings name it there.
func (x *tx) carry(g *guest, v *volume, p migratePlan) {
	old := v.id()
	x.dropVolume(v)
	if target := x.storages.at(p.Storage); target != nil {
		v.Storage, v.Format, v.Parent = target.ID, target.diskFormat(), ""
	}
	s := x.storages.at(v.Storage)
	v.Node = s.home(p.Target)
	if v.id() != old || x.volume(p.Target, v.id()) != nil {
		v.Name = x.freeDisk(s, p.Target, p.VMID)
	}
	x.putVolume(v)
	renameVolume(g.Config, old, v.id())
	for _, snap := range g.Snaps {
		renameVolume(snap.Config, old, v.id())
	}
}

func renameVolume(settings map[string]string, old, now string) {
	for key, text := range settings {
		if volumeOf(text) == old {
			settings[key] = strings.Replace(text, old, now, 1)
		}
	}
}

// migrateUndo leaves the container where it was, running if it ran.
func (x *tx) migrateUndo(t *task, p migratePlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	delete(g.Config, "lock")
	x.touchGuest(g)
	if p.WasUp && !g.Running {
		x.setRunning(g)
	}
	return nil
}
