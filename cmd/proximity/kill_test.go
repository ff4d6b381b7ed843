package main_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

const killed = `
host "pve" {
  endpoint = "sim:"
  defaults {
    storage = "local-lvm"
    bridge  = "vmbr0"
  }
}

app "web" {
  count    = %d
  host     = host.pve
  node     = "pve${count.index %% 3 + 1}"
  template = "debian-13-standard"
  memory   = "%dMiB"
  disk { size = "%dGiB" }
  volume "data" {
    path = "/data"
    size = "1GiB"
  }
}

backup_policy "nightly" {
  host     = host.pve
  schedule = "02:30"
  storage  = "backup"
  apps     = [app.web]
}
`

// TestKilledAppliesLoseNothing kills ten applies with SIGKILL at random
// moments. Each time one more apply has to bring everything in order: no
// container lost, doubled or left over, and nothing to do in the plan after it.
func TestKilledAppliesLoseNothing(t *testing.T) {
	bin, dir := build(t), t.TempDir()
	seed := uint64(time.Now().UnixNano())
	random := rand.New(rand.NewPCG(seed, 0))
	usual := 200 * time.Millisecond // how long an apply takes; measured as we go
	kills := 0
	for round := 0; kills < 10; round++ {
		require.Less(t, round, 100, "applies end before they can be killed")
		apps := 4 + random.IntN(5)
		config := fmt.Sprintf(killed, apps, 256+64*round, 2+round/8)
		require.NoError(t, os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(config), 0o600))

		after := time.Duration(random.Int64N(int64(usual)))
		if died := applyAndKill(t, bin, dir, after); died {
			kills++
			t.Logf("seed %d: round %d: %d apps, killed after %s", seed, round, apps, after)
		}
		usual = max(usual/2, run(t, bin, dir, "apply", "--auto-approve").must(t, 0).took)
		run(t, bin, dir, "plan", "--detailed-exitcode").must(t, 0)
		requireGuests(t, dir, apps)
	}
	run(t, bin, dir, "destroy", "--auto-approve").must(t, 0)
	requireGuests(t, dir, 0)
}

// applyAndKill reports whether an apply was killed before it ended by itself.
func applyAndKill(t *testing.T, bin, dir string, after time.Duration) bool {
	t.Helper()
	cmd := exec.Command(bin, "apply", "--auto-approve")
	cmd.Dir = dir
	require.NoError(t, cmd.Start())
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer timer.Stop()
	return cmd.Wait() != nil
}

// requireGuests looks at the simulated cluster itself: it must have as many
// containers of ours, each for an address of its own, and the three of others.
func requireGuests(t *testing.T, dir string, ours int) {
	t.Helper()
	sim, err := pvesim.Open(pvesim.Options{Dir: filepath.Join(dir, ".proximity", "sim", "pve")})
	require.NoError(t, err)
	defer sim.Close()
	var guests []struct {
		VMID int
		Node string
		Type string
	}
	ask(t, sim, "/cluster/resources?type=vm", &guests)
	owners, strangers := map[string]int{}, 0
	for _, g := range guests {
		var config struct{ Description string }
		ask(t, sim, fmt.Sprintf("/nodes/%s/%s/%d/config", g.Node, g.Type, g.VMID), &config)
		_, marker, found := strings.Cut(config.Description, "<!-- proximity ")
		if !found {
			strangers++
			continue
		}
		var m struct{ Addr string }
		text, _, _ := strings.Cut(marker, " -->")
		require.NoError(t, json.Unmarshal([]byte(text), &m))
		owners[m.Addr]++
	}
	require.Len(t, owners, ours, "containers of ours, by address: %v", owners)
	for address, n := range owners {
		require.Equal(t, 1, n, "%s exists twice", address)
	}
	require.Equal(t, 3, strangers, "guests of others")
}

func ask(t *testing.T, sim *pvesim.Sim, path string, into any) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://pve/api2/json"+path, nil)
	require.NoError(t, err)
	id, secret := sim.Token()
	req.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	resp, err := sim.Transport().RoundTrip(req)
	require.NoError(t, err)
	defer resp.Body.Close()
	require.Equal(t, http.StatusOK, resp.StatusCode, resp.Status)
	require.NoError(t, json.NewDecoder(resp.Body).Decode(&struct{ Data any }{into}))
}
