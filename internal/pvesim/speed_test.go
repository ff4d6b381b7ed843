package pvesim

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Who only looks at an estate leaves its time as fast as it is: others go on with it.
func TestSpeedStays(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ asked, want float64 }{{500, 500}, {0, 500}, {2, 2}, {0, 2}} {
		sim, err := Open(Options{Dir: dir, Speed: c.asked})
		require.NoError(t, err)
		require.Equal(t, c.want, sim.estate.meta.at("").Speed)
		require.NoError(t, sim.Close())
	}
	fresh, err := Open(Options{})
	require.NoError(t, err)
	require.Equal(t, 1.0, fresh.estate.meta.at("").Speed)
}

// An estate stays the release that it was made as.
func TestReleaseStays(t *testing.T) {
	dir := t.TempDir()
	for _, c := range []struct{ asked, want, err string }{
		{"8.4", "8.4", ""}, {"", "8.4", ""}, {"9.1", "", "it was made with version 8.4, not 9.1"}, {"8.4", "8.4", ""},
	} {
		sim, err := Open(Options{Dir: dir, PVE: c.asked})
		if c.err != "" {
			require.ErrorContains(t, err, c.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, c.want, sim.profile.name)
		require.NoError(t, sim.Close())
	}
}
