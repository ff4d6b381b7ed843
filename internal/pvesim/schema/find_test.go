package schema

import (
	"maps"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
)

// The paths of the tables are found again, and neither a verb nor a path too many.
func TestFind(t *testing.T) {
	for _, tt := range []struct {
		name, verb, path, want string
		vars                   map[string]string
	}{
		{"collection", "GET", "/nodes/pve1/lxc", "/nodes/{node}/lxc", map[string]string{"node": "pve1"}},
		{"extra slashes", "GET", "//nodes//pve1/lxc/", "/nodes/{node}/lxc", map[string]string{"node": "pve1"}},
		{"root", "GET", "/", "/", map[string]string{}},
		{"literal before placeholder", "GET", "/cluster/ha/status/current", "/cluster/ha/status/current", map[string]string{}},
		{"volume with slashes", "DELETE", "/nodes/n/storage/local/content/local:1210/vm-1210-disk-0.raw",
			"/nodes/{node}/storage/{storage}/content/{volume}",
			map[string]string{"node": "n", "storage": "local", "volume": "local:1210/vm-1210-disk-0.raw"}},
		{"wrong verb", "PUT", "/nodes/pve1/lxc", "", nil},
		{"unknown leaf", "GET", "/nodes/pve1/lxc/100/exec", "", nil},
		{"path too long", "GET", "/version/x", "", nil},
		{"inner node without a method", "GET", "/cluster/config", "", nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, vars := Find(tt.verb, tt.path)
			require.Equal(t, tt.vars, vars)
			if tt.want == "" {
				require.Nil(t, m)
				return
			}
			require.Equal(t, tt.want, m.Path)
		})
	}
}

// A check asks for privileges that exist.
func TestChecksAskForPrivileges(t *testing.T) {
	for _, m := range All() {
		if m.Permission != nil && m.Permission.Check != nil {
			require.Subset(t, append(privileges(), "self"), m.Permission.Check.all(), m.Path)
		}
	}
}

func (c *Check) all() []string {
	privs := slices.Clone(c.Privs)
	for _, sub := range c.Of {
		privs = append(privs, sub.all()...)
	}
	return privs
}

// Every format that a table names has a verifier, and every pattern compiles: a request with any value in any parameter
// gets an answer.
func TestEveryParameterCanBeChecked(t *testing.T) {
	for _, m := range All() {
		for _, value := range []any{"", "x", "100", []any{"a", "b"}, true, map[string]any{}} {
			raw := map[string]any{}
			for _, name := range slices.Sorted(maps.Keys(m.Params)) {
				raw[name] = value
			}
			for stem := range m.Indexed {
				raw[stem+"0"] = value
			}
			require.NotPanics(t, func() { m.Check(raw) }, m.Path)
		}
	}
}
