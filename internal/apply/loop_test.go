package apply_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// model is a configuration without files: what each address wants, and the
// things whose IDs it refers to.
type model map[addr.Addr]spec

type spec struct {
	set   map[string]cty.Value
	peers []addr.Addr // of a thing: at most one; of a group: its members
}

// Resolve implements resource.Resolver.
func (m model) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	s := m[a]
	set := map[string]cty.Value{}
	for name, v := range s.set {
		set[name] = v
	}
	var ids []cty.Value
	for _, peer := range s.peers {
		id := cty.UnknownVal(cty.Number)
		if attrs, ok := known[peer]; ok {
			id = resource.Attribute(attrs, "id")
		}
		ids = append(ids, id)
	}
	switch {
	case a.Kind == "thing" && len(ids) > 0:
		set["peer"] = ids[0]
	case a.Kind == "group" && len(ids) > 0:
		set["members"] = cty.SetVal(ids)
	}
	needs := append([]addr.Addr(nil), s.peers...)
	addr.Sort(needs)
	return resource.Resource{Addr: a, Host: "pve", Want: kinds[a.Kind].Schema.Value(set), Needs: needs}, nil
}

func (m model) desired() []resource.Resource {
	var all []resource.Resource
	for a := range m {
		r, _ := m.Resolve(a, nil)
		all = append(all, r)
	}
	return all
}

var kinds = providertest.Kinds()

// rig is a world, a disk, and processes that come and go.
type rig struct {
	world *providertest.World
	store *statetest.Memory
	layer func(providers.Provider) providers.Provider
}

func newRig() *rig {
	r := &rig{world: providertest.NewWorld(), store: &statetest.Memory{}}
	r.layer = func(p providers.Provider) providers.Provider { return p }
	for _, id := range []string{"100", "103"} {
		r.world.Put(providertest.Thing{ID: id, Attrs: map[string]cty.Value{"label": cty.StringVal("theirs")}})
	}
	return r
}

// run is one process: what `apply` does, without a person to ask.
func (r *rig) run(want model) (*plan.Plan, error) {
	ctx, session, err := state.Open(context.Background(), r.store, state.Who{Command: "apply"}, state.Options{Kinds: kinds})
	if err != nil {
		return nil, err
	}
	defer session.Close(context.Background())
	set := providers.Set{"pve": r.layer(providertest.NewMemory(r.world, "pve"))}
	if err := apply.Recover(ctx, session, set, kinds, nil); err != nil {
		return nil, err
	}
	p, err := planFor(ctx, want, set, session.State())
	if err != nil {
		return p, err
	}
	_, err = apply.Run(ctx, p, apply.Options{Session: session, Providers: set, Resolver: want, Kinds: kinds})
	return p, err
}

func planFor(ctx context.Context, want model, set providers.Set, st *state.State) (*plan.Plan, error) {
	desired := want.desired()
	inv, err := inventory.Observe(ctx, set, desired, st)
	if err != nil {
		return nil, err
	}
	p := plan.New(plan.Input{
		Kinds: kinds, Desired: desired, Resolver: want, Seen: inv.Seen, Surveys: inv.Surveys,
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: st.Objects, Seal: st.Sealer()},
	})
	return p, p.Diagnostics.Err()
}

// chaos makes calls fail before and after their effect, and kills the process
// at a call or a write. It is safe for concurrent use.
type chaos struct {
	mu     sync.Mutex
	rand   *rand.Rand
	faults float64
	kills  float64
	store  *statetest.Memory
	killed atomic.Int64
	failed atomic.Int64
}

var errFault = errors.New("a fault")

func (c *chaos) strike(string) error {
	c.mu.Lock()
	fault, kill, torn := c.rand.Float64() < c.faults, c.rand.Float64() < c.kills, c.rand.IntN(2) == 0
	c.mu.Unlock()
	if kill {
		c.killed.Add(1)
		c.store.Kill(torn)
		return errFault
	}
	if fault {
		c.failed.Add(1)
		return errFault
	}
	return nil
}

func drawModel(t *rapid.T, label string) model {
	m := model{}
	count := rapid.IntRange(0, 7).Draw(t, label+" things")
	var earlier []addr.Addr
	for i := range count {
		a := addr.New("thing", "t"+strconv.Itoa(rapid.IntRange(0, 9).Draw(t, label+" name")))
		if _, twice := m[a]; twice {
			continue
		}
		s := spec{set: drawAttrs(t, fmt.Sprintf("%s %d", label, i))}
		if len(earlier) > 0 && rapid.Bool().Draw(t, label+" has a peer") {
			s.peers = []addr.Addr{rapid.SampledFrom(earlier).Draw(t, label+" peer")}
		}
		m[a] = s
		earlier = append(earlier, a)
	}
	if rapid.Bool().Draw(t, label+" has a group") {
		var members []addr.Addr
		for _, a := range earlier {
			if rapid.Bool().Draw(t, label+" member") {
				members = append(members, a)
			}
		}
		m[addr.New("group", "g")] = spec{peers: members}
	}
	return m
}

func drawAttrs(t *rapid.T, label string) map[string]cty.Value {
	text := rapid.SampledFrom([]string{"", "a", "b"})
	set := map[string]cty.Value{}
	for _, name := range []string{"label", "model", "secret", "origin"} {
		if v := text.Draw(t, label+" "+name); v != "" {
			set[name] = cty.StringVal(v)
		}
	}
	if n := rapid.Int64Range(0, 2).Draw(t, label+" size"); n > 0 {
		set["size"] = cty.NumberIntVal(n)
	}
	if v := text.Draw(t, label+" tag"); v != "" {
		set["tags"] = cty.SetVal([]cty.Value{cty.StringVal(v)})
	}
	if v := text.Draw(t, label+" part"); v != "" {
		part := cty.ObjectVal(map[string]cty.Value{"size": cty.NumberIntVal(int64(len(v)))})
		set["part"] = cty.MapVal(map[string]cty.Value{v: part})
	}
	return set
}

// TestTheLoopConverges draws estates that change, hosts that fail before and
// after an effect, processes that are killed, and people who change things by
// hand; then the faults end. One run must settle it all, the next must have
// nothing to do, the world must be as configured, and nothing that is not ours
// may ever be touched.
func TestTheLoopConverges(t *testing.T) {
	require.NoError(t, flag.Set("rapid.checks", "2500"))
	var kills, faults, steps atomic.Int64
	rapid.Check(t, func(t *rapid.T) {
		r := newRig()
		c := &chaos{
			rand:   rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 1)),
			faults: rapid.SampledFrom([]float64{0, 0.1, 0.4}).Draw(t, "faults"),
			kills:  rapid.SampledFrom([]float64{0, 0.05, 0.2}).Draw(t, "kills"),
			store:  r.store,
		}
		calm := r.layer
		r.layer = func(p providers.Provider) providers.Provider {
			return providertest.Faulty{Provider: p, Before: c.strike, After: c.strike}
		}
		r.store.Fail = c.strikeWrite
		var want model
		for i := range rapid.IntRange(1, 3).Draw(t, "runs") {
			want = drawModel(t, fmt.Sprintf("config %d", i))
			if p, _ := r.run(want); p != nil {
				steps.Add(int64(p.Steps.Len()))
			}
			tamper(t, r.world)
		}
		r.layer, r.store.Fail = calm, nil

		_, err := r.run(want)
		require.NoError(t, err, "the run after the last fault")
		again, err := r.run(want)
		require.NoError(t, err)
		require.Empty(t, describe(again), "the second run has something to do")
		requireWorld(t, r, want)
		kills.Add(c.killed.Load())
		faults.Add(c.failed.Load())
	})
	t.Logf("%d steps planned under faults, %d kills, %d faults", steps.Load(), kills.Load(), faults.Load())
	require.Positive(t, kills.Load())
	require.Positive(t, faults.Load())
}

// strikeWrite fails or kills at a write of the journal or of the state file,
// more seldom than at calls.
func (c *chaos) strikeWrite(string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rand.Float64() < c.faults/4 {
		c.failed.Add(1)
		return errFault
	}
	return nil
}

// tamper is a person who changes, marks or removes a thing of ours by hand.
func tamper(t *rapid.T, w *providertest.World) {
	for id, thing := range w.Things() {
		if thing.Marker.Lineage == "" || thing.Marker.Addr.Kind != "thing" {
			continue
		}
		switch rapid.IntRange(0, 9).Draw(t, "by hand") {
		case 0:
			w.Remove(id)
		case 1:
			attrs := map[string]cty.Value{}
			for name, v := range thing.Attrs {
				attrs[name] = v
			}
			attrs["label"] = cty.StringVal("by hand")
			thing.Attrs, thing.Edits = attrs, thing.Edits+1
			w.Put(thing)
		case 2: // somebody's own thing in its place
			w.Put(providertest.Thing{ID: id, Attrs: map[string]cty.Value{"label": cty.StringVal("stranger")}})
		}
	}
}

func describe(p *plan.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		out = append(out, fmt.Sprintf("%c %s %s %v", c.Action, c.Addr, c.Why, c.Edits))
	}
	return out
}

// requireWorld holds the world against the configuration: every wanted thing
// is there once, as wanted; nothing else is ours; strangers are as they were.
func requireWorld(t require.TestingT, r *rig, want model) {
	st, err := state.Read(context.Background(), r.store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Empty(t, st.Open)
	values := resource.Readable(kinds, st.Objects)
	ours := map[addr.Addr]providertest.Thing{}
	for _, thing := range r.world.Things() {
		if thing.Marker.Lineage == "" {
			require.Contains(t, []string{"theirs", "stranger"}, thing.Attrs["label"].AsString(), "a stranger was touched")
			continue
		}
		require.NotContains(t, ours, thing.Marker.Addr, "made twice")
		ours[thing.Marker.Addr] = thing
	}
	require.Len(t, ours, len(want), "something was lost or left over")
	for a := range want {
		thing, ok := ours[a]
		require.True(t, ok, "%s is not there", a)
		resolved, _ := want.Resolve(a, values)
		for name, v := range resolved.Want.AsValueMap() {
			attr := kinds[a.Kind].Schema.Attrs[name]
			if v.IsNull() || attr != nil && (attr.Role == resource.Computed || attr.AtCreate) {
				continue
			}
			require.True(t, thing.Attrs[name] != cty.NilVal && thing.Attrs[name].RawEquals(v), "%s %s: %#v instead of %#v", a, name, thing.Attrs[name], v)
		}
	}
}
