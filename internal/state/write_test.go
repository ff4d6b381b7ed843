package state_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// slow is a store whose appends take a while.
type slow struct {
	*statetest.Memory
	appends int
}

type slowLock struct {
	state.Lock
	store *slow
}

func (s *slow) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	ctx, lock, err := s.Memory.Lock(ctx, who)
	return ctx, slowLock{lock, s}, err
}

func (l slowLock) Append(ctx context.Context, line []byte) error {
	l.store.appends++
	time.Sleep(time.Second)
	return l.Lock.Append(ctx, line)
}

// TestStepsShareTheWritesOfTheJournal has fifty steps at once on a store that
// takes a second for each append: they share three or four, not a hundred.
func TestStepsShareTheWritesOfTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Memory: &statetest.Memory{}}
		s := open(t, store)
		var wg sync.WaitGroup
		for i := range 50 {
			wg.Go(func() {
				o := thing(fmt.Sprint("t", i), "there")
				seq, err := s.Begin(t.Context(), intent(o.Addr.Name))
				if err == nil {
					err = s.Done(t.Context(), seq, o.Addr, &o)
				}
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		require.LessOrEqual(t, store.appends, 4)
		store.Kill(false)
		st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds(1)})
		require.NoError(t, err)
		require.Len(t, st.Objects, 50)
		require.Empty(t, st.Open)
		require.Len(t, trailOf(t, store), 50)
	})
}

// TestAFailedWriteFailsAllThatShareIt: none of them may think it was recorded.
func TestAFailedWriteFailsAllThatShareIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Memory: &statetest.Memory{}}
		s := open(t, store)
		require.NoError(t, s.Init(t.Context()))
		store.Fail = func(string) error { return errors.New("full") }
		var wg sync.WaitGroup
		for i := range 10 {
			wg.Go(func() {
				if _, err := s.Begin(t.Context(), intent(fmt.Sprint("t", i))); err == nil {
					t.Error("it was told to be recorded")
				}
			})
		}
		wg.Wait()
		require.Empty(t, s.State().Open)
	})
}

// TestAReportWhileTheEndIsWrittenCannotSpoilTheJournal: the step is open yet, but
// what comes behind its end could not be replayed.
func TestAReportWhileTheEndIsWrittenCannotSpoilTheJournal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		store := &slow{Memory: &statetest.Memory{}}
		s := open(t, store)
		o := thing("a", "there")
		seq, err := s.Begin(t.Context(), intent("a"))
		require.NoError(t, err)
		var wg sync.WaitGroup
		wg.Go(func() {
			if err := s.Done(t.Context(), seq, o.Addr, &o); err != nil {
				t.Error(err)
			}
		})
		synctest.Wait() // the end is under way
		require.ErrorContains(t, s.Task(t.Context(), seq, "late"), "not open")
		require.ErrorContains(t, s.Done(t.Context(), seq, o.Addr, nil), "not open")
		wg.Wait()
		store.Kill(false)
		st, err := state.Read(t.Context(), store, options)
		require.NoError(t, err)
		require.Contains(t, st.Objects, o.Addr)
	})
}

// TestAnEndThatWasRefusedCanBeToldAgain: the step is as open as before.
func TestAnEndThatWasRefusedCanBeToldAgain(t *testing.T) {
	store := &statetest.Memory{}
	s := open(t, store)
	o := thing("a", "there")
	seq, err := s.Begin(t.Context(), intent("a"))
	require.NoError(t, err)
	store.Fail = func(string) error { return errors.New("full") }
	require.ErrorContains(t, s.Done(t.Context(), seq, o.Addr, &o), "full")
	store.Fail = nil
	require.NoError(t, s.Task(t.Context(), seq, "again"))
	require.NoError(t, s.Done(t.Context(), seq, o.Addr, &o))
	require.Contains(t, s.State().Objects, o.Addr)
}
