package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Work takes places on each storage, on the node and on the host, the
// narrowest first. A shared storage is one place for all nodes.
func TestSlots(t *testing.T) {
	seed := pvesim.Cluster()
	for i := range seed.Storages {
		seed.Storages[i].Shared = seed.Storages[i].Storage == "nvme"
	}
	l := openLab(t, pvesim.Options{Seed: seed})
	want := app("web", oneVolume(values{"storage": str("nvme")}))
	l.see(&want, nil)
	require.Equal(t, []providers.Slot{
		{Name: "pve/pve1/local-lvm", Max: 4}, {Name: "pve//nvme", Max: 4}, {Name: "pve/pve1", Max: 4}, {Name: "pve", Max: 16},
	}, l.Slots(want))
	require.Equal(t, []providers.Slot{{Name: "pve", Max: 16}}, l.Slots(policy(nil)))
	require.Equal(t, []providers.Slot{{Name: "pve", Max: 16}}, l.Slots(resource.Resource{Addr: policy(nil).Addr}))
}
