package resource

import (
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
)

// Kind is one sort of resource that a provider can make: what it may hold
// and, as pure functions, how the host treats it.
type Kind struct {
	Name    string // the first word of its addresses
	Version int    // of Schema; raised when recorded attributes change their form
	Schema  Block
	// ID names a new object on the host. Nil: a number from the host's range,
	// or the one that the attribute "vmid" asks for.
	ID func(lineage string, a addr.Addr) string
	// Lasting things are shared with others and never dropped: a template
	// stays where it was downloaded to. They are not recorded in state.
	Lasting bool
	// Rolling kinds name others that do one job together, such as the guests of
	// one backup policy: they are interrupted one after the other.
	Rolling bool
	// Hostless things lie on no host, and are made by the program itself: they
	// are just what is recorded of them. Their host is NoHost.
	Hostless bool
	// Implies returns further resources that one needs and that nobody writes:
	// the template a container is made from. It gets the resource as wanted,
	// possibly with unknown parts. Nil: none.
	Implies func(want Resource) []Resource
	// Foresee returns the computed attributes that are known before a create
	// or a change: a VMID, a static address. Others are unknown till then.
	Foresee func(want cty.Value, id string) map[string]cty.Value
	// Judge tells what it takes to make one edit. Nil: every edit is Live.
	Judge func(e Edit, want Resource, live Seen) Verdict
	// Migrate brings recorded attributes of an older Version, as plain JSON
	// values, to the form of the next one. Nil while Version is 1.
	Migrate func(version int, attrs map[string]any) map[string]any
}

// NoHost is what Hostless things have for a host. No host block can have this
// name.
const NoHost = "-"

// Block describes the attributes and nested blocks of a kind, or of one of
// its nested blocks.
type Block struct {
	Doc    string
	Attrs  map[string]*Attr
	Blocks map[string]*Nested
}

// Nested is a block inside a block. Without Labelled there is at most one, an
// object that may be null; with it there is a map of objects by label.
type Nested struct {
	Block
	Labelled bool
	// DefaultLabel stands in for a label that is left out. Empty: the label
	// is required.
	DefaultLabel string
	// CheckLabel returns what is wrong with a label, or "", as Attr.Check does.
	CheckLabel func(label string) string
}

// Role says who sets an attribute.
type Role int

// Optional attributes may be set by people, Required ones must be, Computed
// ones are set by the provider and can only be read.
const (
	Optional Role = iota
	Required
	Computed
)

// Unit says how people write a number.
type Unit int

// A Size is bytes, written "512MiB"; a Duration is seconds, written "90s".
const (
	Plain Unit = iota
	Size
	Duration
)

// Attr describes one attribute.
type Attr struct {
	Doc     string
	Type    cty.Type
	Role    Role
	Unit    Unit      // only for numbers
	Default cty.Value // taken when the configuration does not say; NilVal: none
	// HostDefault names the attribute of the host's defaults block that is taken
	// before Default. Empty: none. Sets are joined with it.
	HostDefault string
	// Refers marks an attribute that people set to whole resources of that kind
	// (or lists and maps of them) and that holds their IDs.
	Refers string
	// Sensitive values are sealed in state and never shown, whoever marked them.
	// Of those that are Computed, which nobody else knows, state keeps the value
	// itself: see Block.HasSecret.
	Sensitive bool
	// Renewed values are Computed ones that every change makes anew, if it is more
	// than a record.
	Renewed bool
	// Shared sets have members of others, which are kept.
	Shared bool
	// AtCreate values cannot be read back from the host. They are compared
	// with what was applied last.
	AtCreate bool
	// Ours values steer the program and are unknown to the host: changing one
	// only changes what is recorded.
	Ours bool
	// Judged lets Kind.Judge tell what a change of an Ours value takes, for one
	// that sets something off.
	Judged bool
	// Check returns what is wrong with a known value that is not null, or "": a
	// sentence, or its end ("must …" after the attribute's name, "is …" after
	// the value).
	Check func(cty.Value) string
	// Same reports whether two known values that are not null mean the same.
	// Nil: when they are equal.
	Same func(a, b cty.Value) bool
}

// Type returns the type of the values that conform to the block: an object
// with every attribute, an object for each single block and a map of objects
// for each labelled one.
func (b *Block) Type() cty.Type {
	types := make(map[string]cty.Type, len(b.Attrs)+len(b.Blocks))
	for name, a := range b.Attrs {
		types[name] = a.Type
	}
	for name, n := range b.Blocks {
		types[name] = n.Type()
	}
	return cty.Object(types)
}

// Type returns the type of the values that conform to the nested block.
func (n *Nested) Type() cty.Type {
	if n.Labelled {
		return cty.Map(n.Block.Type())
	}
	return n.Block.Type()
}

// AttrNames returns the names of the attributes, sorted.
func (b *Block) AttrNames() []string { return slices.Sorted(maps.Keys(b.Attrs)) }

// BlockNames returns the names of the nested blocks, sorted.
func (b *Block) BlockNames() []string { return slices.Sorted(maps.Keys(b.Blocks)) }

// Value returns an object of the block's type with the given attributes and
// blocks; the others are null.
func (b *Block) Value(set map[string]cty.Value) cty.Value {
	all := make(map[string]cty.Value, len(b.Attrs)+len(b.Blocks))
	fill := func(name string, typeOf func() cty.Type) {
		if v, ok := set[name]; ok && v != cty.NilVal {
			all[name] = v
		} else {
			all[name] = cty.NullVal(typeOf())
		}
	}
	for name, a := range b.Attrs {
		fill(name, func() cty.Type { return a.Type })
	}
	for name, n := range b.Blocks {
		fill(name, n.Type) // types of whole blocks take a while to put together
	}
	return cty.ObjectVal(all)
}

// Readable returns attributes as references and outputs see them: what is
// recorded, and where nothing is, what the kind knows all the same, such as a
// host name that nobody chose.
func (k *Kind) Readable(attrs cty.Value, id string) cty.Value {
	if k.Foresee == nil || attrs == cty.NilVal || attrs.IsNull() {
		return attrs
	}
	all := attrs.AsValueMap()
	for name, v := range k.Foresee(attrs, id) {
		if all[name].IsNull() && v.IsKnown() {
			all[name] = v
		}
	}
	return cty.ObjectVal(all)
}

// Readable returns every object's attributes as references see them.
func Readable(kinds map[string]*Kind, objects map[addr.Addr]Object) map[addr.Addr]cty.Value {
	values := make(map[addr.Addr]cty.Value, len(objects))
	for a, o := range objects {
		if kind := kinds[a.Kind]; kind != nil {
			values[a] = kind.Readable(o.Attrs, o.ID)
		}
	}
	return values
}
