package state_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// TestRescueHasWhatTheStoreRefused lets a store take no writes from the end of a
// step on, and pushes what was put aside when it does again.
func TestRescueHasWhatTheStoreRefused(t *testing.T) {
	store := &statetest.Memory{}
	ctx, s, err := state.Open(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	seq, err := s.Begin(ctx, intent("a"))
	require.NoError(t, err)
	_, err = s.Begin(ctx, intent("b"))
	require.NoError(t, err)
	store.Fail = func(string) error { return errors.New("no space left") }
	o := thing("a", "there")
	require.ErrorContains(t, s.Done(ctx, seq, o.Addr, &o), "no space left")
	require.ErrorContains(t, s.Close(ctx), "no space left")
	data, err := s.Rescue()
	require.NoError(t, err)

	store.Fail = nil
	pushed, err := state.Parse("errored", data, options)
	require.NoError(t, err)
	require.Equal(t, uint64(2), pushed.Serial)
	_, s, there, err := state.Repair(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	require.Len(t, there.Open, 2, "the store knows of both steps, and of no end")
	isNew, err := there.MayPush(pushed)
	require.NoError(t, err)
	require.True(t, isNew)
	require.NoError(t, s.Replace(t.Context(), state.Entry{Action: "push"}, pushed))
	require.NoError(t, s.Close(t.Context()))
	st, err := state.Read(t.Context(), store, options)
	require.NoError(t, err)
	require.Equal(t, uint64(2), st.Serial)
	require.Equal(t, "there", st.Objects[o.Addr].Attrs.GetAttr("label").AsString())
	require.Len(t, st.Open, 1)
	require.Equal(t, addr.New("thing", "b"), st.Open[0].Addr)
}

func TestThereIsNothingToRescueOfWhatIsWritten(t *testing.T) {
	store := &statetest.Memory{}
	ctx, s, err := state.Open(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	_, err = s.Begin(ctx, intent("a"))
	require.NoError(t, err)
	require.NoError(t, s.Close(ctx))
	data, err := s.Rescue()
	require.NoError(t, err)
	require.Nil(t, data)
}
