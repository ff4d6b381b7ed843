// Package inventory looks at what is there: at everything that is wanted or
// recorded, on all hosts at once, in as few requests as their providers need.
// It changes nothing.
package inventory

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/go-multierror"
	"golang.org/x/sync/errgroup"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// Inventory is what a look found. Seen has an entry for everything that is
// wanted or recorded.
type Inventory struct {
	Seen    map[addr.Addr]resource.Seen
	Surveys map[string]resource.Survey // by host
}

// Ask says what a look has to find out beyond the usual.
type Ask struct {
	Adopt    map[addr.Addr]string // IDs of what a person asks to take over
	Anew     []addr.Addr          // what a person asks to be made anew; the address of a block means all its instances
	Thorough bool                 // also what costs a request more for each thing
}

func (ask Ask) extend(t *providers.Target) {
	t.Adopt, t.Thorough = ask.Adopt[t.Addr], ask.Thorough
	t.Anew = slices.Contains(ask.Anew, t.Addr) || slices.Contains(ask.Anew, t.Addr.Block())
}

// Observe looks at the wanted resources and the recorded objects. What is
// recorded on a host that has no provider is Unknown, and so is what an earlier
// run has begun to change and nobody could find out about since. Hosts that
// could not be reached are an error, all of them together, in the order of
// their names.
func Observe(ctx context.Context, set providers.Set, desired []resource.Resource, st *state.State) (Inventory, error) {
	return Ask{}.Observe(ctx, set, desired, st)
}

// Observe is Observe with what is asked beyond the usual.
func (ask Ask) Observe(ctx context.Context, set providers.Set, desired []resource.Resource, st *state.State) (Inventory, error) {
	inv := Inventory{Seen: map[addr.Addr]resource.Seen{}, Surveys: map[string]resource.Survey{}}
	targets := targetsByHost(desired, st)
	for _, list := range targets {
		for i := range list {
			ask.extend(&list[i])
		}
	}
	hosts := make([]string, 0, len(targets))
	for host, list := range targets {
		if _, ok := set[host]; ok {
			hosts = append(hosts, host)
			continue
		}
		for _, t := range list {
			inv.Seen[t.Addr] = resource.Seen{Why: fmt.Sprintf("host %q is not in the configuration", host)}
		}
	}
	slices.Sort(hosts)
	found, failed := make([]providers.Observation, len(hosts)), make([]error, len(hosts))
	var g errgroup.Group
	for i, host := range hosts {
		g.Go(func() error {
			found[i], failed[i] = set[host].Observe(ctx, targets[host])
			return nil
		})
	}
	_ = g.Wait()     // the errors are in failed, one for each host
	isAnyUp := false // what lies on no host can always be looked at, and says nothing
	for i, host := range hosts {
		isAnyUp = isAnyUp || failed[i] == nil && host != resource.NoHost
	}
	var problems *multierror.Error
	for i, host := range hosts {
		switch {
		case failed[i] == nil:
			if host != resource.NoHost {
				inv.Surveys[host] = found[i].Survey
			}
			maps.Copy(inv.Seen, found[i].Seen)
		case isAnyUp && isUnreachable(failed[i]):
			inv.down(host, targets[host], failed[i])
		default:
			problems = multierror.Append(problems, fmt.Errorf("host %q: %w", host, failed[i]))
		}
	}
	inv.leaveOpen(st)
	return inv, problems.ErrorOrNil()
}

func isUnreachable(err error) bool {
	var down providers.ErrUnreachable
	return errors.As(err, &down)
}

// down makes unknown all that is on a host that does not answer. It holds up
// nothing that is on others.
func (inv Inventory) down(host string, targets []providers.Target, cause error) {
	for _, t := range targets {
		inv.Seen[t.Addr] = resource.Seen{Why: fmt.Sprintf("host %q does not answer: %v", host, cause)}
	}
}

// leaveOpen makes unknown what a step that is still open may have changed: what
// was seen may not be the thing that the step was about.
func (inv Inventory) leaveOpen(st *state.State) {
	for _, i := range st.Open {
		if seen, looked := inv.Seen[i.Addr]; looked && seen.Presence != resource.Unknown {
			inv.Seen[i.Addr] = resource.Seen{Why: fmt.Sprintf("what an earlier run did to it (%s) is not known yet", i.ID)}
		}
	}
}

// targetsByHost joins what is wanted with what is recorded. Something recorded
// on another host than it is now wanted on is looked at where it is.
func targetsByHost(desired []resource.Resource, st *state.State) map[string][]providers.Target {
	byHost := map[string][]providers.Target{}
	wanted := make(map[addr.Addr]bool, len(desired))
	for i := range desired {
		r := &desired[i]
		wanted[r.Addr] = true
		t := providers.Target{Addr: r.Addr, Want: r, Marker: resource.Marker{Lineage: st.Lineage, Addr: r.Addr}}
		host := r.Host
		if o, ok := st.Objects[r.Addr]; ok {
			t.Prior, t.Marker.Nonce, host = &o, o.Nonce, o.Host
		}
		byHost[host] = append(byHost[host], t)
		if _, ok := byHost[r.Host]; !ok {
			byHost[r.Host] = nil // its survey is needed
		}
	}
	for a, o := range st.Objects {
		if !wanted[a] {
			marker := resource.Marker{Lineage: st.Lineage, Addr: a, Nonce: o.Nonce}
			byHost[o.Host] = append(byHost[o.Host], providers.Target{Addr: a, Prior: &o, Marker: marker})
		}
	}
	for _, list := range byHost {
		slices.SortFunc(list, func(a, b providers.Target) int { return addr.Compare(a.Addr, b.Addr) })
	}
	return byHost
}
