package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
)

// val is a known value, nil is none.
func val(v any) *plan.DocumentValue {
	if v == nil {
		return nil
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return &plan.DocumentValue{JSON: text}
}

func edit(path string, was, is any, effect string) plan.DocumentEdit {
	return plan.DocumentEdit{Path: strings.Split(path, "."), Old: val(was), New: val(is), Effect: effect, Cause: "config"}
}

func withUnit(e plan.DocumentEdit, unit string) plan.DocumentEdit {
	e.Unit = unit
	return e
}

func drifted(e plan.DocumentEdit) plan.DocumentEdit {
	e.Cause = "drift"
	return e
}

const gib = 1 << 30

// everything is a plan that has one of each.
func everything() plan.Document {
	secret := &plan.DocumentValue{Sensitive: true, Sealed: "sealed:never-shown"}
	return plan.Document{
		Version: 1, Kept: 12, Base: plan.Base{Lineage: "l1", Serial: 7, Config: "c1"},
		Changes: []plan.DocumentChange{
			{Addr: addr.New("app", "cache"), Action: "create", Host: "pve", ID: "2001", Edits: []plan.DocumentEdit{
				edit("cores", nil, 2, "live"),
				withUnit(edit("disk.size", nil, 4*gib, "live"), "bytes"),
				{Path: []string{"env", "TOKEN"}, New: secret},
				{Path: []string{"env", "PEER"}, New: &plan.DocumentValue{Unknown: true}},
				edit("setup.file./etc/motd.content", nil, "first\nsecond\nthird\n", "live"),
				edit("tags", nil, []string{"a", "b"}, "live"),
			}},
			{Addr: addr.New("app", "db"), Action: "replace", Host: "pve", ID: "2003", Reason: "unprivileged: it is fixed when a container is made",
				Edits: []plan.DocumentEdit{edit("unprivileged", false, true, "replace")}, Loses: []string{"cores: 3"}},
			{Addr: addr.New("app", "gone"), Action: "forget", Host: "pve", ID: "2009", Reason: "it is gone from the host already"},
			{Addr: addr.New("app", "old"), Action: "delete", Host: "pve", ID: "2004", Reason: "it is no longer in the configuration"},
			{Addr: addr.New("app", "web").Each("blue"), Action: "update", Host: "pve", ID: "2005",
				Keeps: []string{"lxc.apparmor.profile: unconfined"},
				Edits: []plan.DocumentEdit{
					withUnit(edit("memory", gib, 2*gib, "live"), "bytes"),
					edit("env", map[string]string{"A": "1", "B": "2"}, map[string]string{"A": "1", "B": "3", "C": "4"}, "restart"),
					edit("tags", []string{"a", "c"}, []string{"b", "c"}, "live"),
					{Path: []string{"password"}, Old: secret, New: secret, Effect: "in guest", Cause: "config"},
					edit("network.eth0.gateway", nil, "192.168.1.1", "live"),
					edit("startup.order", 10, nil, "record"),
					edit("description", strings.Repeat("long ", 30)+"tail", strings.Repeat("long ", 30)+"end", "live"),
					edit("setup.run", "one\ntwo\nthree\n", "one\n2\nthree\n", "in guest"),
					drifted(edit("cores", 4, 2, "live")),
					drifted(edit("hostname", "\x1b[31mevil\x07", "web", "restart")),
				}},
			{Addr: addr.New("backup_policy", "nightly"), Action: "update", Host: "pve", ID: "job1",
				Edits: []plan.DocumentEdit{withUnit(edit("max_age", 3600*26, 5400, "record"), "seconds")}},
			{Addr: addr.New("backup_policy", "weekly"), Action: "delete", Host: "pve", ID: "job2", Reason: "it is no longer in the configuration"},
			{Addr: addr.Addr{Kind: "template", Name: "debian-13-standard", Part: "pve1/local"}, Action: "create", Host: "pve", Lasting: true},
		},
		Diagnostics: []plan.DocumentDiagnose{{Severity: "warning", Summary: "little memory | left", Detail: "1GiB on pve1", File: "main.hcl", Line: 3}},
	}
}

func TestPlanShowsDangersFirstThenEveryChangeThenACount(t *testing.T) {
	golden(t, "plan", Plan(everything(), Style{Width: 80}))
	golden(t, "plan_colour", Plan(everything(), Style{Width: 80, Colour: true}))
}

// To take a container over for a block that asks for something else may restart
// it, like any change.
func TestAnAdoptionThatRestartsIsADanger(t *testing.T) {
	adopted := plan.DocumentChange{Addr: addr.New("app", "web"), Action: "adopt", Host: "pve", ID: "105",
		Edits: []plan.DocumentEdit{edit("timezone", nil, "UTC", "restart")}}
	text := Plan(plan.Document{Changes: []plan.DocumentChange{adopted}}, Style{Width: 80})
	require.True(t, strings.HasPrefix(text, "Careful:\n  < app.web  restarts, for timezone\n"), text)
}

func TestPlanKeepsToTheWidthOfTheTerminal(t *testing.T) {
	for _, w := range []int{60, 80, 120} {
		for line := range strings.Lines(Plan(everything(), Style{Width: w})) {
			if !strings.HasPrefix(line, "Plan:") { // the count is one line, for scripts
				require.LessOrEqual(t, width(strings.TrimSuffix(line, "\n")), max(w, 80), "at width %d", w)
			}
		}
	}
}

func TestPlanNeverShowsSecretsOrControlCharacters(t *testing.T) {
	var lines bytes.Buffer
	NewLines(&lines).Plan(everything())
	for name, text := range map[string]string{
		"text": Plan(everything(), Style{}), "markdown": Markdown(everything()),
	} {
		require.NotContains(t, text, "never-shown", name)
		require.NotContains(t, text, "\x1b", name)
		require.NotContains(t, text, "\x07", name)
	}
	require.NotContains(t, lines.String(), "\x1b")
}

func TestCount(t *testing.T) {
	for _, c := range []struct {
		name string
		doc  plan.Document
		want string
	}{
		{"nothing configured", plan.Document{}, "No changes. Nothing is configured."},
		{"one kept", plan.Document{Kept: 1}, "No changes. 1 resource is as configured."},
		{"many kept", plan.Document{Kept: 16}, "No changes. 16 resources are as configured."},
		{"nothing to destroy", plan.Document{Destroy: true}, "No changes. There is nothing to delete."},
		{"nothing could be looked at", plan.Document{Diagnostics: []plan.DocumentDiagnose{{}}}, "No changes, for the reasons below."},
		{"nothing can be destroyed", plan.Document{Destroy: true, Diagnostics: []plan.DocumentDiagnose{{}}},
			"No changes. Nothing is deleted, for the reasons below."},
		{"only a download", plan.Document{Changes: []plan.DocumentChange{{Action: "create", Lasting: true}}},
			"Plan: 0 to create, 0 to change, 0 to replace, 0 to delete, 1 to download."},
		{"everything", everything(),
			"Plan: 1 to create, 2 to change (5 live, 2 in the guest, 2 need a restart, 2 only recorded), 1 to replace, 2 to delete, 1 to forget, 1 to download."},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, Count(c.doc)) })
	}
}

func TestQuantity(t *testing.T) {
	for _, c := range []struct {
		n          json.Number
		unit, want string
	}{
		{"0", "bytes", "0B"}, {"536870912", "bytes", "512MiB"}, {"1610612736", "bytes", "1536MiB"}, {"1000", "bytes", "1000B"},
		{"93600", "seconds", "26h"}, {"90", "seconds", "1m30s"}, {"5400", "seconds", "1h30m"}, {"0", "seconds", "0s"},
		{"1.5", "bytes", "1.5 bytes"},
	} {
		require.Equal(t, c.want, quantity(c.n, c.unit), "%s %s", c.n, c.unit)
	}
}

func TestMarkdown(t *testing.T) {
	golden(t, "markdown", Markdown(everything()))
	golden(t, "markdown_empty", Markdown(plan.Document{Kept: 3}))
}

func TestMarkdownFitsIntoAComment(t *testing.T) {
	doc := plan.Document{}
	for i := range 300 {
		c := everything().Changes[4]
		c.Reason = fmt.Sprint("because of ", i)
		doc.Changes = append(doc.Changes, c)
	}
	text := Markdown(doc)
	require.Less(t, len(text), 65_536)
	require.True(t, strings.Contains(text, "does not fit here") && strings.Contains(text, "and 100 more"))
}

func TestPlanAsLines(t *testing.T) {
	var b bytes.Buffer
	lines := NewLines(&b)
	lines.Plan(everything())
	require.NoError(t, lines.Err())
	golden(t, "plan_json", b.String())
	for line := range strings.Lines(b.String()) {
		var head struct {
			Version int
			Type    string
		}
		require.NoError(t, json.Unmarshal([]byte(line), &head))
		require.Equal(t, JSONVersion, head.Version)
		require.NotEmpty(t, head.Type)
	}
}

func TestPlanFoldsInstancesThatAreAlike(t *testing.T) {
	var doc plan.Document
	for i, size := range []int{1, 1, 1, 2} {
		doc.Changes = append(doc.Changes, plan.DocumentChange{
			Addr: addr.New("app", "web").At(i), Action: "create", Host: "pve", ID: fmt.Sprint(2000 + i),
			Edits: []plan.DocumentEdit{edit("cores", nil, size, "live")},
		})
	}
	golden(t, "plan_alike", Plan(doc, Style{}))
}

func TestCollectionsTooLongForALineAreShownInParts(t *testing.T) {
	env := `{"home.arpa":"http://192.168.10.20:3000/a/path","DB_HOST":"192.168.10.21"}`
	var b strings.Builder
	writeEdits(&b, []plan.DocumentEdit{
		{Path: []string{"env"}, New: &plan.DocumentValue{JSON: []byte(env)}},
		{Path: []string{"tags"}, New: &plan.DocumentValue{JSON: []byte(`["a","b"]`)}},
	}, "create", Style{Width: 60})
	require.Equal(t, `    env:
          DB_HOST = "192.168.10.21"
          "home.arpa" = "http://192.168.10.20:3000/a/path"
    tags: ["a", "b"]
`, b.String())
}
