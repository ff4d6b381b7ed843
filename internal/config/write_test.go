package config_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/resource"
)

// TestWriteAsksForJustThis: what Write makes of a value is read as that value,
// and says nothing that holds by itself.
func TestWriteAsksForJustThis(t *testing.T) {
	inner := resource.Block{Attrs: map[string]*resource.Attr{
		"size":    {Type: cty.Number, Unit: resource.Size},
		"storage": {Type: cty.String, HostDefault: "storage"},
		"wait":    {Type: cty.Number, Unit: resource.Duration},
		"on":      {Type: cty.Bool},
	}}
	kind := &resource.Kind{Name: "app", Version: 1, Schema: resource.Block{
		Attrs: map[string]*resource.Attr{
			"host":   {Type: cty.String, Role: resource.Required},
			"text":   {Type: cty.String},
			"tags":   {Type: cty.Set(cty.String), HostDefault: "tags"},
			"runs":   {Type: cty.Bool, Default: cty.True},
			"number": {Type: cty.Number},
			"id":     {Type: cty.Number, Role: resource.Computed},
		},
		Blocks: map[string]*resource.Nested{
			"disk": {Block: inner}, "start": {Block: inner}, "none": {Block: inner},
			"net": {Block: inner, Labelled: true, DefaultLabel: "eth0"},
		},
	}}
	set := func(block string, v map[string]cty.Value) cty.Value { return kind.Schema.Blocks[block].Value(v) }
	want := kind.Schema.Value(map[string]cty.Value{
		"host": cty.StringVal("pve"), "id": cty.NumberIntVal(7), "runs": cty.True, "number": cty.NumberFloatVal(1.5),
		"text": cty.StringVal("two\nlines, ${no} template, \"quoted\""),
		"tags": cty.SetVal([]cty.Value{cty.StringVal("mine"), cty.StringVal("house")}),
		"disk": set("disk", map[string]cty.Value{"size": cty.NumberIntVal(1536 << 20), "storage": cty.StringVal("nvme")}),
		"net": cty.MapVal(map[string]cty.Value{
			"eth0": set("net", map[string]cty.Value{"storage": cty.StringVal("local")}),
			"eth1": set("net", map[string]cty.Value{"on": cty.False}),
		}),
		"start": set("start", map[string]cty.Value{"wait": cty.NumberIntVal(90)}),
		"none":  set("none", nil),
	})
	host := &config.Host{Name: "pve", Defaults: map[string]cty.Value{
		"storage": cty.StringVal("local"), "tags": cty.SetVal([]cty.Value{cty.StringVal("house")}),
	}}
	got := string(config.Write(kind, addr.New("app", "web"), want, host, []string{"Left:", "lxc.x: 1\n2"}))
	require.Equal(t, `app "web" {
  host   = host.pve
  number = 1.5
  tags   = ["mine"]
  text   = "two\nlines, $${no} template, \"quoted\""
  disk {
    size    = "1536MiB"
    storage = "nvme"
  }
  net {
  }
  net "eth1" { on = false }
  start { wait = "90s" }

  # Left:
  # lxc.x: 1 2
}
`, got)
	formatted, problems := config.Format("x.hcl", []byte(got))
	require.Empty(t, problems)
	require.Equal(t, got, string(formatted))
}
