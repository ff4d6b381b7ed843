package resource

import (
	"maps"

	"github.com/zclconf/go-cty/cty"
)

// Merge returns what to record of an object after a change that may have been
// made in part: what was applied before, and what the change was adding to it.
// So whatever of the two is there counts as ours, and a later plan can take it
// away. Both conform to the block; null stands for nothing.
func Merge(b *Block, before, adding cty.Value) cty.Value {
	if before == cty.NilVal || before.IsNull() {
		return adding
	}
	if adding == cty.NilVal || adding.IsNull() {
		return before
	}
	set := map[string]cty.Value{}
	for name, a := range b.Attrs {
		set[name] = mergeAttr(a, Attribute(before, name), Attribute(adding, name))
	}
	for name, n := range b.Blocks {
		set[name] = mergeNested(n, Attribute(before, name), Attribute(adding, name))
	}
	maps.DeleteFunc(set, func(_ string, v cty.Value) bool { return v.IsNull() })
	return b.Value(set)
}

func mergeAttr(a *Attr, before, adding cty.Value) cty.Value {
	switch {
	case before.IsNull():
		return adding
	case a.Shared && !adding.IsNull() && before.LengthInt()+adding.LengthInt() > 0:
		return cty.SetVal(append(before.AsValueSlice(), adding.AsValueSlice()...))
	}
	return before
}

func mergeNested(n *Nested, before, adding cty.Value) cty.Value {
	if !n.Labelled || before.IsNull() || adding.IsNull() {
		return Merge(&n.Block, before, adding)
	}
	all := elements(before)
	for label, part := range elements(adding) {
		if was, ok := all[label]; ok {
			part = Merge(&n.Block, was, part)
		}
		all[label] = part
	}
	if len(all) == 0 {
		return before
	}
	return cty.MapVal(all)
}
