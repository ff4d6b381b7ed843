package config

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

const store = `
variable "bucket" { default = "states" }
locals { key = "${var.bucket}/home" }
proximity {
  state "s3" {
    bucket = var.bucket
    key    = local.key
    region = env("REGION")
  }
}
`

// TestSettingsStandWhereTheRestIsBroken is what a state is repaired with.
func TestSettingsStandWhereTheRestIsBroken(t *testing.T) {
	broken := map[string]string{
		"nothing":                  ``,
		"a file that is no HCL":    `app "web" {`,
		"an unknown block":         `application "web" {}`,
		"an unknown reference":     `app "web" { template = var.missing }`,
		"a local of a resource":    `locals { url = app.web.ip }`,
		"a cycle of locals":        "locals {\n a = local.b\n b = local.a\n}",
		"a variable without value": `variable "password" {}`,
		"a wrong default":          "variable \"n\" {\n type = number\n default = \"x\"\n}",
	}
	for name, text := range broken {
		t.Run(name, func(t *testing.T) {
			o := options("main.hcl", store, "other.hcl", text)
			o.LookupEnv = func(name string) (string, bool) { return "eu", name == "REGION" }
			c, problems := LoadSettings(o)
			require.Empty(t, told(problems))
			require.Equal(t, "s3", c.Settings.State.Type)
			require.Equal(t, map[string]cty.Value{
				"bucket": cty.StringVal("states"), "key": cty.StringVal("states/home"), "region": cty.StringVal("eu").Mark(resource.Sensitive),
			}, c.Settings.State.Attributes)
		})
	}
}

func TestWithoutABlockStateIsLocal(t *testing.T) {
	for name, o := range map[string]Options{
		"no files": options(), "a broken file": options("main.hcl", `app "web" {`), "no block": options("main.hcl", `app "web" { nonsense = 1 }`), "other files": options("notes.txt", "x"),
	} {
		t.Run(name, func(t *testing.T) {
			c, problems := LoadSettings(o)
			require.Empty(t, told(problems))
			require.Equal(t, "local", c.Settings.State.Type)
		})
	}
}

func TestSettingsThatCannotBeToldAreNotGuessed(t *testing.T) {
	cases := []struct{ name, main, other, want string }{
		{"the block may be in the broken file", `proximity {`, ``, "main.hcl:1"},
		{"two blocks", store, `proximity {}`, "other.hcl:1,1: declared twice"},
		{"its local cannot be told", `proximity {
  state "s3" { bucket = local.b }
}`, `locals { b = app.web.ip }`, "app cannot be referred to here"},
		{"its variable has no value", `proximity {
  state "s3" { bucket = var.b }
}`, `variable "b" {}`, "variable has no value"},
		{"what stands in it is wrong", `proximity { states "s3" {} }`, ``, "states"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			config, problems := LoadSettings(options("main.hcl", c.main, "other.hcl", c.other))
			require.Nil(t, config)
			require.Contains(t, told(problems), c.want)
		})
	}
}

// TestSettingsOfAnotherFile is where a state comes from that goes elsewhere.
func TestSettingsOfAnotherFile(t *testing.T) {
	now := `proximity {
  state "local" {}
}
variable "team" { default = "now" }
`
	cases := []struct{ name, before, bucket, fails string }{
		{"a whole configuration", "locals { b = \"old\" }\nproximity {\n  state \"s3\" { bucket = local.b }\n}\napp \"x\" { nonsense = 1 }", "old", ""},
		{"just the block", `state "s3" { bucket = "old" }`, "old", ""},
		{"a variable of the directory", `state "s3" { bucket = var.team }`, "now", ""},
		{"one that both have", "variable \"team\" {}\nproximity {\n  state \"s3\" { bucket = var.team }\n}", "now", ""},
		{"one of its own", "variable \"own\" { default = \"old\" }\nproximity {\n  state \"s3\" { bucket = var.own }\n}", "old", ""},
		{"no HCL", `state "s3" {`, "", "before.hcl:1"},
		{"something else", `states {}`, "", "states"},
		{"an unknown name", `state "s3" { bucket = var.none }`, "", "var.none is not declared"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			o := options("main.hcl", now)
			o.ReadFile = func(string) ([]byte, error) { return []byte(c.before), nil }
			config, problems := LoadSettingsOf(o, "before.hcl")
			if c.fails != "" {
				require.Contains(t, told(problems), c.fails)
				return
			}
			require.Empty(t, told(problems))
			require.Equal(t, "s3", config.Settings.State.Type)
			require.Equal(t, cty.StringVal(c.bucket), config.Settings.State.Attributes["bucket"])
		})
	}
}
