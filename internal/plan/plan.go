// Package plan compares what is wanted with what state recorded and what is
// there, and says what to do about it, step by step. It is pure: no clock, no
// network, no files, and equal arguments give equal plans. It owns Change,
// Step and Plan; carrying a plan out is the work of package apply.
package plan

import (
	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/graph"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Action is what happens to one resource. Its rune is the symbol people see.
type Action rune

// The actions. Forget removes from state what is gone already, Adopt records
// what is there and ours but not in state, Keep does nothing.
const (
	Create  Action = '+'
	Update  Action = '~'
	Replace Action = '±'
	Delete  Action = '-'
	Forget  Action = '.'
	Adopt   Action = '<'
	Keep    Action = ' '
)

// Word returns the action as a verb.
func (a Action) Word() string {
	switch a {
	case Create:
		return "create"
	case Update:
		return "update"
	case Replace:
		return "replace"
	case Delete:
		return "delete"
	case Forget:
		return "forget"
	case Adopt:
		return "adopt"
	}
	return "keep"
}

// Puts reports whether the action makes or changes something.
func (a Action) Puts() bool { return a == Create || a == Update || a == Replace || a == Adopt }

// Drops reports whether the action takes something away.
func (a Action) Drops() bool { return a == Delete || a == Forget || a == Replace }

// Change is what a plan does about one resource, and why.
type Change struct {
	Addr   addr.Addr
	Action Action
	Host   string
	ID     string             // that it has, or will have
	Before *resource.Object   // what is recorded; nil for Create
	After  *resource.Resource // what is wanted; nil for Delete and Forget
	Seen   resource.Seen      // what is there
	Edits  []resource.Edit    // for Update, Replace and Adopt
	Why    string             // the reason, where the edits do not say it
	Nonce  string             // of the object that a create makes or an adoption marks
}

// Word returns what one of the change's steps does, as a verb.
func (c *Change) Word(op Op) string {
	if c.Action == Replace {
		return "replace (" + string(op) + ")"
	}
	return c.Action.Word()
}

// Effect returns the heaviest effect of the change's edits.
func (c *Change) Effect() resource.Effect {
	heaviest := resource.Record
	for _, e := range c.Edits {
		heaviest = max(heaviest, e.Effect)
	}
	return heaviest
}

// Op is what a step does: put something in place or drop it.
type Op string

// A Replace is two steps, a Drop and a Put; every other change is one.
const (
	Put  Op = "put"
	Drop Op = "drop"
)

// Step is the unit of work that apply carries out, records and reports.
type Step struct {
	Addr addr.Addr
	Op   Op
}

// String returns the step's address and operation; steps are ordered by it.
func (s Step) String() string { return s.Addr.String() + " " + string(s.Op) }

// Base is what a plan was made from. A plan whose base is no longer so is
// stale.
type Base struct {
	Lineage string `json:"lineage"`
	Serial  uint64 `json:"serial"`
	Config  string `json:"config"` // hash of the configuration's sources
}

// Plan is everything that an apply will do. Changes are in address order and
// have no Keep among them. Diagnostics tell what a person should know before
// agreeing; when they have errors the plan must not be carried out.
type Plan struct {
	Base        Base
	Changes     []Change
	Steps       graph.Graph[Step]
	Diagnostics diag.List
	Kept        int // resources that stay as they are
	Surveys     map[string]resource.Survey
	index       map[addr.Addr]int
}

// Empty reports whether there is nothing to do.
func (p *Plan) Empty() bool { return len(p.Changes) == 0 }

// Change returns the change of a, or nil.
func (p *Plan) Change(a addr.Addr) *Change {
	if i, ok := p.index[a]; ok {
		return &p.Changes[i]
	}
	return nil
}

// Selection narrows a plan. The zero Selection is everything.
type Selection struct {
	Destroy bool        // plan for an empty configuration
	Targets []addr.Addr // only these, and what they need; instances of a block may be meant by its address
	Exclude []addr.Addr // not these, nor what needs them
	Replace []addr.Addr // make these anew even if nothing else asks for it
	// Adopt names by ID what is to be taken over, marker or none.
	Adopt map[addr.Addr]string `json:",omitempty"`
}

// Prior is what state recorded.
type Prior struct {
	Lineage string
	Serial  uint64
	Objects map[addr.Addr]resource.Object
	Seal    resource.Sealer
}

// Input is everything that a plan depends on. Resolver may be nil when Desired
// is empty. Seen must have an entry for each of Desired and Prior; what has
// none is Unknown.
type Input struct {
	Kinds    map[string]*resource.Kind
	Desired  []resource.Resource
	Resolver resource.Resolver
	Config   string // hash of the sources of Desired
	Prior    Prior
	Seen     map[addr.Addr]resource.Seen
	Surveys  map[string]resource.Survey
	Select   Selection
}
