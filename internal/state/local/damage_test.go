package local_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

// died leaves a directory as a killed run does: a state file with some things,
// and a journal with lines that were not folded.
func died(t *testing.T, dir string) {
	t.Helper()
	record := func(s *state.Session, n int) {
		for i := range n {
			o := resource.Object{
				Addr: addr.New("thing", fmt.Sprint("t", i)), Host: "pve", ID: fmt.Sprint(100 + i), Schema: 1,
				Attrs: cty.ObjectVal(map[string]cty.Value{"label": cty.StringVal("some words")}),
			}
			seq, err := s.Begin(t.Context(), state.Intent{Addr: o.Addr, Op: state.Put, Attrs: o.Attrs})
			require.NoError(t, err)
			require.NoError(t, s.Done(t.Context(), seq, o.Addr, &o))
		}
	}
	_, s, err := state.Open(t.Context(), local.New(dir), state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	record(s, 5)
	require.NoError(t, s.Close(t.Context()))
	crashing := &crashed{Store: local.New(dir)}
	_, s, err = state.Open(t.Context(), crashing, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	record(s, 8)
	require.Error(t, s.Close(t.Context()))
}

// crashed is a store whose holder dies before it can fold its journal.
type crashed struct{ state.Store }

type crashedLock struct{ state.Lock }

func (c *crashed) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	ctx, lock, err := c.Store.Lock(ctx, who)
	return ctx, crashedLock{lock}, err
}

func (crashedLock) Save(context.Context, state.Snapshot) error { return errors.New("killed") }

// TestNoDamageGoesUnnoticed changes single bytes of the state file and of the
// journal to other ones, also in the zeros that end a journal, and cuts both at
// any length, to nothing as well. Whatever is done, reading is refused: nothing
// is left out and nothing is taken for "no state".
func TestNoDamageGoesUnnoticed(t *testing.T) {
	dir, seed := t.TempDir(), uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	died(t, dir)
	store := local.New(dir)
	whole, err := state.Read(t.Context(), store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Len(t, whole.Objects, 8)
	flips, cuts := 0, 0
	for _, name := range []string{"proximity.state.json", "proximity.state.journal"} {
		path := filepath.Join(dir, name)
		good, err := os.ReadFile(path)
		require.NoError(t, err)
		refuse := func(data []byte, why string) {
			require.NoError(t, os.WriteFile(path, data, 0o600))
			_, err := state.Read(t.Context(), store, state.Options{Kinds: kinds})
			var damaged *state.ErrDamaged
			var newer *state.ErrNewer
			require.True(t, errors.As(err, &damaged) || errors.As(err, &newer), "seed %d: %s: %s: %v", seed, name, why, err)
		}
		for range 1000 {
			bad := append([]byte(nil), good...)
			at := random.IntN(len(bad))
			bad[at] ^= byte(1 + random.IntN(255))
			refuse(bad, fmt.Sprintf("byte %d from %#x to %#x", at, good[at], bad[at]))
			flips++
		}
		for i := range 500 {
			at := random.IntN(len(good)) * min(i, 1) // once to nothing
			refuse(good[:at], fmt.Sprintf("cut at %d of %d", at, len(good)))
			cuts++
		}
		require.NoError(t, os.WriteFile(path, good, 0o600))
	}
	again, err := state.Read(t.Context(), store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Equal(t, whole, again)
	t.Logf("report: damage: state and journal: %d bytes changed and %d cuts, all detected, none taken for no state", flips, cuts)
}

// TestAJournalThatWasEmptiedHidesNoState: what is wrong is the journal alone, and
// so it is told.
func TestAJournalThatWasEmptiedHidesNoState(t *testing.T) {
	dir := t.TempDir()
	died(t, dir)
	store := local.New(dir)
	for _, left := range []string{"", "\x00\x00"} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "proximity.state.journal"), []byte(left), 0o600))
		there, err := state.Salvaged(t.Context(), store, state.Options{Kinds: kinds})
		require.NoError(t, err)
		require.ErrorContains(t, there.JournalErr, "it was cut short")
		require.NoError(t, there.StateErr)
		require.Len(t, there.State.Objects, 5)
	}
}

// TestNothingIsAddedToAJournalThatNobodyWillRead: the state was saved, and an
// empty journal could not be put beside it.
func TestNothingIsAddedToAJournalThatNobodyWillRead(t *testing.T) {
	dir := t.TempDir()
	journal := filepath.Join(dir, "proximity.state.journal")
	_, lock, err := local.New(dir).Lock(t.Context(), state.Who{})
	require.NoError(t, err)
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	require.NoError(t, os.Remove(journal))
	require.NoError(t, os.Mkdir(journal, 0o700))
	require.Error(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("{}")}))
	require.Error(t, lock.Append(t.Context(), []byte("line\n")))

	require.NoError(t, os.Remove(journal))
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("{}")}), "once there is room for one it goes on")
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	require.NoError(t, lock.Unlock())
	files, err := local.New(dir).Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, "line\n", string(files.Journal))
}
