package pvesim

import (
	"errors"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

const snapshotPath = "/nodes/{node}/lxc/{vmid}/snapshot"

func snapshotHandlers() map[string]handler {
	const one = snapshotPath + "/{snapname}"
	return map[string]handler{
		"GET " + snapshotPath:       (*tx).snapshotList,
		"POST " + snapshotPath:      (*tx).snapshotCreate,
		"GET " + one:                guestIndex("cmd", "rollback", "config"),
		"DELETE " + one:             (*tx).snapshotDelete,
		"GET " + one + "/config":    (*tx).snapshotConfig,
		"PUT " + one + "/config":    (*tx).snapshotDescribe,
		"POST " + one + "/rollback": (*tx).snapshotRollback,
	}
}

func snapshotEffects() map[string]effect {
	return map[string]effect{
		"snapshot.begin":    effectOf((*tx).snapshotBegin),
		"snapshot.taken":    effectOf((*tx).snapshotTaken),
		"snapshot.drop":     effectOf((*tx).snapshotDrop),
		"snapshot.rollback": effectOf((*tx).rollback),
		"snapshot.unlock":   effectOf((*tx).unlockConfig),
	}
}

// snapshotPlan is what a task does with a snapshot.
type snapshotPlan struct {
	VMID  int
	Name  string
	Text  string
	Force bool
	Start bool
}

func (x *tx) snapshotList(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	current := map[string]any{
		"name": "current", "description": "You are here!", "digest": g.digest(), "running": bit(g.Running),
	}
	if parent := g.Config["parent"]; parent != "" {
		current["parent"] = parent
	}
	rows := []map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(g.Snaps)) {
		s := g.Snaps[name]
		row := map[string]any{"name": name, "snaptime": s.Time.Unix(), "description": s.Config["description"]}
		if s.Parent != "" {
			row["parent"] = s.Parent
		}
		if s.State != "" {
			row["snapstate"] = s.State
		}
		rows = append(rows, row)
	}
	return append(rows, current), nil
}

func (x *tx) snapshotCreate(c *request) (any, error) {
	name := c.params.Str("snapname")
	if name == "current" || name == "vzdump" {
		return nil, die("unable to use snapshot name '%s' (reserved name)", name)
	}
	p := snapshotPlan{VMID: c.vmid, Name: name, Text: normal("description", c.params.Str("description"))}
	return x.spawn(c, "vzsnapshot", vmidKey(c.vmid), powerLock(c.vmid), call("snapshot.begin", p),
		call("snapshot.taken", p).after(150*time.Millisecond)), nil
}

// snapshotBegin checks whether a snapshot can be taken and locks the container.
func (x *tx) snapshotBegin(t *task, p snapshotPlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	switch {
	case g.unlocked() != nil:
		return g.unlocked()
	case g.Config["template"] == "1":
		return errors.New("you can't take a snapshot if it's a template")
	case g.Snaps[p.Name] != nil:
		return die("snapshot name '%s' already used", p.Name)
	case !x.can(g, "snapshot"):
		return errors.New("snapshot feature is not available")
	}
	g.Config["lock"] = "snapshot"
	t.Undo = []step{call("snapshot.unlock", p.VMID)}
	x.touchGuest(g)
	return nil
}

// unlockConfig drops the lock of a container's configuration.
func (x *tx) unlockConfig(_ *task, vmid int) error {
	if g := x.guests.at(vmidKey(vmid)); g != nil {
		delete(g.Config, "lock")
		x.touchGuest(g)
	}
	return nil
}

func (x *tx) snapshotTaken(t *task, p snapshotPlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	delete(g.Config, "lock")
	s := &snapshot{
		Config: maps.Clone(g.Config), Time: x.now, Parent: g.Config["parent"],
		Content: map[string]map[string]string{}, Sizes: map[string]int64{},
	}
	delete(s.Config, "description")
	if p.Text != "" {
		s.Config["description"] = p.Text
	}
	s.Config["snaptime"] = strconv.FormatInt(x.now.Unix(), 10)
	for _, key := range diskOrder(g.Config) {
		if v := x.volume(g.Node, volumeOf(g.Config[key])); v != nil {
			s.Content[v.id()], s.Sizes[v.id()] = maps.Clone(v.Files), v.Size
		}
	}
	if g.Snaps == nil {
		g.Snaps = map[string]*snapshot{}
	}
	g.Snaps[p.Name] = s
	g.Config["parent"] = p.Name
	x.touchGuest(g)
	return nil
}

// snapshotOf returns a snapshot of the container that the path names.
func (x *tx) snapshotOf(c *request) (*guest, *snapshot, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, nil, err
	}
	s := g.Snaps[c.params.Str("snapname")]
	if s == nil {
		return nil, nil, die("snapshot '%s' does not exist", c.params.Str("snapname"))
	}
	return g, s, nil
}

func (x *tx) snapshotConfig(c *request) (any, error) {
	_, s, err := x.snapshotOf(c)
	if err != nil {
		return nil, err
	}
	row := jsonConfig(s.Config, "", true)
	delete(row, "digest")
	return row, nil
}

func (x *tx) snapshotDescribe(c *request) (any, error) {
	g, s, err := x.snapshotOf(c)
	if err != nil {
		return nil, err
	}
	if c.params.Has("description") {
		s.Config["description"] = normal("description", c.params.Str("description"))
		x.touchGuest(g)
	}
	return nil, nil
}

func (x *tx) snapshotDelete(c *request) (any, error) {
	p := snapshotPlan{VMID: c.vmid, Name: c.params.Str("snapname"), Force: c.params.Bool("force")}
	return x.spawn(c, "vzdelsnapshot", vmidKey(c.vmid), powerLock(c.vmid),
		call("snapshot.drop", p).after(150*time.Millisecond)), nil
}

// snapshotToChange returns a container that nobody holds and its snapshot.
func (x *tx) snapshotToChange(t *task, p snapshotPlan) (*guest, *snapshot, error) {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return nil, nil, err
	}
	s := g.Snaps[p.Name]
	switch {
	case g.unlocked() != nil:
		return nil, nil, g.unlocked()
	case s == nil:
		return nil, nil, die("snapshot '%s' does not exist", p.Name)
	}
	return g, s, nil
}

// snapshotDrop removes a snapshot: what came after it comes after its parent now.
func (x *tx) snapshotDrop(t *task, p snapshotPlan) error {
	g, s, err := x.snapshotToChange(t, p)
	if err != nil {
		return err
	}
	delete(g.Snaps, p.Name)
	for _, other := range g.Snaps {
		if other.Parent == p.Name {
			other.Parent = s.Parent
			setOrDelete(other.Config, "parent", s.Parent)
		}
	}
	if g.Config["parent"] == p.Name {
		setOrDelete(g.Config, "parent", s.Parent)
	}
	x.touchGuest(g)
	return nil
}

func setOrDelete(settings map[string]string, key, value string) {
	if settings[key] = value; value == "" {
		delete(settings, key)
	}
}

func (x *tx) snapshotRollback(c *request) (any, error) {
	p := snapshotPlan{VMID: c.vmid, Name: c.params.Str("snapname"), Start: c.params.Bool("start")}
	return x.spawn(c, "vzrollback", vmidKey(c.vmid), powerLock(c.vmid),
		call("snapshot.rollback", p).after(150*time.Millisecond)), nil
}

// rollback stops a container and puts back its settings, its disks' content and their sizes. The description stays, and
// disks that the snapshot does not know are unused from then on.
func (x *tx) rollback(t *task, p snapshotPlan) error {
	g, s, err := x.snapshotToChange(t, p)
	if err != nil {
		return err
	}
	if volid := x.newerSnapshot(g, s); volid != "" {
		return die("can't rollback, '%s' is not most recent snapshot on '%s'", p.Name, volid)
	}
	if g.Running {
		x.setStopped(g)
	}
	x.changed(g)
	config := maps.Clone(s.Config)
	delete(config, "snaptime")
	config["parent"] = p.Name
	setOrDelete(config, "description", g.Config["description"])
	before := g.Config
	g.Config, g.Pending, g.Deletes = config, nil, nil
	for _, key := range slices.Sorted(maps.Keys(before)) {
		if isDisk(key) || stem(key) == "unused" {
			g.addUnused(volumeOf(before[key]))
		}
	}
	for volid, files := range s.Content {
		if v := x.volume(g.Node, volid); v != nil {
			v.Files, v.Size = maps.Clone(files), s.Sizes[volid]
			x.touchVolume(v)
		}
	}
	if p.Start {
		x.startAfter(t, p.VMID)
	}
	return nil
}

// startAfter starts a container in a task of its own, while the task that wants it started ends.
func (x *tx) startAfter(t *task, vmid int) {
	x.unlock(t, guestLock(vmid))
	start := x.newTask(t.Node, "vzstart", vmidKey(vmid), t.User)
	x.launch(start, startSteps(vmid))
}

// newerSnapshot finds a volume on ZFS that has a newer snapshot: there only the newest can be gone back to.
func (x *tx) newerSnapshot(g *guest, s *snapshot) string {
	for _, key := range diskOrder(s.Config) {
		volid := volumeOf(s.Config[key])
		id, _, _ := strings.Cut(volid, ":")
		st := x.storages.at(id)
		if st == nil || st.Type != "zfspool" {
			continue
		}
		for _, other := range g.Snaps {
			if _, has := other.Content[volid]; has && other.Time.After(s.Time) {
				return volid
			}
		}
	}
	return ""
}
