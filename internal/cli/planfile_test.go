package cli

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/vault"
)

func savedPlan() planFile {
	doc := plan.Document{
		Version: plan.DocumentVersion, Base: plan.Base{Lineage: "l", Serial: 3, Config: "c"},
		Changes: []plan.DocumentChange{{Addr: addr.New("app", "web"), Action: "create", Host: "pve", ID: "2000", Edits: []plan.DocumentEdit{
			{Path: []string{"tags"}, New: &plan.DocumentValue{JSON: json.RawMessage(`["<a>&","b"]`)}},
		}}},
	}
	f := planFile{
		Sources: config.Sources{Files: map[string][]byte{"main.hcl": []byte("app \"web\" {}\n")}},
		Select:  plan.Selection{Targets: []addr.Addr{addr.New("app", "web").Each("a\"b")}}, Plan: doc,
	}
	f.Plan.Base.Config = f.Sources.Hash()
	return f
}

// testVault returns a vault whose keys are cheap.
func testVault(t testing.TB) state.Vault {
	k, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	v, err := vault.New(vault.Options{Identities: k.String()})
	require.NoError(t, err)
	return v
}

func with(v state.Vault) func() (state.Vault, error) {
	return func() (state.Vault, error) { return v, nil }
}

func TestPlanFileIsReadAsItWasWritten(t *testing.T) {
	for name, v := range map[string]state.Vault{"in clear": nil, "encrypted": testVault(t)} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "p")
			old := syscall.Umask(0)
			err := writePlanFile(file, savedPlan(), v)
			syscall.Umask(old)
			require.NoError(t, err)
			info, err := os.Stat(file)
			require.NoError(t, err)
			require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
			data, err := os.ReadFile(file)
			require.NoError(t, err)
			require.Equal(t, v == nil, strings.Contains(string(data), "app.web"))

			f, err := decodePlanFile(data, with(v))
			require.NoError(t, err)
			require.Equal(t, savedPlan().Select, f.Select)
			require.Equal(t, savedPlan().Sources, f.Sources)
			require.Empty(t, staleness(f.Plan, savedPlan().Plan))
			require.NoError(t, mayWritePlanFile(file))
		})
	}
}

// encoded returns a plan file of whatever content, with a checksum that is right.
func encoded(t testing.TB, f planFile) []byte {
	body, err := json.Marshal(f)
	require.NoError(t, err)
	head := planHead{Format: planFormat, Version: planVersion, Checksum: planChecksum("", body)}
	return append(head.line(), body...)
}

func TestPlanFileIsRefused(t *testing.T) {
	for name, change := range map[string]func(*planFile){
		"a path out of the configuration": func(f *planFile) { f.Sources.Files["../x"] = nil },
		"an absolute path":                func(f *planFile) { f.Sources.Files["/etc/x"] = nil },
		"a listed path out of it":         func(f *planFile) { f.Sources.Listed = []string{"a/../../x"} },
		"too many files": func(f *planFile) {
			for i := range maxPlanSources {
				f.Sources.Files[fmt.Sprint(i)] = nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := savedPlan()
			change(&f)
			f.Plan.Base.Config = f.Sources.Hash()
			f.Fingerprint = f.Plan.Fingerprint()
			_, err := decodePlanFile(encoded(t, f), nil)
			require.Error(t, err)
		})
	}
	for name, change := range map[string]func(*planFile){
		"another fingerprint": func(f *planFile) { f.Fingerprint = "0" },
		"other sources":       func(f *planFile) { f.Sources.Files["more.hcl"] = nil },
		"another plan":        func(f *planFile) { f.Plan.Changes[0].ID = "2001" },
	} {
		t.Run(name, func(t *testing.T) {
			f := savedPlan()
			f.Fingerprint = f.Plan.Fingerprint()
			_, err := decodePlanFile(encoded(t, f), nil)
			require.NoError(t, err)
			change(&f)
			_, err = decodePlanFile(encoded(t, f), nil)
			require.ErrorContains(t, err, "changed after it was written")
		})
	}
	_, err := decodePlanFile(make([]byte, maxPlanFile+1), nil)
	require.ErrorContains(t, err, "64 MiB")
	_, err = decodePlanFile([]byte(`{"format":"proximity-plan","version":3,"checksum":""}`), nil)
	require.ErrorContains(t, err, "version 3")
}

func TestPlanFileHoldsSoManyFiles(t *testing.T) {
	f := savedPlan()
	for i := range maxPlanSources {
		f.Sources.Files[fmt.Sprint(i)] = nil
	}
	require.ErrorContains(t, writePlanFile(filepath.Join(t.TempDir(), "p"), f, nil), "201 files, and a plan file holds at most 200")
}

// Whatever bit of a plan file changes, and wherever it ends, it is refused.
func TestAnAlteredPlanFileIsRefused(t *testing.T) {
	flips, cuts := 0, 0
	for name, v := range map[string]state.Vault{"in clear": nil, "encrypted": testVault(t)} {
		data, err := encodePlanFile(savedPlan(), v)
		require.NoError(t, err)
		for i := range data {
			_, err := decodePlanFile(data[:i], with(v))
			require.Error(t, err, "%s, cut to %d bytes", name, i)
			cuts++
			for bit := range 8 {
				altered := bytes.Clone(data)
				altered[i] ^= 1 << bit
				_, err := decodePlanFile(altered, with(v))
				require.Error(t, err, "%s, bit %d of byte %d", name, bit, i)
				flips++
			}
		}
		_, err = decodePlanFile(append(data, '\n'), with(v))
		require.Error(t, err, name)
	}
	t.Logf("report: damage: plan files: %d bits changed and %d cuts, all detected", flips, cuts)
}

// A checksum can be made again; what is encrypted cannot.
func TestAnEncryptedPlanFileIsReadWithItsKeysAlone(t *testing.T) {
	v := testVault(t)
	data, err := encodePlanFile(savedPlan(), v)
	require.NoError(t, err)
	var sealed *state.ErrSealed
	for name, other := range map[string]state.Vault{"no key": nil, "another key": testVault(t)} {
		t.Run(name, func(t *testing.T) {
			_, err := decodePlanFile(data, with(other))
			require.ErrorAs(t, err, &sealed)
		})
	}
	head, body, err := splitPlanFile(data)
	require.NoError(t, err)
	for i := range body {
		altered := bytes.Clone(body)
		altered[i] ^= 1
		head.Checksum = planChecksum(head.Header, altered)
		_, err := decodePlanFile(append(head.line(), altered...), with(v))
		require.Error(t, err, "byte %d", i)
	}
}

func TestALinkIsNoPlanFile(t *testing.T) {
	dir := t.TempDir()
	require.NoError(t, writePlanFile(filepath.Join(dir, "p"), savedPlan(), nil))
	require.NoError(t, os.Symlink("p", filepath.Join(dir, "link")))
	a := &app{}
	_, err := a.readPlanFile(filepath.Join(dir, "p"))
	require.NoError(t, err)
	for _, name := range []string{"link", "."} {
		_, err := a.readPlanFile(filepath.Join(dir, name))
		require.ErrorContains(t, err, "it is a link, or no file at all")
	}
}

func TestStalenessSaysWhatDiffers(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*plan.Document)
		want   string
	}{
		{"nothing", func(*plan.Document) {}, ""},
		{"diagnostics do not count", func(d *plan.Document) { d.Diagnostics = []plan.DocumentDiagnose{{Summary: "x"}} }, ""},
		{"state of another estate", func(d *plan.Document) { d.Base.Lineage = "m" }, "it was made for another state"},
		{"state moved on", func(d *plan.Document) { d.Base.Serial = 4 }, "the state has changed since (serial 3, now 4)"},
		{"digests alone do not count", func(d *plan.Document) { d.Seen = map[string]string{"app.web": "b"} }, ""},
		{"changed by hand", func(d *plan.Document) {
			d.Changes[0].ID, d.Seen = "2001", map[string]string{"app.web": "b"}
		}, "app.web would now be carried out differently: it was changed on its host since"},
		{"another ID", func(d *plan.Document) { d.Changes[0].ID = "2001" }, "app.web would now be carried out differently"},
		{"done by somebody else", func(d *plan.Document) { d.Changes = nil }, "app.web needs no change any more"},
		{"one more", func(d *plan.Document) {
			d.Changes = append(d.Changes, plan.DocumentChange{Addr: addr.New("app", "x"), Action: "update"})
		}, "app.x would now be carried out differently"},
	} {
		t.Run(c.name, func(t *testing.T) {
			fresh := savedPlan().Plan
			c.change(&fresh)
			require.Equal(t, c.want, staleness(savedPlan().Plan, fresh))
		})
	}
}

func FuzzPlanFile(f *testing.F) {
	saved := savedPlan()
	saved.Fingerprint = saved.Plan.Fingerprint()
	f.Add(encoded(f, saved))
	sealed, err := encodePlanFile(saved, testVault(f))
	require.NoError(f, err)
	f.Add(sealed)
	f.Add([]byte(`{"format":"proximity-plan","version":2}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if read, err := decodePlanFile(data, with(nil)); err == nil {
			require.Equal(t, read.Plan.Fingerprint(), read.Fingerprint)
		}
	})
}
