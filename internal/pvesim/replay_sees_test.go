package pvesim_test

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

// recorded is an outcome with something of everything that is compared.
const recorded = `{
 "request": {"method": "GET", "path": "/nodes/pve1/lxc/100/config"},
 "response": {"status": 400, "reason": "Parameter verification failed.", "content_type": "application/json;charset=UTF-8", "body": {
  "data": {"memory": 512, "cpulimit": "2", "net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:5A:10:0A", "list": [1, 2], "ha": {"managed": 0}},
  "message": "Parameter verification failed.\n", "errors": {"net0": "invalid format"}}},
 "task": {"upid_type": "vzstart", "id": "100", "user": "root@pam!test", "status": "stopped", "exitstatus": "WARNINGS: 1",
  "log": ["WARN: Systemd 252 detected.", "TASK WARNINGS: 1"]}}`

// Whatever a simulator could get wrong about an answer shows as a difference; what varies by nature does not.
func TestComparisonSees(t *testing.T) {
	rules := readRules(t, filepath.Join(recordingsDir(), "volatile.json"))
	change := func(keys ...string) func(v any) { // sets the value at a path, or drops it with "-"
		return func(v any) {
			at := v.(map[string]any)
			for _, key := range keys[:len(keys)-2] {
				at = at[key].(map[string]any)
			}
			key, text := keys[len(keys)-2], keys[len(keys)-1]
			if text == "-" {
				delete(at, key)
				return
			}
			var value any
			require.NoError(t, json.Unmarshal([]byte(text), &value))
			at[key] = value
		}
	}
	for _, c := range []struct {
		name   string
		change func(any)
		sees   bool
	}{
		{"nothing", func(any) {}, false},
		{"a MAC that the server made", change("response", "body", "data", "net0", `"name=eth0,bridge=vmbr0,hwaddr=BC:24:11:5A:10:0B"`), false},
		{"the status", change("response", "status", "500"), true},
		{"the reason", change("response", "reason", `"Bad Request"`), true},
		{"the content type", change("response", "content_type", `"text/plain"`), true},
		{"no content type", change("response", "content_type", "-"), true},
		{"the message", change("response", "body", "message", `"other\n"`), true},
		{"the message's newline", change("response", "body", "message", `"Parameter verification failed."`), true},
		{"no message", change("response", "body", "message", "-"), true},
		{"the text of an error", change("response", "body", "errors", "net0", `"invalid"`), true},
		{"the parameter of an error", change("response", "body", "errors", `{"net1": "invalid format"}`), true},
		{"no errors", change("response", "body", "errors", "-"), true},
		{"a value", change("response", "body", "data", "memory", "256"), true},
		{"a number that becomes a string", change("response", "body", "data", "memory", `"512"`), true},
		{"a string that becomes a number", change("response", "body", "data", "cpulimit", "2"), true},
		{"a missing key", change("response", "body", "data", "memory", "-"), true},
		{"one key more", change("response", "body", "data", "swap", "512"), true},
		{"a missing inner key", change("response", "body", "data", "ha", "managed", "-"), true},
		{"an object that becomes null", change("response", "body", "data", "ha", "null"), true},
		{"another order where it means something", change("response", "body", "data", "list", "[2, 1]"), true},
		{"the type of a task", change("task", "upid_type", `"vzstop"`), true},
		{"whom a task is about", change("task", "id", `"101"`), true},
		{"who began a task", change("task", "user", `"root@pam"`), true},
		{"how a task ended", change("task", "exitstatus", `"OK"`), true},
		{"a line of a log", change("task", "log", `["WARN: Systemd 257 detected.", "TASK WARNINGS: 1"]`), true},
		{"a line less in a log", change("task", "log", `["TASK WARNINGS: 1"]`), true},
		{"no task", change("task", "-"), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			var want exchange
			require.NoError(t, json.Unmarshal([]byte(recorded), &want))
			var raw any
			require.NoError(t, json.Unmarshal([]byte(recorded), &raw))
			c.change(raw)
			var got exchange
			require.NoError(t, json.Unmarshal([]byte(marshal(raw)), &got))
			p := &player{t: t, rules: rules}
			diffs := p.compareAll(want, got.Response, got.Task)
			require.Equal(t, c.sees, len(diffs) > 0, "%v", diffs)
		})
	}
}
