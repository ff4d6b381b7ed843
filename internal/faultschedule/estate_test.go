package faultschedule

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// kinds are those of a real configuration.
var kinds = func() map[string]*resource.Kind {
	all := map[string]*resource.Kind{}
	for _, k := range proxmox.Kinds() {
		all[k.Name] = k
	}
	return all
}()

type values map[string]cty.Value

// estate is a configuration without files: apps, and policies that cover some
// of them.
type estate map[addr.Addr]wish

// wish is what is wanted of one address. Covers are the apps of a policy.
type wish struct {
	set    values
	covers []addr.Addr
}

var (
	nodes    = []string{"pve1", "pve2", "pve3"}
	storages = []string{"local-lvm", "nvme"}
)

const (
	lowest, highest = 2000, 2040 // our VMIDs; strangers have some of them
	ourPool         = "ours"
)

// seed is a cluster with guests, a pool and a job of other people.
func seed(r *rand.Rand) *pvesim.Seed {
	s := pvesim.Cluster()
	for i := range s.Storages {
		s.Storages[i].LockSeconds = []float64{0.05, 0.5, 2.5}[r.IntN(3)]
		if s.Storages[i].LockSeconds > 2 {
			s.Storages[i].LockAdmits = 4 // more wait in vain: Proxmox gives up after ten seconds
		}
	}
	for id := lowest; id < lowest+4; id++ {
		if r.IntN(3) == 0 {
			s.Guests = append(s.Guests, strangerGuest(id, nodes[r.IntN(len(nodes))]))
		}
	}
	s.Pools = []pvesim.SeedPool{{ID: ourPool}, {ID: "theirs", Members: []int{100, 101}}}
	s.BackupJobs = []map[string]string{{"id": "theirs", "vmid": "100,101", "schedule": "sun 01:00", "storage": "backup", "enabled": "0"}}
	return s
}

func strangerGuest(id int, node string) pvesim.SeedGuest {
	return pvesim.SeedGuest{VMID: id, Node: node, Config: map[string]string{
		"arch": "amd64", "ostype": "debian", "hostname": fmt.Sprint("stranger", id), "memory": "256", "swap": "0", "unprivileged": "1",
		"description": "not yours\n", "rootfs": fmt.Sprintf("local-lvm:vm-%d-disk-0,size=4G", id),
	}}
}

// drawEstate draws a configuration. Sizes remembers the largest that any disk
// had so far: none is ever wanted smaller, which a plan would refuse.
func drawEstate(r *rand.Rand, sizes map[string]int64) estate {
	e := estate{}
	for _, name := range []string{"a", "b", "c", "d", "e", "f"} {
		if r.IntN(5) > 1 {
			e[addr.New("app", name)] = wish{set: drawApp(r, name, sizes)}
		}
	}
	for _, name := range []string{"nightly", "weekly"} {
		if r.IntN(2) == 0 {
			e[addr.New("backup_policy", name)] = drawPolicy(r, slices.SortedFunc(maps.Keys(e), addr.Compare))
		}
	}
	return e
}

func drawApp(r *rand.Rand, name string, sizes map[string]int64) values {
	schema := kinds["app"].Schema
	size := func(of string) cty.Value {
		key := name + "/" + of
		sizes[key] = max(sizes[key], 1+r.Int64N(3))
		return cty.NumberIntVal(sizes[key] << 30)
	}
	set := values{
		"host": cty.StringVal("pve"), "node": one(r, nodes), "template": one(r, []string{"debian-13-standard", "alpine-3.22-default", "fedora-42-default"}),
		"template_storage": cty.StringVal("local"), "unprivileged": cty.True, "running": cty.BoolVal(r.IntN(4) > 0),
		"restart": cty.StringVal("auto"), "memory": cty.NumberIntVal((64 + 64*r.Int64N(3)) << 20),
		"disk": schema.Blocks["disk"].Value(values{"size": size("disk"), "storage": one(r, storages)}),
	}
	sometimes(r, set, "cores", cty.NumberIntVal(1+r.Int64N(4)))
	sometimes(r, set, "hostname", cty.StringVal(fmt.Sprintf("%s-%d", name, r.IntN(2))))
	sometimes(r, set, "pool", cty.StringVal(ourPool))
	sometimes(r, set, "timezone", one(r, []string{"UTC", "Europe/Berlin"}))
	sometimes(r, set, "description", one(r, []string{"some notes", "other\nnotes"}))
	sometimes(r, set, "tags", cty.SetVal([]cty.Value{one(r, []string{"x", "y"})}))
	sometimes(r, set, "features", schema.Blocks["features"].Value(values{"nesting": cty.True}))
	sometimes(r, set, "startup", schema.Blocks["startup"].Value(values{"on_boot": cty.True, "order": cty.NumberIntVal(1 + r.Int64N(3))}))
	labelled(r, set, "volume", func(label string) values {
		return values{
			"path": cty.StringVal("/srv/" + label), "size": size(label), "storage": one(r, storages),
			"backup": cty.BoolVal(r.IntN(2) == 0), "on_remove": one(r, []string{"keep", "destroy"}),
		}
	})
	labelled(r, set, "network", func(string) values {
		n := values{"bridge": one(r, []string{"vmbr0", "vmbr1"}), "ip": one(r, []string{"dhcp", "manual"})}
		sometimes(r, n, "vlan", cty.NumberIntVal(1+r.Int64N(3)))
		return n
	})
	return set
}

func one(r *rand.Rand, from []string) cty.Value { return cty.StringVal(from[r.IntN(len(from))]) }

func sometimes(r *rand.Rand, set values, name string, v cty.Value) {
	if r.IntN(2) == 0 {
		set[name] = v
	}
}

// labelled draws up to two elements of a labelled block.
func labelled(r *rand.Rand, set values, block string, draw func(label string) values) {
	all := map[string]cty.Value{}
	for _, label := range map[string][]string{"volume": {"data", "media"}, "network": {"eth0", "eth1"}}[block] {
		if r.IntN(2) == 0 {
			all[label] = kinds["app"].Schema.Blocks[block].Value(draw(label))
		}
	}
	if len(all) > 0 {
		set[block] = cty.MapVal(all)
	}
}

func drawPolicy(r *rand.Rand, apps []addr.Addr) wish {
	w := wish{set: values{
		"host": cty.StringVal("pve"), "schedule": one(r, []string{"02:30", "mon..fri 22:30"}), "storage": cty.StringVal("backup"),
		"mode": one(r, []string{"snapshot", "stop"}), "compress": cty.StringVal("zstd"), "enabled": cty.BoolVal(r.IntN(2) == 0),
		"keep": kinds["backup_policy"].Schema.Blocks["keep"].Value(values{"last": cty.NumberIntVal(1 + r.Int64N(3))}),
	}}
	for _, a := range apps {
		if a.Kind == "app" && r.IntN(2) == 0 {
			w.covers = append(w.covers, a)
		}
	}
	return w
}

// Resolve implements resource.Resolver.
func (e estate) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	if a.Kind == "template" {
		return e.templates()[a], nil
	}
	w, set := e[a], values{}
	maps.Copy(set, w.set)
	var ids []cty.Value
	for _, app := range w.covers {
		id := cty.UnknownVal(cty.Number)
		if attrs, ok := known[app]; ok {
			id = resource.Attribute(attrs, "id")
		}
		ids = append(ids, id)
	}
	if a.Kind == "backup_policy" {
		if set["apps"] = cty.SetValEmpty(cty.Number); len(ids) > 0 {
			set["apps"] = cty.SetVal(ids)
		}
	}
	wanted := resource.Resource{Addr: a, Host: "pve", Want: kinds[a.Kind].Schema.Value(set), Needs: slices.Clone(w.covers)}
	if a.Kind == "app" {
		for _, implied := range kinds["app"].Implies(wanted) {
			wanted.Needs = append(wanted.Needs, implied.Addr)
		}
	}
	return wanted, nil
}

// templates are what the apps are made from.
func (e estate) templates() map[addr.Addr]resource.Resource {
	all := map[addr.Addr]resource.Resource{}
	for a, w := range e {
		if a.Kind == "app" {
			for _, t := range kinds["app"].Implies(resource.Resource{Addr: a, Host: "pve", Want: kinds["app"].Schema.Value(w.set)}) {
				all[t.Addr] = t
			}
		}
	}
	return all
}

func (e estate) desired() []resource.Resource {
	var all []resource.Resource
	for _, a := range slices.SortedFunc(maps.Keys(e), addr.Compare) {
		r, _ := e.Resolve(a, nil)
		all = append(all, r)
	}
	templates := e.templates()
	for _, a := range slices.SortedFunc(maps.Keys(templates), addr.Compare) {
		all = append(all, templates[a])
	}
	return all
}
