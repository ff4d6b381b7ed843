package apply_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"

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
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

func read(t *testing.T, store state.Store) *state.State {
	st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	return st
}

// halfway makes no edit of an update and says that some may have been made.
type halfway struct{ providers.Provider }

func (h halfway) Update(_ context.Context, job providers.Job) (resource.Object, error) {
	return resource.Object{ID: job.ID, Attrs: job.Prior.Attrs}, errors.New("half of it")
}

func TestAChangeMadeInPartIsRecordedAsBoth(t *testing.T) {
	tags := func(names ...string) map[string]cty.Value {
		var all []cty.Value
		for _, name := range names {
			all = append(all, cty.StringVal(name))
		}
		return map[string]cty.Value{"tags": cty.SetVal(all)}
	}
	r, calm := newRig(), newRig().layer
	m := model{at("a"): {set: tags("old"), peers: []addr.Addr{at("x")}}, at("x"): {}, at("y"): {}}
	_, err := r.run(m)
	require.NoError(t, err)

	m[at("a")] = spec{set: tags("new"), peers: []addr.Addr{at("y")}}
	r.layer = func(p providers.Provider) providers.Provider { return halfway{p} }
	_, err = r.run(m)
	require.ErrorContains(t, err, "half of it")
	st := read(t, r.store)
	require.Empty(t, st.Open, "what is there is known")
	a := st.Objects[at("a")]
	both := tags("new", "old")["tags"]
	require.True(t, a.Attr("tags").RawEquals(both), "whichever is there counts as ours")
	require.Equal(t, []addr.Addr{at("x"), at("y")}, a.Needs, "neither may be dropped first")

	r.layer = calm
	_, err = r.run(m)
	require.NoError(t, err)
	requireWorld(t, r, m)
	require.True(t, r.thingOf(t, "a").Attrs["tags"].RawEquals(tags("new")["tags"]), "the old tag was known to be ours")
}

// adoptee is a thing that is there without a marker, with a setting that nobody
// asked for. To take it over fails half-way.
type adoptee struct{ halfway }

func (a adoptee) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	found, err := a.Provider.Observe(ctx, targets)
	for _, t := range targets {
		found.Seen[t.Addr] = resource.Seen{Presence: resource.Present, Unmarked: true,
			Object: resource.Object{Addr: t.Addr, Host: "pve", ID: "7", Attrs: t.Want.Want, Kept: []string{"lxc.cap.drop: sys_time"}}}
	}
	return found, err
}

// What was there when a thing was taken over did not come later behind our
// back, also when that was not brought to its end.
func TestAnAdoptionMadeInPartKnowsWhatWasThere(t *testing.T) {
	r := newRig()
	r.layer = func(p providers.Provider) providers.Provider { return adoptee{halfway{p}} }
	p, err := r.run(model{at("a"): {}})
	require.ErrorContains(t, err, "half of it")
	require.Equal(t, plan.Adopt, p.Change(at("a")).Action)
	st := read(t, r.store)
	require.Equal(t, st.Sealer().Lines([]string{"lxc.cap.drop: sys_time"}), st.Objects[at("a")].Kept)
}

// broken makes things, and says that they are not whole.
type broken struct{ providers.Provider }

func (b broken) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	made, err := b.Provider.Create(ctx, job)
	made.Damaged = true
	return made, errors.Join(err, errors.New("half of it"))
}

func TestAThingMadeInPartIsRecordedAndReplaced(t *testing.T) {
	r, calm, m := newRig(), newRig().layer, model{at("a"): {}}
	r.layer = func(p providers.Provider) providers.Provider { return broken{p} }
	_, err := r.run(m)
	require.ErrorContains(t, err, "half of it")
	st := read(t, r.store)
	require.Empty(t, st.Open)
	require.True(t, st.Objects[at("a")].Damaged)
	require.Equal(t, r.thingOf(t, "a").ID, st.Objects[at("a")].ID)

	r.layer = calm
	p, err := r.run(m)
	require.NoError(t, err)
	require.Equal(t, plan.Replace, p.Change(at("a")).Action)
	require.False(t, read(t, r.store).Objects[at("a")].Damaged)
	requireWorld(t, r, m)
}

// placed is a configuration of things that say only on which host they are.
type placed map[addr.Addr]string

func (p placed) Resolve(a addr.Addr, _ map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	return resource.Resource{Addr: a, Host: p[a], Want: kinds["thing"].Schema.Value(nil)}, nil
}

func TestWhatMovesIsDroppedWhereItWas(t *testing.T) {
	worlds := map[string]*providertest.World{"lab": providertest.NewWorld(), "pve": providertest.NewWorld()}
	set := providers.Set{}
	for name, w := range worlds {
		set[name] = providertest.NewMemory(w, name)
	}
	store := &statetest.Memory{}
	for _, host := range []string{"lab", "pve", "lab"} {
		_, err := carryOutOn(t, set, store, placed{at("a"): host})
		require.NoError(t, err)
		require.Equal(t, host, read(t, store).Objects[at("a")].Host)
		for name, w := range worlds {
			require.Equal(t, name == host, len(w.Things()) == 1, "%s on %s", host, name)
		}
	}
}

// carryOutOn plans and applies things on several hosts.
func carryOutOn(t *testing.T, set providers.Set, store state.Store, want placed) (apply.Summary, error) {
	ctx, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	defer s.Close(context.Background())
	st, desired := s.State(), []resource.Resource{}
	for a := range want {
		r, _ := want.Resolve(a, nil)
		desired = append(desired, r)
	}
	inv, err := inventory.Observe(ctx, set, desired, st)
	require.NoError(t, err)
	p := plan.New(plan.Input{
		Kinds: kinds, Desired: desired, Resolver: want, Seen: inv.Seen, Surveys: inv.Surveys,
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: st.Objects, Seal: st.Sealer()},
	})
	return apply.Run(ctx, p, apply.Options{Session: s, Providers: set, Resolver: want, Kinds: kinds})
}

func TestWhatIsOnlyRecordedAsksNothingOfTheHost(t *testing.T) {
	origin := func(text string) map[string]cty.Value { return map[string]cty.Value{"origin": cty.StringVal(text)} }
	r := newRig()
	_, err := r.run(model{at("a"): {set: origin("one")}})
	require.NoError(t, err)
	before := r.thingOf(t, "a")
	r.layer = func(p providers.Provider) providers.Provider {
		return providertest.Faulty{Provider: p, Before: func(method string) error {
			require.Equal(t, "observe", method)
			return nil
		}}
	}
	p, err := r.run(model{at("a"): {set: origin("two")}})
	require.NoError(t, err)
	require.Equal(t, plan.Update, p.Change(at("a")).Action)
	o := read(t, r.store).Objects[at("a")]
	require.Equal(t, "two", resource.Text(o.Attrs, "origin"))
	require.Equal(t, before.Marker.Nonce, resource.Text(o.Attrs, "serial"), "what the host computed stays")
	require.Equal(t, before, r.thingOf(t, "a"))
}

func TestWhatChangedSinceThePlanIsLeftAlone(t *testing.T) {
	label := func(text string) map[string]cty.Value { return map[string]cty.Value{"label": cty.StringVal(text)} }
	byHand := func(r *rig) providertest.Thing {
		thing := r.thingOf(t, "a")
		thing.Attrs, thing.Edits = label("by hand"), thing.Edits+1
		return thing
	}
	strangers := func(r *rig) providertest.Thing {
		return providertest.Thing{ID: r.thingOf(t, "a").ID, Attrs: label("theirs")}
	}
	var changed providers.ErrChanged
	var stranger providers.ErrStranger
	for name, c := range map[string]struct {
		want model
		put  func(*rig) providertest.Thing
		err  any
	}{
		"a change of what was changed by hand": {model{at("a"): {set: label("new")}}, byHand, &changed},
		"a change of what others put there":    {model{at("a"): {set: label("new")}}, strangers, &stranger},
		"a deletion of what others put there":  {model{}, strangers, &stranger},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig()
			_, err := r.run(model{at("a"): {set: label("old")}})
			require.NoError(t, err)
			before := read(t, r.store).Objects[at("a")]
			thing := c.put(r)
			_, _, err = r.carryOut(t, c.want, func() { r.world.Put(thing) }, apply.Options{})
			require.ErrorAs(t, err, c.err)
			require.Equal(t, thing, r.world.Things()[thing.ID])
			st := read(t, r.store)
			require.Empty(t, st.Open, "nothing was changed, for certain")
			require.Equal(t, before, st.Objects[at("a")])
		})
	}
}

// careful is a store whose writes end with their context.
type careful struct{ *statetest.Memory }

type carefulLock struct{ state.Lock }

func (c careful) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	ctx, lock, err := c.Memory.Lock(ctx, who)
	return ctx, carefulLock{lock}, err
}

func (l carefulLock) Save(ctx context.Context, s state.Snapshot) error {
	return errors.Join(ctx.Err(), l.Lock.Save(ctx, s))
}

func (l carefulLock) Append(ctx context.Context, line []byte) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return l.Lock.Append(ctx, line)
}

func TestWhatIsDoneIsRecordedAlthoughInterrupted(t *testing.T) {
	r := newRig()
	_, err := r.run(model{at("old"): {}})
	require.NoError(t, err)
	for _, m := range []model{{}, {at("new"): {}}} {
		ctx, cancel := context.WithCancel(t.Context())
		r.layer = func(p providers.Provider) providers.Provider { return interrupted{p, cancel} }
		_, sum, err := r.followOn(t, ctx, careful{r.store}, m, m, apply.Options{})
		require.NoError(t, err)
		require.Error(t, ctx.Err())
		require.Equal(t, apply.Summary{Done: 1, Took: sum.Took}, sum)
		st := read(t, r.store)
		require.Empty(t, st.Open)
		require.Len(t, st.Objects, len(m))
	}
}

// interrupted does its work, and the run is interrupted just then.
type interrupted struct {
	providers.Provider
	interrupt func()
}

func (i interrupted) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	defer i.interrupt()
	return i.Provider.Create(ctx, job)
}

func (i interrupted) Delete(ctx context.Context, job providers.Job) error {
	defer i.interrupt()
	return i.Provider.Delete(ctx, job)
}

// TestTwoThatLoseTheirIDsTakeDifferentOnes lets others take both planned IDs,
// and neither of the two go on before both have chosen another.
func TestTwoThatLoseTheirIDsTakeDifferentOnes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig()
		var mu sync.Mutex
		var tried []string
		var rounds [2]sync.WaitGroup
		rounds[0].Add(2)
		rounds[1].Add(2)
		r.hook(func(_ context.Context, job providers.Job) error {
			mu.Lock()
			round := len(tried) / 2
			tried = append(tried, job.ID)
			mu.Unlock()
			rounds[round].Done()
			rounds[round].Wait()
			if round == 0 {
				return providers.ErrTaken{ID: job.ID}
			}
			return nil
		})
		_, _, err := r.carryOut(t, model{at("a"): {}, at("b"): {}}, nil, apply.Options{})
		require.NoError(t, err)
		require.ElementsMatch(t, []string{"101", "102", "104", "105"}, tried)
	})
}

// outOfSight is a host that cannot look at thing.old.
type outOfSight struct{ providers.Provider }

func (o outOfSight) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	seen, err := o.Provider.Observe(ctx, targets)
	seen.Seen[at("old")] = resource.Seen{Why: "its node is down"}
	return seen, err
}

func TestARecordedIDIsNotTakenInsteadOfALostOne(t *testing.T) {
	r := newRig()
	_, err := r.run(model{at("old"): {}})
	require.NoError(t, err)
	require.Equal(t, "101", r.thingOf(t, "old").ID)
	r.world.Remove("101") // which the host does not tell
	r.layer = func(p providers.Provider) providers.Provider { return outOfSight{p} }
	_, _, err = r.carryOut(t, model{at("old"): {}, at("a"): {}}, func() { r.world.Put(providertest.Thing{ID: "102"}) }, apply.Options{})
	require.NoError(t, err)
	require.Equal(t, "104", r.thingOf(t, "a").ID)
}

func TestAWarningIsPassedOnOnceAStep(t *testing.T) {
	r := newRig()
	r.hook(func(_ context.Context, job providers.Job) error {
		for _, text := range []string{"beware", "careful", "beware"} {
			job.Report.Warn(text)
		}
		return nil
	})
	var warned []string
	m := two(nil, nil)
	_, _, err := r.follow(t, t.Context(), m, m, apply.Options{Observer: observer(func(e apply.Event) {
		if w, ok := e.(apply.Warned); ok {
			warned = append(warned, w.Step.Addr.Name+" "+w.Text)
		}
	})})
	require.NoError(t, err)
	require.Equal(t, []string{"a beware", "a careful", "b beware", "b careful"}, warned)
}
