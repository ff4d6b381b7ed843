package statetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
)

// rounds is how many turns each process of a crowd takes.
const rounds = 20

// The environment of a process of the crowd: what it opens, and the directory
// in which it meets the others outside of the store.
const (
	crowdPlace = "PROXIMITY_TEST_CROWD_PLACE"
	crowdDir   = "PROXIMITY_TEST_CROWD_DIR"
)

// Processes lets a crowd of processes count together in one store, and reports
// what came of it under the name of its kind. Place makes a store with nothing
// in it and says in a text where it is; open opens what is there.
//
// Each process is the test binary in which the test that called this one runs
// again, up to here: it has to be a test of its own, no subtest, and what it
// needs is made in place, which these processes do not call.
func Processes(t *testing.T, kind string, place func() string, open func(place string) (state.Store, error)) {
	if at, isOne := os.LookupEnv(crowdPlace); isOne {
		store, err := open(at)
		require.NoError(t, err)
		require.NoError(t, takeTurns(t.Context(), store, os.Getenv(crowdDir)))
		return
	}
	at, began := place(), time.Now()
	seen := gather(t, at, open)
	t.Logf("report: stores: %s: %s", kind, seen)
	t.Logf("it took %s", time.Since(began).Round(time.Second/10))
	require.Equal(t, tally{turns: crowd * rounds}, seen)
}

// tally is what came of a crowd.
type tally struct{ turns, doubleHolders, lostUpdates int }

func (c tally) String() string {
	return fmt.Sprintf("%d processes × %d rounds, %d turns, %d double holders, %d lost updates",
		crowd, rounds, c.turns, c.doubleHolders, c.lostUpdates)
}

// gather starts the crowd, waits for its end and looks at what it left behind.
func gather(t *testing.T, place string, open func(place string) (state.Store, error)) tally {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for range crowd {
		one := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.count=1", "-test.timeout=5m")
		one.Env = append(os.Environ(), crowdPlace+"="+place, crowdDir+"="+dir)
		wg.Go(func() {
			if out, err := one.CombinedOutput(); err != nil {
				t.Errorf("one of the crowd: %v\n%s", err, out)
			}
		})
	}
	wg.Wait()
	store, err := open(place)
	require.NoError(t, err)
	return takeStock(t, store, dir, crowd*rounds)
}

// takeStock reads what the crowd counted: each turn was to write the number
// that follows the last one.
func takeStock(t *testing.T, store state.Store, dir string, turns int) tally {
	t.Helper()
	doubles, err := filepath.Glob(filepath.Join(dir, "double-*"))
	require.NoError(t, err)
	counted := append([]byte(trail(t, store)), load(t, store).Journal...)
	there := map[string]bool{}
	for _, line := range bytes.Fields(counted) {
		there[string(line)] = true
	}
	seen := tally{doubleHolders: len(doubles)}
	for n := 1; n <= turns; n++ {
		if there[strconv.Itoa(n)] {
			seen.turns++
		} else {
			seen.lostUpdates++
		}
	}
	return seen
}

// takeTurns is what one process of the crowd does.
func takeTurns(ctx context.Context, store state.Store, dir string) error {
	for round := range rounds {
		who := state.Who{User: "crowd", Host: "desk", PID: os.Getpid(), Command: fmt.Sprint("round ", round), Since: time.Now()}
		ctx, lock, err := waitFor(ctx, store, who)
		if err != nil {
			return err
		}
		leave, err := enter(dir)
		if err != nil {
			return err
		}
		if err := errors.Join(countOn(ctx, store, lock), ctx.Err(), leave(), lock.Unlock()); err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
	}
	return nil
}

// waitFor asks for the lock until it gets it, as people do with a pause in
// between: a crowd that asks without one leaves the holder no processor.
func waitFor(ctx context.Context, store state.Store, who state.Who) (context.Context, state.Lock, error) {
	pause := backoff.NewExponentialBackOff()
	pause.InitialInterval, pause.MaxInterval, pause.RandomizationFactor = 5*time.Millisecond, 200*time.Millisecond, 0.9
	var held context.Context
	lock, err := backoff.Retry(ctx, func() (lock state.Lock, err error) {
		held, lock, err = store.Lock(ctx, who)
		if _, busy := errors.AsType[*state.ErrLocked](err); err != nil && !busy {
			return nil, backoff.Permanent(err)
		}
		return lock, err
	}, backoff.WithBackOff(pause), backoff.WithMaxElapsedTime(4*time.Minute))
	return held, lock, err
}

// enter marks in the file system, which knows nothing of the store's lock,
// that somebody is inside. Who finds the mark of another leaves one of its own
// for takeStock.
func enter(dir string) (leave func() error, err error) {
	inside := filepath.Join(dir, "inside")
	switch err := os.Mkdir(inside, 0o700); {
	case err == nil:
		return func() error { return os.Remove(inside) }, nil
	case errors.Is(err, fs.ErrExist):
		_, err := os.MkdirTemp(dir, "double-*")
		return func() error { return nil }, err
	default:
		return nil, err
	}
}

// countOn adds the next number to the journal, and every third time folds the
// journal into state and trail.
func countOn(ctx context.Context, store state.Store, lock state.Lock) error {
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
	n += bytes.Count(files.Journal, []byte("\n")) + 1
	line := fmt.Appendf(nil, "%d\n", n)
	if n%3 > 0 {
		return lock.Append(ctx, line)
	}
	return lock.Save(ctx, state.Snapshot{
		Serial: uint64(n), State: []byte(strconv.Itoa(n)), Trail: append(files.Journal, line...),
	})
}
