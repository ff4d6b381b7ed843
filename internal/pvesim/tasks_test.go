package pvesim_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// slowStorage is a node whose storage takes its time for each allocation.
func slowStorage(seconds float64, admits int) *pvesim.Seed {
	seed := pvesim.Single()
	seed.Storages[1].LockSeconds, seed.Storages[1].LockAdmits = seconds, admits
	return seed
}

// createMany asks for containers at one moment and returns how their tasks ended, in order of their ids.
func createMany(a *api, count int) []string {
	var tasks []any
	for n := range count {
		tasks = append(tasks, a.ok("POST", "/nodes/pve/lxc", smallest(fmt.Sprint(300+n))))
	}
	var ends []string
	for _, upid := range tasks {
		ends = append(ends, a.wait(upid))
	}
	return ends
}

const storageTimeout = "unable to create CT %d - can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout"

// Allocations on one storage are done one at a time; who waits longer than ten seconds fails and leaves nothing.
func TestStorageLockTimesOut(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: slowStorage(4, 0)})
	ends := createMany(a, 5)
	require.Equal(t, []string{"OK", "OK", "OK", fmt.Sprintf(storageTimeout, 303), fmt.Sprintf(storageTimeout, 304)}, ends)
	require.Len(t, a.sim.World().Guests, 3)
}

func TestStorageLockAdmits(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: slowStorage(0.1, 3)})
	ends := createMany(a, 4)
	require.Equal(t, 3, slices.Index(ends, fmt.Sprintf(storageTimeout, 303)))
	require.Equal(t, []string{"OK", "OK", "OK"}, ends[:3])
	require.Equal(t, 4, a.sim.Stats().MaxTasks["pve"])
}

// A seed says how long an allocation takes and how many the lock admits: of twelve creates at once those beyond it fail after
// ten seconds, and leave nothing.
func TestStorageLockOfASeed(t *testing.T) {
	seed := pvesim.Single()
	require.NoError(t, json.Unmarshal([]byte(`{"storage": "local-lvm", "type": "lvmthin", "content": "rootdir",
		"lock_seconds": 0.4, "lock_admits": 4}`), &seed.Storages[1]))
	a := openSim(t, pvesim.Options{Seed: seed})
	begin := a.clock.Now()
	ends := createMany(a, 12)
	for i, end := range ends {
		if i < 4 {
			require.Equal(t, "OK", end)
		} else {
			require.Equal(t, fmt.Sprintf(storageTimeout, 300+i), end)
		}
	}
	require.InDelta(t, 10, a.clock.Now().Sub(begin).Seconds(), 0.5)
	require.Len(t, a.sim.World().Guests, 4)
	require.Len(t, createMany(openSim(t, pvesim.Options{Seed: seed}), 4), 4)
}

// A new volume of a container that is there waits for the same lock, in the request.
func TestNewVolumesWaitForTheStorage(t *testing.T) {
	for _, c := range []struct {
		seconds float64
		want    string
	}{
		{4, "200"},
		{15, `400 {"mp0":"unable to apply pending change mp0 : can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout"}`},
	} {
		seed := versionSeed()
		seed.Storages[1].LockSeconds = c.seconds
		a := openSim(t, pvesim.Options{Seed: seed})
		a.ok("POST", "/nodes/pve/lxc", smallest("300"))
		a.after(50 * time.Millisecond)
		begin := a.clock.Now()
		require.Equal(t, c.want, a.form("PUT", "/nodes/pve/lxc/100/config", url.Values{"mp0": {"local-lvm:1,mp=/data"}}))
		require.InDelta(t, min(c.seconds, 10), a.clock.Now().Sub(begin).Seconds(), 0.1)
	}
}

// Moved and copied volumes wait for it too, in their tasks.
func TestMovedVolumesWaitForTheStorage(t *testing.T) {
	seed := versionSeed()
	seed.Storages = append(seed.Storages, pvesim.SeedStorage{Storage: "slow", Type: "lvm", Content: "rootdir", LockSeconds: 15})
	a := openSim(t, pvesim.Options{Seed: seed})
	form := smallest("300")
	form.Set("rootfs", "slow:1")
	a.ok("POST", "/nodes/pve/lxc", form)
	a.after(50 * time.Millisecond)
	const timeout = "can't lock file '/var/lock/pve-manager/pve-storage-slow' - got timeout"
	move := a.ok("POST", "/nodes/pve/lxc/100/move_volume", url.Values{"volume": {"rootfs"}, "storage": {"slow"}})
	require.Equal(t, timeout, a.wait(move))
	require.Empty(t, a.sim.World().Guests[100].Config["lock"])
	a.after(time.Minute)

	a.ok("POST", "/nodes/pve/lxc", with(with(form, "vmid", "301"), "rootfs", "slow:1"))
	a.after(50 * time.Millisecond)
	clone := a.ok("POST", "/nodes/pve/lxc/100/clone", url.Values{"newid": {"302"}, "full": {"1"}, "storage": {"slow"}})
	require.Equal(t, "clone failed: "+timeout, a.wait(clone))
	require.NotContains(t, a.sim.World().Guests, 302)
}

// A volume that does not fit is refused, and nothing is written.
func TestVolumesThatDoNotFit(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: slowStorage(0.1, 0)})
	a.wait(a.ok("POST", "/nodes/pve/lxc", smallest("300")))
	a.ok("POST", "/storage", url.Values{"storage": {"tank"}, "type": {"zfspool"}, "pool": {"tank"}, "content": {"rootdir"}})
	require.Equal(t, `400 {"mp0":"unable to apply pending change mp0 : zfs error: cannot create 'tank/subvol-300-disk-0': out of space"}`,
		a.form("PUT", "/nodes/pve/lxc/300/config", url.Values{"mp0": {"tank:9000,mp=/data"}, "memory": {"64"}}))
	require.Equal(t, "512", a.sim.World().Guests[300].Config["memory"])
}

// The cluster's listing knows of a new container what its node's collector told, which runs every ten seconds.
func TestListingLagsBehind(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: pvesim.Single()})
	row := func() map[string]any {
		for _, r := range a.ok("GET", "/cluster/resources?type=vm", nil).([]any) {
			return r.(map[string]any)
		}
		return nil
	}
	a.wait(a.ok("POST", "/nodes/pve/lxc", smallest("300")))
	a.wait(a.ok("POST", "/nodes/pve/lxc/300/status/start", nil))
	require.Equal(t, "unknown", row()["status"])
	require.NotContains(t, row(), "name")

	require.NoError(t, a.clock.Sleep(context.Background(), 10*time.Second))
	require.Equal(t, "running", row()["status"])
	require.Equal(t, "CT300", row()["name"])

	a.wait(a.ok("POST", "/nodes/pve/lxc/300/status/stop", nil))
	require.Equal(t, "running", row()["status"], "until the collector runs again")
	a.wait(a.ok("DELETE", "/nodes/pve/lxc/300", nil))
	require.Nil(t, row(), "a deleted one is gone at once")
}

// A write waits ten seconds for the lock that a task has on the container.
func TestWriteWaitsForTheLock(t *testing.T) {
	took := func(string) time.Duration { return 4 * time.Second }
	a := openSim(t, pvesim.Options{Seed: pvesim.Single(), Tasks: took})
	upid := a.ok("POST", "/nodes/pve/lxc", smallest("300"))
	before := a.clock.Now()
	a.ok("PUT", "/nodes/pve/lxc/300/config", url.Values{"memory": {"64"}})
	require.InDelta(t, 4, a.clock.Now().Sub(before).Seconds(), 0.01)
	require.Equal(t, "OK", a.wait(upid))
	require.Equal(t, "64", a.sim.World().Guests[300].Config["memory"])
}

// Equal seeds give equal worlds, to the last MAC address and process id.
func TestDeterministic(t *testing.T) {
	play := func(random uint64) pvesim.World {
		a := openSim(t, pvesim.Options{Rand: random})
		form := smallest("300")
		form.Set("net0", "name=eth0,bridge=vmbr0")
		a.wait(a.ok("POST", "/nodes/pve1/lxc", form))
		return a.sim.World()
	}
	require.Equal(t, play(1), play(1))
	require.NotEqual(t, play(1).Guests[300].Config["net0"], play(2).Guests[300].Config["net0"])
}

// Many clients at once in sped-up real time: every create succeeds, each with a disk of its own.
func TestManyClients(t *testing.T) {
	sim, err := pvesim.Open(pvesim.Options{Seed: slowStorage(0.01, 0), Speed: 2000})
	require.NoError(t, err)
	defer func() { require.NoError(t, sim.Close()) }()
	var clients sync.WaitGroup
	statuses := make([]string, 20)
	for n := range statuses {
		clients.Go(func() {
			a := &api{t: t, sim: sim}
			statuses[n] = post(t, a, "/nodes/pve/lxc", smallest(fmt.Sprint(300+n)))
		})
	}
	clients.Wait()
	require.Equal(t, slices.Repeat([]string{"200 OK"}, 20), statuses)
	require.Eventually(t, func() bool { return len(sim.World().Running) == 0 }, time.Minute, time.Millisecond)
	world := sim.World()
	require.Empty(t, world.Failed)
	require.Len(t, world.Guests, 20)
}
