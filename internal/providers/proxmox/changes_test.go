package proxmox

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/resource"
)

// rows draws some of the settings that a container can change in place, and
// which of their values each gets: 0 for none.
func drawRows(t *rapid.T, what string) map[string]int {
	chosen := map[string]int{}
	for _, name := range slices.Sorted(maps.Keys(settings())) {
		fixed := []string{"host", "node", "running", "restart", "backup", "template_storage"}
		if slices.Contains(mayReplace, name) || slices.Contains(fixed, name) {
			continue
		}
		if rapid.IntRange(0, 3).Draw(t, what+" "+name+"?") == 0 {
			chosen[name] = rapid.IntRange(0, 2).Draw(t, what+" "+name)
		}
	}
	return chosen
}

// with returns a wish with the chosen settings. What is always there is not
// taken away, and what can only grow does not shrink.
func withRows(want resource.Resource, chosen map[string]int, atLeast map[string]int) resource.Resource {
	schema := &kindOfApp().Schema
	for _, name := range slices.Sorted(maps.Keys(settings())) {
		row, path, n := settings()[name], pathOf(name), chosen[name]
		_, isChosen := chosen[name]
		if strings.HasSuffix(name, "size") || strings.HasSuffix(name, "storage") {
			n = max(n, atLeast[name], 1)
			isChosen = true
		}
		a := schema.At(path)
		mustBe := row.always || a != nil && a.Role == resource.Required
		if !isChosen || n == 0 && mustBe || a == nil && n == 2 {
			continue
		}
		want.Want = put(schema, want.Want, path, []cty.Value{cty.NilVal, row.first, row.second}[n])
	}
	return want
}

// Any app becomes any other one: what is there is as wanted then, and a second
// plan is empty.
func TestAnyAppBecomesAnyOther(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		before, after := drawRows(rt, "before"), drawRows(rt, "after")
		if before["protection"] == 1 && after["protection"] == 1 {
			delete(before, "protection") // see TestProtectedDrives
		}
		power := rapid.SampledFrom([]values{{"running": cty.False}, nil}).Draw(rt, "power")
		holds(t, rt, func(t *testing.T) {
			l, _ := rootLab(t, settingsSeed())
			base := app("web", settledApp(power))
			first := withRows(base, before, nil)
			made := l.create(first, 2000)
			l.t.Log("made")
			left, seen := l.edits(first, made)
			require.Empty(t, left)
			require.Empty(t, seen.Unmanaged)
			l.change(withRows(base, after, before), made)
		})
	})
}

// holds runs the rest of a check in a bubble, where waiting takes no time.
func holds(t *testing.T, rt *rapid.T, test func(t *testing.T)) {
	if !t.Run("", func(t *testing.T) { synctest.Test(t, test) }) {
		rt.Fatal("it does not hold, see above")
	}
}

// A change touches what it says and nothing else, byte for byte, in whatever
// configuration a node may hold; also while the node answers with errors about
// something else, and while changes wait.
func TestChangesTouchNothingElse(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		cfg, runs := nodeConfig(rt, today), rapid.Bool().Draw(rt, "runs")
		for key, line := range cfg {
			isStuck := slices.Contains([]string{"lock", "protection", "template"}, key)
			if isStuck || runs && isSlot(key, "net") && !strings.Contains(line, "bridge=") {
				delete(cfg, key) // else the node refuses every change, or that of the interface
			}
		}
		attrs, _ := readAlone(withoutRaw(cfg))
		before := wished(attrs, values{"running": cty.BoolVal(runs), "restart": str("manual")})
		after := drawChange(rt, before)
		holds(t, rt, func(t *testing.T) {
			l, _ := rootLab(t, settingsSeed())
			l.plant(cfg, runs)
			l.touchesNothingElse(before, after)
		})
	})
}

func (l *lab) touchesNothingElse(before, after resource.Resource) {
	t := l.t
	made := record(before, l.see(&before, nil).Object)
	held, listed := l.held(), l.see(&before, &made).Unmanaged
	edits, seen := l.edits(after, made)
	job := l.job(after, "2000")
	job.Prior, job.Edits, job.Digest = &made, edits, seen.Digest
	w := &work{p: l.Provider, job: job, cfg: config{coming: held, current: held}, edits: edits}
	c, _ := w.gather()
	touched := c.targets()
	fields := map[string]bool{"size": true} // which the node corrects
	for _, e := range edits {
		fields[fieldOf(e.Path)] = true
	}

	now, err := l.Update(t.Context(), job)
	require.NoError(t, err)
	left, _ := l.edits(after, record(after, now))
	require.Empty(t, left, "a second plan is not empty")
	is := l.held()
	for key, value := range held {
		if _, mine := touched[key]; !mine {
			require.Equal(t, value, is[key], key)
		}
	}
	still := l.see(&after, &now).Unmanaged
	for _, line := range listed {
		slot, _, _ := strings.Cut(line, ":")
		slot, field, isField := strings.Cut(slot, ".")
		if isField && touched[slot] != "" && !fields[field] {
			require.Contains(t, still, line)
		}
	}
}

// held returns container 2000's configuration as it will be, with the lines of
// lxc.
func (l *lab) held() map[string]string {
	l.t.Helper()
	cfg, err := l.readConfig(l.t.Context(), "pve1", "2000", inFull)
	require.NoError(l.t, err)
	all := maps.Clone(cfg.coming)
	delete(all, "digest")
	for i, line := range cfg.raw {
		all[fmt.Sprintf("lxc.%d", i)] = line
	}
	return all
}

// drawChange returns a wish with other values for some of the settings that
// need no volume to be there.
func drawChange(t *rapid.T, want resource.Resource) resource.Resource {
	schema := &kindOfApp().Schema
	chosen := drawRows(t, "change")
	for _, name := range slices.Sorted(maps.Keys(chosen)) {
		row, path, n := settings()[name], resource.Path(strings.Split(name, ".")), chosen[name]
		if strings.HasSuffix(name, "size") || strings.HasSuffix(name, "storage") || name == "volume.*" {
			continue
		}
		a := schema.At(pathOf(name))
		var labels []string
		if n := schema.Blocks[path[0]]; n != nil && n.Labelled {
			labels = sortedLabels(want.Want, path[0])
		}
		switch {
		case a == nil && n == 0 && len(labels) > 0: // a whole element goes
			path[1] = rapid.SampledFrom(labels).Draw(t, name)
		case a == nil:
			path[1] = comingLabels[path[0]]
		case len(path) == 3 && len(labels) == 0:
			continue
		case len(path) == 3:
			path[1] = rapid.SampledFrom(labels).Draw(t, name)
		}
		if n == 0 && (row.always || a != nil && a.Role == resource.Required) || a == nil && n == 2 {
			continue
		}
		want.Want = put(schema, want.Want, path, []cty.Value{cty.NilVal, row.first, row.second}[n])
	}
	return want
}
