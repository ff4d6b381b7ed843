package statetest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
)

// keptCases are about what outlives the present state, and about locks that
// are broken.
func keptCases() []conformanceCase {
	return []conformanceCase{
		{"what was never saved has no versions and no trail", nothingKept},
		{"each save is a version, the newest first", savesAreVersions},
		{"of many versions the last ten are kept", tenVersions},
		{"an append makes no version", appendsAreNoVersions},
		{"versions outlive the lock and later runs", versionsOutlive},
		{"the trail keeps the lines of all saves in order", trailInOrder},
		{"a save without lines leaves the trail as it is", trailLeftAlone},
		{"a megabyte in a line of the trail is whole", bigTrail},
		{"the last line of the trail comes with the files", lastOfTrail},
		{"a lock that nobody holds cannot be broken", breakNothing},
		{"a lock is not broken by a wrong ID", breakWrongID},
		{"a lock is broken by its ID, or known to be alive", breakByID},
		{"who lost the lock can write no more", lostCannotWrite},
		{"a broken lock can be broken again", breakAgain},
	}
}

func versions(t *testing.T, store state.Store) []string {
	t.Helper()
	all, err := store.Versions(t.Context())
	require.NoError(t, err)
	var texts []string
	for i, v := range all {
		require.NotZero(t, v.Serial)
		require.False(t, v.At.IsZero(), "when serial %d was saved", v.Serial)
		if i > 0 {
			require.Less(t, v.Serial, all[i-1].Serial)
		}
		texts = append(texts, string(v.State))
	}
	return texts
}

func trail(t *testing.T, store state.Store) string {
	t.Helper()
	text, err := store.Trail(t.Context())
	require.NoError(t, err)
	return string(text)
}

// saveWith saves a state together with lines of the trail.
func saveWith(t *testing.T, lock state.Lock, text, lines string) {
	t.Helper()
	snap := snapshot(text)
	snap.Trail = []byte(lines)
	require.NoError(t, lock.Save(t.Context(), snap))
}

func nothingKept(t *testing.T, store state.Store) {
	require.Empty(t, versions(t, store))
	require.Empty(t, trail(t, store))
	require.Nil(t, load(t, store).Last)
	write(t, store, func(state.Lock) {})
	require.Empty(t, versions(t, store))
	require.Empty(t, trail(t, store))
}

func savesAreVersions(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		for i, want := range [][]string{{"one"}, {"two", "one"}, {"", "two", "one"}} {
			save(t, lock, want[0])
			require.Equal(t, want, versions(t, store), "after save %d", i)
		}
	})
}

func tenVersions(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		for i := range 13 {
			save(t, lock, fmt.Sprint(i))
		}
	})
	require.Equal(t, []string{"12", "11", "10", "9", "8", "7", "6", "5", "4", "3"}, versions(t, store))
}

func appendsAreNoVersions(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		save(t, lock, "one")
		add(t, lock, "line\n")
		require.Equal(t, []string{"one"}, versions(t, store))
	})
}

func versionsOutlive(t *testing.T, store state.Store) {
	for _, text := range []string{"one", "two", "three"} {
		write(t, store, func(lock state.Lock) { save(t, lock, text) })
	}
	require.Equal(t, []string{"three", "two", "one"}, versions(t, store))
}

func trailInOrder(t *testing.T, store state.Store) {
	var want strings.Builder
	for run := range 3 {
		write(t, store, func(lock state.Lock) {
			for i := range 5 {
				lines := fmt.Sprintf("%d-%d a\n%d-%d b\n", run, i, run, i)
				want.WriteString(lines)
				saveWith(t, lock, "state", lines)
				require.Equal(t, want.String(), trail(t, store))
			}
		})
	}
	require.Equal(t, want.String(), trail(t, store))
}

func trailLeftAlone(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		saveWith(t, lock, "state", "one\n")
		save(t, lock, "state")
		add(t, lock, "journal\n")
	})
	require.Equal(t, "one\n", trail(t, store))
}

func bigTrail(t *testing.T, store state.Store) {
	line := strings.Repeat("x", 1<<20) + "\n"
	write(t, store, func(lock state.Lock) {
		saveWith(t, lock, "state", "before\n"+line)
		require.True(t, strings.TrimSuffix(line, "\n") == string(load(t, store).Last))
		saveWith(t, lock, "state", "after\n")
	})
	require.True(t, "before\n"+line+"after\n" == trail(t, store))
}

func lastOfTrail(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		saveWith(t, lock, "state", "one\ntwo\n")
		require.Equal(t, "two", string(load(t, store).Last))
		save(t, lock, "state")
		require.Equal(t, "two", string(load(t, store).Last))
		saveWith(t, lock, "state", "three\n")
	})
	require.Equal(t, "three", string(load(t, store).Last))
}

// requireOther tries to break the lock and expects to hear that it is not held
// under that ID, but by somebody or nobody.
func requireOther(t *testing.T, store state.Store, id string, by state.Who) {
	t.Helper()
	var other *state.ErrOther
	require.ErrorAs(t, store.Break(t.Context(), id), &other)
	require.Equal(t, &state.ErrOther{Store: store.String(), ID: id, Holder: by}, other)
}

func breakNothing(t *testing.T, store state.Store) {
	requireOther(t, store, "id-ann", state.Who{})
	write(t, store, func(lock state.Lock) { save(t, lock, "state") })
	requireOther(t, store, "id-ann", state.Who{})
	require.Equal(t, "state", string(load(t, store).State))
}

func breakWrongID(t *testing.T, store state.Store) {
	ctx, lock := locked(t, store, somebody("ann"))
	for _, id := range []string{"", "id-bob", "ann", "'; drop table"} {
		requireOther(t, store, id, somebody("ann"))
	}
	require.NoError(t, ctx.Err())
	save(t, lock, "state")
	require.NoError(t, lock.Unlock())
}

// broken breaks the lock of ann. A store may refuse, since ann lives.
func broken(t *testing.T, store state.Store) bool {
	t.Helper()
	err := store.Break(t.Context(), "id-ann")
	var held *state.ErrHeld
	if errors.As(err, &held) {
		require.Equal(t, somebody("ann"), held.Holder)
		return false
	}
	require.NoError(t, err)
	return true
}

func breakByID(t *testing.T, store state.Store) {
	_, lock := locked(t, store, somebody("ann"))
	save(t, lock, "state")
	if !broken(t, store) {
		requireHeld(t, store, somebody("ann"))
		require.NoError(t, lock.Unlock())
	}
	_, next := locked(t, store, somebody("bob"))
	requireHeld(t, store, somebody("bob"))
	save(t, next, "next")
	require.NoError(t, next.Unlock())
	require.Equal(t, "next", string(load(t, store).State))
}

// lostCannotWrite is the run that a colleague thought dead. Whether the next
// one has begun or not, nothing of it may get through.
func lostCannotWrite(t *testing.T, store state.Store) {
	ctx, lock := locked(t, store, somebody("ann"))
	saveWith(t, lock, "old", "old\n")
	add(t, lock, "one\n")
	if !broken(t, store) {
		require.NoError(t, lock.Unlock())
		return
	}
	requireLost(t, ctx, lock)
	require.Equal(t, "one\n", string(load(t, store).Journal), "the intent of the lost run is there")

	_, next := locked(t, store, somebody("bob"))
	saveWith(t, next, "new", "new\n")
	add(t, next, "two\n")
	requireLost(t, ctx, lock)
	require.Error(t, lock.Unlock())
	requireHeld(t, store, somebody("bob"))
	require.NoError(t, next.Unlock())
	files := load(t, store)
	require.Equal(t, "new", string(files.State))
	require.Equal(t, "two\n", string(files.Journal))
	require.Equal(t, "old\nnew\n", trail(t, store))
	require.Equal(t, []string{"new", "old"}, versions(t, store))
}

// requireLost tries to write and expects to hear that the lock was lost; the
// context ends then at the latest.
func requireLost(t *testing.T, ctx context.Context, lock state.Lock) {
	t.Helper()
	var lost *state.ErrLost
	require.ErrorAs(t, lock.Append(t.Context(), []byte("late\n")), &lost)
	require.ErrorAs(t, lock.Save(t.Context(), snapshot("late")), &lost)
	require.Error(t, ctx.Err())
}

func breakAgain(t *testing.T, store state.Store) {
	for range 3 {
		_, lock := locked(t, store, somebody("ann"))
		if !broken(t, store) {
			require.NoError(t, lock.Unlock())
			return
		}
	}
	write(t, store, func(lock state.Lock) { save(t, lock, "state") })
}
