package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// place is an ID on a host.
type place struct{ host, id string }

// reserve takes all IDs out of play that something has or asks for.
func (p *planner) reserve() {
	for _, o := range p.Prior.Objects {
		p.take(o.Host, o.ID)
	}
	for _, r := range p.Desired {
		if id := askedID(r); id != "" {
			p.take(r.Host, id)
			p.asked[place{r.Host, id}] = true
		}
	}
}

// number chooses the IDs of what was never made, in the order of addresses
// and not of needs, so that people find them in the order they expect.
func (p *planner) number(desired map[addr.Addr]resource.Resource) {
	for _, a := range sorted(desired) {
		r, kind := desired[a], p.Kinds[a.Kind]
		_, isRecorded := p.Prior.Objects[a]
		if isRecorded || kind.ID != nil || kind.Lasting || !p.chosen(a) || askedID(r) != "" || p.Seen[a].Presence != resource.Gone {
			continue
		}
		if id, found := p.nextFree(r.Host); found {
			p.chosenIDs[a] = id
			p.take(r.Host, id)
		}
	}
}

// nextFree returns the next ID of a host that nothing has or will have.
func (p *planner) nextFree(host string) (string, bool) {
	if p.free[host] == nil {
		if p.taken[host] == nil {
			p.taken[host] = map[string]bool{}
		}
		survey := p.Surveys[host]
		p.free[host] = survey.FreeIDs(p.taken[host])
	}
	return p.free[host]()
}

func (p *planner) take(host, id string) {
	if p.taken[host] == nil {
		p.taken[host] = map[string]bool{}
	}
	p.taken[host][id] = true
}

// askedID returns the ID that a resource itself asks for, or "".
func askedID(r resource.Resource) string {
	v := resource.Attribute(r.Want, "vmid")
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		return ""
	}
	return v.AsBigFloat().Text('f', 0)
}

func (p *planner) create(c *Change, kind *resource.Kind, why string) {
	c.Action, c.Why = Create, why
	survey := p.Surveys[c.Host]
	asked := askedID(*c.After)
	switch {
	case asked != "":
		c.ID = asked
	case kind.ID != nil:
		c.ID = kind.ID(p.Prior.Lineage, c.Addr)
	case kind.Lasting:
		c.ID = c.Addr.Part
	case c.Before != nil && c.Seen.Presence == resource.Gone && c.Before.Host == c.Host && !p.asked[place{c.Host, c.Before.ID}]:
		c.ID = c.Before.ID
	case p.chosenIDs[c.Addr] != "":
		c.ID = p.chosenIDs[c.Addr]
	default:
		id, found := p.nextFree(c.Host)
		if !found {
			p.say(diag.Errorf(c.After.Where(nil), "no VMID is free for "+c.Addr.String(),
				"host %q has all of %d-%d in use", c.Host, survey.Range.Low, survey.Range.High).
				WithHint("widen vmid_range in host %q", c.Host))
		}
		c.ID = id
	}
	p.take(c.Host, c.ID)
	c.Nonce = p.nonce(c)
}

// nonce tells this creation from every other of the same address and ID: the
// serial is different in every run that changed something.
func (p *planner) nonce(c *Change) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s\n%d\n%s\n%s", p.Prior.Lineage, p.Prior.Serial, c.Addr, c.ID))
	return hex.EncodeToString(sum[:8])
}
