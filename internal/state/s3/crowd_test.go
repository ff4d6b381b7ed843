package s3_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// holderOf makes the test binary a process that takes the lock of a store and
// holds it until it is killed.
const holderOf = "TEST_S3_HOLDER_OF"

func TestMain(m *testing.M) {
	if place := os.Getenv(holderOf); place != "" {
		fmt.Println(hold(place))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// place is a configuration as text, for another process.
func place(c s3.Config) string {
	text, err := json.Marshal(c)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func open(place string) (state.Store, error) {
	var c s3.Config
	if err := json.Unmarshal([]byte(place), &c); err != nil {
		return nil, err
	}
	return s3.New(c)
}

// hold saves and appends without an end, and says after each time how far it
// is.
func hold(place string) error {
	store, err := open(place)
	if err != nil {
		return err
	}
	who := state.Who{ID: "id-dead", User: "ann", Host: "desk", PID: os.Getpid(), Command: "proximity apply", Since: time.Now()}
	ctx, lock, err := store.Lock(context.Background(), who)
	if err != nil {
		return err
	}
	files, err := store.Load(ctx)
	if err != nil {
		return err
	}
	serial, _ := strconv.ParseUint(string(files.State), 10, 64) // 0 the first time
	for {
		serial++
		text := strconv.FormatUint(serial, 10)
		if err := errors.Join(
			lock.Save(ctx, state.Snapshot{Serial: serial, State: []byte(text), Trail: []byte(text + "\n")}),
			lock.Append(ctx, []byte("after "+text+"\n")),
			lock.Append(ctx, []byte(strings.Repeat("x", 70_000)+"\n")),
		); err != nil {
			return err
		}
		fmt.Println(text)
	}
}

// killed starts a holder, waits until it has written so many times, and kills
// it; it returns the last serial of which the holder said that it is durable.
func killed(t *testing.T, server *s3server.Server, writes int) (pid int, serial uint64) {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderOf+"="+place(configOf(server)))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said := bufio.NewScanner(out)
	for range writes {
		require.True(t, said.Scan())
		serial, err = strconv.ParseUint(said.Text(), 10, 64)
		require.NoError(t, err, said.Text())
	}
	require.NoError(t, cmd.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "the holder ended by itself")
	return cmd.Process.Pid, serial
}

// TestALockOutlivesAKilledHolder is why it names its holder, and is freed by
// who knows that the holder is dead.
func TestALockOutlivesAKilledHolder(t *testing.T) {
	server, store := start(t)
	pid, _ := killed(t, server, 1)
	_, _, err := store.Lock(t.Context(), state.Who{User: "bob"})
	var held *state.ErrLocked
	require.ErrorAs(t, err, &held)
	require.True(t, held.Stays)
	require.Equal(t, "ann", held.Holder.User)
	require.Equal(t, pid, held.Holder.PID)
	require.WithinDuration(t, time.Now(), held.Holder.Since, time.Minute)

	require.NoError(t, store.Break(t.Context(), held.Holder.ID))
	_, lock, err := store.Lock(t.Context(), state.Who{User: "bob"})
	require.NoError(t, err)
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	require.NoError(t, lock.Unlock())
}

// TestAKilledWriterNeverTearsAnything kills a writer again and again, each
// time after other writes; what is read afterwards is whole and never older,
// and what the killed ones left behind is swept.
func TestAKilledWriterNeverTearsAnything(t *testing.T) {
	server, store := start(t)
	const kills = 30
	for i := range kills {
		_, durable := killed(t, server, 1+i%5)
		files := load(t, store)
		serial, err := strconv.ParseUint(string(files.State), 10, 64)
		require.NoError(t, err, "after kill %d", i)
		require.GreaterOrEqual(t, serial, durable)
		require.Equal(t, string(files.State), string(files.Last))
		if line, _, hasLine := strings.Cut(string(files.Journal), "\n"); hasLine {
			require.Equal(t, "after "+string(files.State), line)
		}
		require.NoError(t, store.Break(t.Context(), "id-dead"))
	}
	_, held := lock(t, store)
	require.NoError(t, held.Save(t.Context(), state.Snapshot{Serial: 1 << 40, State: []byte("last")}))
	require.NoError(t, held.Unlock())
	require.Len(t, bucketOf(t, server).keys(".d/"), state.KeptVersions, "ten states; trail and journal are in the head")
	t.Logf("report: stores: s3: %d writers killed, 0 torn states, 0 older ones, 0 objects left behind", kills)
}

func TestFiftyProcessesTakeTurns(t *testing.T) {
	statetest.Processes(t, "s3", func() string { return place(configOf(s3server.Start(t))) }, open)
}
