package cli

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/plan"
)

func savedPlan() planFile {
	doc := plan.Document{
		Version: plan.DocumentVersion, Base: plan.Base{Lineage: "l", Serial: 3, Config: "c"},
		Changes: []plan.DocumentChange{{Addr: addr.New("app", "web"), Action: "create", Host: "pve", ID: "2000", Edits: []plan.DocumentEdit{
			{Path: []string{"tags"}, New: &plan.DocumentValue{JSON: json.RawMessage(`["<a>&","b"]`)}},
		}}},
	}
	return planFile{
		Sources: config.Sources{Files: map[string][]byte{"main.hcl": []byte("app \"web\" {}\n")}},
		Select:  plan.Selection{Targets: []addr.Addr{addr.New("app", "web").Each("a\"b")}}, Plan: doc,
	}
}

func TestPlanFileIsReadAsItWasWritten(t *testing.T) {
	name := filepath.Join(t.TempDir(), "p")
	require.NoError(t, writePlanFile(name, savedPlan()))
	info, err := os.Stat(name)
	require.NoError(t, err)
	require.Equal(t, os.FileMode(0o600), info.Mode().Perm())

	f, err := readPlanFile(name)
	require.NoError(t, err)
	require.Equal(t, savedPlan().Select, f.Select)
	require.Equal(t, savedPlan().Sources, f.Sources)
	require.Empty(t, staleness(f.Plan, savedPlan().Plan))
}

func TestPlanFileIsRefused(t *testing.T) {
	for name, change := range map[string]func(*planFile){
		"a path out of the configuration": func(f *planFile) { f.Sources.Files = map[string][]byte{"../x": nil} },
		"an absolute path":                func(f *planFile) { f.Sources.Files = map[string][]byte{"/etc/x": nil} },
		"another fingerprint":             func(f *planFile) { f.Fingerprint = "0" },
		"another version":                 func(f *planFile) { f.Version = 2 },
		"another format":                  func(f *planFile) { f.Format = "x" },
		"too many files": func(f *planFile) {
			for i := range maxPlanSources + 1 {
				f.Sources.Files[fmt.Sprint(i)] = nil
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := savedPlan()
			f.Format, f.Version, f.Fingerprint = planFormat, planVersion, f.Plan.Fingerprint()
			change(&f)
			text, err := json.Marshal(f)
			require.NoError(t, err)
			_, err = decodePlanFile(text)
			require.Error(t, err)
		})
	}
	_, err := decodePlanFile(make([]byte, maxPlanFile+1))
	require.ErrorContains(t, err, "64 MiB")
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
	saved.Format, saved.Version, saved.Fingerprint = planFormat, planVersion, saved.Plan.Fingerprint()
	text, err := json.Marshal(saved)
	require.NoError(f, err)
	f.Add(text)
	f.Add([]byte(`{"format":"proximity-plan","version":1}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		if read, err := decodePlanFile(data); err == nil {
			require.Equal(t, read.Plan.Fingerprint(), read.Fingerprint)
		}
	})
}
