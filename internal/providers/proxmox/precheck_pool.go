package proxmox

import (
	"context"
	"fmt"
	"slices"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// wantedPool is the pool that a proposal puts a container into, or lets a
// backup job cover, "" for none or for the one it names already.
func wantedPool(proposal providers.Proposal) string {
	if proposal.Delete || !proposal.Create && !changes(proposal, "pool") {
		return ""
	}
	return resource.Text(proposal.Want.Want, "pool")
}

// askPools lists the pools that may be seen: those with Pool.Audit. Without an
// answer it is nil.
func (p *Provider) askPools(ctx context.Context) []string {
	var rows []struct{ PoolID string }
	if p.Client.Read(ctx, "/pools", nil, &rows) != nil {
		return nil
	}
	names := []string{}
	for _, r := range rows {
		names = append(names, r.PoolID)
	}
	return names
}

// pools requires the pools that are asked for. One that is not listed may be
// there all the same where the token may not see pools.
func (c *checker) pools(proposals []providers.Proposal) {
	if c.answers.pools == nil {
		return
	}
	for _, proposal := range proposals {
		name := wantedPool(proposal)
		if name == "" || slices.Contains(c.answers.pools, name) || !c.isRoot && !c.answers.rights.has("/pool/"+name, "Pool.Audit") {
			continue
		}
		hint := "pvesh create /pools --poolid " + quoted(name)
		if len(c.answers.pools) > 0 {
			hint = fmt.Sprintf("pool = %q\nor on a node:\n%s", nearest(name, c.answers.pools), hint)
		}
		c.err(proposal.Want.Where(resource.Path{"pool"}), fmt.Sprintf("there is no pool %q", name), hint,
			"host %q has %s", c.survey.Host, listed(near(name, c.answers.pools)))
	}
}
