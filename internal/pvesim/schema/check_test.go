package schema

import (
	"encoding/json"
	"maps"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
)

// update finds the method that most cases are about.
func update(t testing.TB) *Method {
	t.Helper()
	m, _ := Find("PUT", "/nodes/pve1/lxc/100/config")
	require.NotNil(t, m)
	return m
}

// raw is a request for container 100 with more parameters.
func raw(more map[string]any) map[string]any {
	all := map[string]any{"node": "pve1", "vmid": "100"}
	maps.Copy(all, more)
	return all
}

func TestCheckRefuses(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sent  map[string]any
		param string
		text  string
	}{
		{"unknown parameter", map[string]any{"foo": "1"}, "foo", undefined},
		{"index beyond the last", map[string]any{"net32": "name=eth0"}, "net32", undefined},
		{"index with a leading zero", map[string]any{"net01": "name=eth0"}, "net01", undefined},
		{"stem without an index", map[string]any{"net": "name=eth0"}, "net", undefined},
		{"word for a boolean", map[string]any{"onboot": "yes"}, "onboot", "type check ('boolean') failed - got 'yes'"},
		{"text for an integer", map[string]any{"memory": "abc"}, "memory", "type check ('integer') failed - got 'abc'"},
		{"fraction for an integer", map[string]any{"memory": json.Number("16.5")}, "memory", "type check ('integer') failed - got '16.5'"},
		{"JSON boolean for an integer", map[string]any{"memory": true}, "memory", "type check ('integer') failed - got JSON::PP::Boolean"},
		{"key given twice", map[string]any{"memory": []any{"75", "76"}}, "memory", "type check ('integer') failed - got ARRAY"},
		{"JSON object", map[string]any{"net0": map[string]any{"name": "eth0"}}, "net0", "type check ('string') failed - got HASH"},
		{"below the range", map[string]any{"memory": "15"}, "memory", "value must have a minimum value of 16"},
		{"above the range", map[string]any{"tty": "7"}, "tty", "value must have a maximum value of 6"},
		{"format before range", map[string]any{"vmid": "99"}, "vmid", "invalid format - value does not look like a valid VM ID\n"},
		{"outside the enumeration", map[string]any{"cmode": "serial"}, "cmode",
			"value 'serial' does not have a value in the enumeration 'shell, console, tty'"},
		{"too long, counted in characters", map[string]any{"description": strings.Repeat("ü", 8193)}, "description",
			"value may only be 8192 characters long"},
		{"bad element of a list", map[string]any{"delete": "memory,1x"}, "delete", "invalid format - invalid configuration ID '1x'\n"},
		{"property string", map[string]any{"net0": "bridge=vmbr0,tag=0"}, "net0",
			"invalid format - format error\nnet0.name: property is missing and it is not optional\n" +
				"net0.tag: value must have a minimum value of 1\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, problems := update(t).Check(raw(tt.sent))
			require.Nil(t, values)
			require.Equal(t, map[string]string{tt.param: tt.text}, problems)
		})
	}
}

func TestCheckAccepts(t *testing.T) {
	for _, tt := range []struct {
		name  string
		sent  map[string]any
		param string
		want  string
	}{
		{"form boolean", map[string]any{"onboot": "0"}, "onboot", "0"},
		{"JSON boolean", map[string]any{"onboot": true}, "onboot", "1"},
		{"JSON number", map[string]any{"memory": json.Number("512")}, "memory", "512"},
		{"JSON number as a float", map[string]any{"memory": 512.0}, "memory", "512"},
		{"leading zeros", map[string]any{"memory": "0128"}, "memory", "128"},
		{"number as written", map[string]any{"cpulimit": "1.50"}, "cpulimit", "1.50"},
		{"last index", map[string]any{"net31": "name=eth0"}, "net31", "name=eth0"},
		{"property string as sent", map[string]any{"features": "nesting=yes"}, "features", "nesting=yes"},
		{"JSON array for a list", map[string]any{"delete": []any{"swap", "tty"}}, "delete", "swap,tty"},
		{"empty list", map[string]any{"delete": ""}, "delete", ""},
		{"length in characters", map[string]any{"description": strings.Repeat("ü", 8192)}, "description", strings.Repeat("ü", 8192)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, problems := update(t).Check(raw(tt.sent))
			require.Empty(t, problems)
			require.Equal(t, tt.want, values[tt.param])
		})
	}
}

func TestCheckNullIsAbsent(t *testing.T) {
	values, problems := update(t).Check(raw(map[string]any{"memory": nil}))
	require.Empty(t, problems)
	require.False(t, values.Has("memory"))
}

func TestCheckReportsAllProblems(t *testing.T) {
	create, _ := Find("POST", "/nodes/pve1/lxc")
	_, problems := create.Check(map[string]any{"node": "pve1", "vmid": "x", "unique": "1", "nosuch": ""})
	require.Equal(t, map[string]string{
		"nosuch":     undefined,
		"ostemplate": missing,
		"restore":    "missing property required by 'unique'",
		"vmid":       "type check ('integer') failed - got 'x'",
	}, problems)
}

// Two problems of one parameter share a text, joined by a backslash and an n.
func TestCheckJoinsProblemsOfOneParameter(t *testing.T) {
	run, _ := Find("POST", "/nodes/pve1/vzdump")
	_, problems := run.Check(map[string]any{"node": "pve1", "protected": "1", "storage": nil, "notes-template": "x"})
	require.Equal(t, map[string]string{
		"storage": `missing property required by 'notes-template'\nmissing property required by 'protected'`,
	}, problems)
}

func TestArrays(t *testing.T) {
	run, _ := Find("POST", "/nodes/pve1/vzdump")
	for _, tt := range []struct {
		name string
		sent any
		want []string
	}{
		{"one form value", "/tmp/a b,c", []string{"/tmp/a b,c"}},
		{"repeated keys", []any{"/tmp/?*", "/var"}, []string{"/tmp/?*", "/var"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			values, problems := run.Check(map[string]any{"node": "pve1", "exclude-path": tt.sent})
			require.Empty(t, problems)
			require.Equal(t, tt.want, values.Array("exclude-path"))
		})
	}
}

func TestValues(t *testing.T) {
	v := Values{"memory": "64", "onboot": "1", "cpulimit": "1.5", "vms": "100, 101;102"}
	require.True(t, v.Has("memory"))
	require.False(t, v.Has("swap"))
	require.Equal(t, 64, v.Int("memory", 512))
	require.Equal(t, 512, v.Int("swap", 512))
	require.InDelta(t, 1.5, v.Float("cpulimit", 0), 0)
	require.InDelta(t, 2.5, v.Float("rate", 2.5), 0)
	require.True(t, v.Bool("onboot"))
	require.False(t, v.Bool("debug"))
	require.Equal(t, "64", v.Str("memory"))
	require.Equal(t, []string{"100", "101", "102"}, v.List("vms"))
	require.Empty(t, v.List("tags"))
	require.Nil(t, v.Array("exclude-path"))
}

func TestSplitList(t *testing.T) {
	for in, want := range map[string][]string{
		"":            {},
		"a":           {"a"},
		" a,,b ; c\n": {"a", "b", "c"},
		"a b\x00c,d":  {"a b", "c,d"},
	} {
		require.Equal(t, want, SplitList(in), "%q", in)
	}
}

// The tables are built once, whoever comes first.
func TestConcurrentChecks(t *testing.T) {
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			_, problems := update(t).Check(raw(map[string]any{"net0": "name=eth0,hwaddr=BC:24:11:00:00:01", "tags": "a;b"}))
			require.Empty(t, problems)
		})
	}
	wait.Wait()
}

func BenchmarkCheck(b *testing.B) {
	m := update(b)
	sent := raw(map[string]any{"memory": "512", "hostname": "web", "net0": "name=eth0,bridge=vmbr0,ip=10.0.0.5/24,gw=10.0.0.1"})
	b.ReportAllocs()
	for b.Loop() {
		m.Check(sent)
	}
}
