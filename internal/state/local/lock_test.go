package local_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

// TestWhoRemovesALockFileTakesTheLockAway: the next one locks another file of
// that name, and the first may not touch what is then the next one's.
func TestWhoRemovesALockFileTakesTheLockAway(t *testing.T) {
	for name, use := range map[string]func(state.Lock) error{
		"save": func(l state.Lock) error {
			return l.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("first's")})
		},
		"append": func(l state.Lock) error { return l.Append(t.Context(), []byte("first's\n")) },
		"unlock": state.Lock.Unlock,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			store := local.New(dir)
			ctx, first, err := store.Lock(t.Context(), state.Who{User: "first"})
			require.NoError(t, err)
			require.NoError(t, os.Remove(filepath.Join(dir, "proximity.state.lock")))
			_, second, err := store.Lock(t.Context(), state.Who{User: "second"})
			require.NoError(t, err)
			require.NoError(t, second.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("second's")}))

			var lost *state.ErrLost
			require.ErrorAs(t, use(first), &lost)
			require.Contains(t, lost.Error(), "proximity.state.lock was removed or replaced")
			require.ErrorIs(t, context.Cause(ctx), lost)
			require.ErrorIs(t, first.Append(t.Context(), []byte("late\n")), lost)
			require.ErrorIs(t, first.Unlock(), lost)

			require.NoError(t, second.Append(t.Context(), []byte("second's\n")))
			_, _, err = store.Lock(t.Context(), state.Who{})
			var locked *state.ErrLocked
			require.ErrorAs(t, err, &locked)
			require.Equal(t, "second", locked.Holder.User)
			files, err := store.Load(t.Context())
			require.NoError(t, err)
			require.Equal(t, "second's", string(files.State))
			require.Equal(t, "second's\n", string(files.Journal))
			require.NoError(t, second.Unlock())
		})
	}
}

func TestWhoAsksForAHolderLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	_, isHeld, err := state.Holder(t.Context(), local.New(dir))
	require.NoError(t, err)
	require.False(t, isHeld)
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
	_, isHeld, err = state.Holder(t.Context(), local.New(filepath.Join(dir, "missing")))
	require.NoError(t, err)
	require.False(t, isHeld)
}
