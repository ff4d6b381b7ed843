package pvesim_test

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

func TestTokens(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	const at = "/access/users/root@pam/token"
	made := a.ok("POST", at+"/ci", url.Values{"comment": {"builds"}}).(map[string]any)
	require.Equal(t, "root@pam!ci", made["full-tokenid"])
	require.NotEmpty(t, made["value"])
	status, _ := a.call("POST", at+"/ci", nil)
	require.Equal(t, "400 Parameter verification failed.", status)

	require.Equal(t, []any{"ci", "proximity"}, column(a.ok("GET", at, nil), "tokenid"))
	require.Equal(t, map[string]any{"privsep": 1.0, "expire": 0.0, "comment": "builds"}, a.ok("GET", at+"/ci", nil))
	a.ok("PUT", at+"/ci", url.Values{"privsep": {"0"}, "delete": {"comment"}})
	require.Equal(t, map[string]any{"privsep": 0.0, "expire": 0.0}, a.ok("GET", at+"/ci", nil))
	a.ok("DELETE", at+"/ci", nil)
	status, _ = a.call("GET", at+"/ci", nil)
	require.Equal(t, "500 no such token 'ci' for user 'root@pam'", status)
}

func TestRolesAreListedWithWhatTheyGrant(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	a.ok("POST", "/access/roles", url.Values{"roleid": {"Reader"}, "privs": {"VM.Audit,Sys.Audit"}})
	rows := a.ok("GET", "/access/roles", nil)
	require.Contains(t, rows, map[string]any{"roleid": "Reader", "privs": "Sys.Audit,VM.Audit"})
	require.Contains(t, rows, map[string]any{"roleid": "PVEPoolUser", "privs": "Pool.Audit", "special": 1.0})
}

func TestScheduleAnalyze(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	rows := a.ok("GET", "/cluster/jobs/schedule-analyze?schedule=daily&iterations=2&starttime=86399", nil)
	require.Equal(t, []any{86400.0, 172800.0}, column(rows, "timestamp"))
}

func TestWhereAContainerCanGo(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	a.ok("PUT", "/storage/local-lvm", url.Values{"nodes": {"pve1,pve3"}})
	check := a.ok("GET", "/nodes/pve1/lxc/100/migrate", nil).(map[string]any)
	require.Equal(t, []any{"pve3"}, check["allowed-nodes"])
	require.Contains(t, check["not-allowed-nodes"], "pve2")
	require.Equal(t, 1.0, check["running"])
}

// A migration that is stopped on the way leaves the container where it was, and running.
func TestInterruptedMigration(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	upid := a.ok("POST", "/nodes/pve1/lxc/100/migrate", url.Values{"target": {"pve3"}, "restart": {"1"}}).(string)
	a.sleep(2 * time.Second)
	require.Equal(t, "stopped", a.ok("GET", "/nodes/pve1/lxc/100/status/current", nil).(map[string]any)["status"])
	a.ok("DELETE", "/nodes/pve1/tasks/"+upid, nil)
	now := a.ok("GET", "/nodes/pve1/lxc/100/status/current", nil).(map[string]any)
	require.Equal(t, "running", now["status"])
	require.NotContains(t, now, "lock")
}

func TestDiskOfAnotherContainer(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	for _, vmid := range []string{"200", "201"} {
		form := smallest(vmid)
		form.Set("mp0", "local-lvm:2,mp=/data")
		require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", form)))
	}
	move := url.Values{"volume": {"mp0"}, "target-vmid": {"201"}}
	status, _ := a.call("POST", "/nodes/pve1/lxc/200/move_volume", move)
	require.Equal(t, "500 volume key 'mp0' already exists for container '201'", status)
	move.Set("target-volume", "mp1")
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc/200/move_volume", move)))
	require.NotContains(t, a.ok("GET", "/nodes/pve1/lxc/200/config", nil), "mp0")
	config := a.ok("GET", "/nodes/pve1/lxc/201/config", nil).(map[string]any)
	require.Equal(t, "local-lvm:vm-201-disk-2,mp=/data,size=2G", config["mp1"])
}

func TestStoppingBackups(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	upid := a.ok("POST", "/nodes/pve1/vzdump", url.Values{"vmid": {"100"}, "storage": {"backup"}, "bwlimit": {"1024"}})
	a.sleep(time.Second)
	require.Equal(t, "OK", a.ok("POST", "/nodes/pve1/vzdump", url.Values{"stop": {"1"}}))
	require.Equal(t, "job errors", a.wait(upid))
	require.NotContains(t, a.ok("GET", "/nodes/pve1/lxc/100/config", nil), "lock")
}
