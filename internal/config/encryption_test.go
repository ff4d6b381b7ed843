package config

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// environment answers as an environment that has only these.
func environment(pairs map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		text, ok := pairs[name]
		return text, ok
	}
}

func encrypted(body string) string { return "proximity {\n  encryption {\n" + body + "\n  }\n}\n" }

func TestEncryptionIsWhatTheBlockAndTheEnvironmentSay(t *testing.T) {
	for _, c := range []struct {
		name, body string
		env        map[string]string
		want       Encryption
	}{
		{"passphrase by a variable and a local", "passphrase = local.p", nil, Encryption{Passphrase: Secret{"from the variable"}}},
		{"env()", `passphrase = env("P")`, map[string]string{"P": "correct horse"}, Encryption{Passphrase: Secret{"correct horse"}}},
		{"nothing written", "", map[string]string{PassphraseEnv: "correct horse"}, Encryption{Passphrase: Secret{"correct horse"}}},
		{"what is written wins", `passphrase = env("P")`, map[string]string{"P": "correct horse", PassphraseEnv: "another one"},
			Encryption{Passphrase: Secret{"correct horse"}}},
		{"recipients and a file", "recipients = [\"age1a\", \"age1b\"]\nidentity_file = \"key.txt\"", nil,
			Encryption{Recipients: []string{"age1a", "age1b"}, Identities: Secret{"AGE-key.txt"}}},
		{"file of the environment", `recipients = ["age1a"]`, map[string]string{IdentityFileEnv: "mine", PassphraseEnv: "not asked for"},
			Encryption{Recipients: []string{"age1a"}, Identities: Secret{"AGE-mine"}}},
		{"only a file", "", map[string]string{IdentityFileEnv: "~/mine", "HOME": "/home/me"}, Encryption{Identities: Secret{"AGE-/home/me/mine"}}},
		{"another passphrase before", "recipients = [\"age1a\"]\nold_passphrase = env(\"OLD\")", map[string]string{"OLD": "correct horse"},
			Encryption{Recipients: []string{"age1a"}, OldPassphrase: Secret{"correct horse"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options("main.hcl", encrypted(c.body)+"variable \"p\" {\n  default = \"from the variable\"\n  sensitive = true\n}\nlocals { p = var.p }\n")
			o.LookupEnv = environment(c.env)
			o.ReadFile = func(name string) ([]byte, error) { return []byte("AGE-" + name), nil }
			loaded, problems := Load(o)
			require.Empty(t, told(problems))
			got := *loaded.Settings.Encryption
			require.Equal(t, 2, got.Range.Start.Line)
			got.Range = c.want.Range
			require.Equal(t, c.want, got)
		})
	}
}

func TestNoEncryptionWithoutABlock(t *testing.T) {
	o := options("main.hcl", oneHost)
	o.LookupEnv = environment(map[string]string{PassphraseEnv: "correct horse"})
	c, problems := Load(o)
	require.Empty(t, told(problems))
	require.Nil(t, c.Settings.Encryption)

	e, problems := EncryptionOfEnvironment(o)
	require.Empty(t, problems)
	require.Equal(t, &Encryption{Passphrase: Secret{"correct horse"}}, e)
	o.LookupEnv = environment(map[string]string{PassphraseEnv: "short"})
	_, problems = EncryptionOfEnvironment(o)
	require.Equal(t, "error: passphrase is not valid: it must have at least 8 characters\n"+
		"  hint: export PROXIMITY_PASSPHRASE=\"$(openssl rand -base64 24)\"   # and keep it where it cannot be lost\n", told(problems))
	o.LookupEnv = environment(nil)
	e, problems = EncryptionOfEnvironment(o)
	require.Empty(t, problems)
	require.Nil(t, e)
}

func TestKeysAreInNoText(t *testing.T) {
	o := options("main.hcl", encrypted(`passphrase = env("P")`))
	o.LookupEnv = environment(map[string]string{"P": "hunter2-hunter2"})
	c, problems := Load(o)
	require.Empty(t, told(problems))
	text, err := json.Marshal(c.Settings)
	require.NoError(t, err)
	for _, shown := range []string{string(text), fmt.Sprintf("%v %+v %#v", *c.Settings.Encryption, c.Settings, c.Settings.Encryption)} {
		require.NotContains(t, shown, "hunter2")
	}
}

func TestAnIdentityFileIsForItsOwnerAlone(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "key.txt"), []byte("AGE-1"), 0o644))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(encrypted(`identity_file = "key.txt"`)), 0o600))
	o := options()
	o.FS, o.Dir = nil, dir
	_, problems := Load(o)
	require.Contains(t, told(problems), "warning: main.hcl:3,17: identity file is readable by others")
	require.NoError(t, os.Chmod(filepath.Join(dir, "key.txt"), 0o600))
	_, problems = Load(o)
	require.Empty(t, told(problems))
}

// To look into a state or a plan file takes the keys, and nothing else of a
// configuration that may be half written.
func TestSettingsAreReadWhateverElseIsWrong(t *testing.T) {
	const rest = "app \"web\" {\n  cores = \"many\"\n  hostname = app.nothing.ip\n}\nvariable \"n\" {}\nlocals {\n  a = local.b\n  b = local.a\n}\n" +
		"secret \"s\" {}\noutput \"o\" { value = var.n }\n"
	o := options("main.hcl", encrypted("passphrase = local.p")+rest+"locals { p = \"correct ${env(\"P\")}\" }")
	o.LookupEnv = environment(map[string]string{"P": "horse"})
	settings, problems := LoadSettings(o)
	require.Empty(t, told(problems))
	require.Equal(t, "correct horse", settings.Settings.Encryption.Passphrase.Reveal())

	_, problems = LoadSettings(options("main.hcl", encrypted("passphrase = var.n")+rest))
	require.Contains(t, told(problems), "error: main.hcl:2,3: encryption is not known: its keys have to be known before anything is read\n"+
		"error: main.hcl:10,1: variable has no value", "what may be the cause")
	_, problems = LoadSettings(options("main.hcl", "proximity {"))
	require.True(t, problems.HasErrors())
	settings, problems = LoadSettings(options("main.hcl", rest))
	require.Empty(t, told(problems))
	require.Nil(t, settings.Settings.Encryption)
}

func TestASecretIsReferredToAndStaysOne(t *testing.T) {
	const files = "app \"web\" {\n  template = \"t\"\n  env = { A = secret.one.value, B = secret.many[\"b\"].value, C = \"x${secret.counted[1].value}\" }\n}\n" +
		"secret \"one\" {}\nsecret \"many\" {\n  for_each = toset([\"a\", \"b\"])\n  length = 30\n}\nsecret \"counted\" { count = 2 }\n"
	o := options("main.hcl", encrypted("")+files, "zhost.hcl", oneHost)
	o.LookupEnv = environment(map[string]string{PassphraseEnv: "correct horse"})
	c, problems := Load(o)
	require.Empty(t, told(problems))
	one, web := find(t, c, "secret.one"), find(t, c, "app.web")
	require.Equal(t, resource.NoHost, one.Host)
	require.Equal(t, cty.NumberIntVal(24), one.Want.GetAttr("length"))
	require.Len(t, c.Resources, 7) // with the template
	require.Equal(t, []addr.Addr{addr.New("secret", "counted").At(1), addr.New("secret", "many").Each("b"), addr.New("secret", "one")}, web.Needs[:3])
	require.False(t, web.Want.GetAttr("env").IsWhollyKnown())

	known := map[addr.Addr]cty.Value{}
	for _, a := range web.Needs[:3] {
		known[a] = c.world.o.Kinds["secret"].Schema.Value(map[string]cty.Value{"value": cty.StringVal("of " + a.String())})
	}
	web, problems = c.Resolve(web.Addr, known)
	require.Empty(t, problems)
	env := web.Want.GetAttr("env")
	require.True(t, env.ContainsMarked())
	plain, _ := env.UnmarkDeep()
	require.Equal(t, "xof secret.counted[1]", plain.AsValueMap()["C"].AsString())
}

// What refers to an instance may stand before what has it.
func TestInstancesMayBeReferredToBeforeTheyAreDeclared(t *testing.T) {
	c := mustLoad(t, "app \"a\" {\n  template = \"t\"\n  hostname = app.z[\"k\"].ip\n  depends_on = [app.y[0]]\n}\n"+
		"app \"y\" {\n  count = 1\n  template = \"t\"\n}\napp \"z\" {\n  for_each = toset([\"k\"])\n  template = \"t\"\n}\n")
	require.Equal(t, []addr.Addr{addr.New("app", "y").At(0), addr.New("app", "z").Each("k")}, find(t, c, "app.a").Needs[:2])
}

func TestClearSecretsAreWhatStandsInTheFiles(t *testing.T) {
	variable := func(value string) string {
		return "variable \"v\" {\n  default = " + value + "\n  sensitive = true\n}\n"
	}
	const app = "app \"web\" {\n  template = \"t\"\n"
	for _, c := range []struct {
		name, files string
		want        []string
	}{
		{"nothing", oneHost, nil},
		{"default", variable(`"hunter2"`), []string{"the default of var.v at main.hcl:1"}},
		{"empty default", variable(`""`), nil},
		{"no default", variable("null"), nil},
		{"host", "host \"b\" {\n  endpoint = \"sim:\"\n  token_secret = \"hunter2\"\n}", []string{"token_secret of host.b at main.hcl:3"}},
		{"host by env", "host \"b\" {\n  endpoint = \"sim:\"\n  token_secret = env(\"P\")\n}", nil},
		{"attribute", app + "  password = \"hunter2\"\n}\n" + oneHost, []string{"password of app.web at main.hcl:3"}},
		{"attribute by function", app + "  password = base64encode(\"hunter2\")\n}\n" + oneHost, []string{"password of app.web at main.hcl:3"}},
		{"attribute by variable", app + "  password = \"a${var.v}\"\n}\n" + variable(`""`) + oneHost, nil},
		{"attribute by env in a call", app + "  password = upper(env(\"P\"))\n}\n" + oneHost, nil},
		{"sensitive()", "locals { a = upper(sensitive(\"hunter2\")) }", []string{"sensitive(…) at main.hcl:1"}},
		{"sensitive() of another", "locals { a = sensitive(path.module) }", nil},
		{"state store", "proximity {\n  state \"x\" {\n    password = \"hunter2\"\n    url = \"postgres://me:hunter2@db/x\"\n    other = \"postgres://db/x?password=hunter2\"\n    bucket = \"b\"\n  }\n}",
			[]string{"other of the state block at main.hcl:5", "password of the state block at main.hcl:3", "url of the state block at main.hcl:4"}},
		{"state store by words", "proximity {\n  state \"x\" {\n    url = \"host=db user=me password='hunter2'\"\n    address = \"https://h/s?a=1&private_token=hunter2\"\n  }\n}",
			[]string{"address of the state block at main.hcl:4", "url of the state block at main.hcl:3"}},
		{"state store by words without one", "proximity {\n  state \"x\" {\n    url = \"host=db user=me sslmode=require\"\n    address = \"https://h/token/s?tokens=2\"\n  }\n}", nil},
		{"state store by env", "proximity {\n  state \"x\" {\n    password = env(\"P\")\n    url = \"postgres://db/x?user=me\"\n    token = \"\"\n  }\n}", nil},
		{"output", "output \"o\" {\n  value = \"hunter2\"\n  sensitive = true\n}", []string{"the value of output o at main.hcl:2"}},
		{"output in clear", "output \"o\" { value = \"x\" }", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			o := options("main.hcl", c.files)
			o.LookupEnv = environment(map[string]string{"P": "x"})
			loaded, problems := Load(o)
			require.False(t, problems.HasErrors(), told(problems))
			require.Equal(t, c.want, placed(loaded.ClearSecrets()))
		})
	}
}

func placed(places []diag.Place) []string {
	var texts []string
	for _, p := range places {
		texts = append(texts, fmt.Sprintf("%s at %s:%d", p.Text, p.Range.Filename, p.Range.Start.Line))
	}
	return texts
}
