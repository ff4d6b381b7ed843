package cli

import (
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/providers/secret"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// simulatedSpeed is how much faster time runs on an embedded simulator.
const simulatedSpeed = 8

// connect returns a provider for each host and for what lies on none, and what closes them all. It makes
// no request.
func (a *app) connect(hosts map[string]*config.Host) (providers.Set, func(), error) {
	set := providers.Set{resource.NoHost: secret.Provider{}}
	var closers []func() error
	closeAll := func() {
		for _, c := range closers {
			if err := c(); err != nil {
				a.log.Warn("host closed", "cause", err)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(hosts)) {
		provider, closer, err := connectHost(hosts[name])
		if closer != nil {
			closers = append(closers, closer)
		}
		if err != nil {
			closeAll()
			return nil, nil, fmt.Errorf("host %q: %w", name, err)
		}
		set[name] = provider
	}
	return set, closeAll, nil
}

// connectHost returns the provider of one host and, for an embedded simulator,
// what closes it.
func connectHost(h *config.Host) (providers.Provider, func() error, error) {
	options, closer, err := clientOptions(h)
	if err != nil {
		return nil, nil, err
	}
	client, err := pve.New(options)
	if err != nil {
		return nil, closer, err
	}
	return providerOf(h, client), closer, nil
}

func providerOf(h *config.Host, client *pve.Client) *proxmox.Provider {
	return proxmox.New(proxmox.Options{
		Host: h.Name, Client: client, Range: h.Range,
		PerNode: h.Limits.PerNode, PerStorage: h.Limits.PerStorage, Parallel: h.Limits.Parallel,
	})
}

// clientOptions returns how to reach a host and, for an embedded simulator,
// what closes it.
func clientOptions(h *config.Host) (pve.Options, func() error, error) {
	name, simulated := strings.CutPrefix(h.Endpoints[0], "sim:")
	if !simulated {
		return pve.Options{
			Endpoints: h.Endpoints, TokenID: h.TokenID, TokenSecret: h.TokenSecret.Reveal(),
			Username: h.Username, Password: h.Password.Reveal(),
			Fingerprint: h.Fingerprint, CAFile: h.CAFile, Insecure: h.Insecure, Parallel: h.Limits.Parallel,
		}, nil, nil
	}
	sim, err := embedded(h.Name, name)
	if err != nil {
		return pve.Options{}, nil, err
	}
	options := pve.Options{Endpoints: []string{"https://" + h.Name + ".sim:8006"}, Transport: sim.Transport()}
	options.TokenID, options.TokenSecret = sim.Token()
	return options, sim.Close, nil
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
