package apply_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// slow needs a second of a bubble's time for everything, and has one disk.
type slow struct{ providers.Provider }

func (slow) Slots(resource.Resource) []providers.Slot {
	return []providers.Slot{{Name: "disk", Max: 1}}
}

func (s slow) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	time.Sleep(time.Second)
	return s.Provider.Create(ctx, job)
}

func (s slow) Delete(ctx context.Context, job providers.Job) error {
	time.Sleep(time.Second)
	return s.Provider.Delete(ctx, job)
}

func TestPlacesAreThoseOfAHost(t *testing.T) {
	for name, c := range map[string]struct {
		then, now placed
		want      time.Duration
	}{
		"creates on one host":      {nil, placed{at("a"): "lab", at("b"): "lab"}, 2 * time.Second},
		"creates on two hosts":     {nil, placed{at("a"): "lab", at("b"): "pve"}, time.Second},
		"deletes on one host":      {placed{at("a"): "lab", at("b"): "lab"}, nil, 2 * time.Second},
		"deletes on two hosts":     {placed{at("a"): "lab", at("b"): "pve"}, nil, time.Second},
		"a create and a delete":    {placed{at("a"): "lab"}, placed{at("b"): "lab"}, 2 * time.Second},
		"from one host to another": {placed{at("a"): "lab", at("b"): "lab"}, placed{at("a"): "pve", at("b"): "pve"}, 3 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				store, set := &statetest.Memory{}, providers.Set{}
				for _, host := range []string{"lab", "pve"} {
					set[host] = slow{providertest.NewMemory(providertest.NewWorld(), host)}
				}
				_, err := carryOutOn(t, set, store, c.then)
				require.NoError(t, err)
				sum, err := carryOutOn(t, set, store, c.now)
				require.NoError(t, err)
				require.Equal(t, c.want, sum.Took)
			})
		})
	}
}

// TestStepsTakeTheirTimeTogether lets each create take three seconds of a
// bubble's time.
func TestStepsTakeTheirTimeTogether(t *testing.T) {
	for name, c := range map[string]struct {
		model    model
		parallel int
		want     time.Duration
	}{
		"a chain is done one after the other": {two(nil, nil), 0, 6 * time.Second},
		"what is apart is done together":      {model{at("a"): {}, at("b"): {}, at("c"): {}}, 0, 3 * time.Second},
		"two at a time":                       {model{at("a"): {}, at("b"): {}, at("c"): {}}, 2, 6 * time.Second},
		"one at a time":                       {model{at("a"): {}, at("b"): {}, at("c"): {}}, 1, 9 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r, begin := newRig(), time.Now()
				r.layer = func(p providers.Provider) providers.Provider {
					return onCreate{p, func(context.Context, providers.Job) error { time.Sleep(3 * time.Second); return nil }, nil}
				}
				_, sum, err := r.follow(t, t.Context(), c.model, c.model, apply.Options{
					Parallel: c.parallel, Observer: observer(func(e apply.Event) {
						if done, ok := e.(apply.Done); ok {
							require.Equal(t, 3*time.Second, done.Took, "waiting for a place does not count")
						}
					}),
				})
				require.NoError(t, err)
				require.Equal(t, c.want, sum.Took)
				st, err := state.Read(t.Context(), r.store, state.Options{Kinds: kinds})
				require.NoError(t, err)
				for a, o := range st.Objects {
					require.Zero(t, o.Changed.Sub(begin)%(3*time.Second), "%s is dated when it was done", a)
					require.True(t, o.Changed.After(begin))
				}
			})
		})
	}
}

// TestWhoWaitsForAPlaceHearsOfTheDrainAtOnce lets the one that runs end only
// when nobody else has anything left to do.
func TestWhoWaitsForAPlaceHearsOfTheDrainAtOnce(t *testing.T) {
	for _, hard := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			r, l, drain := newRig(), &log{}, make(chan struct{})
			r.hook(func(context.Context, providers.Job) error {
				synctest.Wait() // the other one waits for its place
				if hard {
					cancel()
				} else {
					close(drain)
				}
				synctest.Wait()
				require.Len(t, l.lines, 2)
				require.Contains(t, l.lines[1], "not started")
				return errors.New("no")
			})
			m := model{at("a"): {}, at("b"): {}}
			_, sum, err := r.follow(t, ctx, m, m, apply.Options{Observer: l, Drain: drain, Parallel: 1})
			require.ErrorContains(t, err, "no")
			require.Equal(t, apply.Summary{Failed: 1, NotStarted: 1, Took: sum.Took}, sum)
		})
	}
}
