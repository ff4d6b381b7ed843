package postgres_test

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// The crowd makes the tables too: all meet at a schema that is not there.
func TestProcessesTakeTurnsInADatabase(t *testing.T) {
	place := func() string {
		text, err := json.Marshal(fresh(t))
		require.NoError(t, err)
		return string(text)
	}
	statetest.Processes(t, "postgres", place, func(place string) (state.Store, error) {
		var c postgres.Config
		if err := json.Unmarshal([]byte(place), &c); err != nil {
			return nil, err
		}
		return postgres.New(c)
	})
}
