package proxmox

import (
	"cmp"
	"context"
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// answers are what the host said to the questions that proposals raise. What
// was not asked, or found no answer, is missing, and then nothing is checked.
type answers struct {
	rights    rights                       // nil: not known
	grantee   func() grantee               // asked for only when something is missing
	bridges   map[string]map[string]bridge // by node and name
	templates map[place]map[origin]noTemplate
	strangers []claimed               // what guests of others have, in the order of their VMIDs
	hidden    map[string]bool         // VMIDs that are taken by guests the listing leaves out
	pools     []string                // that may be seen; nil: not known
	nobodys   map[string]bool         // VMIDs that are taken by containers without any marker
	markers   map[int]resource.Marker // of containers that have the name of a new app, by VMID
}

// bridge is a bridge of a node, as far as it may be used by us.
type bridge struct {
	vlanAware *bool  // nil: the host does not say
	mtu       int    // 0: the host does not say
	address   string // of the node on it, without prefix length; may be empty
}

// ask puts the questions, many at once.
func (p *Provider) ask(ctx context.Context, survey resource.Survey, proposals []providers.Proposal) answers {
	a := answers{
		bridges: map[string]map[string]bridge{}, templates: map[place]map[origin]noTemplate{},
		hidden: map[string]bool{}, nobodys: map[string]bool{}, markers: map[int]resource.Marker{},
	}
	a.grantee = func() grantee { return p.grantee(ctx, a.rights) }
	if p.Client == nil || len(proposals) == 0 {
		return a
	}
	var q inquiry
	if !p.Client.IsRoot() {
		q.add(func() { a.rights = p.askRights(ctx, "") })
	}
	if slices.ContainsFunc(proposals, func(one providers.Proposal) bool { return wantedPool(one) != "" }) {
		q.add(func() { a.pools = p.askPools(ctx) })
	}
	specs := templateSpecs(survey, proposals)
	askEach(&q, bridgedNodes(survey, proposals), a.bridges, itself, func(node string) map[string]bridge { return p.askBridges(ctx, node) })
	askEach(&q, slices.Collect(maps.Keys(specs)), a.templates, itself,
		func(at place) map[origin]noTemplate { return p.askTemplates(ctx, at, specs[at]) })
	askEach(&q, askedIDs(survey, proposals), a.hidden, itself, func(id string) bool {
		taken, _ := p.isTaken(ctx, id) // without an answer it counts as free
		return taken
	})
	askEach(&q, askedHolders(survey, proposals), a.nobodys, idOf, func(g resource.Guest) bool { return p.isNobodys(ctx, g) })
	askEach(&q, namesakes(survey, proposals), a.markers, numberOf, func(g resource.Guest) resource.Marker {
		marker, _ := p.askMarker(ctx, g)
		return marker
	})
	claims := map[int][]claimed{}
	if bringsClaims(proposals) {
		askEach(&q, others(survey, proposals), claims, numberOf, func(g resource.Guest) []claimed { return p.askStranger(ctx, g) })
	}
	q.put(p.Parallel)
	maps.DeleteFunc(a.bridges, func(_ string, of map[string]bridge) bool { return of == nil }) // the node did not say
	for _, id := range slices.Sorted(maps.Keys(claims)) {
		a.strangers = append(a.strangers, claims[id]...)
	}
	return a
}

// inquiry is questions that are put at once, and what keeps their answers when
// all are there.
type inquiry struct{ questions, keep []func() }

func (q *inquiry) add(question func()) { q.questions = append(q.questions, question) }

// put asks so many at a time.
func (q *inquiry) put(parallel int) {
	overlap(parallel, len(q.questions), func(i int) { q.questions[i]() })
	for _, keep := range q.keep {
		keep()
	}
}

// askEach adds one question for each thing, and puts the answers into a map.
func askEach[T any, K comparable, V any](q *inquiry, things []T, into map[K]V, key func(T) K, ask func(T) V) {
	found := make([]V, len(things))
	for i, thing := range things {
		q.add(func() { found[i] = ask(thing) })
	}
	q.keep = append(q.keep, func() {
		for i, thing := range things {
			into[key(thing)] = found[i]
		}
	})
}

func itself[T any](thing T) T { return thing }

func idOf(g resource.Guest) string { return strconv.Itoa(g.ID) }

func numberOf(g resource.Guest) int { return g.ID }

// bridgedNodes returns the nodes whose bridges matter: where an interface is
// new or changes, or where a container with interfaces goes to.
func bridgedNodes(survey resource.Survey, proposals []providers.Proposal) []string {
	nodes := map[string]bool{}
	for _, proposal := range proposals {
		if proposal.Addr.Kind != "app" || proposal.Delete || !proposal.Create && !changes(proposal, "network", "node") {
			continue
		}
		if n := survey.Node(nodeOf(survey, proposal.Want)); n != nil && n.Online && len(sortedLabels(proposal.Want.Want, "network")) > 0 {
			nodes[n.Name] = true
		}
	}
	return slices.Sorted(maps.Keys(nodes))
}

// askBridges returns the bridges of a node that we may use, nil when it does
// not say. That a bridge of Linux knows VLANs stands in its row; that it does not
// is told only by a row of another bridge that does.
func (p *Provider) askBridges(ctx context.Context, node string) map[string]bridge {
	var rows []struct {
		Iface, Type, Address string
		MTU                  pve.Int
		VLANAware            *pve.Bool `json:"bridge_vlan_aware"`
	}
	query := url.Values{"type": {"any_bridge"}}
	if p.Client.Read(ctx, pve.Path("nodes", node, "network"), query, &rows) != nil {
		return nil
	}
	tells := false
	for _, r := range rows {
		tells = tells || r.VLANAware != nil
	}
	found := map[string]bridge{}
	for _, r := range rows {
		b := bridge{mtu: int(r.MTU), address: r.Address}
		if aware := r.VLANAware != nil && bool(*r.VLANAware); tells && r.Type == "bridge" {
			b.vlanAware = &aware
		}
		found[r.Iface] = b
	}
	return found
}

// templateSpecs returns the templates that are to be fetched, and the files that
// have to be there, by where.
func templateSpecs(survey resource.Survey, proposals []providers.Proposal) map[place][]origin {
	specs := map[place][]origin{}
	for _, proposal := range proposals {
		from, _ := originOf(proposal.Want.Want)
		at := place{resource.Text(proposal.Want.Want, "node"), resource.Text(proposal.Want.Want, "storage")}
		if proposal.Addr.Kind == "app" {
			at = place{nodeOf(survey, proposal.Want), storageOf(from.spec)}
		}
		isMeant := proposal.Addr.Kind == "template" || proposal.Addr.Kind == "app" && proposal.Create && isVolumeID(from.spec)
		n := survey.Node(at.node)
		if isMeant && from.attr == "template" && (n == nil || n.Online) {
			specs[at] = append(specs[at], from)
		}
	}
	return specs
}

// askTemplates returns which of the specs nobody could fetch, and which of the
// files are not there. One list of each answers for all of them.
func (p *Provider) askTemplates(ctx context.Context, at place, specs []origin) map[origin]noTemplate {
	index := sync.OnceValues(func() ([]appliance, error) { return p.templates.index(ctx, at.node) })
	files := sync.OnceValues(func() ([]string, error) { return p.templates.files(ctx, at) })
	missing := map[origin]noTemplate{}
	for _, from := range specs {
		var none noTemplate
		if isVolumeID(from.spec) {
			if there, err := files(); err == nil && !slices.Contains(there, from.spec) {
				missing[from] = noTemplate{from.spec, near(from.spec, there)}
			}
		} else if entries, err := index(); err == nil {
			if _, err := inIndex(entries, from.spec); errors.As(err, &none) {
				missing[from] = none
			}
		}
	}
	return missing
}

func comparePlaces(a, b place) int {
	return cmp.Or(strings.Compare(a.node, b.node), strings.Compare(a.storage, b.storage))
}

// askedIDs returns the VMIDs that new containers ask for and that no listed
// guest has: guests of others may be there that we may not see.
func askedIDs(survey resource.Survey, proposals []providers.Proposal) []string {
	listed := map[string]bool{}
	for _, g := range survey.Guests {
		listed[strconv.Itoa(g.ID)] = true
	}
	ids := map[string]bool{}
	for _, proposal := range proposals {
		id := numberText(resource.Attribute(proposal.Want.Want, "vmid"))
		if proposal.Addr.Kind == "app" && proposal.Create && id != "" && !listed[id] {
			ids[id] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// askedHolders returns the containers that have a VMID which a new one asks
// for, and that could be taken over as far as the listing tells.
func askedHolders(survey resource.Survey, proposals []providers.Proposal) []resource.Guest {
	asked := map[string]bool{}
	for _, proposal := range proposals {
		if proposal.Addr.Kind == "app" && proposal.Create {
			asked[numberText(resource.Attribute(proposal.Want.Want, "vmid"))] = true
		}
	}
	var all []resource.Guest
	for _, g := range survey.Guests {
		node := survey.Node(g.Node)
		if asked[strconv.Itoa(g.ID)] && g.Ours == nil && g.Type == "lxc" && !g.Template && node != nil && node.Online {
			all = append(all, g)
		}
	}
	return all
}

// isNobodys reports whether a container can be read and carries no marker.
func (p *Provider) isNobodys(ctx context.Context, g resource.Guest) bool {
	marker, isRead := p.askMarker(ctx, g)
	return isRead && marker == resource.Marker{}
}

// others returns the guests of the survey that are neither known as ours nor
// about to be changed or to go.
func others(survey resource.Survey, proposals []providers.Proposal) []resource.Guest {
	concerned := map[string]bool{}
	for _, proposal := range proposals {
		if !proposal.Create || proposal.Prior != nil {
			concerned[priorID(proposal)] = true
		}
	}
	var all []resource.Guest
	for _, g := range survey.Guests {
		node := survey.Node(g.Node)
		if g.Ours == nil && !concerned[strconv.Itoa(g.ID)] && node != nil && node.Online {
			all = append(all, g)
		}
	}
	return all
}

// priorID returns the VMID that a proposal's container has before the change.
func priorID(proposal providers.Proposal) string {
	if proposal.Prior != nil {
		return proposal.Prior.ID
	}
	return proposal.ID
}
