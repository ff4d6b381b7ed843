package plan

import (
	"slices"

	"github.com/proximity-cli/proximity/internal/addr"
)

// addSteps turns changes into steps and orders them:
//
//  1. a put comes after the puts of what it needs;
//  2. a drop comes after the drops of what needed it, as recorded in state,
//     unless the records need each other in a circle;
//  3. a replace drops before it puts;
//  4. a put comes after the drop of what has its ID;
//  5. who no longer needs a thing lets go before it is dropped, unless that
//     closes a cycle.
func addSteps(p *Plan) {
	for _, c := range p.Changes {
		if c.Action.Drops() {
			p.Steps.Add(Step{c.Addr, Drop})
		}
		if c.Action.Puts() {
			p.Steps.Add(Step{c.Addr, Put})
		}
	}
	holders := map[place]addr.Addr{}
	for _, c := range p.Changes {
		if c.Action.Drops() && c.Before != nil {
			holders[place{c.Before.Host, c.Before.ID}] = c.Addr
		}
	}
	for _, c := range p.Changes {
		put, drop := Step{c.Addr, Put}, Step{c.Addr, Drop}
		p.Steps.Wait(put, drop)
		if holder, held := holders[place{c.Host, c.ID}]; held && c.Action.Puts() {
			p.Steps.Wait(put, Step{holder, Drop})
		}
		for _, need := range c.needsAfter() {
			p.Steps.Wait(put, Step{need, Put})
		}
		for _, need := range c.needsBefore() {
			p.Steps.Prefer(Step{need, Drop}, drop)
		}
	}
	p.Steps.Settle() // before the weaker wish to let go first could break these
	for _, c := range p.Changes {
		for _, need := range c.needsBefore() {
			if !slices.Contains(c.needsAfter(), need) {
				p.Steps.Prefer(Step{need, Drop}, Step{c.Addr, Put})
			}
		}
	}
	p.Steps.Settle()
}

func (c *Change) needsAfter() []addr.Addr {
	if c.After == nil {
		return nil
	}
	return c.After.Needs
}

func (c *Change) needsBefore() []addr.Addr {
	if c.Before == nil {
		return nil
	}
	return c.Before.Needs
}
