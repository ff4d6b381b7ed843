package proxmox

import (
	"cmp"
	"fmt"
	"maps"
	"net/netip"
	"slices"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// together checks what only shows when all proposals are seen at once.
func (c *checker) together(apps []providers.Proposal) {
	c.space(apps)
	c.memory(apps)
	c.clashes(apps)
}

// pool is one storage, which for a shared one is the same on every node.
type pool struct{ node, storage string }

func (c *checker) space(apps []providers.Proposal) {
	needed := map[pool]int64{}
	first := map[pool]providers.Proposal{}
	add := func(a providers.Proposal, storage string, n int64) {
		node := c.nodeOf(a)
		s := c.survey.Storage(node, storage)
		if s == nil || n <= 0 {
			return
		}
		at := pool{node, storage}
		if s.Shared {
			at.node = ""
		}
		if _, known := first[at]; !known {
			first[at] = a
		}
		needed[at] += n
	}
	for _, a := range apps {
		for _, v := range volumesOf(a) {
			add(a, v.storage, v.bytes)
		}
	}
	for _, at := range slices.SortedFunc(maps.Keys(needed), comparePools) {
		s := c.storageOf(at)
		free := int64(s.Size - min(s.Used, s.Size))
		where := first[at].Want.Where(resource.Path{"disk", "size"})
		detail := "storage %q has %s free, %s are needed for all that is planned on it"
		args := []any{s.Name, about(free), about(needed[at])}
		switch {
		case s.Size == 0 || needed[at] <= free:
		case s.Type == "lvm" || needed[at] > int64(s.Size):
			c.err(where, fmt.Sprintf("too little space on storage %q", s.Name), "make the disks smaller, or use another storage", detail, args...)
		default:
			c.warn(where, fmt.Sprintf("storage %q is promised more than it has", s.Name), "", detail, args...)
		}
	}
}

func comparePools(a, b pool) int {
	return cmp.Or(cmp.Compare(a.node, b.node), cmp.Compare(a.storage, b.storage))
}

func (c *checker) storageOf(at pool) *resource.Storage {
	for i := range c.survey.Storages {
		s := &c.survey.Storages[i]
		if s.Name == at.storage && (at.node == "" || s.Node == at.node) {
			return s
		}
	}
	return &resource.Storage{}
}

func (c *checker) nodeOf(a providers.Proposal) string {
	if name := resource.Text(a.Want.Want, "node"); name != "" || len(c.survey.Nodes) != 1 {
		return name
	}
	return c.survey.Nodes[0].Name
}

type growth struct {
	storage string
	bytes   int64
}

// volumesOf returns what a proposal adds to storages: whole disks when it
// creates or moves, else how far they grow.
func volumesOf(a providers.Proposal) []growth {
	var all []growth
	add := func(v resource.Path) {
		object := valueAt(a.Want.Want, v)
		storage, size := resource.Text(object, "storage"), bytesOf(unmarked(resource.Attribute(object, "size")))
		if a.Create {
			all = append(all, growth{storage, size})
			return
		}
		for _, e := range a.Edits {
			switch {
			case !e.Path.Under(v):
			case e.Effect == resource.Resize:
				all = append(all, growth{storage, size - bytesOf(e.Old)})
			case e.Effect == resource.Move || len(e.Path) == len(v) && !e.New.IsNull():
				all = append(all, growth{storage, size})
			}
		}
	}
	add(resource.Path{"disk"})
	for _, label := range sortedLabels(a.Want.Want, "volume") {
		add(resource.Path{"volume", label})
	}
	return all
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

func (c *checker) memory(apps []providers.Proposal) {
	more := map[string]int64{}
	first := map[string]providers.Proposal{}
	for _, a := range apps {
		if node := c.nodeOf(a); a.Create && !isFalse(a.Want.Want, "running") {
			if _, known := first[node]; !known {
				first[node] = a
			}
			more[node] += bytesOf(unmarked(resource.Attribute(a.Want.Want, "memory")))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(more)) {
		node := c.survey.Node(name)
		if node == nil || node.Memory == 0 || int64(node.MemoryUse)+more[name] <= int64(node.Memory) {
			continue
		}
		c.warn(first[name].Want.Where(resource.Path{"memory"}), fmt.Sprintf("node %q may run out of memory", name), "",
			"it has %s of %s in use, and %s are planned", about(int64(node.MemoryUse)), about(int64(node.Memory)), about(more[name]))
	}
}

// clashes finds names, numbers and addresses that two apps want.
func (c *checker) clashes(apps []providers.Proposal) {
	names, addresses, numbers := map[string]string{}, map[string]string{}, map[string]string{}
	for _, g := range c.survey.Guests {
		if g.Name != "" {
			names[g.Name] = fmt.Sprintf("guest %d", g.ID)
		}
	}
	for _, a := range apps {
		want, who := a.Want, a.Want.Addr.String()
		name := hostname(want)
		if other, taken := names[name]; taken && other != "guest "+a.ID {
			c.warn(want.Where(resource.Path{"hostname"}), fmt.Sprintf("host name %q is there twice", name), "", "%s and %s have it", other, who)
		}
		names[name] = who
		if id := numberText(resource.Attribute(want.Want, "vmid")); id != "" {
			if other, taken := numbers[id]; taken {
				c.err(want.Where(resource.Path{"vmid"}), fmt.Sprintf("VMID %s is asked for twice", id), "leave vmid out to get a free one", "%s and %s ask for it", other, who)
			}
			numbers[id] = who
		}
		for _, label := range sortedLabels(want.Want, "network") {
			nic := element(want.Want, "network", label)
			for _, family := range []string{"ip", "ip6"} {
				prefix, err := netip.ParsePrefix(resource.Text(nic, family))
				if err != nil {
					continue
				}
				// One address may be used again in another VLAN or on another bridge.
				where := fmt.Sprint(prefix.Addr(), resource.Text(nic, "bridge"), numberText(resource.Attribute(nic, "vlan")))
				if other, taken := addresses[where]; taken {
					c.err(want.Where(resource.Path{"network", label, family}), fmt.Sprintf("address %s is asked for twice", prefix.Addr()),
						"give one of them another address", "%s and %s ask for it", other, who)
				}
				addresses[where] = who
			}
		}
	}
}
