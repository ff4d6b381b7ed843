package state_test

import (
	"bytes"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

func TestInitWritesOnlyTheFirstState(t *testing.T) {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	require.Nil(t, files(t, store).State, "to open writes nothing")
	require.NoError(t, s.Init(t.Context()))
	require.Equal(t, uint64(1), s.State().Serial)
	first := files(t, store)
	require.NotNil(t, first.State)
	store.Fail = func(write string) error { return errors.New(write) }
	require.NoError(t, s.Init(t.Context()), "there is nothing left to write")
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, first, files(t, store))
}

func TestWhatASessionTellsIsACopy(t *testing.T) {
	_, s, err := state.Open(t.Context(), written(t), state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	copied := s.State()
	clear(copied.Objects)
	copied.Open[0].Task = "other"
	require.Len(t, s.State().Objects, 2)
	require.Empty(t, s.State().Open[0].Task)
	require.NoError(t, s.Close(t.Context()))
}

func TestAttributesOfANewerVersionAreNotGuessedAt(t *testing.T) {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(2)})
	require.NoError(t, err)
	seq, err := s.Begin(t.Context(), intent("a"))
	require.NoError(t, err)
	o := thing("a", "there")
	o.Schema = 2
	require.NoError(t, s.Done(t.Context(), seq, o.Addr, &o))
	require.NoError(t, s.Close(t.Context()))
	_, err = state.Read(t.Context(), store, state.Options{Kinds: kinds(1)})
	require.EqualError(t, err, "memory: state file: thing.a: recorded by a newer version of the program")
}

// TestALineThatNeverReachedTheDisk is what a power cut may leave: blocks of
// zeros where the last line was to be.
func TestALineThatNeverReachedTheDisk(t *testing.T) {
	f := files(t, written(t))
	want, err := read(f)
	require.NoError(t, err)
	for name, tail := range map[string]string{
		"zeros": "\x00\x00\x00\x00", "half of it": "0123456789abcdef {\"se\x00\x00\x00\n",
		"no end": "0123456789abcdef {\"se",
	} {
		got, err := read(state.Files{State: f.State, Journal: append(bytes.Clone(f.Journal), tail...)})
		require.NoError(t, err, name)
		require.Equal(t, want, got, name)
	}
	for name, tail := range map[string]string{
		"a whole line of something else": "0123456789abcdef {}\n", "zeros and an end": "\x00\x00\x00\n",
		"one byte": "x", "one byte far behind": "\x00\x00\x00x", "zeros with a line after them": "\x00\x00\n0123456789abcdef {}\n",
	} {
		_, err := read(state.Files{State: f.State, Journal: append(bytes.Clone(f.Journal), tail...)})
		require.ErrorAs(t, err, new(*state.ErrDamaged), name)
	}
}

func TestAJournalFollowsOneStateOnly(t *testing.T) {
	store := written(t)
	older := files(t, store)
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	_, err = s.Begin(t.Context(), intent("d"))
	require.NoError(t, err)
	store.Kill(false)
	newer := files(t, store)

	_, err = read(state.Files{State: older.State, Journal: newer.Journal})
	require.EqualError(t, err, "memory: journal: it follows serial 2, but the state file has serial 1",
		"somebody put an old state file back")
	st, err := read(state.Files{State: newer.State, Journal: older.Journal})
	require.NoError(t, err, "a journal that was folded already")
	require.Len(t, st.Open, 1)
	_, err = read(state.Files{State: older.State, Journal: append(bytes.Clone(older.Journal), newer.Journal...)})
	require.ErrorAs(t, err, new(*state.ErrDamaged))
}

func TestAFailedStepKeepsItsRecord(t *testing.T) {
	a, cause := addr.New("thing", "a"), errors.New("no")
	for name, c := range map[string]struct {
		label string // of what is there after the failure; empty: not told
		want  string
	}{
		"nothing told":   {"", "there"},
		"partly changed": {"half", "half"},
	} {
		t.Run(name, func(t *testing.T) {
			store := written(t)
			_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
			require.NoError(t, err)
			seq, err := s.Begin(t.Context(), intent("a"))
			require.NoError(t, err)
			if c.label == "" {
				require.NoError(t, s.Failed(t.Context(), seq, a, nil, cause))
			} else {
				o := thing("a", c.label)
				require.NoError(t, s.Failed(t.Context(), seq, a, &o, cause))
			}
			require.NoError(t, s.Close(t.Context()))
			st, err := read(files(t, store))
			require.NoError(t, err)
			require.Len(t, st.Open, 1, "c's, and a's no more")
			require.Equal(t, c.want, st.Objects[a].Attrs.GetAttr("label").AsString())
		})
	}
}

// TestAFailedWriteChangesNothing fails each write of a session once, in turn.
func TestAFailedWriteChangesNothing(t *testing.T) {
	for _, fails := range []string{"save", "append"} {
		t.Run(fails, func(t *testing.T) {
			store := &statetest.Memory{}
			_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
			require.NoError(t, err)
			broken := errors.New("disk full")
			store.Fail = func(write string) error {
				if write == fails {
					return broken
				}
				return nil
			}
			_, err = s.Begin(t.Context(), intent("a"))
			require.ErrorIs(t, err, broken)
			require.Empty(t, s.State().Open, "what is not written down is not known")
			store.Fail = nil
			_, err = s.Begin(t.Context(), intent("a"))
			require.NoError(t, err)
			require.Equal(t, uint64(1), s.State().Serial)
			require.NoError(t, s.Close(t.Context()))
			st, err := read(files(t, store))
			require.NoError(t, err)
			require.Len(t, st.Open, 1)
		})
	}
}
