package ui

import (
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Object returns what is recorded of a thing, an attribute a line. Sensitive
// values are not shown; they are sealed anyway.
func Object(o resource.Object, kind *resource.Kind, st Style) string {
	var b strings.Builder
	where := o.ID + " on " + o.Host
	if o.Host == resource.NoHost {
		where = ""
	}
	b.WriteString(st.paint(bold, o.Addr.String()) + inBrackets(where) + "\n")
	if o.Damaged {
		b.WriteString("    " + st.paint(danger, "made only in part: the next apply makes it anew") + "\n")
	}
	writeEdits(&b, attributes(nil, &kind.Schema, o.Attrs), plan.Create.Word(), st)
	if len(o.Needs) > 0 {
		var needs []string
		for _, need := range o.Needs {
			needs = append(needs, need.String())
		}
		b.WriteString(wrap("needs "+strings.Join(needs, ", "), "    ", st.width()))
	}
	return b.String()
}

// attributes returns all that an object sets, as the edits that would set it.
func attributes(path resource.Path, block *resource.Block, v cty.Value) []plan.DocumentEdit {
	var all []plan.DocumentEdit
	for _, name := range block.AttrNames() {
		a, part := block.Attrs[name], resource.Attribute(v, name)
		if part.IsNull() {
			continue
		}
		all = append(all, plan.DocumentEdit{
			Path: path.With(name), New: shown(part, a.Sensitive), Unit: unitOf(a),
		})
	}
	for _, name := range block.BlockNames() {
		nested, part := block.Blocks[name], resource.Attribute(v, name)
		switch {
		case part.IsNull() || !part.IsKnown():
		case nested.Labelled:
			elements := part.AsValueMap()
			for _, label := range slices.Sorted(maps.Keys(elements)) {
				all = append(all, attributes(path.With(name).With(label), &nested.Block, elements[label])...)
			}
		default:
			all = append(all, attributes(path.With(name), &nested.Block, part)...)
		}
	}
	return all
}

func unitOf(a *resource.Attr) string {
	switch a.Unit {
	case resource.Size:
		return "bytes"
	case resource.Duration:
		return "seconds"
	}
	return ""
}

// Value returns a value as it would stand in a configuration, on one line.
func Value(v cty.Value) string {
	plain, _ := v.UnmarkDeep()
	if plain.IsNull() {
		return literal(nil)
	}
	return valueOf(shown(v, false), "").inline()
}

// shown returns what may be shown of a value that is not null.
func shown(v cty.Value, sensitive bool) *plan.DocumentValue {
	sensitive = sensitive || v.ContainsMarked() || containsSealed(v)
	v, _ = v.UnmarkDeep()
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil { // parts of it are unknown
		return &plan.DocumentValue{Unknown: true, Sensitive: sensitive}
	}
	return &plan.DocumentValue{JSON: text, Sensitive: sensitive}
}

// containsSealed reports whether state keeps any part of a value sealed.
func containsSealed(v cty.Value) bool {
	sealed := false
	_ = cty.Walk(v, func(_ cty.Path, part cty.Value) (bool, error) { // the callback never errs
		sealed = sealed || resource.IsSealed(part)
		return !sealed, nil
	})
	return sealed
}
