package pvesim_test

import (
	"context"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// reopen opens a directory as another process would, with the time of the first.
func reopen(t *testing.T, dir string, clock *stepClock) *api {
	t.Helper()
	sim, err := pvesim.Open(pvesim.Options{Dir: dir, Clock: clock})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	return &api{t, sim, clock}
}

// A task goes on after its process was killed, as on a node that outlived its client.
func TestTasksOutliveTheProcess(t *testing.T) {
	dir, clock := t.TempDir(), newStepClock()
	first := reopen(t, dir, clock)
	upid := first.ok("POST", "/nodes/pve1/lxc", smallest("300"))

	second := reopen(t, dir, clock)
	require.Equal(t, "create", second.sim.World().Guests[300].Config["lock"])
	require.NoError(t, clock.Sleep(context.Background(), time.Minute))
	require.Equal(t, "OK", second.wait(upid))
	require.NotContains(t, second.sim.World().Guests[300].Config, "lock")
}

// Two processes see each other's changes.
func TestProcessesShareAnEstate(t *testing.T) {
	dir, clock := t.TempDir(), newStepClock()
	first, second := reopen(t, dir, clock), reopen(t, dir, clock)
	first.wait(first.ok("POST", "/nodes/pve1/lxc", smallest("300")))
	require.Contains(t, second.sim.World().Guests, 300)
	second.wait(second.ok("DELETE", "/nodes/pve1/lxc/300", nil))
	require.NotContains(t, first.sim.World().Guests, 300)
	require.Equal(t, first.sim.World(), second.sim.World())
}

// A process killed while it writes leaves part of a line: that transaction did not happen, and the next process goes on.
func TestTornLineIsCutOff(t *testing.T) {
	dir, clock := t.TempDir(), newStepClock()
	first := reopen(t, dir, clock)
	first.wait(first.ok("POST", "/nodes/pve1/lxc", smallest("300")))
	before := first.sim.World()
	log := filepath.Join(dir, "log")
	whole, err := os.ReadFile(log)
	require.NoError(t, err)
	first.wait(first.ok("DELETE", "/nodes/pve1/lxc/300", nil))
	after, err := os.ReadFile(log)
	require.NoError(t, err)

	for _, cut := range []int{len(whole) + 1, len(whole) + 20} {
		copied := t.TempDir()
		require.NoError(t, os.WriteFile(filepath.Join(copied, "log"), after[:cut], 0o600))
		again := reopen(t, copied, clock)
		require.Equal(t, before.Guests, again.sim.World().Guests)
		again.wait(again.ok("DELETE", "/nodes/pve1/lxc/300", nil))
		require.NotContains(t, reopen(t, copied, clock).sim.World().Guests, 300)
	}
}

// A large log is written anew when it is opened, and processes that had it open before go on.
func TestLogIsCompacted(t *testing.T) {
	dir, clock := t.TempDir(), newStepClock()
	first := reopen(t, dir, clock)
	first.wait(first.ok("POST", "/nodes/pve1/lxc", smallest("300")))
	for n := range 800 {
		notes := strings.Repeat(strconv.Itoa(n%10), 8000)
		first.ok("PUT", "/nodes/pve1/lxc/300/config", url.Values{"description": {notes}})
	}
	size := func() int64 {
		stat, err := os.Stat(filepath.Join(dir, "log"))
		require.NoError(t, err)
		return stat.Size()
	}
	require.Greater(t, size(), int64(4<<20), "the test writes too little")
	second := reopen(t, dir, clock)
	require.Less(t, size(), int64(1<<20))
	require.Equal(t, second.sim.World(), first.sim.World())
	first.wait(first.ok("DELETE", "/nodes/pve1/lxc/300", nil))
	require.NotContains(t, second.sim.World().Guests, 300)
}

// Simulated time goes on where it was when a directory is opened again, also at another speed.
func TestTimeGoesOn(t *testing.T) {
	dir := t.TempDir()
	open := func(speed float64) time.Time {
		sim, err := pvesim.Open(pvesim.Options{Dir: dir, Speed: speed})
		require.NoError(t, err)
		defer func() { require.NoError(t, sim.Close()) }()
		return sim.World().Now
	}
	first := open(1e6)
	second := open(1)
	third := open(1e6)
	require.True(t, second.After(first))
	require.True(t, third.After(second))
}
