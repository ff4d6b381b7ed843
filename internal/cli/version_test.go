package cli

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestACheckoutWithoutTagsHasADevelopmentVersion(t *testing.T) {
	for module, want := range map[string]string{
		"":                                   development,
		"(devel)":                            development,
		"v0.0.0-20261124165757-892434a0140b": development,
		"v0.0.0-20261124165757-892434a0140b+dirty": development,
		"v0.2.1":                               "0.2.1",
		"v0.2.2-0.20261124165757-892434a0140b": "0.2.2-0.20261124165757-892434a0140b",
	} {
		require.Equal(t, want, releaseOf(module), module)
	}
}
