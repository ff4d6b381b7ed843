package cli

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
)

// simulatedSpeed is how much faster time runs on an embedded simulator.
const simulatedSpeed = 20

// connect returns a provider for each host, and what closes them all. It makes
// no request.
func (a *app) connect(hosts map[string]*config.Host) (providers.Set, func(), error) {
	set := providers.Set{}
	var closers []func() error
	closeAll := func() {
		for _, c := range closers {
			if err := c(); err != nil {
				a.log.Warn("host closed", "cause", err)
			}
		}
	}
	for name, h := range hosts {
		options := clientOptions(h)
		if seedName, simulated := strings.CutPrefix(h.Endpoints[0], "sim:"); simulated {
			sim, err := embedded(name, seedName)
			if err != nil {
				closeAll()
				return nil, nil, fmt.Errorf("host %q: %w", name, err)
			}
			closers = append(closers, sim.Close)
			options.Endpoints, options.Transport = []string{"https://" + name + ".sim:8006"}, sim.Transport()
			options.TokenID, options.TokenSecret = sim.Token()
		}
		client, err := pve.New(options)
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("host %q: %w", name, err)
		}
		set[name] = proxmox.New(proxmox.Options{
			Host: name, Client: client, Range: h.Range,
			PerNode: h.Limits.PerNode, PerStorage: h.Limits.PerStorage, Parallel: h.Limits.Parallel,
		})
	}
	return set, closeAll, nil
}

// clientOptions says how the API of a host is reached.
func clientOptions(h *config.Host) pve.Options {
	return pve.Options{
		Endpoints: h.Endpoints, TokenID: h.TokenID, TokenSecret: h.TokenSecret.Reveal(),
		Username: h.Username, Password: h.Password.Reveal(), Fingerprint: h.Fingerprint,
		CAFile: h.CAFile, Insecure: h.Insecure, Parallel: h.Limits.Parallel,
	}
}

// embedded opens the simulator that belongs to a host of the configuration.
func embedded(host, seedName string) (*pvesim.Sim, error) {
	s, err := seed(seedName)
	if err != nil {
		return nil, err
	}
	return pvesim.Open(pvesim.Options{
		Dir: filepath.Join(".proximity", "sim", host), Seed: s, Speed: simulatedSpeed,
	})
}
