package postgres_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// writerPlace makes the test binary a process that writes until it is killed.
const writerPlace = "TEST_WRITER_PLACE"

// write locks, saves, appends and unlocks for ever, and says what it has
// saved. From the round on that is named it stays in the lock and is silent.
func write(ctx context.Context, place string, staysIn int) error {
	var c postgres.Config
	if err := json.Unmarshal([]byte(place), &c); err != nil {
		return err
	}
	store, err := postgres.New(c)
	if err != nil {
		return err
	}
	who := state.Who{User: "writer", Host: "desk", PID: os.Getpid(), Command: "proximity apply"}
	for round := 1; ; round++ {
		files, err := store.Load(ctx)
		if err != nil {
			return err
		}
		before, _ := strconv.Atoi(string(files.State)) // 0 before the first save
		ctx, lock, err := store.Lock(ctx, who)
		if err != nil {
			return err
		}
		fmt.Println("locked")
		for n := range 5 {
			if err := lock.Append(ctx, fmt.Appendf(nil, "%d after %d\n", n, before)); err != nil {
				return err
			}
		}
		snap := state.Snapshot{Serial: uint64(before + 1), State: []byte(strconv.Itoa(before + 1)), Trail: fmt.Appendf(nil, "%d\n", before+1)}
		if err := lock.Save(ctx, snap); err != nil {
			return err
		}
		fmt.Println(before + 1)
		if round == staysIn {
			select {}
		}
		if err := lock.Unlock(); err != nil {
			return err
		}
	}
}

// start runs a writer and returns it with what it says.
func start(t *testing.T, c postgres.Config, staysIn int) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	place, err := json.Marshal(c)
	require.NoError(t, err)
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), writerPlace+"="+string(place), "TEST_WRITER_STAYS_IN="+strconv.Itoa(staysIn))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

func TestAKilledHolderFreesTheLockAtOnce(t *testing.T) {
	c := fresh(t)
	store := open(t, c)
	writer, said := start(t, c, 1)
	for said.Scan() && said.Text() != "1" {
		require.Equal(t, "locked", said.Text())
	}
	_, _, err := store.Lock(t.Context(), ann)
	require.ErrorContains(t, err, `locked by writer@desk (pid `+strconv.Itoa(writer.Process.Pid)+`, "proximity apply"`)
	var locked *state.ErrLocked
	require.ErrorAs(t, err, &locked)
	require.False(t, locked.Stays)

	began := time.Now()
	statetest.Kill(t, writer)
	_, lock := eventually(t, store)
	t.Logf("report: stores: postgres: the lock of a killed holder was free after %s", time.Since(began).Round(time.Millisecond))
	require.Contains(t, lock.Note(), "took over the lock of writer@desk")
	require.NoError(t, lock.Unlock())

	var other *state.ErrOther
	require.ErrorAs(t, store.Break(t.Context(), locked.Holder.ID), &other)
	require.Zero(t, other.Holder, "the dead is not named")
}

// TestAKilledWriterNeverTearsAnything kills a writer at one moment after
// another; what is read afterwards is whole and never older.
func TestAKilledWriterNeverTearsAnything(t *testing.T) {
	c := fresh(t)
	store, saved := open(t, c), 0
	for i := range 30 {
		writer, said := start(t, c, 0)
		for range 1 + i%7 {
			require.True(t, said.Scan())
			if n, err := strconv.Atoi(said.Text()); err == nil {
				saved = n
			}
		}
		statetest.Kill(t, writer)
		_, lock := eventually(t, store)
		require.NoError(t, lock.Unlock())
		saved = requireWhole(t, store, saved, i)
	}
}

// requireWhole expects a state, a journal and a trail of one moment, and no
// older one than what was told to be saved. It returns the serial.
func requireWhole(t *testing.T, store *postgres.Store, told, kill int) int {
	t.Helper()
	files := load(t, store)
	serial := 0
	if files.State != nil {
		var err error
		serial, err = strconv.Atoi(string(files.State))
		require.NoError(t, err)
		require.Equal(t, string(files.State), string(files.Last))
	}
	require.GreaterOrEqual(t, serial, told, "after kill %d", kill)
	text, err := store.Trail(t.Context())
	require.NoError(t, err)
	require.Len(t, strings.Fields(string(text)), serial)
	next := 0
	for line := range strings.Lines(string(files.Journal)) {
		var n, after int
		_, err := fmt.Sscanf(line, "%d after %d\n", &n, &after)
		require.NoError(t, err)
		require.Equal(t, serial, after)
		if n != 0 { // lines of several dead stand one after the other
			require.Equal(t, next, n)
		}
		next = n + 1
	}
	return serial
}
