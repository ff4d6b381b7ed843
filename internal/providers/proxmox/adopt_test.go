package proxmox

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Any container that a node can hold can be taken over: what is written for it
// passes its own checks, nothing but the notes changes, and then there is
// nothing to do.
func TestAnyContainerCanBeTakenOver(t *testing.T) {
	l, _ := rootLab(t, nil)
	rapid.Check(t, l.takeOver)
}

func (l *lab) takeOver(t *rapid.T) {
	cfg, runs := nodeConfig(t, tomorrow), rapid.Bool().Draw(t, "runs")
	theirs := maps.Clone(cfg)
	require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) {
		e.Remove(2000)
		e.AddGuest(2000, "pve1", theirs)
		e.SetRunning(2000, runs)
	}))
	found, err := l.Adoptable(l.t.Context(), []string{"2000"})
	require.NoError(t, err)
	require.Len(t, found, 1)
	if cfg["lock"] != "" || cfg["template"] == "1" {
		require.NotEmpty(t, found[0].Why)
		return
	}
	require.Empty(t, found[0].Why)
	requireSayable(t, "app", &appKind().Schema, found[0].Want)
	before := l.held()

	want := wishOf(found[0])
	seen := l.seeToAdopt(want)
	require.True(t, seen.Unmarked)
	job := l.job(want, "2000")
	job.Adopt, job.Prior, job.Digest = true, &seen.Object, seen.Digest
	for _, e := range resource.Diff(appKind(), nil, want, seen, resource.Sealer{}) {
		require.Equal(t, resource.Record, e.Effect, "%s: %#v -> %#v", e.Path, e.Old, e.New)
	}
	made, err := l.Update(l.t.Context(), job)
	require.NoError(t, err)

	edits, seen := l.edits(want, record(want, made))
	require.Empty(t, edits)
	require.Empty(t, resource.Added(resource.Object{Kept: (resource.Sealer{}).Lines(made.Kept)}, seen, resource.Sealer{}))
	after := l.held()
	notes, marker := resource.Split(after["description"])
	require.Equal(t, job.Marker, marker)
	theirNotes, _ := resource.Split(before["description"])
	require.Equal(t, theirNotes, notes)
	delete(before, "description")
	delete(after, "description")
	require.Equal(t, before, after)
}

// wishOf is the resource that the text written for a candidate asks for: what
// has a default and is not said gets it.
func wishOf(c providers.Candidate) resource.Resource {
	want := app("web", nil)
	set := c.Want.AsValueMap()
	for name, a := range appKind().Schema.Attrs {
		if set[name].IsNull() && a.Default != cty.NilVal {
			set[name] = a.Default
		}
	}
	want.Want = appKind().Schema.Value(set)
	return want
}

func (l *lab) seeToAdopt(want resource.Resource) resource.Seen {
	l.t.Helper()
	found, err := l.Observe(l.t.Context(), []providers.Target{{
		Addr: want.Addr, Want: &want, Adopt: "2000", Marker: resource.Marker{Lineage: "l1", Addr: want.Addr},
	}})
	require.NoError(l.t, err)
	return found.Seen[want.Addr]
}

// requireSayable requires that every value passes the check of its attribute.
func requireSayable(t *rapid.T, path string, b *resource.Block, v cty.Value) {
	for name, a := range b.Attrs {
		if part := resource.Attribute(v, name); !part.IsNull() && a.Check != nil {
			require.Empty(t, a.Check(part), "%s.%s = %#v", path, name, part)
		}
	}
	for name, n := range b.Blocks {
		part := resource.Attribute(v, name)
		switch {
		case part.IsNull():
		case n.Labelled:
			for label, one := range valueMap(v, name) {
				requireSayable(t, path+"."+name+"."+label, &n.Block, one)
			}
		default:
			requireSayable(t, path+"."+name, &n.Block, part)
		}
	}
}
