package apply_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/resource"
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
