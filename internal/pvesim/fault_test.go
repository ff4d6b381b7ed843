package pvesim_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// faulty is a node with faults as a file says them.
func faulty(t *testing.T, faults string) *api {
	t.Helper()
	var list []pvesim.Fault
	require.NoError(t, json.Unmarshal([]byte(faults), &list))
	return openSim(t, pvesim.Options{Seed: versionSeed(), Faults: list})
}

// try sends a request that may get no answer at all.
func (a *api) try(method, path string) (*http.Response, error) {
	a.t.Helper()
	r, err := http.NewRequest(method, "https://pve/api2/json"+path, strings.NewReader(smallest("300").Encode()))
	require.NoError(a.t, err)
	id, secret := a.sim.Token()
	r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	response, err := a.sim.Transport().RoundTrip(r)
	if err == nil {
		require.NoError(a.t, response.Body.Close())
	}
	return response, err
}

// Answers go wrong before the work is done or after it.
func TestFaultsOfAnswers(t *testing.T) {
	for _, c := range []struct {
		name, fault string
		status      int // 0: no answer
		done        bool
	}{
		{"the connection is closed", `"close_conn": true`, 0, false},
		{"the reply is dropped", `"drop_reply": true`, 0, true},
		{"the node cannot be reached", `"status": 595, "message": "No route to host"`, 595, false},
		{"the node is too slow, its work goes on", `"late": 596`, 596, true},
		{"it is refused", `"status": 500, "message": "no quorum"`, 500, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := faulty(t, `[{"method": "POST", "path": "/nodes/*/lxc", "count": 1, `+c.fault+`}]`)
			response, err := a.try("POST", "/nodes/pve/lxc")
			if c.status == 0 {
				require.Error(t, err)
			} else {
				require.NoError(t, err)
				require.Equal(t, c.status, response.StatusCode)
			}
			_, done := a.sim.World().Guests[300]
			require.Equal(t, c.done, done)
		})
	}
}

// Tasks go wrong in each way that a client has to tell apart.
func TestFaultsOfTasks(t *testing.T) {
	for _, c := range []struct {
		name, fault, ends, lock string
		left                    bool // something of the container is left
	}{
		{"it fails", `"fail_task": "storage burnt down"`, "storage burnt down", "", false},
		{"it warns", `"warn_task": 2`, "WARNINGS: 2", "", true},
		{"it is killed", `"kill_task": true`, "unexpected status", "create", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := faulty(t, `[{"method": "POST", "path": "/nodes/*/lxc", `+c.fault+`}]`)
			require.Equal(t, c.ends, a.wait(a.ok("POST", "/nodes/pve/lxc", smallest("300"))))
			left, there := a.sim.World().Guests[300]
			require.Equal(t, c.left, there)
			require.Equal(t, c.lock, left.Config["lock"])
		})
	}
}

// A task of which nobody knows does its work all the same.
func TestFaultOfALostTask(t *testing.T) {
	a := faulty(t, `[{"method": "POST", "path": "/nodes/*/lxc/*/status/stop", "lose_task": true}]`)
	upid := a.ok("POST", "/nodes/pve/lxc/101/status/stop", nil).(string)
	require.Equal(t, `400 {"upid":"no such task"}`, a.form("GET", "/nodes/pve/tasks/"+upid+"/status", nil))
	log := a.ok("GET", "/nodes/pve/tasks/"+upid+"/log", nil).([]any)
	require.Contains(t, log[0].(map[string]any)["t"], "unable to open file - ")
	require.Empty(t, a.ok("GET", "/nodes/pve/tasks?source=all", nil))
	a.after(2e9)
	require.False(t, a.sim.World().Guests[101].Running)
}

// Somebody else is just before or just behind the caller.
func TestFaultsOfOthers(t *testing.T) {
	a := faulty(t, `[
	 {"method": "PUT", "path": "/nodes/*/lxc/100/config", "count": 1,
	  "before": [{"method": "PUT", "path": "/nodes/pve/lxc/100/config", "params": {"tags": "theirs"}}]},
	 {"method": "GET", "path": "/nodes/*/lxc/101/config", "count": 1,
	  "after": [{"method": "POST", "path": "/nodes/pve/lxc/101/status/stop"}]},
	 {"method": "GET", "path": "/version", "before": [{"method": "PUT", "path": "/nowhere"}]}]`)
	digest := a.ok("GET", "/nodes/pve/lxc/100/config", nil).(map[string]any)["digest"].(string)
	require.Equal(t, "500 detected modified configuration - file changed by other user? Try again.",
		a.form("PUT", "/nodes/pve/lxc/100/config", url.Values{"memory": {"64"}, "digest": {digest}}))
	require.Equal(t, "theirs", a.sim.World().Guests[100].Config["tags"])

	a.ok("GET", "/nodes/pve/lxc/101/config", nil)
	a.after(2e9)
	require.False(t, a.sim.World().Guests[101].Running)

	require.Equal(t, "500 simulator: request of a fault: PUT /nowhere: 501 Method 'PUT /nowhere' not implemented",
		a.form("GET", "/version", nil))
}
