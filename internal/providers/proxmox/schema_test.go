package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// Every attribute of every block is documented, has a type, and a default that
// its own check accepts.
func TestSchemasAreSound(t *testing.T) {
	var check func(t *testing.T, at string, b *resource.Block)
	check = func(t *testing.T, at string, b *resource.Block) {
		require.NotEmpty(t, b.Doc, at)
		for name, a := range b.Attrs {
			require.NotEmpty(t, a.Doc, "%s.%s", at, name)
			require.NotEqual(t, cty.NilType, a.Type, "%s.%s", at, name)
			if a.Default != cty.NilVal && a.Check != nil {
				require.Empty(t, a.Check(a.Default), "%s.%s", at, name)
			}
		}
		for name, n := range b.Blocks {
			check(t, at+"."+name, &n.Block)
		}
	}
	for _, k := range Kinds() {
		check(t, k.Name, &k.Schema)
	}
}

// Every attribute and block of an app has a rule in the table, or is ours.
func TestEveryAppSettingHasARule(t *testing.T) {
	app := appKind()
	for name, a := range app.Schema.Attrs {
		if a.Role != resource.Computed && !a.Ours {
			require.Contains(t, appRules, name)
		}
	}
	for name := range app.Schema.Blocks {
		require.Contains(t, appRules, name)
	}
}

func TestSchedules(t *testing.T) {
	for text, fine := range map[string]bool{
		"02:30": true, "21:00:30": true, "mon..fri 22:30": true, "*/15": true, "sat *-1..7 15:00": true, "mon,wed 8..17:0/30": true,
		"2026-12-24 18:00": true, "daily": true, "sun": true, "Saturday 3:00": true, "*-*-1 0:0": true,
		"": false, "every other blue moon": false, "25 o'clock": false, "mon mon": false, "02:30 mon": false, "monkey": false, "12:": false,
		"24:00": false, "23:60": false, "mon 8..25:00": false, "60": false, "0/90": false, "23:59:60": false,
	} {
		require.Equal(t, fine, isSchedule(cty.StringVal(text)) == "", text)
	}
}

func TestChecks(t *testing.T) {
	for _, c := range []struct {
		name  string
		check func(cty.Value) string
		value cty.Value
		want  string // "" when the value is fine
	}{
		{"tag", isTag, cty.StringVal("web+2"), ""},
		{"tag with a blank", isTag, cty.StringVal("a b"), "is no tag: letters, digits and _ - + . only, beginning with a letter, digit or _"},
		{"memory", mebibytes(16), cty.NumberIntVal(16 << 20), ""},
		{"too little memory", mebibytes(16), cty.NumberIntVal(8 << 20), "must be at least 16MiB"},
		{"half a mebibyte", mebibytes(1), cty.NumberIntVal(3 << 19), "must be a whole number of MiB"},
		{"address", isAddress4, cty.StringVal("10.0.0.2/24"), ""},
		{"dhcp", isAddress4, cty.StringVal("dhcp"), ""},
		{"address without length", isAddress4, cty.StringVal("10.0.0.2"), "lacks its prefix length; write it like 192.168.1.20/24"},
		{"IPv6 for IPv4", isAddress4, cty.StringVal("fd00::1/64"), "is neither an address like 192.168.1.20/24 nor dhcp or manual"},
		{"gateway", isGateway4, cty.StringVal("10.0.0.1"), ""},
		{"gateway with length", isGateway4, cty.StringVal("10.0.0.1/24"), "is no IPv4 address (a gateway has no prefix length)"},
		{"mac", isMAC, cty.StringVal("bc:24:11:00:00:01"), ""},
		{"multicast mac", isMAC, cty.StringVal("bd:24:11:00:00:01"), "is no hardware address of a single interface, such as BC:24:11:00:00:01"},
		{"image", isImage, cty.StringVal("docker.io/library/nginx:1.27"), ""},
		{"image without tag", isImage, cty.StringVal("docker.io/library/nginx"), "is no image reference with a tag, such as docker.io/library/nginx:1.27"},
		{"path", isPath, cty.StringVal("/var/lib"), ""},
		{"path upwards", isPath, cty.StringVal("/var/../etc"), `must be an absolute path without ".." and commas`},
		{"env", isEnv, cty.MapVal(map[string]cty.Value{"A": cty.StringVal("1")}), ""},
		{"env name", isEnv, cty.MapVal(map[string]cty.Value{"A-B": cty.StringVal("1")}), `has the name "A-B": only letters, digits and _ are allowed`},
		{"list", each(isIP), cty.ListVal([]cty.Value{cty.StringVal("1.1.1.1"), cty.StringVal("x")}), `"x" is no IP address`},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, c.check(c.value)) })
	}
}
