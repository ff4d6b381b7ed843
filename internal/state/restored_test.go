package state_test

import (
	"bytes"
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// faulty is a store that finds damage by itself, or returns another last line.
type faulty struct {
	*statetest.Memory
	err   error
	spoil func(*state.Files)
}

func (f *faulty) Load(ctx context.Context) (state.Files, error) {
	files, err := f.Memory.Load(ctx)
	if f.spoil != nil {
		f.spoil(&files)
	}
	return files, errors.Join(err, f.err)
}

// TestAllThatAStoreCallsDamagedIsTold: one look at a bucket may find more than one
// object gone.
func TestAllThatAStoreCallsDamagedIsTold(t *testing.T) {
	damaged := func(what string) error { return &state.ErrDamaged{Store: "memory", What: what, Why: "it is gone"} }
	store := &faulty{Memory: written(t), err: errors.Join(damaged("state file"), damaged("journal"), damaged("trail"))}
	there, err := state.Salvaged(t.Context(), store, options)
	require.NoError(t, err)
	require.EqualError(t, there.StateErr, "memory: state file: it is gone")
	require.EqualError(t, there.JournalErr, "memory: journal: it is gone")
	require.EqualError(t, there.LastErr, "memory: trail: it is gone")

	store.err = errors.Join(damaged("journal"), errors.New("no network"))
	_, err = state.Salvaged(t.Context(), store, options)
	require.ErrorContains(t, err, "no network", "what is not damage is not repaired")
}

// TestAMovedStateIsBroughtBackAlsoFromDamage: a restore is how it goes on here.
func TestAMovedStateIsBroughtBackAlsoFromDamage(t *testing.T) {
	store := &faulty{Memory: &statetest.Memory{}}
	s := open(t, store)
	step(t, s, "a", nil)
	require.NoError(t, s.Edit(t.Context(), state.Entry{Action: "migrate"}, func(st *state.State) error { st.Moved = "elsewhere"; return nil }))
	require.NoError(t, s.Close(t.Context()))
	store.spoil = func(f *state.Files) { f.Last = bytes.Replace(f.Last, []byte(`"migrate"`), []byte(`"mistake"`), 1) }
	got := restored(t, store)
	require.Empty(t, got.Moved)
	require.Len(t, got.Objects, 1)
}
