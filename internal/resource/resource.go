// Package resource holds the nouns of the product: what is wanted (Resource),
// what was made (Object), what is there (Seen), what each of them may hold
// (Schema), and how they differ (Edit). Values are generic cty objects; only
// providers know what they mean.
//
// The words: desired is what the configuration asks for, prior what state
// recorded at the last apply, live what a look at the host finds now.
package resource

import (
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
)

// Resource is one thing that the configuration asks for.
type Resource struct {
	Addr addr.Addr
	Host string // the label of the host block it lives on
	// Want conforms to the kind's Schema. A null attribute is not asked for,
	// an unknown one is told by a step that has not run yet. Sensitive leaves
	// carry the Sensitive mark.
	Want  cty.Value
	Needs []addr.Addr // what has to exist before it, sorted, without repetition
	Life  Lifecycle
	Range hcl.Range // the head of its block
	// At tells where attributes stand in the files, by Path.String. It has no
	// entry for what the configuration does not write.
	At map[string]hcl.Range
}

// Where returns the place of the attribute at path, or of the nearest thing
// around it, at last of the whole block.
func (r Resource) Where(path Path) *hcl.Range {
	for n := len(path); n > 0; n-- {
		if at, ok := r.At[path[:n].String()]; ok {
			return &at
		}
	}
	if r.Range.Filename == "" {
		return nil
	}
	return &r.Range
}

// Lifecycle is what a person said about how a resource may change.
type Lifecycle struct {
	PreventDestroy bool
	IgnoreChanges  []Path // differences at or below these are neither shown nor made
}

// Object is what state knows of a thing that exists: its last applied
// attributes, with the sensitive ones sealed.
type Object struct {
	Addr    addr.Addr
	Host    string
	ID      string      // the host's name for it: a VMID, a job id
	Nonce   string      // tells it from a later thing with the same ID
	Attrs   cty.Value   // conforms to the kind's Schema, including computed attributes
	Needs   []addr.Addr // as they were when it was applied: deletes are ordered by these
	Schema  int         // the Schema version that Attrs conforms to
	Damaged bool        // made only in part; the next plan replaces it
	// Unfinished: its last step failed or was cut short, so that what is not as
	// recorded may never have been made, and nobody changed it.
	Unfinished bool
	// PreventDestroy is remembered, so that taking the block out of the files
	// does not take the protection away with it.
	PreventDestroy bool
	Changed        time.Time // when a step last touched it
	// Kept are the settings that nobody asked for and that were there all the same
	// after the last step, as Seen.Unmanaged has them; in state as Sealer.Lines.
	// What comes to them later was done behind our back.
	Kept []string
}

// Attr returns the object's attribute of that name, or a null value when it
// has none.
func (o *Object) Attr(name string) cty.Value {
	if o == nil || o.Attrs == cty.NilVal {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return Attribute(o.Attrs, name)
}

// Attribute returns an attribute of an object value, or a null value when
// the object is null or has none of that name.
func Attribute(object cty.Value, name string) cty.Value {
	switch {
	case object == cty.NilVal || object.IsNull():
		return cty.NullVal(cty.DynamicPseudoType)
	case !object.IsKnown():
		return cty.DynamicVal
	case !object.Type().IsObjectType() || !object.Type().HasAttribute(name):
		return cty.NullVal(cty.DynamicPseudoType)
	}
	return object.GetAttr(name)
}

// Text returns a string attribute of an object value, or "" when it is null,
// unknown or none.
func Text(object cty.Value, name string) string {
	v, _ := Attribute(object, name).UnmarkDeep()
	if v.IsNull() || !v.IsKnown() || v.Type() != cty.String {
		return ""
	}
	return v.AsString()
}

// Resolver tells what a resource wants, given the objects it refers to. The
// configuration implements it: planning asks with what is known beforehand,
// applying asks again just before the step, when everything is known.
// It is pure and safe for concurrent use.
type Resolver interface {
	Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (Resource, diag.List)
}

// Mark is the type of the marks that values carry through evaluation.
type Mark string

// Sensitive marks values that must never be shown, logged or stored in clear.
const Sensitive = Mark("sensitive")
