package config

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// isHostname speaks in both of the ways that begin with a word to complete.
func isHostname(v cty.Value) string {
	switch name := v.AsString(); {
	case name == "":
		return "must not be empty"
	case strings.Contains(name, "_"):
		return "is no host name"
	}
	return ""
}

// kinds are an app and a backup policy with one attribute of every sort.
func kinds() map[string]*resource.Kind {
	text := func() *resource.Attr { return &resource.Attr{Type: cty.String} }
	app := &resource.Kind{Name: "app", Version: 1, Schema: resource.Block{
		Attrs: map[string]*resource.Attr{
			"host":     {Type: cty.String, Role: resource.Required, Ours: true},
			"node":     {Type: cty.String, HostDefault: "node"},
			"hostname": {Type: cty.String, Check: isHostname},
			"template": text(), "image": text(), "clone": text(),
			"cores":    {Type: cty.Number, Check: wholeFrom(1)},
			"memory":   {Type: cty.Number, Unit: resource.Size},
			"tags":     {Type: cty.Set(cty.String), HostDefault: "tags", Shared: true},
			"env":      {Type: cty.Map(cty.String)},
			"password": {Type: cty.String, Sensitive: true},
			"running":  {Type: cty.Bool, Default: cty.True},
			"backup":   {Type: cty.String, Refers: "backup_policy", Ours: true},
			"id":       {Type: cty.Number, Role: resource.Computed},
			"ip":       {Type: cty.String, Role: resource.Computed},
		},
		Blocks: map[string]*resource.Nested{
			"disk": {Block: resource.Block{Attrs: map[string]*resource.Attr{
				"size":    {Type: cty.Number, Unit: resource.Size},
				"storage": {Type: cty.String, HostDefault: "storage"},
			}}},
			"volume": {Labelled: true, Block: resource.Block{Attrs: map[string]*resource.Attr{
				"path": {Type: cty.String, Role: resource.Required},
				"size": {Type: cty.Number, Role: resource.Required, Unit: resource.Size},
			}}},
			"network": {Labelled: true, DefaultLabel: "eth0", Block: resource.Block{Attrs: map[string]*resource.Attr{
				"bridge": {Type: cty.String, HostDefault: "bridge"},
				"ip":     text(),
			}}},
			"features": {Block: resource.Block{Attrs: map[string]*resource.Attr{"nesting": {Type: cty.Bool}}}},
		},
	}, Implies: impliesTemplate}
	policy := &resource.Kind{Name: "backup_policy", Version: 1, Schema: resource.Block{
		Attrs: map[string]*resource.Attr{
			"host":     {Type: cty.String, Role: resource.Required, Ours: true},
			"schedule": {Type: cty.String, Role: resource.Required},
			"apps":     {Type: cty.Set(cty.Number), Refers: "app"},
			"max_age":  {Type: cty.Number, Unit: resource.Duration},
			"id":       {Type: cty.String, Role: resource.Computed},
		},
	}}
	template := &resource.Kind{Name: "template", Version: 1, Lasting: true, Schema: resource.Block{
		Attrs: map[string]*resource.Attr{"template": text()},
	}}
	secret := &resource.Kind{Name: "secret", Version: 1, Hostless: true, Schema: resource.Block{
		Attrs: map[string]*resource.Attr{
			"length": {Type: cty.Number, Default: cty.NumberIntVal(24), Check: wholeFrom(8)},
			"value":  {Type: cty.String, Role: resource.Computed, Sensitive: true, Renewed: true},
		},
	}}
	return map[string]*resource.Kind{"app": app, "backup_policy": policy, "template": template, "secret": secret}
}

func impliesTemplate(want resource.Resource) []resource.Resource {
	name := resource.Text(want.Want, "template")
	if name == "" {
		return nil
	}
	schema := resource.Block{Attrs: map[string]*resource.Attr{"template": {Type: cty.String}}}
	return []resource.Resource{{
		Addr: addr.Addr{Kind: "template", Name: want.Host, Part: name},
		Host: want.Host,
		Want: schema.Value(map[string]cty.Value{"template": cty.StringVal(name)}),
	}}
}

// keys are checks as those of a vault.
func keys() KeyChecks {
	begins := func(with, why string) func(string) string {
		return func(text string) string {
			if strings.HasPrefix(text, with) {
				return ""
			}
			return why
		}
	}
	return KeyChecks{
		Recipient: begins("age1", `it does not begin with "age1"`), Identities: begins("AGE-", "it holds no identity"),
		Passphrase: func(text string) string {
			if len(text) < 8 {
				return "must have at least 8 characters"
			}
			return ""
		},
	}
}

// host is the block that most tests have beside what they are about.
const oneHost = `
host "pve" {
  endpoint = "https://pve.example.net:8006"
  defaults {
    node    = "pve1"
    storage = "local-lvm"
    bridge  = "vmbr0"
    tags    = ["proximity"]
  }
}
`

// options returns what Load needs for files given as name, content pairs.
func options(files ...string) Options {
	dir := fstest.MapFS{}
	for i := 0; i < len(files); i += 2 {
		dir[files[i]] = &fstest.MapFile{Data: []byte(files[i+1])}
	}
	return Options{FS: dir, Kinds: kinds(), LookupEnv: func(string) (string, bool) { return "", false }, Version: "0.1.0", Keys: keys()}
}

// mustLoad loads one file beside oneHost.
func mustLoad(t *testing.T, source string) *Config {
	t.Helper()
	c, problems := Load(options("main.hcl", source, "zhost.hcl", oneHost))
	require.Empty(t, told(problems))
	return c
}

// find returns the resource with an address.
func find(t *testing.T, c *Config, text string) resource.Resource {
	t.Helper()
	for _, r := range c.Resources {
		if r.Addr.String() == text {
			return r
		}
	}
	require.Failf(t, "no such resource", "%s", text)
	return resource.Resource{}
}

// told writes diagnostics as golden text: one line each, the hint and the
// trail below it.
func told(problems diag.List) string {
	var b strings.Builder
	for _, p := range problems {
		fmt.Fprintf(&b, "%s: %s\n", p.Severity, p)
		for _, place := range p.Trail {
			fmt.Fprintf(&b, "  at %s: %s\n", short(place.Range), place.Text)
		}
		if p.Hint != "" {
			fmt.Fprintf(&b, "  hint: %s\n", strings.ReplaceAll(p.Hint, "\n", "\n        "))
		}
	}
	return b.String()
}

func short(r hcl.Range) string {
	return fmt.Sprintf("%s:%d,%d", r.Filename, r.Start.Line, r.Start.Column)
}

func addresses(list []addr.Addr) string {
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, " ")
}
