package postgres_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/statetest/pgserver"
)

// shared is the server of all tests; each keeps its state in a schema of its own.
var shared pgserver.Shared

func TestMain(m *testing.M) {
	code := m.Run()
	if err := shared.Stop(); err != nil {
		panic(err)
	}
	os.Exit(code)
}

// open returns a store that is closed with the test.
func open(t *testing.T, c postgres.Config) *postgres.Store {
	t.Helper()
	store, err := postgres.New(c)
	require.NoError(t, err)
	t.Cleanup(store.Close)
	return store
}

// fresh says where nothing was ever written.
func fresh(t *testing.T) postgres.Config {
	t.Helper()
	server := shared.Start(t)
	return postgres.Config{URL: server.URL(), Schema: server.Schema()}
}

func TestADatabaseConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store { return open(t, fresh(t)) })
}
