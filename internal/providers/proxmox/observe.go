package proxmox

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/sync/errgroup"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Observe implements providers.Provider: one listing of the host, then one
// look at each target that is in it, many at once, and at last a look at the
// templates that something may be made from. What is only worth knowing for the
// sake of a plan's checks is left to Precheck.
func (p *Provider) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	all, err := p.list(ctx)
	if err != nil {
		if pve.IsDown(err) {
			err = providers.ErrUnreachable{Cause: err}
		}
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
	templates, others := split(targets)
	p.seeAll(ctx, all, others, found.Seen)
	p.seeAll(ctx, all, p.missed(templates, others, found.Seen), found.Seen)
	p.seeForgotten(ctx, all, targets, found.Seen)
	leaveToRecorded(targets, found.Seen)
	claim(found.Survey.Guests, found.Seen)
	found.Survey.Notes = p.notesOnTemplates(ctx, found.Survey, targets)
	return found, ctx.Err()
}

// seeAll looks at targets, many at once. What could not be looked at is Unknown.
func (p *Provider) seeAll(ctx context.Context, all listing, targets []providers.Target, into map[addr.Addr]resource.Seen) {
	jobs := p.listJobsOnce()
	seen := make([]resource.Seen, len(targets))
	// Twice as many as the client has requests under way, so that none of these
	// stands idle while answers are read.
	overlap(2*p.Parallel, len(targets), func(i int) { seen[i] = p.see(ctx, all, jobs, targets[i]) })
	for i, t := range targets {
		into[t.Addr] = seen[i]
	}
}

// overlap calls do for 0 to n-1, so many at once, and returns when all are done.
func overlap(limit, n int, do func(i int)) {
	var g errgroup.Group
	g.SetLimit(limit)
	for i := range n {
		g.Go(func() error {
			do(i)
			return nil
		})
	}
	_ = g.Wait() // there are no errors
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

// split separates the templates from what is made from them.
func split(targets []providers.Target) (templates, others []providers.Target) {
	for _, t := range targets {
		if t.Addr.Kind == "template" {
			templates = append(templates, t)
		} else {
			others = append(others, t)
		}
	}
	return templates, others
}

// missed returns the templates to look at: those that something may be made
// from. One that only apps need which stay as they are counts as present: nobody
// will miss it.
func (p *Provider) missed(templates, others []providers.Target, seen map[addr.Addr]resource.Seen) []providers.Target {
	idle, needed := map[addr.Addr]bool{}, map[addr.Addr]bool{}
	for _, t := range others {
		if t.Addr.Kind != "app" || t.Want == nil {
			continue
		}
		if at, from, implies := impliedOrigin(*t.Want); !implies {
			continue
		} else if template := impliedAddr(t.Want.Host, at, from); stays(t, seen[t.Addr]) {
			idle[template] = true
		} else {
			needed[template] = true
		}
	}
	var missed []providers.Target
	for _, t := range templates {
		if t.Want == nil || needed[t.Addr] || !idle[t.Addr] {
			missed = append(missed, t)
			continue
		}
		seen[t.Addr] = resource.Seen{Presence: resource.Present, Object: p.templateObject(t.Want, "")}
	}
	return missed
}

// stays reports whether no plan can make an app anew: it is there, wholly, and
// nothing that only a new container can have is asked for.
func stays(t providers.Target, seen resource.Seen) bool {
	if seen.Presence != resource.Present || t.Prior == nil || t.Prior.Damaged || t.Anew || t.Prior.Host != t.Want.Host {
		return false
	}
	for _, name := range []string{"template", "image", "clone", "vmid", "unprivileged"} {
		want := unmarked(resource.Attribute(t.Want.Want, name))
		if !want.IsNull() && (!want.IsKnown() || !same(want, t.Prior.Attr(name)) && !same(want, resource.Attribute(seen.Object.Attrs, name))) {
			return false
		}
	}
	return true
}

// claim notes at each guest of the survey that is ours what was seen of it.
func claim(guests []resource.Guest, seen map[addr.Addr]resource.Seen) {
	ours := map[string]*resource.Object{}
	for a, s := range seen {
		if a.Kind == "app" && s.Presence == resource.Present {
			ours[s.Object.ID] = &s.Object
		}
	}
	for i := range guests {
		guests[i].Ours = ours[strconv.Itoa(guests[i].ID)]
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
