package pvesim_test

import (
	"context"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// sharedCluster is three nodes with a shared storage for containers, and a guest 200 on it at pve1 that runs.
func sharedCluster() *pvesim.Seed {
	seed := pvesim.Cluster()
	seed.Storages = append(seed.Storages, pvesim.SeedStorage{Storage: "ceph", Type: "rbd", Content: "images,rootdir", Shared: true})
	seed.Guests = append(seed.Guests, pvesim.SeedGuest{VMID: 200, Node: "pve1", Running: true, Config: pvesim.Settings{
		"arch": "amd64", "ostype": "debian", "hostname": "web", "memory": "512", "unprivileged": "1", "rootfs": "ceph:vm-200-disk-0,size=4G",
	}})
	return seed
}

func (a *api) after(d time.Duration) {
	a.t.Helper()
	require.NoError(a.t, a.clock.Sleep(context.Background(), d))
}

func (a *api) hastate(vmid int) any { return a.listed(vmid)["hastate"] }

func (a *api) isRunning(vmid int) bool { return a.sim.World().Guests[vmid].Running }

// The resources of high availability can be made, read, changed and removed.
func TestHAResources(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: sharedCluster()})
	require.Empty(t, a.ok("GET", "/cluster/ha/resources", nil))
	a.ok("POST", "/cluster/ha/resources", url.Values{"sid": {"200"}, "comment": {"c"}, "max_restart": {"2"}})
	one := a.ok("GET", "/cluster/ha/resources/ct:200", nil).(map[string]any)
	require.Equal(t, "ct:200", one["sid"])
	require.Equal(t, "ct", one["type"])
	require.Equal(t, "started", one["state"])
	require.Equal(t, 2.0, one["max_restart"])
	for _, c := range []struct {
		method, path string
		form         url.Values
		want         string
	}{
		{"POST", "/cluster/ha/resources", url.Values{"sid": {"ct:200"}}, "500 create resource failed: resource ID 'ct:200' already defined"},
		{"POST", "/cluster/ha/resources", url.Values{"sid": {"ct:999"}}, "500 resource 'ct:999' does not exist in cluster"},
		{"POST", "/cluster/ha/resources", url.Values{"sid": {"ct:100"}, "group": {"g1"}},
			"500 invalid parameter 'group': ha groups have been migrated to rules"},
		{"PUT", "/cluster/ha/resources/ct:200", url.Values{"digest": {"0"}, "state": {"stopped"}},
			"500 update resource failed: detected modified configuration - file changed by other user? Try again."},
		{"PUT", "/cluster/ha/resources/ct:200", url.Values{"digest": {one["digest"].(string)}, "state": {"ignored"}}, "200"},
		{"DELETE", "/cluster/ha/resources/ct:200", nil, "200"},
		{"DELETE", "/cluster/ha/resources/ct:200", nil, "500 cannot delete service 'ct:200', not HA managed!"},
		{"GET", "/cluster/ha/resources/ct:200", nil, "500 no such resource 'ct:200'"},
	} {
		require.Equal(t, c.want, a.form(c.method, c.path, c.form), "%s %s %v", c.method, c.path, c.form)
	}
}

// What is asked of a guest that high availability looks after is only noted, and done some seconds later.
func TestHADoesItLater(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: sharedCluster()})
	a.ok("POST", "/cluster/ha/resources", url.Values{"sid": {"ct:200"}})
	require.Equal(t, "queued", a.hastate(200))
	a.after(11 * time.Second)
	require.Equal(t, "started", a.hastate(200))
	status := a.ok("GET", "/nodes/pve1/lxc/200/status/current", nil).(map[string]any)
	require.Equal(t, map[string]any{"managed": 1.0, "state": "started"}, status["ha"])

	upid := a.ok("POST", "/nodes/pve1/lxc/200/status/shutdown", nil)
	require.Contains(t, upid, ":hastop:200:")
	require.Equal(t, "OK", a.wait(upid))
	require.True(t, a.isRunning(200), "not yet")
	a.after(20 * time.Second)
	require.False(t, a.isRunning(200))
	require.Equal(t, "stopped", a.hastate(200))

	upid = a.ok("POST", "/nodes/pve1/lxc/200/status/start", nil)
	require.Contains(t, upid, ":hastart:200:")
	require.Equal(t, "OK", a.wait(upid))
	require.False(t, a.isRunning(200), "not yet")
	a.after(20 * time.Second)
	require.True(t, a.isRunning(200))

	upid = a.ok("POST", "/nodes/pve1/lxc/200/migrate", url.Values{"target": {"pve2"}, "restart": {"1"}})
	require.Contains(t, upid, ":hamigrate:200:")
	require.Equal(t, "OK", a.wait(upid))
	require.Equal(t, "pve1", a.listed(200)["node"])
	a.after(10 * time.Second)
	require.Equal(t, "migrate", a.hastate(200))
	a.after(20 * time.Second)
	require.Equal(t, "pve2", a.listed(200)["node"])
	require.True(t, a.isRunning(200))
}

// A guest that goes down by itself is started again.
func TestHAKeepsItRunning(t *testing.T) {
	seed := sharedCluster()
	seed.Guests[len(seed.Guests)-1].HA = "started"
	a := openSim(t, pvesim.Options{Seed: seed})
	require.NoError(t, a.sim.Edit(func(e *pvesim.Edit) { e.SetRunning(200, false) }))
	a.after(15 * time.Second)
	require.True(t, a.isRunning(200))
}

// A node that is lost loses its guests to others where their disks can be had, and its tasks altogether.
func TestNodesGoAndCome(t *testing.T) {
	seed := sharedCluster()
	seed.Guests[len(seed.Guests)-1].HA = "started"
	a := openSim(t, pvesim.Options{Seed: seed})
	a.ok("POST", "/cluster/ha/resources", url.Values{"sid": {"ct:101"}})
	task := a.ok("POST", "/nodes/pve1/lxc", smallest("300"))
	a.after(200 * time.Millisecond)
	node := func(offline bool) {
		require.NoError(t, a.sim.Edit(func(e *pvesim.Edit) { e.SetOffline("pve1", offline) }))
	}
	node(true)
	require.Equal(t, "595 No route to host", a.form("GET", "/nodes/pve1/lxc", nil))
	require.Equal(t, "595 No route to host", a.form("GET", "/nodes/pve1/tasks/"+task.(string)+"/status", nil))
	require.Equal(t, "unknown", a.listed(100)["status"], "its guests stay listed")
	require.Equal(t, "pve1", a.listed(100)["node"])
	for _, row := range a.ok("GET", "/nodes", nil).([]any) {
		if row := row.(map[string]any); row["node"] == "pve1" {
			require.Equal(t, "offline", row["status"])
		}
	}
	a.after(20 * time.Second)
	require.Equal(t, "fence", a.hastate(200))
	a.after(2 * time.Minute)
	require.NotEqual(t, "pve1", a.listed(200)["node"])
	require.True(t, a.isRunning(200))
	require.Equal(t, "pve1", a.listed(100)["node"], "nobody looks after it")

	node(false)
	require.Equal(t, "unexpected status", a.wait(task))
	require.True(t, a.isRunning(100), "it starts with its node")
	require.Equal(t, "200", a.form("GET", "/nodes/pve1/lxc", nil))
}

// One whose disks are on its node waits for it.
func TestHACannotRecoverLocalDisks(t *testing.T) {
	seed := pvesim.Cluster()
	seed.Guests[0].HA = "started"
	a := openSim(t, pvesim.Options{Seed: seed})
	require.NoError(t, a.sim.Edit(func(e *pvesim.Edit) { e.SetOffline("pve1", true) }))
	a.after(5 * time.Minute)
	require.Equal(t, "recovery", a.hastate(100))
	require.NoError(t, a.sim.Edit(func(e *pvesim.Edit) { e.SetOffline("pve1", false) }))
	a.after(20 * time.Second)
	require.True(t, a.isRunning(100))
	require.Equal(t, "started", a.hastate(100))
}

// A start that fails again and again ends in an error.
func TestHAGivesUp(t *testing.T) {
	seed := sharedCluster()
	g := &seed.Guests[len(seed.Guests)-1]
	g.Running, g.HA = false, "started"
	g.Config["net0"] = "name=eth0,bridge=vmbr9,hwaddr=BC:24:11:00:02:00,type=veth"
	a := openSim(t, pvesim.Options{Seed: seed})
	a.ok("PUT", "/cluster/ha/resources/ct:200", url.Values{"comment": {"look at it"}})
	a.after(5 * time.Minute)
	require.Equal(t, "error", a.hastate(200))
	require.Equal(t, 3, a.sim.World().Tasks["vzstart"])

	require.Equal(t, "200", a.form("PUT", "/nodes/pve1/lxc/200/config", url.Values{"net0": {"name=eth0,bridge=vmbr0"}}))
	a.after(time.Minute)
	require.Equal(t, "error", a.hastate(200), "nobody said that it is mended")
	a.ok("PUT", "/cluster/ha/resources/ct:200", url.Values{"state": {"started"}})
	a.after(time.Minute)
	require.True(t, a.isRunning(200))
}

// What other parts of the cluster refer to is deleted with purge only, and that is said before anything else about its
// running.
func TestDeleteOfTiedContainers(t *testing.T) {
	seed := sharedCluster()
	seed.Guests[len(seed.Guests)-1].HA = "started"
	seed.Replications = []map[string]string{{"id": "101-0", "target": "pve1"}}
	a := openSim(t, pvesim.Options{Seed: seed})
	require.Equal(t, "500 unable to remove CT 200 - used in HA resources and purge parameter not set.",
		a.form("DELETE", "/nodes/pve1/lxc/200", url.Values{"force": {"1"}}))
	require.Equal(t, "500 There is a replication job '101-0' for guest '101' - Please remove that first.",
		a.form("DELETE", "/nodes/pve2/lxc/101", nil))
	require.Len(t, a.ok("GET", "/cluster/replication", nil), 1)

	require.Equal(t, "OK", a.wait(a.ok("DELETE", "/nodes/pve1/lxc/200?force=1&purge=1", nil)))
	require.Equal(t, "OK", a.wait(a.ok("DELETE", "/nodes/pve2/lxc/101?purge=1", nil)))
	require.Empty(t, a.ok("GET", "/cluster/ha/resources", nil))
	require.Empty(t, a.ok("GET", "/cluster/replication", nil))

	a.ok("POST", "/cluster/replication", url.Values{"id": {"100-0"}, "target": {"pve2"}, "type": {"local"}})
	a.ok("DELETE", "/cluster/replication/100-0", nil)
	require.Equal(t, "500 unable to destroy CT 100 - container is running", a.form("DELETE", "/nodes/pve1/lxc/100", nil))
}

// A create may ask for high availability.
func TestCreateWithHA(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	form := smallest("300")
	form.Set("ha-managed", "1")
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", form)))
	require.Equal(t, "stopped", a.ok("GET", "/cluster/ha/resources/300", nil).(map[string]any)["state"])
}
