package proxmox

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// An interface without a bridge cannot be asked for: left out of the block, the
// bridge would become that of the host's defaults. So it stays as it is.
func TestWhatWouldBecomeADefaultIsNotAskedFor(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) {
		e.SetConfig(100, "net1", "name=eth1,hwaddr=BC:24:11:00:00:01,type=veth")
	}))
	found, err := l.Adoptable(t.Context(), []string{"100"})
	require.NoError(t, err)
	require.Equal(t, []string{"eth0"}, sortedLabels(found[0].Want, "network"))
	require.Contains(t, strings.Join(found[0].Kept, "\n"), "network.eth1: ")
}

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
