package proxmox

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// demand is the part of a sum that is told of, because it is the largest.
type demand struct {
	bytes int64
	at    *hcl.Range
}

// space sums up what all proposals add to each storage; a shared one is the same
// on every node, and has none here. What goes frees its room only when its turn
// comes, so it is not counted.
func (c *checker) space(proposals []providers.Proposal) {
	needed := map[place]int64{}
	largest := map[place]demand{}
	for _, a := range proposals {
		for _, g := range c.growths(a) {
			s := c.survey.Storage(g.node, g.storage)
			if s == nil || g.bytes <= 0 {
				continue
			}
			at := place{g.node, g.storage}
			if s.Shared {
				at.node = ""
			}
			if g.bytes > largest[at].bytes {
				largest[at] = demand{g.bytes, a.Want.Where(g.path)}
			}
			needed[at] += g.bytes
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(needed), comparePlaces) {
		s := c.storageAt(at)
		free := int64(s.Size - min(s.Used, s.Size))
		where := ""
		if !s.Shared {
			where = " of node " + strconv.Quote(at.node)
		}
		detail := "storage %q%s has %s free, %s are needed for all that is planned on it"
		args, line := []any{s.Name, where, about(free), about(needed[at])}, largest[at].at
		switch {
		case s.Size == 0 || needed[at] <= free:
		case s.Type == "lvm" || needed[at] > int64(s.Size): // thick volumes take their place at once
			c.err(line, fmt.Sprintf("too little space on storage %q", s.Name), "make the disks smaller, or use another storage", detail, args...)
		default:
			c.warn(line, fmt.Sprintf("storage %q is promised more than it has", s.Name), "make the disks smaller, or watch how full it gets", detail, args...)
		}
	}
}

func (c *checker) storageAt(at place) *resource.Storage {
	for i := range c.survey.Storages {
		s := &c.survey.Storages[i]
		if s.Name == at.storage && (at.node == "" || s.Node == at.node) {
			return s
		}
	}
	return &resource.Storage{}
}

// growth is what a proposal adds to one storage.
type growth struct {
	node, storage string
	bytes         int64
	path          resource.Path // of the size that asks for it
}

// growths returns what a proposal adds to storages: whole disks when it creates
// or moves, whole containers that migrate, else how far they grow.
func (c *checker) growths(a providers.Proposal) []growth {
	if a.Addr.Kind != "app" || a.Delete {
		return nil
	}
	node := nodeOf(c.survey, a.Want)
	migrates := changes(a, "node")
	var all []growth
	add := func(v resource.Path) {
		object := valueAt(a.Want.Want, v)
		g := growth{node, resource.Text(object, "storage"), bytesOf(unmarked(resource.Attribute(object, "size"))), v.With("size")}
		s := c.survey.Storage(node, g.storage)
		switch {
		case a.Create:
			if g.bytes == 0 && len(v) == 1 {
				g.bytes = c.rootSize(a.Want)
			}
			all = append(all, g)
			return
		case migrates && s != nil && !s.Shared && resource.Text(valueAt(a.Live, v), "storage") == g.storage:
			g.bytes = max(g.bytes, bytesOf(resource.Attribute(valueAt(a.Live, v), "size")))
			all = append(all, g)
			return
		}
		for _, e := range a.Edits {
			switch isWhole := len(e.Path) == len(v) && !e.New.IsNull(); {
			case !e.Path.Under(v) || e.Effect == resource.Record:
			case e.Effect == resource.Resize: // where it lies, before it moves
				at := cmp.Or(resource.Text(valueAt(a.Live, v), "storage"), g.storage)
				all = append(all, growth{g.node, at, bytesOf(unmarked(e.New)) - bytesOf(e.Old), g.path})
			case e.Effect == resource.Move && !migrates, isWhole:
				g.bytes = max(g.bytes, bytesOf(resource.Attribute(valueAt(a.Live, v), "size")))
				all = append(all, g)
			}
		}
	}
	add(resource.Path{"disk"})
	for _, label := range sortedLabels(a.Want.Want, "volume") {
		add(resource.Path{"volume", label})
	}
	return all
}

// rootSize is that of a root disk whose size nobody says: the source's when it
// is cloned, else Proxmox's own default.
func (c *checker) rootSize(want resource.Resource) int64 {
	if spec := resource.Text(want.Want, "clone"); spec != "" {
		if guests := c.sources(spec); len(guests) == 1 {
			return int64(guests[0].Disk)
		}
		return 0
	}
	return defaultDisk
}

// about writes a size for people, rounded down.
func about(n int64) string {
	for _, unit := range []struct {
		bits uint
		name string
	}{{40, "TiB"}, {30, "GiB"}} {
		if n >= 10<<unit.bits {
			return fmt.Sprintf("%d %s", n>>unit.bits, unit.name)
		}
	}
	return fmt.Sprintf("%d MiB", n>>20)
}

// memory sums up what comes to each node: new containers that run, those that
// are started or come from another node, and what running ones get more.
func (c *checker) memory(proposals []providers.Proposal) {
	more := map[string]int64{}
	largest := map[string]demand{}
	for _, a := range proposals {
		if a.Addr.Kind != "app" || a.Delete {
			continue
		}
		node := nodeOf(c.survey, a.Want)
		n := addedMemory(a)
		if n <= 0 {
			continue
		}
		if n > largest[node].bytes {
			largest[node] = demand{n, a.Want.Where(resource.Path{"memory"})}
		}
		more[node] += n
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		node := c.survey.Node(name)
		if node == nil || node.Memory == 0 || int64(node.MemoryUse)+more[name] <= int64(node.Memory) {
			continue
		}
		c.warn(largest[name].at, fmt.Sprintf("node %q may run out of memory", name), "give less memory, or choose another node",
			"it has %s of %s in use, and %s are planned", about(int64(node.MemoryUse)), about(int64(node.Memory)), about(more[name]))
	}
}

func addedMemory(a providers.Proposal) int64 {
	want := bytesOf(unmarked(resource.Attribute(a.Want.Want, "memory")))
	if want == 0 && a.Create {
		want = defaultMemory
	}
	ran := isTrue(a.Live, "running")
	has := bytesOf(resource.Attribute(a.Live, "memory"))
	switch {
	case isFalse(a.Want.Want, "running"):
		return 0
	case a.Create, changes(a, "node"), !ran && changes(a, "running"):
		if want == 0 {
			return has
		}
		return want
	case changes(a, "memory") && ran:
		return want - has
	}
	return 0
}

// numbers finds VMIDs that are asked for and taken, by whomever.
func (c *checker) numbers(proposals []providers.Proposal) {
	taken := map[string]string{}
	for _, g := range c.survey.Guests {
		taken[strconv.Itoa(g.ID)] = fmt.Sprintf("%s on node %q has it", guestName(g), g.Node)
	}
	for id, hidden := range c.answers.hidden {
		if hidden {
			taken[id] = "a guest that the token may not see has it"
		}
	}
	for _, a := range proposals {
		if a.Addr.Kind == "app" && (a.Delete || a.Create && a.Prior != nil) {
			delete(taken, priorID(a)) // it is free when its turn comes
		}
	}
	for _, a := range proposals {
		id := numberText(resource.Attribute(a.Want.Want, "vmid"))
		if a.Addr.Kind != "app" || !a.Create || id == "" {
			continue
		}
		if who, isTaken := taken[id]; isTaken {
			c.err(a.Want.Where(resource.Path{"vmid"}), fmt.Sprintf("VMID %s is taken", id), c.instead(a, id), "%s", who)
		}
		taken[id] = a.Addr.String() + " asks for it too"
		delete(c.answers.nobodys, id) // only one can have it
	}
}

// instead is what to do about a VMID that is taken. The container that has it
// is often the very one that is meant.
func (c *checker) instead(a providers.Proposal, id string) string {
	hint := "leave vmid out to get a free one"
	if c.answers.nobodys[id] {
		return fmt.Sprintf("proximity adopt %s/%s %s\nor %s", c.survey.Host, id, quoted(a.Addr.String()), hint)
	}
	return hint
}
