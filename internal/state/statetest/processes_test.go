package statetest

import (
	"context"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
)

func TestACrowdThatTakesTurnsLosesNothing(t *testing.T) {
	store, dir := &Memory{}, t.TempDir()
	together(t, 5, func() error { return takeTurns(t.Context(), store, dir) })
	require.Equal(t, tally{turns: 5 * rounds}, takeStock(t, store, dir, 5*rounds))
}

// careless gives its lock to everybody, and lets two hold it at the same time.
type careless struct {
	*Memory
	loads sync.WaitGroup
}

func (c *careless) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	c.mu.Lock()
	c.holder = nil
	c.mu.Unlock()
	return c.Memory.Lock(ctx, who)
}

// Load of the first round ends when two have loaded, so that both count from
// the same number.
func (c *careless) Load(ctx context.Context) (state.Files, error) {
	files, err := c.Memory.Load(ctx)
	if len(files.Journal) == 0 && files.State == nil {
		c.loads.Done()
		c.loads.Wait()
	}
	return files, err
}

func TestACrowdNoticesAStoreThatLocksNothing(t *testing.T) {
	store, dir := &careless{Memory: &Memory{}}, t.TempDir()
	store.loads.Add(2)
	together(t, 2, func() error { return takeTurns(t.Context(), store, dir) })
	seen := takeStock(t, store, dir, 2*rounds)
	require.Positive(t, seen.doubleHolders)
	require.Positive(t, seen.lostUpdates)
	require.Equal(t, 2*rounds, seen.turns+seen.lostUpdates)
}

func together(t *testing.T, n int, do func() error) {
	t.Helper()
	var wg sync.WaitGroup
	for range n {
		wg.Go(func() {
			if err := do(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}
