package proxmox

import (
	"maps"
	"slices"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Slots implements providers.Limiter: an app takes a place on each storage that
// its volumes lie on, on its node and on the host. A storage counts per node
// unless it is known to be shared.
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
		name := p.Host + "/" + node + "/" + s
		if shared := p.shared.Load(); shared != nil && (*shared)[s] {
			name = p.Host + "//" + s // no node has an empty name
		}
		all = append(all, providers.Slot{Name: name, Max: p.PerStorage})
	}
	if node != "" {
		all = append(all, providers.Slot{Name: p.Host + "/" + node, Max: p.PerNode})
	}
	return append(all, providers.Slot{Name: p.Host, Max: p.Parallel})
}

func sharedStorages(s resource.Survey) *map[string]bool {
	shared := map[string]bool{}
	for _, storage := range s.Storages {
		if storage.Shared {
			shared[storage.Name] = true
		}
	}
	return &shared
}
