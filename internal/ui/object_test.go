package ui

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestObjectShowsEveryAttributeButSecrets(t *testing.T) {
	volume := resource.Block{Attrs: map[string]*resource.Attr{"size": {Type: cty.Number, Unit: resource.Size}}}
	kind := &resource.Kind{Name: "app", Schema: resource.Block{
		Attrs: map[string]*resource.Attr{
			"cores":    {Type: cty.Number},
			"env":      {Type: cty.Map(cty.String)},
			"max_age":  {Type: cty.Number, Unit: resource.Duration},
			"password": {Type: cty.String, Sensitive: true},
			"unset":    {Type: cty.String},
		},
		Blocks: map[string]*resource.Nested{
			"disk":   {Block: volume},
			"volume": {Block: volume, Labelled: true},
		},
	}}
	size := func(n int64) cty.Value { return volume.Value(map[string]cty.Value{"size": cty.NumberIntVal(n)}) }
	sealed := cty.StringVal(resource.Sealer{}.Text("hunter2"))
	golden(t, "object", Object(resource.Object{
		Addr: addr.New("app", "web"), Host: "pve", ID: "2000", Damaged: true, Needs: []addr.Addr{addr.New("app", "db")},
		Attrs: kind.Schema.Value(map[string]cty.Value{
			"cores":    cty.NumberIntVal(2),
			"env":      cty.MapVal(map[string]cty.Value{"TOKEN": sealed}), // marked by whoever wrote it, so sealed
			"max_age":  cty.NumberIntVal(5400),
			"password": sealed,
			"disk":     size(4 * gib),
			"volume":   cty.MapVal(map[string]cty.Value{"data": size(gib / 2)}),
		}),
	}, kind, Style{}))
}

func TestValueStandsOnOneLineAsItWouldBeWritten(t *testing.T) {
	secret := cty.StringVal("hunter2").Mark(resource.Sensitive)
	for _, c := range []struct {
		v    cty.Value
		want string
	}{
		{cty.StringVal("a\x1b[31m\"b"), `"a\"b"`},
		{cty.NumberIntVal(2001), "2001"},
		{cty.True, "true"},
		{cty.NullVal(cty.String), "(none)"},
		{cty.UnknownVal(cty.String), "(known after apply)"},
		{secret, "(sensitive)"},
		{cty.TupleVal([]cty.Value{cty.StringVal("a"), secret}), "(sensitive)"},
		{cty.TupleVal([]cty.Value{cty.StringVal("a"), cty.NumberIntVal(1)}), `["a", 1]`},
		{cty.ObjectVal(map[string]cty.Value{"b": cty.True, "a": cty.EmptyObjectVal}), `{ a = {}, b = true }`},
	} {
		require.Equal(t, c.want, Value(c.v))
	}
}
