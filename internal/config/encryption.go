package config

import (
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// The environment says what an encryption block leaves out.
const (
	PassphraseEnv   = "PROXIMITY_PASSPHRASE"
	IdentityFileEnv = "PROXIMITY_IDENTITY_FILE"
)

// EncryptionHint is what to add to files that say nothing of encryption.
const EncryptionHint = "proximity {\n  encryption { passphrase = env(\"" + PassphraseEnv + "\") }\n}"

// Encryption is what state and plan files are encrypted with.
type Encryption struct {
	Passphrase    Secret
	OldPassphrase Secret   // opens what was written before; nothing is written with it
	Recipients    []string // who may read; never together with Passphrase
	Identities    Secret   // the content of the identity file
	Range         hcl.Range
}

// KeyChecks say what is wrong with a key, as resource.Attr.Check does.
type KeyChecks struct{ Passphrase, Recipient, Identities func(text string) string }

func (w *world) encryptionSchema() *resource.Block {
	passphrase := &resource.Attr{Type: cty.String, Sensitive: true}
	return &resource.Block{Attrs: map[string]*resource.Attr{
		"passphrase":     passphrase,
		"old_passphrase": passphrase,
		"recipients":     {Type: cty.List(cty.String)},
		"identity_file":  {Type: cty.String},
	}}
}

// evaluateEncryption reads the encryption block, of which there is one at most.
func (w *world) evaluateEncryption(blocks hcl.Blocks) *Encryption {
	if len(blocks) == 0 {
		return nil
	}
	for _, again := range blocks[1:] {
		w.say(declaredTwice(again.DefRange, blocks[0].DefRange, "the encryption block"))
	}
	at, schema := blocks[0].DefRange, w.encryptionSchema()
	content := w.content(blocks[0].Body, schema, "encryption", nil, nil)
	b := w.compileBody(content, schema, names{where: "the encryption block"}, nil)
	d := &decoder{session: w.now, what: "the encryption block"}
	v := d.block(schema, b, nil)
	w.say(d.problems...)
	e := &Encryption{Range: at}
	if !v.IsWhollyKnown() {
		if !w.problems.HasErrors() {
			w.say(diag.Errorf(&at, "encryption is not known", "its keys have to be known before anything is read"))
		}
		return e
	}
	v, _ = v.UnmarkDeep()
	e.Passphrase, e.OldPassphrase = Secret{resource.Text(v, "passphrase")}, Secret{resource.Text(v, "old_passphrase")}
	if list := v.GetAttr("recipients"); !list.IsNull() {
		for _, r := range list.AsValueSlice() {
			e.Recipients = append(e.Recipients, textOf(r))
		}
	}
	w.complete(e, keySource{b, at, resource.Text(v, "identity_file")})
	return e
}

// EncryptionOfEnvironment returns what an encryption block without a word would
// say; nil when the environment says nothing.
func EncryptionOfEnvironment(o Options) (*Encryption, diag.List) {
	w := newWorld(o.complete(), &directory{})
	passphrase, _ := w.o.LookupEnv(PassphraseEnv)
	file, _ := w.o.LookupEnv(IdentityFileEnv)
	if passphrase == "" && file == "" {
		return nil, nil
	}
	e := &Encryption{}
	w.complete(e, keySource{body: &body{}})
	return e, w.problems
}

func textOf(v cty.Value) string {
	if v.IsNull() {
		return ""
	}
	return strings.TrimSpace(v.AsString())
}

// keySource is an encryption block as it is written, for messages.
type keySource struct {
	*body
	at   hcl.Range // zero: there is no block
	file string    // of identities
}

func (k keySource) says(name string) bool { return k.attrs[name] != nil }

// where returns the place of an attribute, or of the block; nil: the environment
// said it all.
func (k keySource) where(name string) *hcl.Range {
	switch {
	case k.says(name):
		return &k.attrs[name].at
	case k.at.Filename == "":
		return nil
	}
	return &k.at
}

// complete lets the environment say what the block does not, and checks it all.
func (w *world) complete(e *Encryption, from keySource) {
	if from.file == "" {
		from.file, _ = w.o.LookupEnv(IdentityFileEnv)
	}
	if !from.says("passphrase") && !from.says("recipients") && !from.says("identity_file") {
		text, _ := w.o.LookupEnv(PassphraseEnv)
		e.Passphrase = Secret{text}
	}
	e.Identities = w.readIdentities(from.file, from.where("identity_file"))
	w.checkKeys(e, from)
	if from.says("old_passphrase") && e.OldPassphrase.Empty() {
		w.say(diag.Errorf(from.where("old_passphrase"), "old_passphrase is not valid", "it is empty").WithHint("remove the line"))
	}
	for _, r := range e.Recipients {
		if why := check(w.o.Keys.Recipient, r); why != "" {
			w.say(diag.Errorf(from.where("recipients"), "recipients is not valid", "%s", why).WithHint("%s", recipientsHint))
		}
	}
	w.warnOfClearPassphrase(from, e)
}

const recipientsHint = `recipients = ["age1…"]   # age-keygen -y FILE`

// checkKeys checks that there is exactly one thing to encrypt with.
func (w *world) checkKeys(e *Encryption, from keySource) {
	switch {
	case from.says("passphrase") && from.says("recipients"):
		w.say(diag.Errorf(from.where("recipients"), "passphrase and recipients together", "state can be encrypted for only one of them").
			WithHint("remove one of the two lines; old_passphrase = … still opens what a passphrase encrypted"))
	case from.says("passphrase") || !e.Passphrase.Empty():
		if why := check(w.o.Keys.Passphrase, e.Passphrase.Reveal()); why != "" {
			w.say(diag.Errorf(from.where("passphrase"), "passphrase is not valid", "it %s", why).
				WithHint("export %s=\"$(openssl rand -base64 24)\"   # and keep it where it cannot be lost", PassphraseEnv))
		}
	case from.says("recipients") && len(e.Recipients) == 0:
		w.say(diag.Errorf(from.where("recipients"), "recipients is not valid", "there is none, so nobody could read the state").
			WithHint("%s", recipientsHint))
	case !from.says("recipients") && from.file == "":
		w.say(diag.Errorf(from.where(""), "encryption has no key", "it says neither passphrase nor recipients, and %s is not set", PassphraseEnv).
			WithHint("encryption { passphrase = env(%q) }", PassphraseEnv))
	}
}

func check(by func(string) string, text string) string {
	if by == nil {
		return ""
	}
	return by(text)
}

func (w *world) warnOfClearPassphrase(from keySource, e *Encryption) {
	for _, one := range []struct {
		name, env string
		text      Secret
	}{{"passphrase", PassphraseEnv, e.Passphrase}, {"old_passphrase", "OLD_PASSPHRASE", e.OldPassphrase}} {
		if written := from.attrs[one.name]; written != nil && !one.text.Empty() && isLiteral(written.expression) {
			w.say(diag.Warningf(&written.at, "secret in clear text", "the %s of state stands in the file", one.name).
				WithHint("%s = env(%q)", one.name, one.env))
		}
	}
}

// readIdentities reads the file of the keys that open what is encrypted. A
// relative name is one of the configuration's directory.
func (w *world) readIdentities(name string, at *hcl.Range) Secret {
	if name == "" {
		return Secret{}
	}
	path := w.pathOf(name)
	content, err := w.o.ReadFile(path)
	if err != nil {
		w.say(diag.Errorf(at, "cannot read the identity file", "%q: %s", name, plainCause(err)).
			WithHint("age-keygen -o %s   # makes one, and prints its recipient", name))
		return Secret{}
	}
	if why := check(w.o.Keys.Identities, string(content)); why != "" {
		w.say(diag.Errorf(at, "identity file is not valid", "%q: %s", name, why))
		return Secret{}
	}
	w.warnOfOthers(path, "identity file", at)
	return Secret{string(content)}
}

// pathOf returns where a file of secrets lies that a configuration names: below
// its directory, or below the home of who runs the program.
func (w *world) pathOf(name string) string {
	if home, ok := w.o.LookupEnv("HOME"); ok && strings.HasPrefix(name, "~/") {
		return filepath.Join(home, name[2:])
	}
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(w.o.Dir, name)
}

// warnOfOthers warns of a file of secrets that others can read.
func (w *world) warnOfOthers(path, what string, at *hcl.Range) {
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		w.say(diag.Warningf(at, what+" is readable by others", "%q has mode %04o", path, info.Mode().Perm()).
			WithHint("chmod 600 %s", path))
	}
}

// requireEncryption refuses what may be kept only in an encrypted state.
func (w *world) requireEncryption(e *Encryption) {
	if e != nil {
		return
	}
	hint := EncryptionHint
	if w.settings != nil {
		hint = fmt.Sprintf("encryption { passphrase = env(%q) }   # in the proximity block", PassphraseEnv)
	}
	for _, a := range slices.SortedFunc(maps.Keys(w.blocks), addr.Compare) {
		if b := w.blocks[a]; b.kind.Schema.KeepsSecret() {
			w.say(diag.Errorf(&b.at, "encryption is needed", "the value of %s is kept in state, which is not encrypted", a).
				WithHint("%s", hint))
		}
	}
}
