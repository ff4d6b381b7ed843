package plan

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/graph"
	"github.com/proximity-cli/proximity/internal/resource"
)

// New compares what is wanted with what was recorded and what is there. It
// visits resources after all they need, so that what one tells of itself
// beforehand (its VMID, a static address) is known to the next.
func New(in Input) *Plan {
	p := &planner{
		Input:     in,
		known:     map[addr.Addr]cty.Value{},
		taken:     map[string]map[string]bool{},
		free:      map[string]func() (string, bool){},
		asked:     map[place]bool{},
		chosenIDs: map[addr.Addr]string{},
		missing:   map[addr.Addr]bool{},
		plan: &Plan{
			Base:    Base{Lineage: in.Prior.Lineage, Serial: in.Prior.Serial, Config: in.Config},
			Surveys: in.Surveys,
		},
	}
	if in.Select.Destroy {
		p.Desired = nil
	}
	desired := make(map[addr.Addr]resource.Resource, len(p.Desired))
	for _, r := range p.Desired {
		desired[r.Addr] = r
	}
	p.chosen = choose(in.Select, desired, in.Prior.Objects)
	p.reserve()
	p.number(desired)
	for _, a := range p.inOrder(desired) {
		p.put(a)
	}
	for _, a := range sorted(in.Prior.Objects) {
		if _, wanted := desired[a]; !wanted {
			p.drop(in.Prior.Objects[a])
		}
	}
	p.finish()
	return p.plan
}

type planner struct {
	Input
	chosen func(addr.Addr) bool
	known  map[addr.Addr]cty.Value
	taken  map[string]map[string]bool       // by host: IDs that no new object may have
	free   map[string]func() (string, bool) // by host: the next ID that is free
	asked  map[place]bool                   // IDs that resources ask for themselves
	// chosenIDs are the IDs of what was never made before.
	chosenIDs map[addr.Addr]string
	// missing holds what may not be there: it was never made, and could not be
	// looked at.
	missing map[addr.Addr]bool
	blind   []blindness
	plan    *Plan
}

// inOrder returns the wanted addresses so that each comes after its needs.
func (p *planner) inOrder(desired map[addr.Addr]resource.Resource) []addr.Addr {
	var g graph.Graph[addr.Addr]
	for a, r := range desired {
		g.Add(a)
		for _, need := range r.Needs {
			g.Wait(a, need)
		}
	}
	order, cycle := g.Order()
	if cycle != nil {
		d := diag.Errorf(nil, "resources need each other", "no order can make them")
		for _, a := range cycle {
			d.Trail = append(d.Trail, diag.Place{Text: a.String(), Range: desired[a].Range})
		}
		p.say(d)
	}
	return order
}

// put plans one wanted resource.
func (p *planner) put(a addr.Addr) {
	seen := p.Seen[a]
	prior, isRecorded := p.Prior.Objects[a]
	if !p.chosen(a) {
		if isRecorded {
			p.known[a] = p.Kinds[a.Kind].Readable(prior.Attrs, prior.ID)
		}
		return
	}
	want, problems := p.Resolver.Resolve(a, p.known)
	p.plan.Diagnostics = append(p.plan.Diagnostics, problems...)
	if problems.HasErrors() {
		return
	}
	c := Change{Addr: a, Host: want.Host, After: &want, Seen: seen}
	if isRecorded {
		c.Before = &prior
	}
	p.decide(&c)
	p.holdBack(&c)
	p.guard(&c)
	for _, note := range seen.Notes {
		note.Subject = want.Where(nil)
		p.say(note)
	}
	if c.Action != Keep {
		p.add(c)
	} else if !p.Kinds[a.Kind].Lasting && seen.Presence != resource.Unknown {
		p.plan.Kept++
	}
	p.known[a] = p.expected(&c)
}

// decide chooses the action of a change to something wanted.
func (p *planner) decide(c *Change) {
	kind := p.Kinds[c.Addr.Kind]
	adopted := p.Select.Adopt[c.Addr]
	switch {
	case adopted != "" && c.Before != nil && c.Before.ID != adopted:
		c.Action = Keep
		p.say(diag.Errorf(c.After.Where(nil), "cannot take over "+c.Addr.String(), "it is recorded already, as %s on host %q", c.Before.ID, c.Before.Host).
			WithHint("choose another address, or take its block out and apply first"))
	case c.Seen.Presence == resource.Unknown:
		c.Action = Keep
		p.missing[c.Addr] = c.Before == nil
		p.unseen(c.After.Where(nil), c.Addr, c.Seen, leftAlone)
	case c.Seen.Presence == resource.Present && c.Before != nil && c.Before.Host != c.Host:
		p.create(c, kind, fmt.Sprintf("it moves from host %q to host %q, and guests cannot", c.Before.Host, c.Host))
		c.Action = Replace
	case c.Seen.Presence == resource.Present:
		p.compare(c, kind)
	case c.Before == nil && adopted != "":
		c.Action = Keep
		why := c.Seen.Why
		if why == "" {
			why = fmt.Sprintf("%s is not on host %q", adopted, c.Host)
		}
		p.say(diag.Errorf(c.After.Where(nil), "cannot take over "+c.Addr.String(), "%s", why))
	case c.Before == nil && c.Seen.Presence == resource.Stranger:
		c.Action = Keep
		p.say(diag.Errorf(c.After.Where(nil), "the place of "+c.Addr.String()+" is taken", "%s", c.Seen.Why))
	case c.Before == nil:
		p.create(c, kind, "")
	case c.Seen.Presence == resource.Stranger:
		p.create(c, kind, fmt.Sprintf("%s %s on the host is not ours (%s)", c.Addr.Kind, c.Before.ID, c.Seen.Why))
	default:
		p.create(c, kind, fmt.Sprintf("%s is gone from the host", c.Before.ID))
	}
}

func (p *planner) compare(c *Change, kind *resource.Kind) {
	c.ID = c.Seen.Object.ID
	if kind.Lasting {
		c.Action = Keep
		return
	}
	c.Edits = resource.Diff(kind, c.Before, *c.After, c.Seen, p.Prior.Seal)
	if c.Before != nil && c.Before.Unfinished { // what is left to do was changed by nobody
		for i := range c.Edits {
			c.Edits[i].Cause = resource.Config
		}
	}
	switch {
	case c.Before != nil && c.Before.Damaged:
		c.Action, c.Why = Replace, "it was made only in part"
	case includes(p.Select.Replace, c.Addr):
		c.Action, c.Why = Replace, "asked for with --replace"
	case c.Seen.Unmarked:
		c.Action, c.Nonce = Adopt, p.nonce(c)
	case c.Effect() == resource.Replace:
		c.Action = Replace
	case c.Before == nil:
		c.Action = Adopt
	case len(c.Edits) > 0:
		c.Action = Update
	case c.Seen.Renamed:
		c.Action, c.Why = Update, "its marker on the host gets its new address"
	case c.Before.Unfinished:
		c.Action, c.Why = Update, "its last step is recorded as done"
	case c.Before.PreventDestroy != c.After.Life.PreventDestroy:
		c.Action, c.Why = Update, "prevent_destroy is recorded anew"
	case !slices.Equal(c.Before.Needs, c.After.Needs):
		c.Action, c.Why = Update, "what it needs is recorded anew"
	default:
		c.Action = Keep
	}
	if c.Action == Replace {
		c.ID = cmp.Or(askedID(*c.After), c.ID)
		c.Nonce = p.nonce(c)
	}
}

// expected returns what others may know of a resource while this plan is
// being made: what is wanted, and of the computed attributes those that are
// known beforehand or stay as they are.
func (p *planner) expected(c *Change) cty.Value {
	kind := p.Kinds[c.Addr.Kind]
	if c.Seen.Presence == resource.Unknown && c.Before != nil {
		return kind.Readable(c.Before.Attrs, c.Before.ID)
	}
	want := c.After.Want // with its marks: who refers to a secret shows none
	live := c.Seen.Object.Attrs
	fresh := c.Action == Create || c.Action == Replace || live == cty.NilVal
	set := map[string]cty.Value{}
	if kind.Foresee != nil && c.ID != "" { // without an ID it is not about to be made
		plain, _ := want.UnmarkDeep()
		set = kind.Foresee(plain, c.ID)
	}
	for name, a := range kind.Schema.Attrs {
		if _, foreseen := set[name]; foreseen {
			continue
		}
		v := resource.Attribute(want, name)
		switch {
		case !v.IsNull():
			set[name] = v
		case !fresh && !c.renews(a):
			set[name] = resource.Attribute(live, name)
		case a.Role == resource.Computed:
			set[name] = cty.UnknownVal(a.Type)
		}
	}
	for name := range kind.Schema.Blocks {
		set[name] = resource.Attribute(want, name)
	}
	for name, v := range set {
		if v.IsNull() {
			delete(set, name)
		}
	}
	return kind.Schema.Value(set)
}

// drop plans for something that is recorded but no longer wanted.
func (p *planner) drop(o resource.Object) {
	if !p.chosen(o.Addr) {
		return
	}
	c := Change{Addr: o.Addr, Host: o.Host, ID: o.ID, Before: &o, Seen: p.Seen[o.Addr]}
	switch c.Seen.Presence {
	case resource.Unknown:
		p.unseen(nil, o.Addr, c.Seen, neverDropped)
		return
	case resource.Gone:
		c.Action, c.Why = Forget, "it is gone from the host already"
	case resource.Stranger:
		c.Action, c.Why = Forget, fmt.Sprintf("%s on the host is not ours (%s) and stays", o.ID, c.Seen.Why)
	case resource.Present:
		c.Action = Delete
		if !p.Select.Destroy {
			c.Why = "it is no longer in the configuration"
		}
		if o.PreventDestroy {
			p.say(diag.Errorf(nil, o.Addr.String()+" is protected by prevent_destroy", "the plan would delete it").
				WithHint("apply once with prevent_destroy = false in its lifecycle block, then remove it"))
		}
	}
	p.add(c)
}

func (p *planner) add(c Change) { p.plan.Changes = append(p.plan.Changes, c) }

func (p *planner) say(d diag.Diagnostic) { p.plan.Diagnostics = append(p.plan.Diagnostics, d) }

// finish puts the changes in order, indexes them and makes the steps.
func (p *planner) finish() {
	p.leaveOut()
	p.sayUnseen()
	if !p.Select.Destroy {
		for _, host := range slices.Sorted(maps.Keys(p.Surveys)) {
			p.plan.Diagnostics = append(p.plan.Diagnostics, p.Surveys[host].Notes...)
		}
	}
	slices.SortFunc(p.plan.Changes, func(a, b Change) int { return addr.Compare(a.Addr, b.Addr) })
	p.plan.index = make(map[addr.Addr]int, len(p.plan.Changes))
	for i, c := range p.plan.Changes {
		p.plan.index[c.Addr] = i
	}
	addSteps(p.plan, p.groups())
}

// groups returns what does one job together, as wanted.
func (p *planner) groups() [][]addr.Addr {
	var groups [][]addr.Addr
	for _, r := range p.Desired {
		if kind := p.Kinds[r.Addr.Kind]; kind != nil && kind.Rolling && len(r.Needs) > 1 {
			groups = append(groups, r.Needs)
		}
	}
	return groups
}

// leaveOut takes out lasting things that only what is there already was made
// from: nobody misses them, and they may not be had any more.
func (p *planner) leaveOut() {
	isNeeded, isMissed := map[addr.Addr]bool{}, map[addr.Addr]bool{} // missed: something is about to be made from it
	for _, r := range p.Desired {
		for _, need := range r.Needs {
			isNeeded[need] = true
		}
	}
	for _, c := range p.plan.Changes {
		if c.Action == Create || c.Action == Replace {
			for _, need := range c.After.Needs {
				isMissed[need] = true
			}
		}
	}
	p.plan.Changes = slices.DeleteFunc(p.plan.Changes, func(c Change) bool {
		return p.Kinds[c.Addr.Kind].Lasting && isNeeded[c.Addr] && !isMissed[c.Addr]
	})
}

func sorted[V any](m map[addr.Addr]V) []addr.Addr {
	return slices.SortedFunc(maps.Keys(m), addr.Compare)
}
