package config

import (
	"flag"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write golden files")

// TestProblemsSayWhereWhatAndWhatToDo shows every message with its place and
// hint, in testdata/problems.golden. Each case is a file
// beside oneHost.
func TestProblemsSayWhereWhatAndWhatToDo(t *testing.T) {
	app := func(body string) string { return "app \"web\" {\n  template = \"t\"\n" + body + "\n}\n" }
	settings := func(body string) string { return "proximity {\n  encryption {\n    " + body + "\n  }\n}\n" }
	cases := map[string]string{
		"unknown attribute": app(`  memry = "1GiB"`),
		"unknown block":     app("  volum \"a\" {}"),
		"unknown top block": "aap \"web\" {}",
		"not available":     app("  placement {}") + "module \"x\" { source = \"./x\" }",
		"wrong type":        app("  cores = \"many\"\n  tags = \"a\""),
		"not valid":         app("  cores = 0\n  hostname = \"a_b\"") + "app \"x\" {\n  template = \"t\"\n  hostname = \"\"\n}",
		"dependency":        app("  depends_on = [\"app.db\"]\n  lifecycle { ignore_changes = [\"tags\"] }"),
		"variable type":     "variable \"n\" {\n  type = number\n  default = \"x\"\n}\nvariable \"o\" {\n  type = object({ a = string })\n  default = {}\n}",
		"computed":          app(`  ip = "1.2.3.4"`),
		"missing":           app("  volume \"a\" { size = \"1GiB\" }"),
		"size without unit": app("  memory = 512\n  disk { size = \"4\" }\n  volume \"a\" {\n    path = \"/a\"\n    size = \"4GB\"\n  }"),
		"duration":          "backup_policy \"n\" {\n  schedule = \"1\"\n  max_age = 26\n}",
		"reference":         app("  hostname = app.wbe.ip\n  node = vars.x\n  image = nginx") + "output \"x\" { value = app.web.ipp }",
		"variable":          "variable \"domain\" { default = \"x\" }\n" + app("  hostname = var.domian"),
		"no instance": "app \"db\" {\n  for_each = toset([\"blue\", \"green\"])\n  template = \"t\"\n}\n" +
			app("  hostname = app.db[\"blu\"].ip"),
		"no instances":     app("") + "output \"x\" { value = app.web[0].ip }",
		"cycle":            "locals {\n  a = local.b\n  b = app.web.ip\n}\n" + app("  hostname = local.a"),
		"beside a cycle":   app("  hostname = app.web.ip\n  memory = 512\n  cores = \"many\""),
		"itself":           app("  hostname = app.web.ip"),
		"twice":            app("") + app(""),
		"label twice":      app("  network {}\n  network \"eth0\" {}"),
		"two settings":     "proximity {}\nproximity {}",
		"encryption":       settings("passphrase = \"x\""),
		"encryption twice": "proximity {\n  encryption { passphrase = \"correct horse\" }\n  encryption {}\n}",
		"encryption both":  settings("passphrase = \"correct horse\"\n    recipients = [\"age1a\"]"),
		"encryption none":  settings(""),
		"no recipients":    settings("recipients = []"),
		"bad recipients":   settings("recipients = [\"age1a\", \"bob\"]"),
		"identity missing": settings("identity_file = \"none.txt\""),
		"old empty":        settings("recipients = [\"age1a\"]\n    old_passphrase = \"\""),
		"key not known":    app("") + settings("passphrase = local.p") + "locals { p = app.web.ip }",
		"key of an app":    app("") + settings("passphrase = app.web.ip"),
		"secret":           "secret \"a\" {}\nsecret \"b\" { length = 7 }",
		"secret beside":    "proximity { required_version = \">= 0.1\" }\nsecret \"a\" {}",
		"secret shown":     settings("passphrase = \"correct horse\"") + "secret \"a\" {}\noutput \"a\" { value = secret.a.value }",
		"secret on a host": settings("passphrase = \"correct horse\"") + "secret \"a\" {\n  host = host.pve\n  value = \"x\"\n}",
		"version":          "proximity { required_version = \">= 9\" }",
		"origins":          app("  image = \"i\""),
		"no origin":        "app \"web\" {}",
		"host":             app("  host = host.pev"),
		"self":             app("  hostname = self.ip"),
		"each":             app("  hostname = each.key"),
		"for_each list":    "app \"web\" {\n  for_each = [\"a\"]\n  template = \"t\"\n}",
		"for_each unknown": app("") + "app \"x\" {\n  for_each = toset([app.web.ip])\n  template = \"t\"\n}",
		"for_each secret":  "variable \"s\" {\n  default = \"x\"\n  sensitive = true\n}\napp \"x\" {\n  for_each = toset([var.s])\n  template = \"t\"\n}",
		"output secret":    "variable \"s\" {\n  default = \"x\"\n  sensitive = true\n}\noutput \"o\" { value = \"a${var.s}\" }",
		"env":              app("  hostname = env(\"NOPE\")"),
		"outside":          app("  hostname = file(\"../secret\")"),
		"validation":       "variable \"n\" {\n  type = number\n  default = 3\n  validation {\n    condition = var.n > 5\n    error_message = \"Too few.\"\n  }\n}",
		"no value":         "variable \"n\" {}",
		"ignore":           app("  lifecycle { ignore_changes = [tgs] }"),
		"syntax":           "app \"web\" {\n  cores = = 2\n}\n",
		"hosts differ": "host \"lab\" { endpoint = \"sim:\" }\napp \"web\" {\n  host = host.lab\n  template = \"t\"\n}\n" +
			"backup_policy \"n\" {\n  host = host.pve\n  schedule = \"1\"\n  apps = [app.web]\n}",
	}
	var all strings.Builder
	for _, name := range slices.Sorted(maps.Keys(cases)) {
		_, problems := Load(options("main.hcl", cases[name], "zhost.hcl", oneHost))
		fmt.Fprintf(&all, "-- %s --\n%s\n%s\n", name, strings.TrimSpace(cases[name]), told(problems))
	}
	golden := filepath.Join("testdata", "problems.golden")
	if *update {
		require.NoError(t, os.WriteFile(golden, []byte(all.String()), 0o644))
	}
	want, err := os.ReadFile(golden)
	require.NoError(t, err)
	require.Equal(t, string(want), all.String())
}
