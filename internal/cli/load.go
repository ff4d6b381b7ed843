package cli

import (
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

// kindsByName returns all kinds of resources that there are.
func kindsByName() map[string]*resource.Kind {
	kinds := map[string]*resource.Kind{}
	for _, k := range proxmox.Kinds() {
		kinds[k.Name] = k
	}
	return kinds
}

// load reads the configuration of the working directory, or the one that a
// plan file was made from. All that is wrong with it is one error.
func (a *app) load(saved *config.Sources) error {
	vars, err := assignments(a.vars)
	if err != nil {
		return err
	}
	o := config.Options{
		Dir: ".", Kinds: kindsByName(), Vars: vars, VarFiles: a.varFiles, LookupEnv: a.LookupEnv, Version: version(),
	}
	var problems diag.List
	if saved != nil {
		a.config, problems = saved.Load(o)
	} else {
		a.config, problems = config.Load(o)
	}
	if err := problems.Err(); err != nil {
		return &exit{exitInvalid, err}
	}
	a.warn(problems)
	a.log.Debug("configuration loaded", "resources", len(a.config.Resources), "hosts", len(a.config.Hosts))
	return nil
}

// assignments splits the values of --var at their first equals sign.
func assignments(vars []string) (map[string]string, error) {
	byName := make(map[string]string, len(vars))
	for _, v := range vars {
		name, value, found := strings.Cut(v, "=")
		if !found || name == "" {
			return nil, &exit{exitUsage, fmt.Errorf("--var %q: write it as NAME=VALUE", v)}
		}
		byName[name] = value
	}
	return byName, nil
}

// store returns where state is kept.
func (a *app) store() state.Store { return local.New(".") }

// engine loads the configuration and makes ready for a run: it listens to
// interrupts and knows the hosts. Nothing has been asked of them yet.
func (a *app) engine(saved *config.Sources) (*engine, error) {
	if err := a.load(saved); err != nil {
		return nil, err
	}
	hosts, closeHosts, err := a.connect(a.config.Hosts)
	if err != nil {
		return nil, err
	}
	e := &engine{app: a, kinds: kindsByName(), hosts: hosts, store: a.store()}
	var stop func()
	e.soft, e.hard, stop = a.interruptible()
	e.close = func() {
		stop()
		closeHosts()
	}
	return e, nil
}
