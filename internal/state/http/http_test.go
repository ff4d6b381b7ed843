package httpstore_test

import (
	"testing"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
)

func TestGitLabConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store {
		return open(t, config(gitlabserver.Start(t).Address("home")))
	})
}

func TestProcessesTakeTurnsAtGitLab(t *testing.T) {
	place := func() string { return gitlabserver.Start(t).Address("home") }
	statetest.Processes(t, "http", place, func(address string) (state.Store, error) { return httpstore.New(config(address)) })
}
