package proxmox

import (
	"cmp"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// recordedStep is one request to a real node and the reads after it.
type recordedStep struct {
	recordedExchange
	Note  string
	After []recordedExchange
}

type recordedExchange struct {
	Request struct {
		Method, Path, Auth string
		Form               map[string]any
	}
	Response struct {
		Status int
		Body   struct{ Data json.RawMessage }
	}
}

func recordedSteps(t *testing.T, scenario string) []recordedStep {
	t.Helper()
	dir := cmp.Or(os.Getenv("PVE_RECORDINGS"), "../../../testdata/recordings")
	text, err := os.ReadFile(filepath.Join(dir, scenario+".json"))
	require.NoError(t, err)
	var file struct{ Steps []json.RawMessage }
	require.NoError(t, json.Unmarshal(text, &file))
	var steps []recordedStep
	for _, raw := range file.Steps {
		var s recordedStep
		if json.Unmarshal(raw, &s) == nil { // else its body is a text, and it is no change of a setting
			steps = append(steps, s)
		}
	}
	return steps
}

// node follows what a recording says of the configuration of one container.
type node struct {
	values  map[string]string // in force
	waiting map[string]bool
	runs    bool
}

var (
	configPath    = regexp.MustCompile(`/lxc/\d+/config$`)
	newVolumeText = regexp.MustCompile(`^\w+:(\d+),`)
	powerPath     = regexp.MustCompile(`/lxc/\d+/status/(start|stop)$`)
)

func textOf(v any) string {
	text, _ := json.Marshal(v)
	var plain pve.Text
	_ = plain.UnmarshalJSON(text)
	return string(plain)
}

// asked returns the configuration that a request asks for.
func (n *node) asked(form map[string]any) (values map[string]string, keys []string) {
	values = maps.Clone(n.values)
	for key, v := range form {
		switch text := textOf(v); {
		case key == "delete":
			for _, gone := range strings.Split(text, ",") {
				delete(values, gone)
				keys = append(keys, gone)
			}
		case key != "digest" && key != "revert":
			if m := newVolumeText.FindStringSubmatch(text); m != nil {
				text += ",size=" + m[1] + "G" // as the node will write
			}
			values[key] = text
			keys = append(keys, key)
		}
	}
	return values, keys
}

// learn takes in what the reads after a request show, and returns which keys
// wait for a stop.
func (n *node) learn(t *testing.T, after []recordedExchange) (waiting map[string]bool, told bool) {
	t.Helper()
	waiting = map[string]bool{}
	for _, read := range after {
		var rows []struct {
			Key            string
			Value, Pending *pve.Text
			Delete         pve.Bool
		}
		var settings map[string]any
		switch path := read.Request.Path; {
		case strings.HasSuffix(path, "/pending"):
			require.NoError(t, json.Unmarshal(read.Response.Body.Data, &rows))
			n.values, told = map[string]string{}, true
			for _, r := range rows {
				if r.Value != nil {
					n.values[r.Key] = string(*r.Value)
				}
				waiting[r.Key] = r.Pending != nil || bool(r.Delete)
			}
		case configPath.MatchString(path) && !n.runs && json.Unmarshal(read.Response.Body.Data, &settings) == nil:
			n.values, told = map[string]string{}, true
			for key, v := range settings {
				if key != "lxc" {
					n.values[key] = textOf(v)
				}
			}
		}
	}
	return waiting, told
}

// judged returns what the table says of a change of the configuration: the
// heaviest effect, and whether only root@pam may make it.
func judged(before, after map[string]string, runs bool) (effect resource.Effect, rootOnly bool, paths []string) {
	kind := kindOfApp()
	was, is := attrsOf(kind, before, cty.NilVal, cty.NilVal), attrsOf(kind, after, cty.NilVal, cty.NilVal)
	if slices.Equal(slots(before, "mp"), slots(after, "mp")) { // a volume keeps its name when its path changes
		is = attrsOf(kind, after, cty.NilVal, was)
	}
	set := was.AsValueMap()
	set["status"] = str(map[bool]string{true: "running", false: "stopped"}[runs])
	seen := resource.Seen{Presence: resource.Present, Object: resource.Object{Attrs: cty.ObjectVal(set), ID: "1"}}
	var edits []resource.Edit
	for _, path := range differences(nil, &kind.Schema, was, is) {
		e := resource.Edit{Path: path, Old: valueAt(was, path), New: valueAt(is, path)}
		e.Verdict = kind.Judge(e, resource.Resource{}, seen)
		edits = append(edits, e)
		paths = append(paths, path.String())
	}
	return heaviest(edits), len(rootOnlyEdits(edits)) > 0, paths
}

// What a real node did with each setting, running and stopped, is what the
// table of effects says: at once, or only with the next stop.
func TestEffectsAreThoseOfARealNode(t *testing.T) {
	compared := map[string][]string{} // "running at once" → what was compared
	for _, scenario := range []string{
		"put-running-each-key", "put-running-delete-each-key", "put-running-net", "put-running-mounts", "put-running-delete-after-change",
		"put-stopped-cpu-memory", "put-stopped-options", "put-stopped-text", "put-net-stopped", "put-mount-stopped", "put-tags",
	} {
		n := &node{values: map[string]string{}}
		for _, step := range recordedSteps(t, scenario) {
			r := step.Request
			switch m := powerPath.FindStringSubmatch(r.Path); {
			case m != nil:
				n.runs = m[1] == "start"
			case r.Method == "POST" && strings.HasSuffix(r.Path, "/lxc"):
				n.values, _ = n.asked(r.Form)
			}
			before, couldWait := maps.Clone(n.values), n.waiting
			waiting, told := n.learn(t, step.After)
			n.waiting = waiting
			if r.Method != "PUT" || !configPath.MatchString(r.Path) || step.Response.Status != 200 || !told {
				continue
			}
			wanted, keys := (&node{values: before}).asked(r.Form)
			effect, _, paths := judged(before, wanted, n.runs)
			isWaiting := slices.ContainsFunc(keys, func(key string) bool { return waiting[key] })
			if effect == resource.Record || effect > resource.Restart || slices.ContainsFunc(keys, func(key string) bool { return couldWait[key] }) {
				continue // nothing new, a size, which the node corrects, or something else waited already
			}
			want := map[bool]resource.Effect{true: resource.Restart, false: resource.Live}[isWaiting]
			require.Equal(t, want.String(), effect.String(), "%s: %v", scenario, r.Form)
			where := map[bool]string{true: "running ", false: "stopped "}[n.runs] + effect.String()
			compared[where] = append(compared[where], paths...)
		}
	}
	for where, paths := range compared {
		slices.Sort(paths)
		compared[where] = slices.Compact(paths)
		t.Log(where, compared[where])
	}
	require.Subset(t, compared["running live"], []string{"cores", "cpu_limit", "cpu_units", "memory", "swap", "hostname", "description", "tags",
		"startup.on_boot", "startup.order", "protection", "network.eth0.ip", "network.eth1", "volume.data"})
	require.Subset(t, compared["running restart"], []string{"dns.servers", "dns.search", "console.enabled", "console.tty", "console.mode", "timezone",
		"features.nesting", "arch", "os_type", "debug", "env", "entrypoint", "volume.data.backup", "volume.data.path", "volume.data", "disk.mount_options"})
	require.Empty(t, compared["stopped restart"])
	require.Greater(t, len(compared["stopped live"]), 15)
}

// What a real node refuses to a token and takes from root@pam itself is what a
// plan says needs root@pam.
func TestRootOnlySettingsAreThoseOfARealNode(t *testing.T) {
	n := &node{values: map[string]string{"unprivileged": "1"}}
	counted := map[bool]int{}
	for _, step := range recordedSteps(t, "root-only-settings") {
		r, status := step.Request, step.Response.Status
		if r.Method != "PUT" || !configPath.MatchString(r.Path) {
			continue
		}
		wanted, _ := n.asked(r.Form)
		_, rootOnly, paths := judged(n.values, wanted, false)
		if r.Auth == "token" && len(paths) > 0 {
			require.Equal(t, status == 403, rootOnly, "%v", r.Form)
			counted[rootOnly]++
		}
		if status == 200 {
			n.values = wanted
		}
	}
	require.Greater(t, counted[true], 9)
	require.Greater(t, counted[false], 1)
}
