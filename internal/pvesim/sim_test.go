package pvesim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// stepClock is a clock that goes on only when somebody sleeps.
type stepClock struct {
	mu  sync.Mutex
	now time.Time
}

func newStepClock() *stepClock { return &stepClock{now: time.Unix(1795421600, 0).UTC()} }

func (c *stepClock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *stepClock) Sleep(ctx context.Context, d time.Duration) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return ctx.Err()
}

// api is a client that knows nothing but HTTP.
type api struct {
	t     testing.TB
	sim   *pvesim.Sim
	clock *stepClock
}

// openSim opens an estate in memory with a clock that is stepped.
func openSim(t testing.TB, options pvesim.Options) *api {
	t.Helper()
	clock := newStepClock()
	options.Clock = clock
	sim, err := pvesim.Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	return &api{t, sim, clock}
}

// call sends a request with the seed's token and returns the status line and what stands below "data".
func (a *api) call(method, path string, form url.Values) (status string, data any) {
	a.t.Helper()
	var body io.Reader
	if method == http.MethodPost || method == http.MethodPut {
		body = strings.NewReader(form.Encode())
	}
	r, err := http.NewRequest(method, "https://pve/api2/json"+path, body)
	require.NoError(a.t, err)
	id, secret := a.sim.Token()
	r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	response, err := a.sim.Transport().RoundTrip(r)
	require.NoError(a.t, err)
	defer response.Body.Close()
	var envelope struct{ Data any }
	text, err := io.ReadAll(response.Body)
	require.NoError(a.t, err)
	if strings.HasPrefix(string(text), "{") {
		require.NoError(a.t, json.Unmarshal(text, &envelope))
	}
	return response.Status, envelope.Data
}

// ok is call for requests that must succeed.
func (a *api) ok(method, path string, form url.Values) any {
	a.t.Helper()
	status, data := a.call(method, path, form)
	require.Equal(a.t, "200 OK", status)
	return data
}

// wait lets time go by until a task has ended and returns how.
func (a *api) wait(upid any) string {
	a.t.Helper()
	require.Contains(a.t, upid, "UPID:")
	node := strings.Split(upid.(string), ":")[1]
	for range 10000 {
		status := a.ok("GET", fmt.Sprintf("/nodes/%s/tasks/%s/status", node, upid), nil).(map[string]any)
		if status["status"] == "stopped" {
			return status["exitstatus"].(string)
		}
		require.NoError(a.t, a.clock.Sleep(context.Background(), 100*time.Millisecond))
	}
	require.Fail(a.t, "the task does not end", upid)
	return ""
}

const alpine = "local:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz"

// smallest is the form of a create that leaves everything else to Proxmox.
func smallest(vmid string) url.Values {
	return url.Values{"vmid": {vmid}, "ostemplate": {alpine}, "rootfs": {"local-lvm:1"}}
}

func TestContainerLifecycle(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve2/lxc", smallest("200"))))

	config := a.ok("GET", "/nodes/pve2/lxc/200/config", nil).(map[string]any)
	require.Equal(t, "CT200", config["hostname"])
	require.Equal(t, "local-lvm:vm-200-disk-0,size=1G", config["rootfs"])

	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve2/lxc/200/status/start", nil)))
	status, _ := a.call("DELETE", "/nodes/pve2/lxc/200", nil)
	require.Equal(t, "500 unable to destroy CT 200 - container is running", status)
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve2/lxc/200/status/stop", nil)))
	require.Equal(t, "OK", a.wait(a.ok("DELETE", "/nodes/pve2/lxc/200", nil)))

	status, _ = a.call("GET", "/nodes/pve2/lxc/200/config", nil)
	require.Equal(t, "500 Configuration file 'nodes/pve2/lxc/200.conf' does not exist", status)
}
