package proxmox

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

func textMap(pairs ...string) cty.Value {
	all := map[string]cty.Value{}
	for i := 0; i < len(pairs); i += 2 {
		all[pairs[i]] = str(pairs[i+1])
	}
	return cty.MapVal(all)
}

// labels are those of the elements that the container of these tests has from
// the beginning, and of those that come and go as a whole.
var (
	standingLabels = map[string]string{"volume": "data", "bind": "/media", "device": "/dev/fuse", "network": "eth0", "port": "web"}
	comingLabels   = map[string]string{"volume": "more", "bind": "/more", "device": "/dev/net/tun", "network": "eth1", "port": "more"}
)

// settledApp is an app with one element of each labelled block.
func settledApp(more values) values {
	set := values{
		"volume":  labelled("volume", map[string]values{"data": volume(nil)}),
		"bind":    labelled("bind", map[string]values{"/media": {"source": str("/srv/media")}}),
		"device":  labelled("device", map[string]values{"/dev/fuse": nil}),
		"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0")}}),
		"port":    labelled("port", map[string]values{"web": {"number": whole(80)}}),
	}
	maps.Copy(set, more)
	return set
}

// put returns an object with a value at a path, whose blocks it makes where
// they are not there; null takes an element of a labelled block away.
func put(b *resource.Block, object cty.Value, path resource.Path, v cty.Value) cty.Value {
	set := map[string]cty.Value{}
	if object != cty.NilVal && !object.IsNull() {
		set = object.AsValueMap()
	}
	n := b.Blocks[path[0]]
	switch {
	case len(path) == 1:
		set[path[0]] = v
	case !n.Labelled:
		set[path[0]] = put(&n.Block, set[path[0]], path[1:], v)
	default:
		elements := map[string]cty.Value{}
		if all := set[path[0]]; all != cty.NilVal && !all.IsNull() && all.LengthInt() > 0 {
			elements = all.AsValueMap()
		}
		if len(path) > 2 {
			v = put(&n.Block, elements[path[1]], path[2:], v)
		}
		if elements[path[1]] = v; v == cty.NilVal || v.IsNull() {
			delete(elements, path[1])
		}
		set[path[0]] = cty.MapValEmpty(n.Block.Type())
		if len(elements) > 0 {
			set[path[0]] = cty.MapVal(elements)
		}
	}
	maps.DeleteFunc(set, func(_ string, v cty.Value) bool { return v == cty.NilVal || v.IsNull() })
	return b.Value(set)
}

// pathOf returns the path that a row's name stands for.
func pathOf(name string) resource.Path {
	path := resource.Path(strings.Split(name, "."))
	for i, part := range path {
		if part == "*" && i == len(path)-1 {
			path[i] = comingLabels[path[0]]
		} else if part == "*" {
			path[i] = standingLabels[path[0]]
		}
	}
	return path
}

// settable returns the names that rows have to have, from the schema.
func settable(b *resource.Block, prefix string) []string {
	var names []string
	for name, a := range b.Attrs {
		if a.Role != resource.Computed {
			names = append(names, prefix+name)
		}
	}
	for name, n := range b.Blocks {
		if !n.Labelled {
			names = append(names, settable(&n.Block, prefix+name+".")...)
			continue
		}
		names = append(names, prefix+name+".*")
		names = append(names, settable(&n.Block, prefix+name+".*.")...)
	}
	slices.Sort(names)
	return names
}

// A new attribute or block needs a row, and with it all the tests below.
func TestEverySettingHasARow(t *testing.T) {
	require.Equal(t, settable(&kindOfApp().Schema, ""), slices.Sorted(maps.Keys(settings())))
}

// traffic notes the requests that change something.
type traffic struct {
	http.RoundTripper
	mu       sync.Mutex
	requests []string
}

func (r *traffic) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodGet && !strings.HasSuffix(request.URL.Path, "/access/ticket") {
		r.mu.Lock()
		r.requests = append(r.requests, request.Method+" "+request.URL.Path[strings.LastIndex(request.URL.Path, "/")+1:])
		r.mu.Unlock()
	}
	return r.RoundTripper.RoundTrip(request)
}

// rootLab is a lab of root@pam itself, who may do everything, and the requests
// it makes.
func rootLab(t testing.TB, seed *pvesim.Seed) (*lab, *traffic) {
	t.Helper()
	l := openLab(t, pvesim.Options{Seed: seed})
	r := &traffic{RoundTripper: l.sim.Transport()}
	client, err := pve.New(pve.Options{Username: "root@pam", Password: "proximity", Transport: r})
	require.NoError(t, err)
	return &lab{New(Options{Host: "pve", Client: client, Range: l.Range}), t, l.sim}, r
}

// settingsSeed is a cluster with the pools and scripts that the rows name.
func settingsSeed() *pvesim.Seed {
	seed := pvesim.Cluster()
	seed.Pools = append(seed.Pools, pvesim.SeedPool{ID: "blue"}, pvesim.SeedPool{ID: "green"})
	for _, name := range []string{"one.pl", "two.pl"} {
		seed.Templates = append(seed.Templates, pvesim.SeedTemplate{VolID: "local:snippets/" + name})
	}
	return seed
}

// mayReplace names what only another container can have, or what only a person
// can change. Nothing else may ever be judged that heavy.
var mayReplace = []string{"vmid", "template", "image", "clone", "unprivileged", "password", "ssh_keys"}

// Every setting can be added, changed and taken away, on a container that runs
// and on one that does not. Afterwards it is as wanted, a second plan is empty,
// and what happened on the node is what the plan had told.
func TestEverySettingComesChangesAndGoes(t *testing.T) {
	for _, name := range slices.Sorted(maps.Keys(settings())) {
		for _, power := range []struct {
			name string
			set  values
		}{
			{"stopped", values{"running": cty.False}},
			{"running", nil},
			{"running, restarted by people", values{"restart": str("manual")}},
		} {
			if name == "running" && power.name == "stopped" || name == "restart" && power.name != "running" {
				continue
			}
			timeless(t, name+", "+power.name, func(t *testing.T) { comesChangesAndGoes(t, name, power.set) })
		}
	}
}

func comesChangesAndGoes(t *testing.T, name string, set values) {
	l, r := rootLab(t, settingsSeed())
	row, path, kind := settings()[name], pathOf(name), kindOfApp()
	if name != "node" { // what is tied to a node cannot leave it
		set = settledApp(set)
	}
	without := put(&kind.Schema, app("web", set).Want, path, cty.NilVal)
	wish := func(v cty.Value) resource.Resource {
		w := app("web", nil)
		w.Want = put(&kind.Schema, without, path, v)
		return w
	}
	stages := []cty.Value{cty.NilVal, row.first, row.second, cty.NilVal}
	if a := kind.Schema.At(path); a == nil {
		stages = []cty.Value{cty.NilVal, row.first, cty.NilVal}
	} else if row.always || a.Role == resource.Required {
		stages = []cty.Value{row.first, row.second}
	}
	made := l.create(wish(stages[0]), 2000)
	for _, v := range stages[1:] {
		want := wish(v)
		edits, seen := l.edits(want, made)
		for _, e := range edits {
			require.True(t, e.Path.Under(path), "%s is not what was changed", e.Path)
		}
		if heaviest(edits) >= resource.Replace {
			require.Contains(t, mayReplace, name)
			require.NotEmpty(t, edits[0].Reason)
			made = record(want, seen.Object)
			continue
		}
		if heaviest(edits) == resource.Move && firstText("restart", want.Want) == "manual" && !isFalse(want.Want, "running") {
			return // refused, see TestManualRestartLeavesChangesWaiting
		}
		r.requests = nil
		made, edits = l.change(want, made)
		require.Equal(t, happened(l, r, name), heaviest(edits).String(), "%v", r.requests)
		restarts := slices.Contains(r.requests, "POST start")
		isStopped := isFalse(want.Want, "running") || name == "running"
		switch heaviest(edits) {
		case resource.Restart:
			require.True(t, restarts)
		case resource.Move:
			require.Equal(t, !isStopped, restarts)
		default:
			require.True(t, !restarts || name == "running")
		}
	}
}

func heaviest(edits []resource.Edit) resource.Effect {
	heaviest := resource.Record
	for _, e := range edits {
		heaviest = max(heaviest, e.Effect)
	}
	return heaviest
}

// happened tells from the requests that were made, and from what waits, what an
// update really took.
func happened(l *lab, r *traffic, name string) string {
	l.t.Helper()
	all, err := l.list(l.t.Context())
	require.NoError(l.t, err)
	guest, _ := all.guest("2000")
	cfg, err := l.readConfig(l.t.Context(), guest.Node, "2000", withWaiting)
	require.NoError(l.t, err)
	switch did := func(request string) bool { return slices.Contains(r.requests, request) }; {
	case did("POST migrate"):
		return "migrate"
	case did("POST move_volume"):
		return "move"
	case did("PUT resize"):
		return "resize"
	case did("POST start") && name != "running":
		return "restart"
	case len(cfg.waiting) > 0:
		return "pending"
	case len(r.requests) > 0:
		return "live"
	}
	return "record"
}
