package postgres_test

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/statetest/pgserver"
)

// shared is the server of all tests; each keeps its state in a schema of its own.
var shared pgserver.Shared

func TestMain(m *testing.M) {
	if place := os.Getenv(writerPlace); place != "" {
		staysIn, _ := strconv.Atoi(os.Getenv("TEST_WRITER_STAYS_IN")) // 0 is never
		fmt.Println(write(context.Background(), place, staysIn))
		os.Exit(1)
	}
	code := m.Run()
	if err := shared.Stop(); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// open returns a store that is closed with the test, unless that failed and
// may have left a lock, for which Close waits.
func open(t *testing.T, c postgres.Config) *postgres.Store {
	t.Helper()
	store, err := postgres.New(c)
	require.NoError(t, err)
	t.Cleanup(func() {
		if !t.Failed() {
			store.Close()
		}
	})
	return store
}

// fresh says where nothing was ever written.
func fresh(t *testing.T) postgres.Config {
	t.Helper()
	server := shared.Start(t)
	return postgres.Config{URL: server.URL(), Schema: server.Schema()}
}

func load(t *testing.T, store *postgres.Store) state.Files {
	t.Helper()
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	return files
}

// eventually asks for the lock until the server has noticed that its holder is
// gone; the deadline is generous.
func eventually(t *testing.T, store *postgres.Store) (context.Context, state.Lock) {
	t.Helper()
	for ends := time.Now().Add(10 * time.Second); ; runtime.Gosched() {
		ctx, lock, err := store.Lock(t.Context(), state.Who{User: "next", Command: "proximity apply"})
		if err == nil {
			return ctx, lock
		}
		var locked *state.ErrLocked
		require.ErrorAs(t, err, &locked)
		require.True(t, time.Now().Before(ends), "the lock is not free")
	}
}

func TestADatabaseConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store { return open(t, fresh(t)) })
}
