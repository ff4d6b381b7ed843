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

// where returns the place of the block; nil: the environment said it all.
func (e *Encryption) where() *hcl.Range {
	if e.Range.Filename == "" {
		return nil
	}
	return &e.Range
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
	w.checkKeys(e, b, v)
	return e
}

// EncryptionOfEnvironment returns what an encryption block without a word would
// say; nil when the environment says nothing.
func EncryptionOfEnvironment(o Options) (*Encryption, diag.List) {
	w := newWorld(withDefaults(o), &directory{})
	_, hasPassphrase := w.o.LookupEnv(PassphraseEnv)
	_, hasFile := w.o.LookupEnv(IdentityFileEnv)
	if !hasPassphrase && !hasFile {
		return nil, nil
	}
	e := &Encryption{}
	w.checkKeys(e, &body{}, w.encryptionSchema().Value(nil))
	return e, w.problems
}

func textOf(v cty.Value) string {
	if v.IsNull() {
		return ""
	}
	return strings.TrimSpace(v.AsString())
}

// checkKeys checks what the block says, after the environment said the rest.
func (w *world) checkKeys(e *Encryption, b *body, v cty.Value) {
	at := func(name string) *hcl.Range {
		if written := b.attrs[name]; written != nil {
			return &written.at
		}
		return e.where()
	}
	file := resource.Text(v, "identity_file")
	if file == "" {
		file, _ = w.o.LookupEnv(IdentityFileEnv)
	}
	saysPassphrase, saysRecipients := b.attrs["passphrase"] != nil, b.attrs["recipients"] != nil
	if !saysPassphrase && !saysRecipients && b.attrs["identity_file"] == nil {
		text, _ := w.o.LookupEnv(PassphraseEnv)
		e.Passphrase = Secret{text}
	}
	e.Identities = w.readIdentities(file, at("identity_file"))
	switch {
	case saysPassphrase && saysRecipients:
		w.say(diag.Errorf(at("recipients"), "passphrase and recipients together", "state can be encrypted for only one of them").
			WithHint("remove one of the two lines; old_passphrase = … still opens what a passphrase encrypted"))
	case saysPassphrase || !e.Passphrase.Empty():
		w.checkPassphrase("passphrase", e.Passphrase, at("passphrase"))
	case saysRecipients && len(e.Recipients) == 0:
		w.say(diag.Errorf(at("recipients"), "recipients is not valid", "there is none, so nobody could read the state").
			WithHint(`recipients = ["age1…"]   # age-keygen -y FILE`))
	case !saysRecipients && file == "":
		w.say(diag.Errorf(e.where(), "encryption has no key", "it says neither passphrase nor recipients, and %s is not set", PassphraseEnv).
			WithHint("encryption { passphrase = env(%q) }", PassphraseEnv))
	}
	if b.attrs["old_passphrase"] != nil && e.OldPassphrase.Empty() {
		w.say(diag.Errorf(at("old_passphrase"), "old_passphrase is not valid", "it is empty").WithHint("remove the line"))
	}
	for _, r := range e.Recipients {
		if why := check(w.o.Keys.Recipient, r); why != "" {
			w.say(diag.Errorf(at("recipients"), "recipients is not valid", "%s", why).WithHint(`recipients = ["age1…"]   # age-keygen -y FILE`))
		}
	}
	w.warnOfClearPassphrase(b, e)
}

func (w *world) checkPassphrase(name string, s Secret, at *hcl.Range) {
	if why := check(w.o.Keys.Passphrase, s.Reveal()); why != "" {
		w.say(diag.Errorf(at, name+" is not valid", "it %s", why).WithHint("export %s=\"$(openssl rand -base64 24)\"   # and keep it where it cannot be lost", PassphraseEnv))
	}
}

func check(by func(string) string, text string) string {
	if by == nil {
		return ""
	}
	return by(text)
}

func (w *world) warnOfClearPassphrase(b *body, e *Encryption) {
	for _, one := range []struct {
		name, env string
		text      Secret
	}{{"passphrase", PassphraseEnv, e.Passphrase}, {"old_passphrase", "OLD_PASSPHRASE", e.OldPassphrase}} {
		if written := b.attrs[one.name]; written != nil && !one.text.Empty() && isLiteral(written.expression) {
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
