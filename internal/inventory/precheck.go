package inventory

import (
	"context"
	"maps"
	"slices"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
)

// Precheck asks the providers what of a plan would fail on their hosts, before
// anything of it is carried out. Hosts with nothing to do are not asked.
func Precheck(ctx context.Context, set providers.Set, p *plan.Plan) diag.List {
	proposals := map[string][]providers.Proposal{}
	for _, c := range p.Changes {
		if proposal, proposes := proposalOf(c); proposes {
			proposals[c.Host] = append(proposals[c.Host], proposal)
		}
	}
	var found diag.List
	for _, host := range slices.Sorted(maps.Keys(proposals)) {
		if checker, ok := set[host].(providers.Prechecker); ok {
			found = append(found, checker.Precheck(ctx, p.Surveys[host], proposals[host])...)
		}
	}
	return found
}

// proposalOf returns what a change asks of its host; to forget asks nothing.
func proposalOf(c plan.Change) (providers.Proposal, bool) {
	proposal := providers.Proposal{Addr: c.Addr, ID: c.ID, Prior: c.Before, Live: c.Seen.Object.Attrs, Edits: c.Edits}
	switch {
	case c.Action.Puts():
		proposal.Create = c.Action == plan.Create || c.Action == plan.Replace
		proposal.Want = *c.After
		if c.Action == plan.Create {
			proposal.Prior = nil // what was recorded is gone, or somebody else's
		}
	case c.Action == plan.Delete:
		proposal.Delete = true
	default:
		return proposal, false
	}
	return proposal, true
}
