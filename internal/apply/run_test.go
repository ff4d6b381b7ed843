package apply_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// hooked is a provider whose creates go through a function first.
type hooked struct {
	providers.Provider
	create func(ctx context.Context, job providers.Job) error
}

func (h hooked) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	if err := h.create(ctx, job); err != nil {
		return resource.Object{}, err
	}
	return h.Provider.Create(ctx, job)
}

// limited admits two at once.
type limited struct{ hooked }

func (limited) Slots(resource.Resource) []providers.Slot {
	return []providers.Slot{{Name: "disk", Max: 2}, {Name: "disk", Max: 2}}
}

type log struct{ lines []string }

func (l *log) Observe(e apply.Event) {
	switch e := e.(type) {
	case apply.Started:
		l.lines = append(l.lines, "started "+e.Step.Addr.Name)
	case apply.Done:
		l.lines = append(l.lines, "done "+e.Step.Addr.Name)
	case apply.Failed:
		l.lines = append(l.lines, "failed "+e.Step.Addr.Name)
	case apply.Skipped:
		l.lines = append(l.lines, fmt.Sprintf("skipped %s because of %s", e.Step.Addr.Name, e.Because.Addr.Name))
	case apply.NotStarted:
		l.lines = append(l.lines, "not started "+e.Step.Addr.Name)
	case apply.Recovered:
		l.lines = append(l.lines, "recovered "+e.Addr.Name+": "+e.Text)
	}
}

func at(name string) addr.Addr { return addr.New("thing", name) }

// chain is three things, each of which needs the one before, and one apart.
func chain() model {
	return model{
		at("a"): {}, at("b"): {peers: []addr.Addr{at("a")}}, at("c"): {peers: []addr.Addr{at("b")}},
		at("z"): {},
	}
}

// carryOut plans, lets meanwhile happen, and applies.
func (r *rig) carryOut(t *testing.T, want model, meanwhile func(), o apply.Options) (apply.Summary, *log, error) {
	ctx, session, err := state.Open(t.Context(), r.store, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	defer session.Close(context.Background())
	set := providers.Set{"pve": r.layer(providertest.NewMemory(r.world, "pve"))}
	p, err := planFor(ctx, want, set, session.State())
	require.NoError(t, err)
	if meanwhile != nil {
		meanwhile()
	}
	l := &log{}
	o.Session, o.Providers, o.Resolver, o.Kinds, o.Observer = session, set, want, kinds, l
	sum, err := apply.Run(ctx, p, o)
	return sum, l, err
}

func (r *rig) hook(create func(ctx context.Context, job providers.Job) error) {
	r.layer = func(p providers.Provider) providers.Provider { return hooked{p, create} }
}

func TestAFailureHoldsBackOnlyWhatWaits(t *testing.T) {
	r := newRig()
	r.hook(func(_ context.Context, job providers.Job) error {
		if job.Addr == at("a") {
			panic("a bug")
		}
		return nil
	})
	sum, l, err := r.carryOut(t, chain(), nil, apply.Options{})
	require.ErrorContains(t, err, "create thing.a: a fault in the program: a bug")
	require.Equal(t, 1, sum.Done)
	require.Equal(t, 1, sum.Failed)
	require.Equal(t, 2, sum.Skipped)
	require.Subset(t, l.lines, []string{"done z", "failed a", "skipped b because of a", "skipped c because of a"})
}

// A create that left nothing behind leaves nothing open either: the next run
// need not look for it.
func TestARefusedCreateIsNotLookedFor(t *testing.T) {
	for _, c := range []struct {
		err  error
		open int
	}{
		{providers.ErrNothingMade{Cause: errors.New("403")}, 0},
		{errors.New("the answer was lost"), 1},
	} {
		r := newRig()
		r.hook(func(context.Context, providers.Job) error { return c.err })
		_, _, err := r.carryOut(t, model{at("a"): {}}, nil, apply.Options{})
		require.ErrorIs(t, err, c.err)
		st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
		require.NoError(t, err)
		require.Len(t, st.Open, c.open)
	}
}

func TestErrorsComeInTheOrderOfAddresses(t *testing.T) {
	r := newRig()
	r.hook(func(_ context.Context, job providers.Job) error { return errors.New("no " + job.Addr.Name) })
	want, texts := model{}, []string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		want[at(name)] = spec{}
		texts = append(texts, fmt.Sprintf("create thing.%s: no %s", name, name))
	}
	_, _, err := r.carryOut(t, want, nil, apply.Options{})
	var all *multierror.Error
	require.ErrorAs(t, err, &all)
	var got []string
	for _, one := range all.Errors {
		got = append(got, one.Error())
		require.ErrorAs(t, one, new(*apply.StepError))
	}
	require.Equal(t, texts, got)
}

func TestATakenIDIsLeftToItsOwner(t *testing.T) {
	stranger := func(r *rig, id string) func() {
		return func() {
			r.world.Put(providertest.Thing{ID: id, Attrs: map[string]cty.Value{"label": cty.StringVal("theirs")}})
		}
	}
	t.Run("the next free one is used", func(t *testing.T) {
		r := newRig()
		_, _, err := r.carryOut(t, model{at("a"): {}, at("b"): {}}, stranger(r, "101"), apply.Options{})
		require.NoError(t, err)
		st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
		require.NoError(t, err)
		require.Equal(t, []string{"104", "102"}, []string{st.Objects[at("a")].ID, st.Objects[at("b")].ID}, "102 is b's by the plan")
	})
	t.Run("one that was asked for does not move", func(t *testing.T) {
		r := newRig()
		want := model{at("a"): {set: map[string]cty.Value{"vmid": cty.NumberIntVal(200)}}}
		_, _, err := r.carryOut(t, want, stranger(r, "200"), apply.Options{})
		require.ErrorAs(t, err, new(providers.ErrTaken))
		require.Len(t, r.world.Things(), 3)
	})
	t.Run("one that follows from the address does not move", func(t *testing.T) {
		r := newRig()
		group := addr.New("group", "g")
		r.layer = func(p providers.Provider) providers.Provider {
			return hooked{p, func(_ context.Context, job providers.Job) error { return providers.ErrTaken{ID: job.ID} }}
		}
		_, _, err := r.carryOut(t, model{group: {}}, nil, apply.Options{})
		require.ErrorAs(t, err, new(providers.ErrTaken))
		st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
		require.NoError(t, err)
		require.Empty(t, st.Objects)
		require.Empty(t, st.Open, "nothing was made, for certain")
	})
}

func TestDrainingFinishesWhatRuns(t *testing.T) {
	r, drain := newRig(), make(chan struct{})
	r.hook(func(_ context.Context, job providers.Job) error {
		if job.Addr == at("a") {
			close(drain)
		}
		return nil
	})
	want := chain()
	delete(want, at("z"))
	sum, l, err := r.carryOut(t, want, nil, apply.Options{Drain: drain})
	require.NoError(t, err)
	require.Equal(t, []string{"started a", "done a", "not started b", "not started c"}, l.lines)
	require.Equal(t, 2, sum.NotStarted)
	require.False(t, sum.Complete())
}

func TestACancelledStepIsSettledByTheNextRun(t *testing.T) {
	r := newRig()
	cancelled := errors.New("gone")
	r.layer = func(p providers.Provider) providers.Provider {
		return providertest.Faulty{Provider: p, After: func(string) error { return cancelled }}
	}
	_, _, err := r.carryOut(t, model{at("a"): {}}, nil, apply.Options{})
	require.ErrorIs(t, err, cancelled)
	st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Len(t, st.Open, 1)
	require.Empty(t, st.Objects)

	r.layer = func(p providers.Provider) providers.Provider { return p }
	p, err := r.run(model{at("a"): {}})
	require.NoError(t, err)
	require.True(t, p.Empty(), "what was made is found again: %v", describe(p))
}

func TestNoRecordNoCreate(t *testing.T) {
	r := newRig()
	before := len(r.world.Things())
	r.store.Fail = func(write string) error {
		if write == "append" {
			return errors.New("disk full")
		}
		return nil
	}
	_, _, err := r.carryOut(t, model{at("a"): {}}, nil, apply.Options{})
	require.ErrorContains(t, err, "disk full")
	require.Len(t, r.world.Things(), before)
}

// TestLimitsAreKept holds every step of two until a second one has arrived, so
// that both a third and a lone one would be seen.
func TestLimitsAreKept(t *testing.T) {
	r := newRig()
	var running, most atomic.Int64
	var mu sync.Mutex
	count := 0
	pair := make(chan struct{})
	r.layer = func(p providers.Provider) providers.Provider {
		return limited{hooked{p, func(context.Context, providers.Job) error {
			n := running.Add(1)
			defer running.Add(-1)
			for {
				if old := most.Load(); n <= old || most.CompareAndSwap(old, n) {
					break
				}
			}
			mu.Lock()
			mine := pair
			if count++; count%2 == 0 {
				close(pair)
				pair = make(chan struct{})
			}
			mu.Unlock()
			<-mine
			return errors.New("no") // slots are given back on errors as well
		}}}
	}
	want := model{}
	for i := range 8 {
		want[at(fmt.Sprint("t", i))] = spec{}
	}
	sum, _, err := r.carryOut(t, want, nil, apply.Options{})
	require.Error(t, err)
	require.Equal(t, 8, sum.Failed)
	require.Equal(t, int64(2), most.Load())
}
