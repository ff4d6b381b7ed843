package pgserver_test

import (
	"bufio"
	"fmt"
	"net"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state/statetest/pgserver"
)

// untilKilled makes the test binary a process that starts a server, says its
// address and waits.
const untilKilled = "TEST_SERVER_UNTIL_KILLED"

func TestMain(m *testing.M) {
	if os.Getenv(untilKilled) != "" {
		s, err := pgserver.New()
		fmt.Println(s.Address, err)
		select {}
	}
	os.Exit(m.Run())
}

func TestAServerAnswersWhoKnowsItsPassword(t *testing.T) {
	s, err := pgserver.New()
	require.NoError(t, err)
	s.Exec(t, "create table t (n int); insert into t values (1)")
	_, err = pgx.Connect(t.Context(), s.URLOf(s.User, "guessed"))
	require.ErrorContains(t, err, "password authentication failed")
	require.NotEqual(t, s.Schema(), s.Schema())
	require.Contains(t, s.Block("mine"), s.URL())

	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	require.NoError(t, s.Stop())
	require.Error(t, conn.Ping(t.Context()), "it has ended")
	_, err = pgx.Connect(t.Context(), s.URL())
	require.Error(t, err)
}

func TestAServerEndsWithItsTests(t *testing.T) {
	dir, err := os.MkdirTemp("", "pg-killed") // unlike t.TempDir one that others may enter
	require.NoError(t, err)
	require.NoError(t, os.Chmod(dir, 0o777))
	tests := exec.CommandContext(t.Context(), os.Args[0])
	tests.Env = append(os.Environ(), untilKilled+"=yes", "TMPDIR="+dir)
	out, err := tests.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, tests.Start())
	said := bufio.NewScanner(out)
	require.True(t, said.Scan())
	var address string
	_, err = fmt.Sscanf(said.Text(), "%s <nil>", &address)
	require.NoError(t, err, said.Text())
	require.NoError(t, tests.Process.Kill())
	require.Error(t, tests.Wait())
	// An empty directory can be removed: the server's own is gone.
	require.Eventually(t, func() bool { return os.Remove(dir) == nil }, 30*time.Second, 20*time.Millisecond)
	_, err = net.Dial("tcp", address)
	require.Error(t, err)
}
