package apply_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// follower is a configuration in which an attribute of thing.b is the serial
// of thing.a, which only making a tells.
type follower struct {
	model
	attr string
}

func (f follower) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	r, problems := f.model.Resolve(a, known)
	if a == at("b") {
		serial := cty.UnknownVal(cty.String)
		if attrs, ok := known[at("a")]; ok {
			serial = resource.Attribute(attrs, "serial")
		}
		r.Want = with(r.Want, f.attr, serial)
	}
	return r, problems
}

func with(object cty.Value, name string, v cty.Value) cty.Value {
	all := object.AsValueMap()
	all[name] = v
	return cty.ObjectVal(all)
}

// follow plans and applies a model whose values a resolver tells, until ctx ends.
func (r *rig) follow(t *testing.T, ctx context.Context, m model, resolver resource.Resolver, o apply.Options) (*plan.Plan, apply.Summary, error) {
	return r.followOn(t, ctx, r.store, m, resolver, o)
}

func (r *rig) followOn(t *testing.T, ctx context.Context, store state.Store, m model, resolver resource.Resolver, o apply.Options) (*plan.Plan, apply.Summary, error) {
	ctx, session, err := state.Open(ctx, store, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	defer session.Close(context.Background())
	set := providers.Set{"pve": r.layer(providertest.NewMemory(r.world, "pve"))}
	st := session.State()
	inv, err := inventory.Observe(ctx, set, m.desired(), st)
	require.NoError(t, err)
	p := plan.New(plan.Input{
		Kinds: kinds, Desired: m.desired(), Resolver: resolver, Seen: inv.Seen, Surveys: inv.Surveys,
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: st.Objects, Seal: st.Sealer()},
	})
	require.NoError(t, p.Diagnostics.Err())
	o.Session, o.Providers, o.Resolver, o.Kinds = session, set, resolver, kinds
	sum, err := apply.Run(ctx, p, o)
	return p, sum, err
}

// thingOf returns what is there of a thing of ours.
func (r *rig) thingOf(t *testing.T, name string) providertest.Thing {
	for _, thing := range r.world.Things() {
		if thing.Marker.Addr == at(name) {
			return thing
		}
	}
	require.Fail(t, "thing."+name+" is not there")
	return providertest.Thing{}
}

// two is thing.a and thing.b, which needs it.
func two(a, b map[string]cty.Value) model {
	return model{at("a"): {set: a}, at("b"): {set: b, peers: []addr.Addr{at("a")}}}
}

func TestWhatAStepTellsReachesWhatWaits(t *testing.T) {
	r := newRig()
	model := func(name string) map[string]cty.Value { return map[string]cty.Value{"model": cty.StringVal(name)} }
	for _, step := range []struct {
		name   string
		a      map[string]cty.Value
		action plan.Action // of b
	}{
		{"made after it", model("one"), plan.Create},
		{"changed after it was replaced", model("two"), plan.Update},
	} {
		m := two(step.a, nil)
		p, _, err := r.follow(t, t.Context(), m, follower{m, "label"}, apply.Options{})
		require.NoError(t, err, step.name)
		require.Equal(t, step.action, p.Change(at("b")).Action)
		require.False(t, p.Change(at("b")).After.Want.IsWhollyKnown(), "the plan could not know")
		serial := r.thingOf(t, "a").Marker.Nonce
		require.Equal(t, serial, r.thingOf(t, "b").Attrs["label"].AsString())
		st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
		require.NoError(t, err)
		require.Equal(t, serial, resource.Text(st.Objects[at("b")].Attrs, "label"))
	}
}

// TestAnUnknownValueDoesNotSmuggleInAReplacement lets b's model, which it has
// for life, follow from a step: the plan could only show a change.
func TestAnUnknownValueDoesNotSmuggleInAReplacement(t *testing.T) {
	r := newRig()
	m := two(nil, nil)
	_, _, err := r.follow(t, t.Context(), m, follower{m, "model"}, apply.Options{})
	require.NoError(t, err)
	before := r.thingOf(t, "b")

	m = two(map[string]cty.Value{"model": cty.StringVal("another")}, nil)
	_, _, err = r.follow(t, t.Context(), m, follower{m, "model"}, apply.Options{})
	require.EqualError(t, errors.Unwrap(err), `update thing.b: model: now that its value is known the change is "replace" (a thing has its model for life); plan again`)
	require.Equal(t, before, r.thingOf(t, "b"), "it was not touched")

	p, _, err := r.follow(t, t.Context(), m, follower{m, "model"}, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, plan.Replace, p.Change(at("b")).Action, "the next plan shows it")
}

// fickle answers differently when a step asks than it did for the plan.
type fickle struct {
	model
	final map[string]cty.Value // of thing.b, once thing.a is there
}

func (f fickle) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	r, problems := f.model.Resolve(a, known)
	if serial := resource.Attribute(known[at("a")], "serial"); a == at("b") && serial.IsKnown() && !serial.IsNull() {
		for name, v := range f.final {
			r.Want = with(r.Want, name, v)
		}
	}
	return r, problems
}

func TestWhatThePlanShowedIsWhatIsDone(t *testing.T) {
	label := func(text string) map[string]cty.Value { return map[string]cty.Value{"label": cty.StringVal(text)} }
	for name, c := range map[string]struct {
		final map[string]cty.Value
		want  string
	}{
		"another value":    {label("other"), "create thing.b: label came out different from the plan; plan again"},
		"a value too many": {map[string]cty.Value{"model": cty.StringVal("m")}, "create thing.b: model came out different from the plan; plan again"},
		"still not known":  {map[string]cty.Value{"label": cty.UnknownVal(cty.String)}, "create thing.b: some of its values are still unknown, although all it needs is there"},
		"several, by names": {map[string]cty.Value{"size": cty.NumberIntVal(1), "origin": cty.StringVal("o"), "secret": cty.StringVal("s")},
			"create thing.b: origin came out different from the plan; plan again"},
	} {
		t.Run(name, func(t *testing.T) {
			r, m := newRig(), two(nil, label("planned"))
			_, sum, err := r.follow(t, t.Context(), m, fickle{m, c.final}, apply.Options{})
			require.EqualError(t, errors.Unwrap(err), c.want)
			require.Equal(t, 1, sum.Done)
			require.Equal(t, 1, sum.Failed)
			require.Len(t, r.world.Things(), 3, "two of others, and thing.a")
			st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
			require.NoError(t, err)
			require.Empty(t, st.Open, "it was not even begun")
		})
	}
}

// onCreate lets creates go through before, then the host, then after.
type onCreate struct {
	providers.Provider
	before, after func(ctx context.Context, job providers.Job) error
}

func (o onCreate) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	if o.before != nil {
		if err := o.before(ctx, job); err != nil {
			return resource.Object{}, err
		}
	}
	made, err := o.Provider.Create(ctx, job)
	if err == nil && o.after != nil {
		if err := o.after(ctx, job); err != nil {
			return resource.Object{}, err
		}
	}
	return made, err
}

func TestAHardInterruptLeavesTheIntentForTheNextRun(t *testing.T) {
	r := newRig()
	ctx, cancel := context.WithCancel(t.Context())
	r.layer = func(p providers.Provider) providers.Provider {
		return onCreate{p, nil, func(ctx context.Context, job providers.Job) error {
			cancel()
			return ctx.Err() // the host has it, and nobody waited to hear so
		}}
	}
	m, l := two(nil, nil), &log{}
	_, sum, err := r.follow(t, ctx, m, m, apply.Options{Observer: l})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, []string{"started a", "failed a", "skipped b because of a"}, l.lines)
	require.Equal(t, 1, sum.Failed)
	st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Empty(t, st.Objects)
	require.Len(t, st.Open, 1)
	a := r.thingOf(t, "a")
	require.Equal(t, []string{a.ID, a.Marker.Nonce, "make " + a.ID}, []string{st.Open[0].ID, st.Open[0].Nonce, st.Open[0].Task})

	r.layer = func(p providers.Provider) providers.Provider { return p }
	p, err := r.run(m)
	require.NoError(t, err)
	require.Equal(t, []string{"+ thing.b  []"}, describe(p), "a was found again")
	requireWorld(t, r, m)
}

func TestALostLockEndsTheRun(t *testing.T) {
	r := newRig()
	r.layer = func(p providers.Provider) providers.Provider {
		return onCreate{p, func(ctx context.Context, _ providers.Job) error {
			r.store.Kill(false)
			return ctx.Err()
		}, nil}
	}
	m, l := model{at("a"): {}, at("b"): {}, at("c"): {}}, &log{}
	_, sum, err := r.follow(t, t.Context(), m, m, apply.Options{Observer: l, Parallel: 1})
	require.ErrorIs(t, err, context.Canceled)
	require.Equal(t, apply.Summary{Failed: 1, NotStarted: 2, Took: sum.Took}, sum)
	require.Len(t, r.world.Things(), 2, "only what was there before")

	r.layer = func(p providers.Provider) providers.Provider { return p }
	_, err = r.run(m)
	require.NoError(t, err)
	requireWorld(t, r, m)
}

// witness looks into the store whenever something is said to be done.
type witness struct {
	log
	t     *testing.T
	store state.Store
}

func (w *witness) Observe(e apply.Event) {
	if done, ok := e.(apply.Done); ok {
		st, err := state.Read(w.t.Context(), w.store, state.Options{Kinds: kinds})
		require.NoError(w.t, err)
		require.Equal(w.t, done.ID, st.Objects[done.Step.Addr].ID, "done, and not recorded")
	}
	w.log.Observe(e)
}

func TestIntentBeforeEffectAndRecordBeforeReport(t *testing.T) {
	r := newRig()
	open := func(job providers.Job) state.Intent {
		st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
		require.NoError(t, err)
		require.Len(t, st.Open, 1)
		require.Equal(t, []string{job.ID, job.Marker.Nonce}, []string{st.Open[0].ID, st.Open[0].Nonce})
		require.NotContains(t, st.Objects, job.Addr)
		return st.Open[0]
	}
	r.layer = func(p providers.Provider) providers.Provider {
		return onCreate{p,
			func(_ context.Context, job providers.Job) error { require.Empty(t, open(job).Task); return nil },
			func(_ context.Context, job providers.Job) error {
				require.Equal(t, "make "+job.ID, open(job).Task)
				return nil
			}}
	}
	m := chain()
	delete(m, at("z"))
	w := &witness{t: t, store: r.store}
	_, sum, err := r.follow(t, t.Context(), m, m, apply.Options{Observer: w})
	require.NoError(t, err)
	require.True(t, sum.Complete())
	require.Equal(t, []string{"started a", "done a", "started b", "done b", "started c", "done c"}, w.lines)
}

type observer func(apply.Event)

func (o observer) Observe(e apply.Event) { o(e) }
