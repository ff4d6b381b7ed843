package httpstore_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// What makes the test binary another process: one that holds the lock of the
// state at that address, or one that writes there, until it is killed.
const (
	holderAddress = "TEST_HOLDER_ADDRESS"
	writerAddress = "TEST_WRITER_ADDRESS"
)

var options = state.Options{Kinds: map[string]*resource.Kind{"thing": {
	Name: "thing", Version: 1,
	Schema: resource.Block{Attrs: map[string]*resource.Attr{"label": {Type: cty.String}}},
}}}

func TestMain(m *testing.M) {
	for name, be := range map[string]func(address string) error{holderAddress: holdOn, writerAddress: writeOn} {
		if address := os.Getenv(name); address != "" {
			fmt.Println(be(address))
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}

// start runs another process and returns it with what it says.
func start(t *testing.T, as, address string) (*exec.Cmd, *bufio.Scanner) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), as+"="+address)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	return cmd, bufio.NewScanner(out)
}

// writeOn opens sessions for ever, and says after each step how many it has
// done.
func writeOn(address string) error {
	store, err := httpstore.New(config(address))
	for n := 0; err == nil; {
		var s *state.Session
		if _, s, err = state.Open(bg, store, state.Who{User: "writer", PID: os.Getpid()}, options); err != nil {
			return err
		}
		for range 3 {
			if err = step(s, n); err != nil {
				return err
			}
			n++
			fmt.Println("step", n)
		}
		err = s.Close(bg)
	}
	return err
}

func step(s *state.Session, n int) error {
	o := resource.Object{
		Addr: addr.New("thing", fmt.Sprint("t", n%7)), Host: "pve", ID: "100", Schema: 1,
		Attrs: cty.ObjectVal(map[string]cty.Value{"label": cty.StringVal(strings.Repeat("x", 500))}),
	}
	seq, err := s.Begin(bg, state.Intent{Addr: o.Addr, Op: state.Put, Attrs: o.Attrs})
	if err == nil {
		err = s.Done(bg, seq, o.Addr, &o)
	}
	return err
}

// TestAKilledWriterNeverTearsAnything kills a writer again and again, each time
// after other steps; what is read afterwards is whole and never older, and the
// lock is freed by the ID that it names.
func TestAKilledWriterNeverTearsAnything(t *testing.T) {
	const kills = 30
	server, store := startGitLab(t)
	serial, stuck := uint64(0), 0
	for i := range kills {
		cmd, said := start(t, writerAddress, store.String())
		for range 1 + i%9 {
			require.True(t, said.Scan())
			require.Contains(t, said.Text(), "step")
		}
		statetest.Kill(t, cmd)
		st, err := state.Read(t.Context(), store, options)
		require.NoError(t, err, "after kill %d", i)
		require.GreaterOrEqual(t, st.Serial, serial)
		serial = st.Serial

		_, lock, err := store.Lock(t.Context(), somebody("next"))
		if err == nil { // it was killed between two sessions
			require.NoError(t, lock.Unlock())
			continue
		}
		var held *state.ErrLocked
		require.ErrorAs(t, err, &held)
		require.Equal(t, cmd.Process.Pid, held.Holder.PID)
		if err = store.Break(t.Context(), held.Holder.ID); !isEither(err, new(*state.ErrOther)) { // its last request may have been one to unlock
			require.NoError(t, err)
			stuck++
		}
	}
	require.Positive(t, stuck)
	require.Empty(t, server.Locked("home"))
	t.Logf("report: kills: http: %d kills, 0 torn documents, %d locks of the dead freed by their ID", kills, stuck)
}
