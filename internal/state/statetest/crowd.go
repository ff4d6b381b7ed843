package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
)

func crowdCases() []conformanceCase {
	return []conformanceCase{
		{"of many who ask at the same time one gets the lock", oneOfMany},
		{"no update of many writers is lost", noLostUpdate},
		{"a reader never sees half of a save", neverHalf},
		{"a reader sees the journal up to some moment", journalIsAPrefix},
		{"a reader never sees an older state with a newer journal", neverOlder},
	}
}

// crowd is how many do something at the same time.
const crowd = 50

func oneOfMany(t *testing.T, store state.Store) {
	locks := make(chan state.Lock, crowd)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			<-start
			_, lock, err := store.Lock(t.Context(), somebody(strconv.Itoa(i)))
			var held *state.ErrLocked
			switch {
			case err == nil:
				locks <- lock
			case !errors.As(err, &held):
				t.Error(err)
			}
		})
	}
	close(start)
	wg.Wait()
	require.Len(t, locks, 1)
	require.NoError(t, (<-locks).Unlock())
}

// noLostUpdate lets a crowd count together, in turns under the lock.
func noLostUpdate(t *testing.T, store state.Store) {
	const rounds = 3
	var holders atomic.Int64
	var wg sync.WaitGroup
	for i := range crowd {
		wg.Go(func() {
			for range rounds {
				if err := takeTurn(t.Context(), store, somebody(strconv.Itoa(i)), &holders); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	require.Equal(t, strconv.Itoa(crowd*rounds), string(load(t, store).State))
}

func takeTurn(ctx context.Context, store state.Store, who state.Who, holders *atomic.Int64) error {
	_, lock, err := waitFor(ctx, store, who)
	if err != nil {
		return err
	}
	if holders.Add(1) > 1 {
		err = errors.New("two hold the lock")
	}
	err = errors.Join(err, count(ctx, store, lock))
	holders.Add(-1)
	return errors.Join(err, lock.Unlock())
}

func count(ctx context.Context, store state.Store, lock state.Lock) error {
	files, err := store.Load(ctx)
	if err != nil {
		return err
	}
	n := 0
	if files.State != nil {
		if n, err = strconv.Atoi(string(files.State)); err != nil {
			return err
		}
	}
	return lock.Save(ctx, state.Snapshot{Serial: uint64(n + 1), State: []byte(strconv.Itoa(n + 1))})
}

// watch loads without the lock, again and again while write runs and once
// more after it, and lets check judge what it sees.
func watch(t *testing.T, store state.Store, write func(lock state.Lock), check func(state.Files) error) {
	_, lock := locked(t, store, state.Who{})
	done := make(chan struct{})
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for ended := false; !ended; {
				select {
				case <-done:
					ended = true
				default:
				}
				files, err := store.Load(t.Context())
				if err == nil {
					err = check(files)
				}
				if err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	write(lock)
	close(done)
	wg.Wait()
	require.NoError(t, lock.Unlock())
}

func neverHalf(t *testing.T, store state.Store) {
	const size = 64 << 10
	watch(t, store, func(lock state.Lock) {
		for i := range 60 {
			save(t, lock, strings.Repeat(string(rune('a'+i%26)), size+i%2))
		}
	}, func(seen state.Files) error {
		n := len(seen.State)
		if n == 0 && seen.State == nil {
			return nil
		}
		if n < size || bytes.Count(seen.State, seen.State[:1]) != n {
			return fmt.Errorf("%d bytes of more than one save", n)
		}
		return nil
	})
}

func journalIsAPrefix(t *testing.T, store state.Store) {
	var whole strings.Builder
	for i := range 200 {
		fmt.Fprintf(&whole, "line %d %s\n", i, strings.Repeat("x", i*10))
	}
	watch(t, store, func(lock state.Lock) {
		for line := range strings.Lines(whole.String()) {
			require.NoError(t, lock.Append(t.Context(), []byte(line)))
		}
	}, func(seen state.Files) error {
		if !strings.HasPrefix(whole.String(), string(seen.Journal)) {
			return fmt.Errorf("%d bytes of a journal that never was", len(seen.Journal))
		}
		return nil
	})
	require.Equal(t, whole.String(), string(load(t, store).Journal))
}

// neverOlder folds as a session does: save, then append what follows. Each
// line names the state that it follows.
func neverOlder(t *testing.T, store state.Store) {
	watch(t, store, func(lock state.Lock) {
		for i := range 100 {
			save(t, lock, fmt.Sprintf("%06d", i))
			require.NoError(t, lock.Append(t.Context(), fmt.Appendf(nil, "%06d\n", i)))
		}
	}, func(seen state.Files) error {
		if follows := strings.TrimSpace(string(seen.Journal)); len(follows) == 6 && follows > string(seen.State) {
			return fmt.Errorf("the journal follows %s, the state is %q", follows, seen.State)
		}
		return nil
	})
}
