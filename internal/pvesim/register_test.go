package pvesim

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// A handler under a path that the parameter tables do not have would never be reached.
func TestHandlersAreReachable(t *testing.T) {
	known := map[string]bool{}
	for _, m := range schema.All() {
		known[m.Verb+" "+m.Path] = true
	}
	for operation := range handlers() {
		require.True(t, known[operation], operation)
	}
}
