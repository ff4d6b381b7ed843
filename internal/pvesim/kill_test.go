package pvesim_test

import (
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// writerDir names the estate that the test binary writes to until it is killed, when it runs as its own child.
const writerDir = "PVESIM_WRITER_DIR"

// TestWriter is the child of TestKilledWhileWriting.
func TestWriter(t *testing.T) {
	dir := os.Getenv(writerDir)
	if dir == "" {
		t.Skip("only runs as a child of TestKilledWhileWriting")
	}
	sim, err := pvesim.Open(pvesim.Options{Dir: dir, Speed: 1000})
	require.NoError(t, err)
	a := &api{t: t, sim: sim}
	for n := 0; ; n++ {
		if n < 20 { // few enough for the lock of their storage
			a.ok("POST", "/nodes/pve1/lxc", smallest(fmt.Sprint(300+n)))
		}
		a.ok("PUT", "/nodes/pve1/lxc/100/config", url.Values{"description": {fmt.Sprint(n)}})
	}
}

// A process killed at any moment leaves an estate that opens, and what it began goes on.
func TestKilledWhileWriting(t *testing.T) {
	for _, size := range []int64{20_000, 100_000, 200_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			dir := t.TempDir()
			child := exec.Command(os.Args[0], "-test.run=^TestWriter$")
			child.Env = append(os.Environ(), writerDir+"="+dir)
			require.NoError(t, child.Start())
			require.Eventually(t, func() bool {
				stat, err := os.Stat(filepath.Join(dir, "log"))
				return err == nil && stat.Size() > size
			}, 20*time.Second, time.Millisecond)
			require.NoError(t, child.Process.Kill())
			require.Error(t, child.Wait(), "killed")

			sim, err := pvesim.Open(pvesim.Options{Dir: dir, Speed: 1000})
			require.NoError(t, err)
			defer func() { require.NoError(t, sim.Close()) }()
			require.Eventually(t, func() bool { return len(sim.World().Running) == 0 }, 20*time.Second, time.Millisecond)
			world := sim.World()
			require.Empty(t, world.Failed)
			for vmid, g := range world.Guests {
				require.NotContains(t, g.Config, "lock", "guest %d", vmid)
			}
		})
	}
}
