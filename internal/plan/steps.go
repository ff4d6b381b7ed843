package plan

import (
	"slices"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// addSteps turns changes into steps and orders them:
//
//  1. a put comes after the puts of what it needs;
//  2. a drop comes after the drops of what needed it, as recorded in state,
//     unless the records need each other in a circle;
//  3. a replace drops before it puts;
//  4. a put comes after the drop of what has its ID;
//  5. who no longer needs a thing lets go before it is dropped, unless that
//     closes a cycle;
//  6. of a group that does one job together only one is interrupted at a time,
//     in the order of their addresses, unless that closes a cycle. So a change
//     that one does not survive never gets to the others.
func addSteps(p *Plan, groups [][]addr.Addr) {
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
	for _, group := range groups {
		p.roll(group)
	}
	p.Steps.Settle()
}

// roll lets the interruptions of a group come one after the other.
func (p *Plan) roll(group []addr.Addr) {
	var before addr.Addr
	for _, a := range group {
		if c := p.Change(a); c == nil || c.Action != Update && c.Action != Adopt || !c.interrupts() {
			continue
		}
		if before != (addr.Addr{}) {
			p.Steps.Prefer(Step{a, Put}, Step{before, Put})
		}
		before = a
	}
}

// interrupts reports whether any edit of the change stops a running guest.
func (c *Change) interrupts() bool {
	return slices.ContainsFunc(c.Edits, func(e resource.Edit) bool { return e.Effect.Interrupts() })
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
