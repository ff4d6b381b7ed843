package proxmox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// readAlone reads a configuration of which nobody has named anything.
func readAlone(values map[string]string) (attrs cty.Value, unmanaged []string) {
	kind := kindOfApp()
	r := newReading(kind, values, cty.NilVal, cty.NilVal)
	return kind.Schema.Value(r.attrs()), r.others()
}

// withoutRaw leaves out what /config shows apart from the settings.
func withoutRaw(cfg map[string]string) map[string]string {
	cfg = maps.Clone(cfg)
	delete(cfg, "lxc")
	return cfg
}

// Every key, and every field of every line, is an attribute or is listed as
// unmanaged: without it, something that people see is another. Only what says
// what Proxmox would do anyway may go unnoticed.
func TestNothingOfAConfigurationIsSwallowed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := withoutRaw(nodeConfig(t, tomorrow))
		attrs, unmanaged := readAlone(cfg)
		for key, text := range cfg {
			for _, less := range shortened(key, text) {
				other := maps.Clone(cfg)
				if other[key] = less.rest; less.rest == "" {
					delete(other, key)
				}
				without, listed := readAlone(other)
				if attrs.RawEquals(without) && slices.Equal(unmanaged, listed) && !less.saysNothing() {
					t.Fatalf("%s: %q goes unnoticed in %q", key, less.gone, text)
				}
			}
		}
	})
}

// piece is a part of a setting that was left out, and what is left.
type piece struct{ key, gone, rest string }

// shortened returns a setting without each of its fields, if it is a line, and
// without anything.
func shortened(key, text string) []piece {
	all := []piece{{key, text, ""}}
	if word := strings.TrimRight(key, "0123456789"); slices.Contains([]string{"net", "mp", "dev", "rootfs", "features", "startup"}, word) {
		for i, part := range strings.Split(text, ",") {
			rest := slices.Delete(strings.Split(text, ","), i, i+1)
			if len(rest) > 0 && !(i == 0 && word != "features" && word != "startup") { // a line without its first field is none
				all = append(all, piece{key, part, strings.Join(rest, ",")})
			}
		}
	}
	return all
}

// saysNothing reports whether a piece says what Proxmox does anyway.
func (p piece) saysNothing() bool {
	name, value, _ := strings.Cut(p.gone, "=")
	if name == p.gone {
		name, value = p.key, p.gone
	}
	switch {
	case slices.Contains([]string{"replicate", "console"}, name):
		return value == "1"
	case slices.Contains([]string{"acl", "host-managed"}, name):
		return false
	case slices.Contains([]string{"tty=2", "cmode=tty", "memory=512", "swap=512", "type=veth"}, name+"="+value):
		return true
	}
	return slices.Contains([]string{"", "0", "off", "no"}, strings.TrimSpace(value))
}

// Whatever is read can be written into a configuration: every value passes its
// own check, and no element lacks what its block requires.
func TestWhatIsReadCanBeWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		attrs, _ := readAlone(withoutRaw(nodeConfig(t, tomorrow)))
		requireWritable(t, nil, &kindOfApp().Schema, attrs)
	})
}

func requireWritable(t *rapid.T, path resource.Path, b *resource.Block, v cty.Value) {
	for name, a := range b.Attrs {
		value := resource.Attribute(v, name)
		switch {
		case len(path) > 0 && a.Role == resource.Required && value.IsNull():
			t.Fatalf("%s is required and not there", path.With(name))
		case !value.IsNull() && a.Check != nil && a.Role != resource.Computed && a.Check(value) != "":
			t.Fatalf("%s: %s %s", path.With(name), plainText(cty.StringVal(encode(value, ";"))), a.Check(value))
		}
	}
	for name, n := range b.Blocks {
		if !n.Labelled {
			requireWritable(t, path.With(name), &n.Block, resource.Attribute(v, name))
			continue
		}
		for _, label := range sortedLabels(v, name) {
			requireWritable(t, path.With(name).With(label), &n.Block, element(v, name, label))
		}
	}
}

// wished returns what somebody who takes a container over would write: what was
// read, without what can only be read.
func wished(attrs cty.Value, more values) resource.Resource {
	set := attrs.AsValueMap()
	maps.Copy(set, values{"host": str("pve"), "node": str("pve1"), "vmid": whole(2000), "restart": str("auto")})
	maps.Copy(set, more)
	want := app("web", nil)
	want.Want = withoutComputed(&kindOfApp().Schema, cty.ObjectVal(set))
	return want
}

func withoutComputed(b *resource.Block, v cty.Value) cty.Value {
	if v.IsNull() {
		return v
	}
	set := v.AsValueMap()
	for name, a := range b.Attrs {
		if a.Role == resource.Computed {
			delete(set, name)
		}
	}
	for name, n := range b.Blocks {
		if !n.Labelled {
			set[name] = withoutComputed(&n.Block, v.GetAttr(name))
			continue
		}
		elements := map[string]cty.Value{}
		for _, label := range sortedLabels(v, name) {
			elements[label] = withoutComputed(&n.Block, element(v, name, label))
		}
		if len(elements) > 0 {
			set[name] = cty.MapVal(elements)
		}
	}
	maps.DeleteFunc(set, func(_ string, v cty.Value) bool { return v == cty.NilVal || v.IsNull() })
	return b.Value(set)
}

// plant puts a container of ours with this configuration on the host, without
// any volumes.
func (l *lab) plant(cfg map[string]string, runs bool) {
	l.t.Helper()
	cfg = maps.Clone(cfg)
	cfg["description"] = resource.Join(cfg["description"], l.job(app("web", nil), "2000").Marker) + "\n"
	require.NoError(l.t, l.sim.Edit(func(e *pvesim.Edit) {
		e.Remove(2000)
		e.AddGuest(2000, "pve1", cfg)
		e.SetRunning(2000, runs)
	}))
}

// Any container that a node can hold, taken as a wish, is what is there: the
// plan is empty, before anything was recorded of it and after.
func TestWhatIsThereIsNoDifference(t *testing.T) {
	l, _ := rootLab(t, nil)
	rapid.Check(t, func(t *rapid.T) {
		cfg := nodeConfig(t, tomorrow)
		runs := rapid.Bool().Draw(t, "runs")
		l.plant(cfg, runs)
		attrs, _ := readAlone(withoutRaw(cfg))
		want := wished(attrs, values{"running": cty.BoolVal(runs)})
		seen := l.see(&want, nil)
		require.Equal(t, resource.Present, seen.Presence, seen.Why)
		for _, e := range resource.Diff(kindOfApp(), nil, want, seen, resource.Sealer{}) {
			require.Equal(t, resource.Record, e.Effect, "%s: %#v -> %#v", e.Path, e.Old, e.New)
		}
		edits, _ := l.edits(want, record(want, seen.Object))
		require.Empty(t, edits)
	})
}

// Volumes that nobody can tell apart by their paths keep their names, however
// many there are and however the path is spelt.
func TestManyVolumesOnOnePath(t *testing.T) {
	l, _ := rootLab(t, nil)
	cfg := map[string]string{"rootfs": "local-lvm:vm-2000-disk-0,size=4G"}
	for n, inside := range []string{"/\u00fc", "/u\u0308"} {
		for i := range 12 {
			cfg[fmt.Sprintf("mp%d", 12*n+i)] = fmt.Sprintf("local-lvm:vm-2000-disk-%d,mp=%s,size=%dG", 12*n+i+1, inside, 12*n+i+1)
		}
	}
	l.plant(cfg, false)
	attrs, unmanaged := readAlone(cfg)
	require.Empty(t, unmanaged)
	want := wished(attrs, values{"running": cty.False})
	require.Equal(t, resource.Record, heaviest(resource.Diff(kindOfApp(), nil, want, l.see(&want, nil), resource.Sealer{})))
}

// A line keeps the fields it has, in their order, whatever else of it changes.
func TestEditsOfALineKeepTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		cfg := withoutRaw(nodeConfig(t, tomorrow))
		attrs, _ := readAlone(cfg)
		w := &work{p: New(Options{}), cfg: config{coming: cfg, current: cfg}}
		w.job.Want = wished(attrs, nil)
		block := rapid.SampledFrom([]string{"network", "volume", "bind", "device"}).Draw(t, "block")
		labels := sortedLabels(attrs, block)
		if len(labels) == 0 {
			t.Skip("no such block")
		}
		label := rapid.SampledFrom(labels).Draw(t, "label")
		name := map[string]string{"network": "vlan", "volume": "read_only", "bind": "read_only", "device": "uid"}[block]
		field := fieldOf(resource.Path{block, label, name})
		value := map[string]cty.Value{"vlan": whole(99), "read_only": cty.True, "uid": whole(77)}[name]
		w.edits = []resource.Edit{{Path: resource.Path{block, label, name}, New: value, Verdict: resource.Verdict{Effect: resource.Live}}}
		c, _ := w.gather()
		slot := c.labels[block][label]
		before, after := pve.ParseLine(cfg[slot], ""), pve.ParseLine(c.targets()[slot], "")
		require.Equal(t, encode(value, ""), after.Value(field))
		rest := func(l pve.Line) []pve.Field {
			return slices.DeleteFunc(l.Fields(), func(f pve.Field) bool { return f.Key == field })
		}
		require.Equal(t, rest(before), rest(after))
		require.Len(t, c.targets(), 1, "nothing else is touched")
	})
}
