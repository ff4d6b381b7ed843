package config

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestDeepNestingIsRefusedBeforeParsing(t *testing.T) {
	const deep = 100_000
	for name, source := range map[string]string{
		"lists.hcl":       "locals { a = " + strings.Repeat("[", deep),
		"brackets.hcl":    "locals { a = " + strings.Repeat("(", deep),
		"templates.hcl":   "locals { a = " + strings.Repeat(`"${`, deep),
		"not.hcl":         "locals { a = " + strings.Repeat("!", deep) + "true }",
		"minus.hcl":       "locals { a = " + strings.Repeat("-", deep) + "1 }",
		"choice.hcl":      "locals { a = " + strings.Repeat("true ? 1 : ", deep/2) + "1 }",
		"blocks.hcl":      strings.Repeat("a {\n", deep),
		"lists.hcl.json":  `{"locals": {"a": ` + strings.Repeat("[", deep),
		"text.hcl.json":   `{"locals": {"a": "${` + strings.Repeat("[", deep) + `"}}`,
		"not.hcl.json":    `{"locals": {"a": "${` + strings.Repeat("!", deep) + `true}"}}`,
		"escape.hcl.json": `{"locals": {"a": "${` + strings.Repeat(`\u0028`, deep) + `"}}`,
	} {
		_, problems := Load(options(name, source))
		require.Contains(t, told(problems), "nested too deep", name)
	}
}

func TestBombsAreRefused(t *testing.T) {
	for source, want := range map[string]string{
		`format("%1000000000s", "x")`:                       "too large",
		`indent(100000000, "x")`:                            "too large",
		`replace("${local.text}", "a", local.text)`:         "too large",
		`join(local.text, range(1000))`:                     "too large",
		`setproduct(range(1000), range(1000), range(1000))`: "too large",
		`"${local.text}${local.text}${local.text}${local.text}${local.text}${local.text}${local.text}${local.text}${local.text}"`: "too large",
		`range(100000000)`: "range",
	} {
		source = "locals {\n text = join(\"\", [for x in range(1000): \"" + strings.Repeat("a", 1000) + "\"])\n bomb = " + source + "\n}\n"
		_, problems := Load(options("main.hcl", source))
		require.Contains(t, told(problems), want, source)
	}
	_, problems := Load(options("main.hcl", "app \"a\" {\n  count = 5001\n  template = \"t\"\n}\n"+oneHost))
	require.Contains(t, told(problems), "from 0 to 5000")
	_, problems = Load(options("main.hcl", strings.Repeat("#", maxFile+1)))
	require.Contains(t, told(problems), "at most 1048576 are allowed")
}

func TestNothingOutsideOfTheDirectoryIsRead(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "config")
	require.NoError(t, os.Mkdir(dir, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(top, "secret"), []byte("out"), 0o600))
	require.NoError(t, os.Symlink(filepath.Join(top, "secret"), filepath.Join(dir, "link")))
	for _, call := range []string{`file("../secret")`, `file("link")`, fmt.Sprintf("file(%q)", filepath.Join(top, "secret")),
		`templatefile("link", {})`, `file("a/../../secret")`, `join(",", fileset("..", "*"))`} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, "main.hcl"), []byte("output \"o\" { value = "+call+" }\n"), 0o600))
		o := options()
		o.FS, o.Dir = nil, dir
		_, problems := Load(o)
		require.Contains(t, told(problems), "cannot call", call)
		require.NotContains(t, told(problems), `"out"`, call)
	}
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(`output "o" { value = fileexists("../secret") || fileexists("link") }`), 0o600))
	o := options()
	o.FS, o.Dir = nil, dir
	c, problems := Load(o)
	require.Empty(t, told(problems))
	outputs, _ := c.Outputs(nil)
	require.True(t, outputs[0].Value.False())
}

func TestVariablesLaterSourcesWin(t *testing.T) {
	source := "variable \"x\" { default = \"default\" }\noutput \"x\" { value = var.x }\n"
	files := fstest.MapFS{"main.hcl": {Data: []byte(source)}}
	environment := map[string]string{}
	o := options()
	o.FS, o.LookupEnv = files, func(name string) (string, bool) { text, ok := environment[name]; return text, ok }
	o.ReadFile = func(string) ([]byte, error) { return []byte(`x = "flag file"`), nil }
	value := func() string {
		c, problems := Load(o)
		require.Empty(t, told(problems))
		outputs, _ := c.Outputs(nil)
		return outputs[0].Value.AsString()
	}
	require.Equal(t, "default", value())
	files["proximity.vars.hcl"] = &fstest.MapFile{Data: []byte(`x = "file"`)}
	require.Equal(t, "file", value())
	files["a.auto.vars.hcl"] = &fstest.MapFile{Data: []byte(`x = "auto"`)}
	require.Equal(t, "auto", value())
	environment["PROXIMITY_VAR_x"] = "environment"
	require.Equal(t, "environment", value())
	o.VarFiles = []string{"more.hcl"}
	require.Equal(t, "flag file", value())
	o.Vars = map[string]string{"x": "flag"}
	require.Equal(t, "flag", value())
	o.Vars = map[string]string{"y": "flag"}
	_, problems := Load(o)
	require.Equal(t, "error: no such variable: --var y sets \"y\", which is not declared\n  hint: did you mean x?\n", told(problems))
}

func TestSourcesMakeTheSameConfigurationAgain(t *testing.T) {
	source := estate + "variable \"s\" { sensitive = true }\nvariable \"n\" { type = list(number) }\n" +
		"output \"f\" { value = templatefile(\"motd\", { n = var.n[1] }) }\noutput \"s\" {\n  value = var.s\n  sensitive = true\n}\n"
	o := options("main.hcl", source, "host.hcl", oneHost, "motd", "hello ${n}\n")
	o.Vars = map[string]string{"s": "TopSecret", "n": "[1, 2]"}
	c, problems := Load(o)
	require.Empty(t, told(problems))
	for _, content := range c.Sources.Files {
		require.NotContains(t, string(content), "TopSecret")
	}
	require.Equal(t, []string{"s"}, c.Sources.Sensitive)
	require.NotContains(t, c.Sources.Vars, "s")

	again := Options{Kinds: o.Kinds, LookupEnv: o.LookupEnv, Vars: map[string]string{"s": "TopSecret", "n": "[9, 9]"}}
	same, problems := c.Sources.Load(again)
	require.Empty(t, told(problems))
	require.Equal(t, c.Sources.Hash(), same.Sources.Hash())
	require.Len(t, same.Resources, len(c.Resources))
	outputs, _ := same.Outputs(nil)
	require.Equal(t, "hello 2\n", outputs[1].Value.AsString())
}

func TestHostsAreReadWithTheEnvironmentInFront(t *testing.T) {
	o := options("main.hcl", `
host "pve-1" {
  endpoints    = ["https://a:8006", "https://b:8006"]
  token_id     = "proximity@pve!cli"
  token_secret = env("T")
  vmid_range   = "300-399"
  limits { per_node = 2 }
  ssh { user = "root" }
}`)
	environment := map[string]string{"T": "hidden", "PROXIMITY_HOST_PVE_1_TOKEN_ID": "other@pve!x"}
	o.LookupEnv = func(name string) (string, bool) { text, ok := environment[name]; return text, ok }
	c, problems := Load(o)
	require.Empty(t, told(problems))
	host := c.Hosts["pve-1"]
	require.Equal(t, []string{"https://a:8006", "https://b:8006"}, host.Endpoints)
	require.Equal(t, "other@pve!x", host.TokenID)
	require.Equal(t, "hidden", host.TokenSecret.Reveal())
	require.Equal(t, resource.IDRange{Low: 300, High: 399}, host.Range)
	require.Equal(t, Limits{PerNode: 2}, host.Limits)
	require.Equal(t, "root", host.SSH.User)
	for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
		require.NotContains(t, fmt.Sprintf(format, *host), "hidden", format)
	}
}

func TestDynamicBlocks(t *testing.T) {
	c := mustLoad(t, `
app "web" {
  template = "t"
  dynamic "volume" {
    for_each = { data = "4GiB", logs = "1GiB" }
    labels   = [volume.key]
    content {
      path = "/${volume.key}"
      size = volume.value
    }
  }
}`)
	volumes := find(t, c, "app.web").Want.GetAttr("volume").AsValueMap()
	require.Len(t, volumes, 2)
	require.Equal(t, "/logs", resource.Text(volumes["logs"], "path"))
}

func TestSensitiveValuesKeepTheirMark(t *testing.T) {
	c := mustLoad(t, "variable \"s\" {\n  default = \"x\"\n  sensitive = true\n}\napp \"web\" {\n  template = \"t\"\n  password = \"clear\"\n  hostname = \"a-${var.s}\"\n}")
	want := find(t, c, "app.web").Want
	require.True(t, want.GetAttr("password").HasMark(resource.Sensitive), "by its schema")
	require.True(t, want.GetAttr("hostname").HasMark(resource.Sensitive), "by what it is made from")
	require.False(t, want.GetAttr("template").IsMarked())
}

func many(n int) string {
	return oneHost + fmt.Sprintf(`
app "web" {
  for_each = { for i in range(%d) : "n${i}" => i }
  template = "t"
  memory   = "512MiB"
  hostname = "web-${each.key}"
  env      = { INDEX = each.value, PEER = app.db[each.key].ip }
  network { ip = "10.0.${floor(each.value / 250)}.${each.value %% 250}/16" }
}
app "db" {
  for_each = { for i in range(%d) : "n${i}" => i }
  template = "t"
}
`, n, n)
}

func TestAComputedKeyNeedsOneInstance(t *testing.T) {
	c, problems := Load(options("main.hcl", many(3)))
	require.Empty(t, told(problems))
	require.Equal(t, `app.db["n1"] template.pve@t`, addresses(find(t, c, `app.web["n1"]`).Needs))
}

func BenchmarkLoadOf1000(b *testing.B) {
	o := options("main.hcl", many(500))
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := Load(o); problems.HasErrors() {
			b.Fatal(told(problems))
		}
	}
}

func BenchmarkResolveAmong2000(b *testing.B) {
	c, _ := Load(options("main.hcl", many(1000)))
	known := map[addr.Addr]cty.Value{}
	schema := kinds()["app"].Schema
	object := schema.Value(map[string]cty.Value{"ip": cty.StringVal("10.0.0.1")})
	for _, r := range c.Resources {
		known[r.Addr] = object
	}
	b.ReportAllocs()
	for b.Loop() {
		if _, problems := c.Resolve(addr.New("app", "web").Each("n7"), known); problems.HasErrors() {
			b.Fatal(told(problems))
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(estate+oneHost, false)
	f.Add(encrypted(`passphrase = "correct ${local.b}"`)+"locals {\n  b = local.c\n  c = secret.s.value\n}\nsecret \"s\" { for_each = local.b }\n", false)
	f.Add(many(2), false)
	f.Add(`{"locals": {"a": "${[1]}"}}`, true)
	f.Fuzz(func(t *testing.T, source string, asJSON bool) {
		name := "main.hcl"
		if asJSON {
			name += ".json"
		}
		c, problems := Load(options(name, source))
		require.Equal(t, c == nil, problems.HasErrors())
		settings, _ := LoadSettings(options(name, source)) // says no less of a configuration that is right
		require.True(t, c == nil || c.Settings.RequiredVersion == settings.Settings.RequiredVersion)
	})
}

func FuzzParseSize(f *testing.F) {
	f.Add("1.5GiB")
	f.Add("4GB")
	f.Fuzz(func(t *testing.T, text string) {
		v, err := ParseSize(text)
		if err == nil {
			require.True(t, v.AsBigFloat().IsInt() && v.AsBigFloat().Sign() >= 0)
		}
	})
}

func FuzzParseDuration(f *testing.F) {
	f.Add("26h")
	f.Add("1d")
	f.Fuzz(func(t *testing.T, text string) {
		if v, err := ParseDuration(text); err == nil {
			require.Equal(t, cty.Number, v.Type())
		}
	})
}
