package apply

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

func TestContradiction(t *testing.T) {
	type object = map[string]cty.Value
	text, unknown, null := cty.StringVal, cty.UnknownVal(cty.String), cty.NullVal(cty.String)
	pair := func(a, b cty.Value) cty.Value { return cty.ObjectVal(object{"a": a, "b": b}) }
	parts := func(m object) cty.Value {
		if len(m) == 0 {
			return cty.MapValEmpty(cty.Object(map[string]cty.Type{"a": cty.String, "b": cty.String}))
		}
		return cty.MapVal(m)
	}
	for _, c := range []struct {
		name           string
		planned, final cty.Value
		want           resource.Path // nil: the plan was kept
	}{
		{"as planned", pair(text("x"), null), pair(text("x"), null), nil},
		{"what was unknown may be anything", pair(unknown, unknown), pair(text("x"), null), nil},
		{"another value", pair(text("x"), unknown), pair(text("y"), text("z")), resource.Path{"a"}},
		{"a value where none was planned", pair(null, unknown), pair(text("x"), text("z")), resource.Path{"a"}},
		{"no value where one was planned", pair(text("x"), unknown), pair(null, text("z")), resource.Path{"a"}},
		{"the first of several, by name", pair(text("x"), text("x")), pair(text("y"), text("y")), resource.Path{"a"}},
		{"a mark is no difference", pair(text("x").Mark(resource.Sensitive), unknown), pair(text("x"), text("z")), nil},
		{"a marked value that differs", pair(text("x").Mark(resource.Sensitive), unknown), pair(text("y").Mark(resource.Sensitive), text("z")), resource.Path{"a"}},
		{"inside a block", pair(pair(text("x"), unknown), null), pair(pair(text("y"), text("z")), null), resource.Path{"a", "a"}},
		{"a block that is not there any more", pair(pair(text("x"), unknown), null), pair(cty.NullVal(pair(text(""), text("")).Type()), null), resource.Path{"a"}},
		{"inside a labelled block that is known in parts",
			parts(object{"eth0": pair(text("x"), unknown)}), parts(object{"eth0": pair(text("y"), text("z"))}), resource.Path{"eth0", "a"}},
		{"a labelled block as planned", parts(object{"eth0": pair(text("x"), unknown)}), parts(object{"eth0": pair(text("x"), text("z"))}), nil},
		{"a label too many", parts(object{"eth0": pair(text("x"), unknown)}),
			parts(object{"eth0": pair(text("x"), text("z")), "eth1": pair(text("x"), text("z"))}), resource.Path{"eth1"}},
		{"a label missing", parts(object{"eth0": pair(text("x"), unknown), "eth1": pair(text("x"), unknown)}),
			parts(object{"eth0": pair(text("x"), text("z"))}), resource.Path{"eth1"}},
		{"no labels at all", parts(object{"eth0": pair(text("x"), unknown)}), parts(nil), resource.Path{"eth0"}},
		{"labels where none were planned", parts(nil), parts(object{"eth0": pair(text("x"), text("z"))}), resource.Path{"eth0"}},
		{"a list that is unknown in parts", cty.ListVal([]cty.Value{text("x"), unknown}), cty.ListVal([]cty.Value{text("y"), text("z")}), nil},
		{"a known list", cty.ListVal([]cty.Value{text("x")}), cty.ListVal([]cty.Value{text("y")}), resource.Path{}},
		{"a set that turned out to be one member", cty.SetVal([]cty.Value{text("x"), unknown}), cty.SetVal([]cty.Value{text("x")}), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 20 { // the answer does not depend on the order of a map
				require.Equal(t, c.want, contradiction(c.planned, c.final))
			}
		})
	}
}
