package statetest

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
)

// Run holds a store to the contract that state.Store states. Open returns a
// store with nothing in it each time; what it opened for one case shares
// nothing with the others.
func Run(t *testing.T, open func(t *testing.T) state.Store) {
	for _, c := range append(append(fileCases(), lockCases()...), append(keptCases(), crowdCases()...)...) {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
	t.Run("two stores share nothing", func(t *testing.T) { apart(t, open(t), open(t)) })
}

type conformanceCase struct {
	name string
	run  func(t *testing.T, store state.Store)
}

func fileCases() []conformanceCase {
	return []conformanceCase{
		{"where nothing was written all files are nil", nothingThere},
		{"to lock and unlock writes nothing", lockWritesNothing},
		{"a state loads as it was saved, to the byte", savedAsItIs},
		{"an empty state is not a missing one", emptyIsThere},
		{"a shorter state leaves nothing of a longer one", shorterReplaces},
		{"five megabytes of state are whole", bigState},
		{"one megabyte in a line is whole", bigLine},
		{"lines keep the order of their appends", appendsInOrder},
		{"a save empties the journal and keeps nothing of it", saveEmpties},
		{"an append leaves the state as it is", appendKeepsState},
		{"an append after a save begins anew", appendAfterSave},
		{"a journal may be there without a state", journalAlone},
		{"what was written outlives the lock", outlivesTheLock},
		{"the next holder goes on with the journal", nextHolderAppends},
		{"what was given to a write belongs to the caller", writesKeepNoBuffer},
		{"what was loaded belongs to the caller", loadsShareNothing},
		{"a write whose context has ended happens whole or not at all", endedContext},
	}
}

// locked locks a store that nobody else holds.
func locked(t *testing.T, store state.Store, who state.Who) (context.Context, state.Lock) {
	t.Helper()
	ctx, lock, err := store.Lock(t.Context(), who)
	require.NoError(t, err)
	return ctx, lock
}

func load(t *testing.T, store state.Store) state.Files {
	t.Helper()
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	return files
}

// write locks the store for as long as do writes.
func write(t *testing.T, store state.Store, do func(lock state.Lock)) {
	t.Helper()
	_, lock := locked(t, store, state.Who{})
	do(lock)
	require.NoError(t, lock.Unlock())
}

func save(t *testing.T, lock state.Lock, text string) {
	t.Helper()
	require.NoError(t, lock.Save(t.Context(), snapshot(text)))
}

// serials are higher than all before, whatever they are saved to.
var serials atomic.Uint64

func snapshot(text string) state.Snapshot {
	return state.Snapshot{Serial: serials.Add(1), State: []byte(text)}
}

func add(t *testing.T, lock state.Lock, line string) {
	t.Helper()
	require.NoError(t, lock.Append(t.Context(), []byte(line)))
}

func nothingThere(t *testing.T, store state.Store) {
	require.Equal(t, state.Files{}, load(t, store))
}

func lockWritesNothing(t *testing.T, store state.Store) {
	write(t, store, func(state.Lock) {
		files := load(t, store)
		require.Nil(t, files.State)
		require.Empty(t, files.Journal)
	})
	nothingThere(t, store)
}

func savedAsItIs(t *testing.T, store state.Store) {
	text := "{\"a\": \"ä\"}\r\n\n \x00\xff trailing \n"
	write(t, store, func(lock state.Lock) { save(t, lock, text) })
	require.Equal(t, text, string(load(t, store).State))
}

func emptyIsThere(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) { save(t, lock, "") })
	require.NotNil(t, load(t, store).State)
	require.Empty(t, load(t, store).State)
}

func shorterReplaces(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		save(t, lock, "a long state")
		save(t, lock, "short")
	})
	require.Equal(t, "short", string(load(t, store).State))
}

func bigState(t *testing.T, store state.Store) {
	data := bytes.Repeat([]byte("0123456789abcdef"), 5<<20/16)
	write(t, store, func(lock state.Lock) { save(t, lock, string(data)) })
	require.True(t, bytes.Equal(data, load(t, store).State))
}

func bigLine(t *testing.T, store state.Store) {
	line := strings.Repeat("x", 1<<20) + "\n"
	write(t, store, func(lock state.Lock) {
		add(t, lock, "before\n")
		add(t, lock, line)
		add(t, lock, "after\n")
	})
	require.True(t, "before\n"+line+"after\n" == string(load(t, store).Journal))
}

func appendsInOrder(t *testing.T, store state.Store) {
	var want strings.Builder
	write(t, store, func(lock state.Lock) {
		for i := range 50 {
			line := fmt.Sprintf("line %d\n", i)
			want.WriteString(line)
			add(t, lock, line)
			require.Equal(t, want.String(), string(load(t, store).Journal))
		}
	})
	require.Equal(t, want.String(), string(load(t, store).Journal))
}

func saveEmpties(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		add(t, lock, "one\n")
		add(t, lock, "two\n")
		save(t, lock, "state")
		require.Empty(t, load(t, store).Journal)
		save(t, lock, "again")
	})
	require.Equal(t, "again", string(load(t, store).State))
	require.Empty(t, load(t, store).Journal)
}

func appendKeepsState(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		save(t, lock, "state")
		add(t, lock, "one\n")
	})
	require.Equal(t, "state", string(load(t, store).State))
}

func appendAfterSave(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		add(t, lock, "a long old line\n")
		save(t, lock, "state")
		add(t, lock, "new\n")
	})
	require.Equal(t, "new\n", string(load(t, store).Journal))
}

func journalAlone(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) { add(t, lock, "one\n") })
	files := load(t, store)
	require.Nil(t, files.State)
	require.Equal(t, "one\n", string(files.Journal))
}

func outlivesTheLock(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		save(t, lock, "state")
		add(t, lock, "one\n")
	})
	want := state.Files{State: []byte("state"), Journal: []byte("one\n")}
	require.Equal(t, want, load(t, store))
	write(t, store, func(state.Lock) { require.Equal(t, want, load(t, store)) })
	require.Equal(t, want, load(t, store))
}

func nextHolderAppends(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) { add(t, lock, "one\n") })
	write(t, store, func(lock state.Lock) { add(t, lock, "two\n") })
	require.Equal(t, "one\ntwo\n", string(load(t, store).Journal))
}

func writesKeepNoBuffer(t *testing.T, store state.Store) {
	buffer := []byte("text\n")
	write(t, store, func(lock state.Lock) {
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: serials.Add(1), State: buffer}))
		require.NoError(t, lock.Append(t.Context(), buffer))
		copy(buffer, "####")
	})
	require.Equal(t, state.Files{State: []byte("text\n"), Journal: []byte("text\n")}, load(t, store))
}

func loadsShareNothing(t *testing.T, store state.Store) {
	write(t, store, func(lock state.Lock) {
		save(t, lock, "state")
		add(t, lock, "one\n")
	})
	mine := load(t, store)
	copy(mine.State, "#####")
	copy(mine.Journal, "###")
	require.Equal(t, state.Files{State: []byte("state"), Journal: []byte("one\n")}, load(t, store))
}

// endedContext allows a store both to refuse and to write all the same, since
// callers keep what must be written apart from interrupts themselves.
func endedContext(t *testing.T, store state.Store) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, lock := locked(t, store, state.Who{})
	save(t, lock, "old")
	add(t, lock, "one\n")
	want := state.Files{State: []byte("old"), Journal: []byte("one\n")}
	if lock.Save(ended, snapshot("new")) == nil {
		want = state.Files{State: []byte("new")}
	}
	require.Equal(t, want, load(t, store))
	if lock.Append(ended, []byte("two\n")) == nil {
		want.Journal = append(want.Journal, "two\n"...)
	}
	require.Equal(t, want, load(t, store))
	require.NoError(t, lock.Unlock())
}

func apart(t *testing.T, one, other state.Store) {
	_, lock := locked(t, one, state.Who{})
	save(t, lock, "mine")
	add(t, lock, "mine\n")
	_, second := locked(t, other, state.Who{})
	nothing := load(t, other)
	require.Nil(t, nothing.State)
	require.Empty(t, nothing.Journal)
	require.NoError(t, second.Unlock())
	require.NoError(t, lock.Unlock())
}
