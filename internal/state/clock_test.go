package state_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// TestAClockThatJumps is set forward and back while steps are under way, and
// between the runs. No step takes less than no time, the trail keeps the order
// in which things happened, and nothing is told twice.
func TestAClockThatJumps(t *testing.T) {
	noon := time.Date(2026, 11, 28, 12, 0, 0, 0, time.UTC)
	store, now := &statetest.Memory{}, noon
	begin := func(at time.Duration) *state.Session {
		now = noon.Add(at)
		_, s, err := state.Open(t.Context(), store, ann, state.Options{Kinds: kinds(1), Now: func() time.Time { return now }})
		require.NoError(t, err)
		return s
	}
	carryOut := func(s *state.Session, name string, took time.Duration) {
		i := intent(name)
		i.Action, i.At = "create", now
		seq, err := s.Begin(t.Context(), i)
		require.NoError(t, err)
		now = now.Add(took)
		o := thing(name, "there")
		require.NoError(t, s.Done(t.Context(), seq, o.Addr, &o))
	}

	s := begin(0)
	carryOut(s, "a", time.Minute)
	carryOut(s, "b", -time.Hour) // set back in the middle of a step
	store.Kill(false)
	s = begin(-48 * time.Hour) // and further before the next run
	carryOut(s, "c", 24*time.Hour)
	require.NoError(t, s.Close(t.Context()))

	s = begin(-72 * time.Hour)
	st := s.State()
	require.Len(t, st.Objects, 3)
	require.Empty(t, st.Open)
	require.NoError(t, s.Close(t.Context()))
	entries := trailOf(t, store)
	require.Equal(t, "create thing.a done|create thing.b done|create thing.c done|", told(entries))
	var took []float64
	for _, e := range entries {
		took = append(took, e.Took)
	}
	require.Equal(t, []float64{60, 0, 86400}, took)
}
