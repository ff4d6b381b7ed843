package plan

import (
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// holdBack keeps a change out of the plan when it cannot be made without
// something that may not be there and that this plan does not make.
func (p *planner) holdBack(c *Change) {
	present := c.Action == Update || c.Action == Adopt
	if !c.Action.Puts() || present && c.After.Want.IsWhollyKnown() {
		return
	}
	for _, need := range c.After.Needs {
		if p.missing[need] {
			c.Action, p.missing[c.Addr] = Keep, c.Before == nil
			p.say(diag.Warningf(c.After.Where(nil), c.Addr.String()+" is held back", "it needs %s, which could not be looked at", need))
			return
		}
	}
}

// guard refuses changes that must not be made.
func (p *planner) guard(c *Change) {
	for _, e := range c.Edits {
		if e.Effect == resource.Refused {
			d := diag.Errorf(c.After.Where(e.Path), fmt.Sprintf("%s cannot be changed on %s", e.Path, c.Addr), "%s", e.Reason)
			d.Hint = e.Hint
			p.say(d)
		}
	}
	if c.Seen.Unmarked && c.Effect() == resource.Replace {
		p.say(diag.Errorf(c.After.Where(nil), "cannot take over "+c.Addr.String(), "it would have to be replaced: %s", c.forces()).
			WithHint("write what is there, or leave the block out and let adopt write it"))
	}
	if c.Action == Replace && (c.After.Life.PreventDestroy || c.Before != nil && c.Before.PreventDestroy) {
		p.say(diag.Errorf(c.After.Where(nil), c.Addr.String()+" is protected by prevent_destroy",
			"the plan would replace it: %s", c.Reason()).
			WithHint("undo the change, or take prevent_destroy out of its lifecycle block"))
	}
}

// Reason says why the change is made, where one can be named: why it is
// created again or replaced.
func (c *Change) Reason() string {
	if c.Why != "" || c.Action != Replace {
		return c.Why
	}
	return c.forces()
}

// forces names the edits that nothing but a replacement can make.
func (c *Change) forces() string {
	var forces []string
	for _, e := range c.Edits {
		if e.Effect == resource.Replace {
			forces = append(forces, strings.TrimSuffix(e.Path.String()+": "+e.Reason, ": "))
		}
	}
	return strings.Join(forces, "; ")
}
