package cli

import (
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/secret"
	"github.com/proximity-cli/proximity/internal/resource"
)

// kindsByName returns all kinds of resources that there are.
func kindsByName() map[string]*resource.Kind {
	kinds := map[string]*resource.Kind{}
	for _, k := range append(proxmox.Kinds(), secret.Kind()) {
		kinds[k.Name] = k
	}
	return kinds
}

// load reads the configuration of the working directory with files that are
// about to be added, or the one that a plan file was made from. All that is
// wrong with it is one error.
func (a *app) load(saved *config.Sources, added map[string][]byte) error {
	o, err := a.configOptions()
	if err != nil {
		return err
	}
	o.Added = added
	load := config.Load
	if saved != nil {
		load = saved.Load
	}
	c, problems := load(o)
	if err := problems.Err(); err != nil {
		return &exit{exitInvalid, err}
	}
	a.config = c
	a.warn(problems)
	a.log.Debug("configuration loaded", "resources", len(c.Resources), "hosts", len(c.Hosts))
	return nil
}

// configOptions are what reading the configuration takes.
func (a *app) configOptions() (config.Options, error) {
	vars, err := a.variables()
	return config.Options{
		Kinds: kindsByName(), Vars: vars, VarFiles: a.varFiles, LookupEnv: a.LookupEnv, Version: version(), Keys: keyChecks(),
	}, err
}

// variables reads the values of --var.
func (a *app) variables() (map[string]string, error) {
	vars := make(map[string]string, len(a.vars))
	for _, text := range a.vars {
		name, value, found := strings.Cut(text, "=")
		if !found || name == "" {
			return nil, &exit{exitUsage, hinted{fmt.Errorf("--var %q has no value", name), "--var name=value"}}
		}
		vars[name] = value
	}
	return vars, nil
}

// engine loads the configuration and makes ready for a run: it listens to
// interrupts and knows the hosts. Nothing has been asked of them yet.
func (a *app) engine(saved *config.Sources) (*engine, error) {
	if err := a.load(saved, nil); err != nil {
		return nil, err
	}
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	vault, err := a.vault()
	if err != nil {
		return nil, err
	}
	hosts, closeHosts, err := a.connect(a.config.Hosts)
	if err != nil {
		return nil, err
	}
	e := &engine{app: a, kinds: kindsByName(), hosts: hosts, store: store, vault: vault}
	var stop func()
	e.soft, e.hard, stop = a.interruptible()
	e.close = func() {
		stop()
		closeHosts()
	}
	return e, nil
}
