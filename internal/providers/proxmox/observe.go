package proxmox

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Observe implements providers.Provider: one listing of the host, then one
// look at each target that is in it, many at once.
func (p *Provider) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	all, err := p.list(ctx)
	if err != nil {
		return providers.Observation{}, err
	}
	version, err := p.Client.Version(ctx)
	if err != nil {
		return providers.Observation{}, err
	}
	found := providers.Observation{
		Seen:   make(map[addr.Addr]resource.Seen, len(targets)),
		Survey: all.survey(p.Host, version.Text, p.Range),
	}
	p.shared.Store(sharedStorages(found.Survey))
	jobs := p.listJobsOnce()
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(p.Parallel)
	for _, t := range targets {
		g.Go(func() error {
			seen := p.see(ctx, all, jobs, t)
			mu.Lock()
			defer mu.Unlock()
			found.Seen[t.Addr] = seen
			return nil
		})
	}
	g.Go(func() error {
		p.surveyBridges(ctx, &found.Survey, wantedNodes(targets))
		return nil
	})
	g.Go(func() error {
		p.learnRights(ctx)
		return nil
	})
	var notes diag.List
	g.Go(func() error {
		notes = p.notesOnTemplates(ctx, all.survey(p.Host, version.Text, p.Range), targets)
		return nil
	})
	_ = g.Wait() // what could not be looked at is Unknown, not an error
	found.Survey.Notes = notes
	return found, ctx.Err()
}

func (p *Provider) see(ctx context.Context, all listing, jobs jobLister, t providers.Target) resource.Seen {
	switch t.Addr.Kind {
	case "app":
		return p.seeApp(ctx, all, t)
	case "backup_policy":
		return p.seePolicy(ctx, jobs, t)
	case "template":
		return p.seeTemplate(ctx, all, t)
	}
	return unknown(unknownKind(t.Addr.Kind))
}

func unknown(err error) resource.Seen {
	return resource.Seen{Presence: resource.Unknown, Why: err.Error()}
}

// wantedNodes returns the nodes that apps are wanted on.
func wantedNodes(targets []providers.Target) []string {
	var nodes []string
	for _, t := range targets {
		if t.Want != nil && t.Addr.Kind == "app" {
			if node := resource.Text(t.Want.Want, "node"); node != "" && !slices.Contains(nodes, node) {
				nodes = append(nodes, node)
			}
		}
	}
	slices.Sort(nodes)
	return nodes
}

// surveyBridges adds the bridges of the nodes that matter. Where they cannot be
// read they stay unasked, which checks nothing and hinders nobody.
func (p *Provider) surveyBridges(ctx context.Context, s *resource.Survey, nodes []string) {
	for _, name := range nodes {
		node := s.Node(name)
		if node == nil || !node.Online {
			continue
		}
		var rows []struct{ Iface string }
		query := map[string][]string{"type": {"any_bridge"}}
		if err := p.Client.Read(ctx, pve.Path("nodes", name, "network"), query, &rows); err != nil {
			continue
		}
		node.Bridges = []string{}
		for _, r := range rows {
			node.Bridges = append(node.Bridges, r.Iface)
		}
		slices.Sort(node.Bridges)
	}
}

// appID returns the VMID to look at: the recorded one, else the one to take
// over, else the one asked for.
func appID(t providers.Target) string {
	if t.Prior != nil {
		return t.Prior.ID
	}
	if t.Adopt != "" {
		return t.Adopt
	}
	if t.Want != nil {
		return numberText(resource.Attribute(t.Want.Want, "vmid"))
	}
	return ""
}

func describeOther(m resource.Marker) string {
	if m == (resource.Marker{}) {
		return "it has no marker of this program in its notes"
	}
	return fmt.Sprintf("its marker names %s of lineage %s", m.Addr, m.Lineage)
}
