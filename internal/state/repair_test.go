package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

var options = state.Options{Kinds: kinds(1)}

// hurt is a store whose files are read as they are here, until a save.
type hurt struct {
	*statetest.Memory
	files *state.Files
}

func (h *hurt) Load(ctx context.Context) (state.Files, error) {
	if now, err := h.Memory.Load(ctx); err != nil || h.files == nil || h.saved(now) {
		return now, err
	}
	return *h.files, nil
}

// saved reports whether the store was written since it was hurt.
func (h *hurt) saved(now state.Files) bool { return len(now.Journal) == 0 }

// restored brings back the newest version that can be read, and returns what is
// there then.
func restored(t *testing.T, store state.Store) *state.State {
	_, s, there, err := state.Repair(t.Context(), store, state.Who{User: "ann"}, options)
	require.NoError(t, err)
	require.NotNil(t, there.Best())
	next, err := there.Restored(*there.Best())
	require.NoError(t, err)
	require.NoError(t, s.Replace(t.Context(), state.Entry{Action: "restore", Result: state.Succeeded}, next))
	require.NoError(t, s.Close(t.Context()))
	st, err := state.Read(t.Context(), store, options)
	require.NoError(t, err)
	return st
}

// TestADamagedStateFileComesBackWhole cuts and flips the state file, and brings
// back what stood in it, with all that its journal tells.
func TestADamagedStateFileComesBackWhole(t *testing.T) {
	whole := files(t, written(t))
	want, err := read(whole)
	require.NoError(t, err)
	damage := map[string][]byte{"empty": {}, "no JSON": []byte("x"), "not ours": []byte(`{"format":"other"}`)}
	for n := 0; n < len(whole.State); n += 7 {
		flipped := bytes.Clone(whole.State)
		flipped[n] ^= 1
		damage[fmt.Sprintf("cut at %d", n)], damage[fmt.Sprintf("flipped at %d", n)] = whole.State[:n], flipped
	}
	for name, data := range damage {
		store := written(t)
		f := files(t, store)
		f.State = data
		got := restored(t, &hurt{store, &f})
		require.Equal(t, want.Serial+1, got.Serial, name)
		require.Len(t, got.Objects, len(want.Objects), name)
		require.Len(t, got.Open, 1, name)
	}
}

// TestADamagedLineCostsThatLine keeps everything else that a journal tells.
func TestADamagedLineCostsThatLine(t *testing.T) {
	lines := bytes.SplitAfter(files(t, written(t)).Journal, []byte("\n"))
	lines = lines[:len(lines)-1]
	for n := range lines {
		store := written(t)
		f := files(t, store)
		hurtLines := bytes.SplitAfter(f.Journal, []byte("\n"))
		hurtLines[n][3] ^= 1
		f.Journal = bytes.Join(hurtLines, nil)
		s, err := state.Salvaged(t.Context(), &hurt{store, &f}, options)
		require.NoError(t, err)
		require.ErrorContains(t, s.JournalErr, "is not as it was written")
		require.Equal(t, 1, s.Lost)
		got := restored(t, &hurt{store, &f})
		// Lines: begin, task and end of a, the same of b, begin of c.
		wantObjects, wantOpen := 2, 1
		switch n {
		case 2, 5: // an end: the step counts as open, and the next run looks
			wantObjects, wantOpen = 1, 2
		case 6:
			wantOpen = 0
		}
		require.Len(t, got.Objects, wantObjects, "line %d", n+1)
		require.Len(t, got.Open, wantOpen, "line %d", n+1)
	}
}

func TestSerialsNeverGoBack(t *testing.T) {
	store := written(t)
	for range 3 {
		require.NoError(t, replaced(t, store, "again"))
	}
	before, err := state.Read(t.Context(), store, options)
	require.NoError(t, err)
	_, s, there, err := state.Repair(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	oldest := there.Past[len(there.Past)-1]
	require.Equal(t, uint64(1), oldest.Serial)
	next, err := there.Restored(oldest)
	require.NoError(t, err)
	require.Empty(t, next.Objects)
	require.Len(t, next.Open, 1, "the step that is open now stays so")
	require.NoError(t, s.Replace(t.Context(), state.Entry{Action: "restore"}, next))
	require.NoError(t, s.Close(t.Context()))
	after, err := state.Read(t.Context(), store, options)
	require.NoError(t, err)
	require.Equal(t, before.Serial+1, after.Serial)
}

// TestAVersionMayBeAheadOfTheStateFile: a process died between the two.
func TestAVersionMayBeAheadOfTheStateFile(t *testing.T) {
	store := written(t)
	before := files(t, store)
	require.NoError(t, replaced(t, store, "again"))
	_, s, there, err := state.Repair(t.Context(), &behind{store, before}, state.Who{}, options)
	require.NoError(t, err)
	require.Equal(t, uint64(2), there.Serial)
	require.NoError(t, s.Replace(t.Context(), state.Entry{Action: "restore"}, there.State))
	require.Equal(t, uint64(3), s.State().Serial)
}

// behind is a store whose files are older than its versions.
type behind struct {
	*statetest.Memory
	files state.Files
}

func (b *behind) Load(context.Context) (state.Files, error) { return b.files, nil }

// TestAStepThatWasOpenThenIsLookedAtAgain: its number may have come again since.
func TestAStepThatWasOpenThenIsLookedAtAgain(t *testing.T) {
	store := written(t)
	_, s, err := state.Open(t.Context(), store, state.Who{}, options) // saves serial 2 with c open
	require.NoError(t, err)
	c, made := s.State().Open[0], thing("c", "there")
	require.NoError(t, s.Done(t.Context(), c.Seq, c.Addr, &made))
	require.NoError(t, s.Close(t.Context()))
	_, s, err = state.Open(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	var seq uint64
	for seq < c.Seq {
		require.NoError(t, err)
		if seq > 0 {
			require.NoError(t, s.Failed(t.Context(), seq, addr.New("thing", "d"), nil, errors.New("no")))
		}
		seq, err = s.Begin(t.Context(), intent("d"))
	}
	require.NoError(t, err)
	store.Kill(false)

	there, err := state.Salvaged(t.Context(), store, options)
	require.NoError(t, err)
	next, err := there.Restored(*there.Find(2))
	require.NoError(t, err)
	require.Len(t, next.Objects, 2)
	require.Len(t, next.Open, 2)
	require.Equal(t, seq, next.Open[0].Seq)
	require.Equal(t, "d", next.Open[0].Addr.Name)
	require.Equal(t, "c", next.Open[1].Addr.Name)
	require.Greater(t, next.Open[1].Seq, seq)
}

// replaced writes the present state again.
func replaced(t *testing.T, store state.Store, why string) error {
	_, s, there, err := state.Repair(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	return errors.Join(s.Replace(t.Context(), state.Entry{Action: why}, there.State), s.Close(t.Context()))
}

func TestRepairWritesNothingByItself(t *testing.T) {
	store := written(t)
	before := files(t, store)
	_, s, there, err := state.Repair(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	require.True(t, there.IsSound())
	require.Len(t, there.Open, 1)
	require.NoError(t, s.Close(t.Context()))
	require.Equal(t, before, files(t, store))
}

func TestWhatIsNotDamagedIsNotRepaired(t *testing.T) {
	store := written(t)
	f := files(t, store)
	f.State = []byte(`{"format":"proximity-state","version":99}`)
	_, err := state.Salvaged(t.Context(), &hurt{store, &f}, options)
	require.ErrorAs(t, err, new(*state.ErrNewer), "a newer program wrote it: it is whole")
}

func TestMayPush(t *testing.T) {
	store := written(t)
	require.NoError(t, replaced(t, store, "again"))
	there, err := state.Salvaged(t.Context(), store, options)
	require.NoError(t, err)
	a := addr.New("thing", "a")
	for name, c := range map[string]struct {
		change func(*state.State)
		fails  string
	}{
		"the same":               {func(*state.State) {}, ""},
		"newer":                  {func(st *state.State) { st.Serial++ }, ""},
		"another lineage":        {func(st *state.State) { st.Lineage = "other" }, "its lineage is other"},
		"older":                  {func(st *state.State) { st.Serial-- }, "it is older: its serial is 1, and that in the store 2"},
		"same serial":            {func(st *state.State) { delete(st.Objects, a) }, "the same serial as the one in the store (2) and other content"},
		"knows not of open step": {func(st *state.State) { st.Serial++; st.Open = nil }, "worked on thing.c, and the file does not know of it"},
		"tells its end":          {func(st *state.State) { st.Serial++; st.Open = nil; o := thing("c", "x"); st.Objects[o.Addr] = o }, ""},
		"moved":                  {func(st *state.State) { st.Serial++; st.Moved = "s3" }, "it was moved to s3"},
	} {
		t.Run(name, func(t *testing.T) {
			next := there.State.Clone()
			c.change(next)
			isNew, err := there.MayPush(next)
			if c.fails != "" {
				require.ErrorAs(t, err, new(*state.ErrFork))
				require.ErrorContains(t, err, c.fails)
				return
			}
			require.NoError(t, err)
			require.Equal(t, name != "the same", isNew)
		})
	}
	empty, err := state.Salvaged(t.Context(), &statetest.Memory{}, options)
	require.NoError(t, err)
	isNew, err := empty.MayPush(there.State)
	require.True(t, isNew)
	require.NoError(t, err)
}

func TestHolder(t *testing.T) {
	store := &statetest.Memory{}
	_, isHeld, err := state.Holder(t.Context(), store)
	require.NoError(t, err)
	require.False(t, isHeld)
	_, lock, err := store.Lock(t.Context(), state.Who{User: "ann", ID: "a1"})
	require.NoError(t, err)
	who, isHeld, err := state.Holder(t.Context(), store)
	require.NoError(t, err)
	require.True(t, isHeld)
	require.Equal(t, "a1", who.ID)
	require.NoError(t, lock.Unlock(), "to look takes nothing away")
}

func TestExamineFindsATrailThatWasChanged(t *testing.T) {
	store := written(t)
	for _, why := range []string{"one", "two"} {
		require.NoError(t, replaced(t, store, why))
	}
	x, err := state.Examine(t.Context(), store, options)
	require.NoError(t, err)
	require.NoError(t, x.TrailErr)
	require.Equal(t, 4, x.Entries, "two steps and two edits")
	require.False(t, x.Held)

	x, err = state.Examine(t.Context(), &forged{store}, options)
	require.NoError(t, err)
	require.ErrorContains(t, x.TrailErr, "line 1: it was changed")
	require.NoError(t, x.LastErr, "saves go on")
}

// forged is a store whose trail somebody has changed in its first line.
type forged struct{ *statetest.Memory }

func (f *forged) Trail(ctx context.Context) ([]byte, error) {
	data, err := f.Memory.Trail(ctx)
	return bytes.Replace(data, []byte(`"done"`), []byte(`"fail"`), 1), err
}

// TestATrailWhoseLastLineIsDamagedHoldsUpNoRepair: no run begins, since it could
// record nothing, until what comes next begins a trail of its own.
func TestATrailWhoseLastLineIsDamagedHoldsUpNoRepair(t *testing.T) {
	memory := written(t)
	require.NoError(t, replaced(t, memory, "one"))
	store := &stuck{memory}
	_, _, err := state.Open(t.Context(), store, state.Who{}, options)
	require.EqualError(t, err, "memory: trail: its last line is not as it was written")
	x, err := state.Examine(t.Context(), store, options)
	require.NoError(t, err)
	require.Error(t, x.LastErr)
	require.False(t, x.IsSound())

	got := restored(t, store)
	require.Len(t, got.Objects, 2)
	_, s, err := state.Open(t.Context(), store, state.Who{}, options)
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
}

// stuck is a store of whose trail somebody has changed the last line, until
// another comes.
type stuck struct{ *statetest.Memory }

func (s *stuck) Load(ctx context.Context) (state.Files, error) {
	f, err := s.Memory.Load(ctx)
	if bytes.Contains(f.Last, []byte(`"one"`)) {
		f.Last = bytes.Replace(f.Last, []byte(`"one"`), []byte(`"two"`), 1)
	}
	return f, err
}
