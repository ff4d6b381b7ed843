package proxmox

import (
	"maps"
	"slices"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Slots implements providers.Limiter: an app takes a place on each storage that
// its volumes lie on, on its node and on the host. A storage counts per node,
// since Proxmox does not tell at this point whether it is shared.
func (p *Provider) Slots(want resource.Resource) []providers.Slot {
	if want.Addr.Kind != "app" {
		return []providers.Slot{{Name: p.Host, Max: p.Parallel}}
	}
	node := resource.Text(want.Want, "node")
	storages := map[string]bool{}
	if s := resource.Text(resource.Attribute(want.Want, "disk"), "storage"); s != "" {
		storages[s] = true
	}
	for _, name := range sortedLabels(want.Want, "volume") {
		if s := resource.Text(element(want.Want, "volume", name), "storage"); s != "" {
			storages[s] = true
		}
	}
	var all []providers.Slot
	for _, s := range slices.Sorted(maps.Keys(storages)) {
		all = append(all, providers.Slot{Name: p.Host + "/" + node + "/" + s, Max: p.PerStorage})
	}
	if node != "" {
		all = append(all, providers.Slot{Name: p.Host + "/" + node, Max: p.PerNode})
	}
	return append(all, providers.Slot{Name: p.Host, Max: p.Parallel})
}
