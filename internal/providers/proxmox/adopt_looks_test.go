package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// A guest that cannot be read keeps nobody from taking over the others.
func TestOneThatCannotBeReadStopsNoOther(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		l.sim.Inject(pvesim.Fault{Path: "/nodes/pve1/lxc/100/pending", Status: 500, Message: "unable to read file"})
		found, err := l.Adoptable(t.Context(), nil)
		require.NoError(t, err)
		require.Len(t, found, 2)
		require.Equal(t, "100", found[0].ID)
		require.Contains(t, found[0].Why, "unable to read file")
		require.Equal(t, "101", found[1].ID)
		require.Empty(t, found[1].Why)
	})
}
