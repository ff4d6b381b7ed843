package statetest

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
)

func lockCases() []conformanceCase {
	return []conformanceCase{
		{"a second lock is refused at once, and told who holds the first", secondLock},
		{"a refused lock does not disturb the holder", refusedLock},
		{"unlock lets the next one in", unlockFrees},
		{"a lock that was given back leaves no note", noNote},
		{"the lock's context lives as long as the lock", contextOfTheLock},
		{"the lock's context ends with its parent", contextOfTheParent},
		{"the lock's context knows what its parent knows", valuesOfTheParent},
		{"the end of the parent does not give the lock back", parentKeepsLock},
		{"who has unlocked can write no more", writeAfterUnlock},
		{"a second unlock does not take the lock from the next holder", unlockTwice},
		{"the place has one name", oneName},
	}
}

func somebody(name string) state.Who {
	return state.Who{
		ID: "id-" + name, User: name, Host: "desk", PID: 4711, Boot: "b1", Command: "proximity apply",
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

// requireHeld asks for the lock and expects to hear that somebody has it.
func requireHeld(t *testing.T, store state.Store, by state.Who) {
	t.Helper()
	_, _, err := store.Lock(t.Context(), somebody("late"))
	var held *state.ErrLocked
	require.ErrorAs(t, err, &held)
	require.Equal(t, by, held.Holder)
	require.Equal(t, store.String(), held.Store)
}

func secondLock(t *testing.T, store state.Store) {
	_, lock := locked(t, store, somebody("ann"))
	requireHeld(t, store, somebody("ann"))
	require.NoError(t, lock.Unlock())
}

func refusedLock(t *testing.T, store state.Store) {
	ctx, lock := locked(t, store, somebody("ann"))
	for range 3 {
		requireHeld(t, store, somebody("ann"))
	}
	require.NoError(t, ctx.Err())
	save(t, lock, "state")
	add(t, lock, "one\n")
	require.Equal(t, state.Files{State: []byte("state"), Journal: []byte("one\n")}, load(t, store))
	require.NoError(t, lock.Unlock())
}

func unlockFrees(t *testing.T, store state.Store) {
	for _, name := range []string{"ann", "bob", "ann"} {
		_, lock := locked(t, store, somebody(name))
		requireHeld(t, store, somebody(name))
		require.NoError(t, lock.Unlock())
	}
}

func noNote(t *testing.T, store state.Store) {
	for range 2 {
		_, lock := locked(t, store, somebody("ann"))
		require.Empty(t, lock.Note())
		require.NoError(t, lock.Unlock())
	}
}

func contextOfTheLock(t *testing.T, store state.Store) {
	ctx, lock := locked(t, store, somebody("ann"))
	save(t, lock, "state")
	require.NoError(t, ctx.Err())
	require.NoError(t, lock.Unlock())
	require.Error(t, ctx.Err())

	next, lock := locked(t, store, somebody("bob"))
	require.NoError(t, next.Err())
	require.NoError(t, lock.Unlock())
}

func contextOfTheParent(t *testing.T, store state.Store) {
	parent, cancel := context.WithCancel(t.Context())
	ctx, lock, err := store.Lock(parent, somebody("ann"))
	require.NoError(t, err)
	cancel()
	require.Error(t, ctx.Err())
	require.NoError(t, lock.Unlock())
}

func valuesOfTheParent(t *testing.T, store state.Store) {
	type key struct{}
	ctx, lock, err := store.Lock(context.WithValue(t.Context(), key{}, "known"), somebody("ann"))
	require.NoError(t, err)
	require.Equal(t, "known", ctx.Value(key{}))
	require.NoError(t, lock.Unlock())
}

// parentKeepsLock is an interrupted run: what has happened must be written.
func parentKeepsLock(t *testing.T, store state.Store) {
	parent, cancel := context.WithCancel(t.Context())
	_, lock, err := store.Lock(parent, somebody("ann"))
	require.NoError(t, err)
	cancel()
	requireHeld(t, store, somebody("ann"))
	add(t, lock, "done\n")
	require.NoError(t, lock.Unlock())
	require.Equal(t, "done\n", string(load(t, store).Journal))
}

func writeAfterUnlock(t *testing.T, store state.Store) {
	_, lock := locked(t, store, somebody("ann"))
	save(t, lock, "state")
	add(t, lock, "one\n")
	require.NoError(t, lock.Unlock())
	for _, heldAgain := range []bool{false, true} {
		if heldAgain {
			_, next := locked(t, store, somebody("bob"))
			defer func() { require.NoError(t, next.Unlock()) }()
		}
		require.Error(t, lock.Save(t.Context(), snapshot("late")))
		require.Error(t, lock.Append(t.Context(), []byte("late\n")))
		require.Equal(t, state.Files{State: []byte("state"), Journal: []byte("one\n")}, load(t, store))
	}
}

func unlockTwice(t *testing.T, store state.Store) {
	_, first := locked(t, store, somebody("ann"))
	require.NoError(t, first.Unlock())
	ctx, second := locked(t, store, somebody("bob"))
	require.Error(t, first.Unlock())
	require.NoError(t, ctx.Err())
	requireHeld(t, store, somebody("bob"))
	require.NoError(t, second.Unlock())
}

func oneName(t *testing.T, store state.Store) {
	name := store.String()
	require.NotEmpty(t, name)
	write(t, store, func(lock state.Lock) {
		save(t, lock, "state")
		require.Equal(t, name, store.String())
	})
	require.Equal(t, name, store.String())
}
