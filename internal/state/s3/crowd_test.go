package s3_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
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

func hold(place string) error {
	store, err := open(place)
	if err != nil {
		return err
	}
	ctx := context.Background()
	ctx, lock, err := store.Lock(ctx, state.Who{ID: "id-dead", User: "ann", Host: "desk", PID: os.Getpid(), Command: "proximity apply", Since: time.Now()})
	if err != nil {
		return err
	}
	if err := errors.Join(
		lock.Save(ctx, state.Snapshot{Serial: 1, State: []byte("state")}),
		lock.Append(ctx, []byte("begun\n")),
	); err != nil {
		return err
	}
	fmt.Println("holds it")
	<-ctx.Done()
	return ctx.Err()
}

// TestALockOutlivesAKilledHolder is why it names its holder, and is freed by
// who knows that the holder is dead.
func TestALockOutlivesAKilledHolder(t *testing.T) {
	server, store := start(t)
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), holderOf+"="+place(configOf(server)))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	said := bufio.NewScanner(out)
	require.True(t, said.Scan())
	require.Equal(t, "holds it", said.Text())
	require.NoError(t, cmd.Process.Kill())
	var exit *exec.ExitError
	require.ErrorAs(t, cmd.Wait(), &exit)
	require.Equal(t, syscall.SIGKILL, exit.Sys().(syscall.WaitStatus).Signal(), "the holder ended by itself")

	_, _, err = store.Lock(t.Context(), state.Who{User: "bob"})
	var held *state.ErrLocked
	require.ErrorAs(t, err, &held)
	require.True(t, held.Stays)
	require.Equal(t, "ann", held.Holder.User)
	require.Equal(t, cmd.Process.Pid, held.Holder.PID)
	require.WithinDuration(t, time.Now(), held.Holder.Since, time.Minute)

	require.NoError(t, store.Break(t.Context(), held.Holder.ID))
	_, lock, err := store.Lock(t.Context(), state.Who{User: "bob"})
	require.NoError(t, err)
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	require.Equal(t, state.Files{State: []byte("state"), Journal: []byte("begun\n")}, files)
	require.NoError(t, lock.Unlock())
}

func TestFiftyProcessesTakeTurns(t *testing.T) {
	statetest.Processes(t, "s3", func() string { return place(configOf(s3server.Start(t))) }, open)
}
