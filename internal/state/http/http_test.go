package httpstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
)

// config is that of a store at an address, which waits little between tries.
func config(address string) httpstore.Config {
	return httpstore.Config{
		Address: address, Username: gitlabserver.Maintainer, Password: gitlabserver.MaintainerToken,
		RetryWaitMin: time.Millisecond, RetryWaitMax: 5 * time.Millisecond,
	}
}

func open(t *testing.T, c httpstore.Config) *httpstore.Store {
	t.Helper()
	store, err := httpstore.New(c)
	require.NoError(t, err)
	return store
}

func TestGitLabConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store {
		return open(t, config(gitlabserver.Start(t).Address("home")))
	})
}

func TestProcessesTakeTurnsAtGitLab(t *testing.T) {
	place := func() string { return gitlabserver.Start(t).Address("home") }
	statetest.Processes(t, "http", place, func(address string) (state.Store, error) { return httpstore.New(config(address)) })
}
