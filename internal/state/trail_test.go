package state_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// ann is who carries out the steps of these tests.
var ann = state.Who{User: "ann", Host: "desk", Command: "proximity apply"}

// clock advances a second with each look, so that no two moments are equal.
func clock() func() time.Time {
	var seconds atomic.Int64
	begin := time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)
	return func() time.Time { return begin.Add(time.Duration(seconds.Add(1)) * time.Second) }
}

// step carries out one step, which ends as told.
func step(t *testing.T, s *state.Session, name string, ended error) {
	t.Helper()
	i := intent(name)
	i.Action, i.Plan, i.Edits = "create", "f00", []byte(`[{"path":["memory"]}]`)
	i.At = time.Date(2026, 11, 28, 6, 0, 0, 0, time.UTC)
	seq, err := s.Begin(t.Context(), i)
	require.NoError(t, err)
	require.NoError(t, s.Task(t.Context(), seq, "create "+name))
	require.NoError(t, s.Task(t.Context(), seq, "start "+name))
	o := thing(name, "there")
	if ended != nil {
		require.NoError(t, s.Failed(t.Context(), seq, o.Addr, nil, ended))
		return
	}
	require.NoError(t, s.Done(t.Context(), seq, o.Addr, &o))
}

func open(t *testing.T, store state.Store) *state.Session {
	t.Helper()
	_, s, err := state.Open(t.Context(), store, ann, state.Options{Kinds: kinds(1), Now: clock()})
	require.NoError(t, err)
	return s
}

func trailOf(t *testing.T, store state.Store) []state.Entry {
	t.Helper()
	entries, err := state.Trail(t.Context(), store, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	return entries
}

func told(entries []state.Entry) string {
	var b strings.Builder
	for _, e := range entries {
		fmt.Fprintf(&b, "%s %s %s|", e.Action, e.Address, e.Result)
	}
	return b.String()
}

func TestTheTrailTellsWhatWasDoneByWhomAndHowItEnded(t *testing.T) {
	store := &statetest.Memory{}
	s := open(t, store)
	step(t, s, "a", nil)
	step(t, s, "b", errors.New("storage is full"))
	require.Equal(t, "create thing.a done|create thing.b failed|", told(trailOf(t, store)), "before it is folded")
	require.NoError(t, s.Close(t.Context()))
	entries := trailOf(t, store)
	require.Len(t, entries, 2)
	at := time.Date(2026, 11, 28, 6, 0, 1, 0, time.UTC)
	require.Equal(t, state.Entry{
		At: at, Took: 1, By: state.By{User: "ann", Host: "desk", Command: "proximity apply"}, Plan: "f00",
		Address: "thing.a", Action: "create", Host: "pve", ID: "100", Tasks: []string{"create a", "start a"},
		Edits: []byte(`[{"path":["memory"]}]`), Result: state.Succeeded,
	}, entries[0])
	require.Equal(t, state.FailedRun, entries[1].Result)
	require.Equal(t, "storage is full", entries[1].Text)
}

func TestTheTrailOutlivesWhatItIsAbout(t *testing.T) {
	store := &statetest.Memory{}
	for range 12 { // longer than versions are kept
		s := open(t, store)
		step(t, s, "a", nil)
		i := intent("a")
		i.Op, i.Action = state.Drop, "delete"
		seq, err := s.Begin(t.Context(), i)
		require.NoError(t, err)
		require.NoError(t, s.Done(t.Context(), seq, i.Addr, nil))
		require.NoError(t, s.Close(t.Context()))
	}
	require.Equal(t, strings.Repeat("create thing.a done|delete thing.a done|", 12), told(trailOf(t, store)))
}

// TestAStepOfARunThatDied is told once it is settled, with its own run's words.
func TestAStepOfARunThatDied(t *testing.T) {
	store := &statetest.Memory{}
	s := open(t, store)
	i := intent("a")
	i.Action, i.Plan = "create", "f00"
	seq, err := s.Begin(t.Context(), i)
	require.NoError(t, err)
	require.NoError(t, s.Task(t.Context(), seq, "create a"))
	store.Kill(true)
	require.Empty(t, trailOf(t, store))
	for range 2 { // the intent survives a run that cannot settle it either
		require.NoError(t, open(t, store).Close(t.Context()))
	}
	_, s, err = state.Open(t.Context(), store, state.Who{User: "bob"}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	o := thing("a", "there")
	require.NoError(t, s.Settled(t.Context(), seq, o.Addr, &o, "100 was made"))
	require.NoError(t, s.Close(t.Context()))
	entries := trailOf(t, store)
	require.Equal(t, "create thing.a settled|", told(entries))
	require.Equal(t, "ann", entries[0].By.User)
	require.Equal(t, []string{"create a"}, entries[0].Tasks)
	require.Equal(t, "100 was made", entries[0].Text)
}

// halfSaved is a store whose Save dies after the trail got its lines.
type halfSaved struct {
	*statetest.Memory
	lines int // that get through
}

type halfSavedLock struct {
	state.Lock
	store *halfSaved
}

func (h *halfSaved) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	ctx, lock, err := h.Memory.Lock(ctx, who)
	return ctx, halfSavedLock{lock, h}, err
}

func (l halfSavedLock) Save(ctx context.Context, s state.Snapshot) error {
	files, err := l.store.Memory.Load(ctx)
	if err != nil || len(s.Trail) == 0 {
		return errors.Join(err, l.Lock.Save(ctx, s))
	}
	lines := bytes.SplitAfter(s.Trail, []byte("\n"))
	half := state.Snapshot{Serial: s.Serial - 1, State: files.State, Trail: bytes.Join(lines[:l.store.lines], nil)}
	return errors.Join(l.Lock.Save(ctx, half), l.Lock.Append(ctx, files.Journal), errors.New("killed"))
}

func TestAFoldThatDiedIsNotToldTwice(t *testing.T) {
	for lines := range 4 {
		store := &statetest.Memory{}
		dying := &halfSaved{store, lines}
		s := open(t, dying)
		for _, name := range []string{"a", "b", "c"} {
			step(t, s, name, nil)
		}
		require.ErrorContains(t, s.Close(t.Context()), "killed")
		want := "create thing.a done|create thing.b done|create thing.c done|"
		require.Equal(t, want, told(trailOf(t, store)), "%d lines got through", lines)
		s = open(t, store)
		require.Equal(t, want, told(trailOf(t, store)))
		step(t, s, "d", nil)
		require.NoError(t, s.Close(t.Context()))
		require.Equal(t, want+"create thing.d done|", told(trailOf(t, store)))
	}
}

func TestAnEditOfTheStateIsAStepOfItsOwn(t *testing.T) {
	store := &statetest.Memory{}
	s := open(t, store)
	step(t, s, "a", nil)
	forget := func(st *state.State) error {
		delete(st.Objects, addr.New("thing", "a"))
		return nil
	}
	broken := errors.New("broken")
	store.Fail = func(string) error { return broken }
	require.ErrorIs(t, s.Edit(t.Context(), state.Entry{Action: "state rm", Address: "thing.a", Result: state.Succeeded}, forget), broken)
	store.Fail = nil
	_, isThere := s.Object(addr.New("thing", "a"))
	require.True(t, isThere, "an edit that cannot be saved changes nothing")
	require.NoError(t, s.Edit(t.Context(), state.Entry{Action: "state rm", Address: "thing.a", Result: state.Succeeded}, forget))
	require.Equal(t, "create thing.a done|state rm thing.a done|", told(trailOf(t, store)), "at once")
	require.ErrorIs(t, s.Edit(t.Context(), state.Entry{}, func(*state.State) error { return broken }), broken)
	require.NoError(t, s.Close(t.Context()))
	st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	require.Empty(t, st.Objects)
}

// kept is a store with another trail.
type kept struct {
	state.Store
	trail []byte
}

func (k kept) Trail(context.Context) ([]byte, error) { return k.trail, nil }

func TestATrailThatWasTamperedWithShows(t *testing.T) {
	store := &statetest.Memory{}
	for _, name := range []string{"a", "b", "c"} {
		s := open(t, store)
		step(t, s, name, nil)
		step(t, s, name+"2", errors.New("no"))
		require.NoError(t, s.Close(t.Context()))
	}
	good, err := store.Trail(t.Context())
	require.NoError(t, err)
	lines := bytes.SplitAfter(good, []byte("\n"))[:6]
	join := func(parts ...[]byte) []byte { return bytes.Join(parts, nil) }
	for name, c := range map[string]struct {
		trail []byte
		line  int
	}{
		"an end cut off":      {join(lines[:5]...), 5},
		"all of it":           {nil, 0},
		"a line taken out":    {join(lines[0], lines[2], lines[3], lines[4], lines[5]), 2},
		"two lines exchanged": {join(lines[0], lines[2], lines[1], lines[3], lines[4], lines[5]), 2},
		"a line repeated":     {join(lines[0], lines[0], lines[1], lines[2], lines[3], lines[4], lines[5]), 2},
		"the beginning cut":   {join(lines[1:]...), 1},
		"a word":              {bytes.Replace(good, []byte("thing.b2"), []byte("thing.x2"), 1), 4},
		"a failure":           {bytes.Replace(good, []byte(`"result":"failed"`), []byte(`"result":"done"`), 1), 2},
		"a space":             {bytes.Replace(good, []byte(`,"`), []byte(`, "`), 1), 1},
	} {
		_, err := state.Trail(t.Context(), kept{store, c.trail}, state.Options{Kinds: kinds(1)})
		var tampered *state.ErrTampered
		require.ErrorAs(t, err, &tampered, name)
		require.Equal(t, c.line, tampered.Line, "%s: %v", name, err)
	}
	rapid.Check(t, func(r *rapid.T) {
		changed := bytes.Clone(good)
		changed[rapid.IntRange(0, len(good)-1).Draw(r, "at")] ^= byte(rapid.IntRange(1, 255).Draw(r, "by"))
		_, err := state.Trail(context.Background(), kept{store, changed}, state.Options{Kinds: kinds(1)})
		require.ErrorAs(r, err, new(*state.ErrTampered))
	})
}

// cut is a store whose trail somebody shortened.
type cut struct {
	*statetest.Memory
	last []byte // line that is left
}

func (c cut) Load(ctx context.Context) (state.Files, error) {
	files, err := c.Memory.Load(ctx)
	files.Last = c.last
	return files, err
}

// TestRunsDoNotHideThatATrailWasCut: what is told later stands behind a gap.
func TestRunsDoNotHideThatATrailWasCut(t *testing.T) {
	for _, left := range []int{0, 1, 2} {
		store := &statetest.Memory{}
		s := open(t, store)
		for _, name := range []string{"a", "b", "c"} {
			step(t, s, name, nil)
		}
		require.NoError(t, s.Close(t.Context()))
		good, err := store.Trail(t.Context())
		require.NoError(t, err)
		lines := bytes.SplitAfter(good, []byte("\n"))
		shortened := cut{Memory: store}
		if left > 0 {
			shortened.last = bytes.TrimSpace(lines[left-1])
		}
		s = open(t, shortened)
		step(t, s, "d", nil)
		require.NoError(t, s.Close(t.Context()))
		all, err := store.Trail(t.Context())
		require.NoError(t, err)
		trail := append(bytes.Join(lines[:left], nil), all[len(good):]...)
		entries, err := state.Trail(t.Context(), kept{store, trail}, state.Options{Kinds: kinds(1)})
		var tampered *state.ErrTampered
		require.ErrorAs(t, err, &tampered)
		require.Equal(t, left+1, tampered.Line)
		require.Len(t, entries, left+1, "the rest is told all the same")
	}
}

func TestAClockThatJumpsBackMakesNoNegativeTimes(t *testing.T) {
	store := &statetest.Memory{}
	s := open(t, store)
	i := intent("a")
	i.At = time.Date(2030, 1, 1, 0, 0, 0, 0, time.UTC)
	seq, err := s.Begin(t.Context(), i)
	require.NoError(t, err)
	require.NoError(t, s.Done(t.Context(), seq, i.Addr, nil))
	require.NoError(t, s.Close(t.Context()))
	require.Zero(t, trailOf(t, store)[0].Took)
}

// TestAnEditThatDiedIsCorrected: the trail comes first on disk, so that a killed
// edit leaves a line about what never was. A trail only grows: the next run says so.
func TestAnEditThatDiedIsCorrected(t *testing.T) {
	store := &statetest.Memory{}
	s := open(t, store)
	step(t, s, "a", nil)
	require.NoError(t, s.Close(t.Context()))
	s = open(t, &halfSaved{store, 1})
	forget := func(st *state.State) error { clear(st.Objects); return nil }
	require.ErrorContains(t, s.Edit(t.Context(), state.Entry{Action: "rm", Address: "thing.a", Result: state.Succeeded}, forget), "killed")
	store.Kill(false)
	for range 2 {
		s = open(t, store)
		require.Contains(t, s.State().Objects, addr.New("thing", "a"))
		step(t, s, "b", nil)
		require.NoError(t, s.Close(t.Context()))
	}
	entries := trailOf(t, store)
	require.Equal(t, "create thing.a done|rm thing.a done|correction  settled|create thing.b done|create thing.b done|", told(entries))
	require.Contains(t, entries[2].Text, "what lines 2 to 2 of the trail tell is not in the state")
}
