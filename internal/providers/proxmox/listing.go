package proxmox

import (
	"cmp"
	"context"
	"slices"
	"strconv"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// row is one line of /cluster/resources. Which guest is where, its pool, tags
// and lock are always right; status and name lag up to ten seconds, and of a
// new guest the status is "unknown".
type row struct {
	Type, Node, Name, Status, Pool, Lock, Tags, Storage, Content string
	PluginType, HAState                                          string
	VMID, MaxMem, Mem, MaxDisk, Disk                             pve.Int
	MaxCPU                                                       pve.Float
	Template, Shared                                             pve.Bool
}

// listing is everything that a host has, as one request tells it.
type listing struct {
	rows    []row
	guests  map[string]int  // by VMID: the index of its row
	offline map[string]bool // the nodes that are known to be down
}

func (p *Provider) list(ctx context.Context) (listing, error) {
	l := listing{guests: map[string]int{}, offline: map[string]bool{}}
	err := p.Client.Read(ctx, "/cluster/resources", nil, &l.rows)
	for i, r := range l.rows {
		switch r.Type {
		case "lxc", "qemu":
			l.guests[strconv.Itoa(int(r.VMID))] = i
		case "node":
			l.offline[r.Node] = r.Status == "offline"
		}
	}
	return l, err
}

// guest returns the container or virtual machine with that VMID.
func (l listing) guest(id string) (row, bool) {
	if i, found := l.guests[id]; found {
		return l.rows[i], true
	}
	return row{}, false
}

// guestNamed returns the only container with that name, or false.
func (l listing) guestNamed(name string) (row, bool) {
	var found []row
	for _, r := range l.rows {
		if r.Type == "lxc" && r.Name == name {
			found = append(found, r)
		}
	}
	if len(found) != 1 {
		return row{}, false
	}
	return found[0], true
}

// isOffline reports whether a node is known to be down.
func (l listing) isOffline(node string) bool { return l.offline[node] }

func (l listing) hasStorage(at place) bool {
	return slices.ContainsFunc(l.rows, func(r row) bool {
		return r.Type == "storage" && r.Node == at.node && r.Storage == at.storage
	})
}

func (l listing) nodes() []string {
	var names []string
	for _, r := range l.rows {
		if r.Type == "node" && r.Status != "offline" {
			names = append(names, r.Node)
		}
	}
	slices.Sort(names)
	return names
}

// survey returns the listing in the engine's words, in a settled order.
func (l listing) survey(host, version string, ids resource.IDRange) resource.Survey {
	s := resource.Survey{Host: host, Version: version, Range: ids}
	for _, r := range l.rows {
		switch r.Type {
		case "node":
			s.Nodes = append(s.Nodes, resource.Node{
				// "unknown" is a node whose statistics are not there (yet), as after a boot.
				Name: r.Node, Online: r.Status != "offline",
				Memory: uint64(max(r.MaxMem, 0)), MemoryUse: uint64(max(r.Mem, 0)), CPUs: int(r.MaxCPU),
			})
		case "storage":
			s.Storages = append(s.Storages, resource.Storage{
				Node: r.Node, Name: r.Storage, Type: r.PluginType, Content: words(r.Content), Shared: bool(r.Shared),
				Active: r.Status == "available", Size: uint64(max(r.MaxDisk, 0)), Used: uint64(max(r.Disk, 0)),
			})
		case "lxc", "qemu":
			s.Guests = append(s.Guests, resource.Guest{
				ID: int(r.VMID), Node: r.Node, Name: r.Name, Type: r.Type,
				Running: r.Status == "running", Template: bool(r.Template), Pool: r.Pool, Disk: uint64(max(r.MaxDisk, 0)),
			})
		}
	}
	slices.SortFunc(s.Nodes, func(a, b resource.Node) int { return cmp.Compare(a.Name, b.Name) })
	slices.SortFunc(s.Guests, func(a, b resource.Guest) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortFunc(s.Storages, func(a, b resource.Storage) int {
		return cmp.Or(cmp.Compare(a.Node, b.Node), cmp.Compare(a.Name, b.Name))
	})
	return s
}

// words splits the lists of Proxmox and sorts them: their order changes from
// answer to answer.
func words(text string) []string {
	list := fields(text)
	slices.Sort(list)
	return list
}
