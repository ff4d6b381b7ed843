package statetest_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

func TestTheStoreInMemoryConforms(t *testing.T) {
	statetest.Run(t, func(*testing.T) state.Store { return &statetest.Memory{} })
}

func TestAKilledHolderWritesNoMore(t *testing.T) {
	for _, torn := range []bool{false, true} {
		store := &statetest.Memory{}
		ctx, lock, err := store.Lock(t.Context(), state.Who{})
		require.NoError(t, err)
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")}))
		require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
		store.Kill(torn)
		require.Error(t, ctx.Err())
		require.ErrorIs(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("late")}), statetest.ErrDead)
		require.ErrorIs(t, lock.Append(t.Context(), []byte("late\n")), statetest.ErrDead)
		require.ErrorIs(t, lock.Unlock(), statetest.ErrDead)

		files, err := store.Load(t.Context())
		require.NoError(t, err)
		require.Equal(t, "state", string(files.State))
		require.Contains(t, string(files.Journal), "one\n")
		require.Equal(t, torn, len(files.Journal) > len("one\n"))
		_, lock, err = store.Lock(t.Context(), state.Who{})
		require.NoError(t, err, "the lock died with its holder")
		require.NoError(t, lock.Unlock())
	}
}

func TestAFailedWriteLeavesWhatWas(t *testing.T) {
	store, broken := &statetest.Memory{}, errors.New("broken")
	_, lock, err := store.Lock(t.Context(), state.Who{})
	require.NoError(t, err)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")}))
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	var asked []string
	store.Fail = func(write string) error {
		asked = append(asked, write)
		return broken
	}
	require.ErrorIs(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("new")}), broken)
	require.ErrorIs(t, lock.Append(t.Context(), []byte("two\n")), broken)
	require.Equal(t, []string{"save", "append"}, asked)
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, state.Files{State: []byte("state"), Journal: []byte("one\n")}, files)
}
