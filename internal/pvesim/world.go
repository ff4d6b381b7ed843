package pvesim

import (
	"maps"
	"slices"
	"time"
)

// World is a copy of what there is at one moment, so that tests can compare without asking the API.
type World struct {
	Now     time.Time // simulated
	Guests  map[int]Guest
	Volumes map[string]Volume            // by volume id, those of a node's own storages with "<node>/" before it
	Jobs    map[string]map[string]string // settings of backup jobs by id
	Pools   map[string][]int             // members by pool
	Running []string                     // UPIDs of running tasks
	Failed  []string                     // errors of ended tasks, with their type and id, the oldest first
	Tasks   map[string]int               // ended tasks by type
}

// Guest is a container or virtual machine.
type Guest struct {
	VMID    int
	Kind    string // lxc or qemu
	Node    string
	Running bool
	Config  map[string]string // settings in force, as in the configuration file
	Pending map[string]string // values that wait; deletes that wait are ""
	Snaps   []string
	Pool    string
	Disks   map[string]map[string]string // hashes of files by path, by setting: rootfs, mp0 and so on
}

// Volume is anything on a storage.
type Volume struct {
	Content   string // rootdir, images, vztmpl, backup and so on
	Size      int64  // bytes
	VMID      int    // 0: of no guest
	Notes     string
	Protected bool
}

// World returns a copy of what there is now. Steps of tasks that are due have been done.
func (s *Sim) World() World {
	var w World
	err := s.view(func(x *tx) { w = x.world() })
	if err != nil {
		panic("pvesim: " + err.Error()) // the estate's directory went away under a test
	}
	return w
}

func (x *tx) world() World {
	w := World{
		Now: x.now, Guests: map[int]Guest{}, Volumes: map[string]Volume{}, Jobs: map[string]map[string]string{},
		Pools: map[string][]int{}, Tasks: map[string]int{},
	}
	pools := x.poolOfGuests()
	for _, g := range x.guests.rows {
		w.Guests[g.VMID] = x.guestView(g, pools[g.VMID])
	}
	for _, v := range x.volumes.rows {
		key := v.id()
		if v.Node != "" {
			key = volumeKey(v.Node, key)
		}
		w.Volumes[key] = Volume{Content: v.Content, Size: v.Size, VMID: v.VMID, Notes: v.Notes, Protected: v.Protected}
	}
	for id, j := range x.jobs.rows {
		w.Jobs[id] = maps.Clone(j.Config)
	}
	for id, p := range x.pools.rows {
		w.Pools[id] = slices.Clone(p.Guests)
	}
	for _, t := range x.tasksByAge() {
		if !t.ended() {
			w.Running = append(w.Running, t.UPID)
			continue
		}
		w.Tasks[t.Type]++
		if t.verdict() == "error" {
			w.Failed = append(w.Failed, t.Type+" "+t.ID+": "+t.Exit)
		}
	}
	return w
}

func (x *tx) guestView(g *guest, pool string) Guest {
	view := Guest{
		VMID: g.VMID, Kind: g.Kind, Node: g.Node, Running: g.Running, Config: maps.Clone(g.Config), Pending: maps.Clone(g.Pending),
		Snaps: slices.Sorted(maps.Keys(g.Snaps)), Pool: pool, Disks: map[string]map[string]string{},
	}
	for key := range g.Deletes {
		if view.Pending == nil {
			view.Pending = map[string]string{}
		}
		view.Pending[key] = ""
	}
	for key, text := range g.Config {
		if v := x.volume(g.Node, volumeOf(text)); isDisk(key) && v != nil {
			view.Disks[key] = maps.Clone(v.Files)
		}
	}
	return view
}

func (x *tx) tasksByAge() []*task {
	all := x.tasks.all()
	slices.SortFunc(all, func(a, b *task) int { return int(a.Seq) - int(b.Seq) })
	return all
}
