package pvesim_test

import (
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// crowd is a node with many containers.
func crowd(guests int) *pvesim.Seed {
	seed := pvesim.Single()
	for n := range guests {
		id := fmt.Sprint(1000 + n)
		seed.Guests = append(seed.Guests, pvesim.SeedGuest{VMID: 1000 + n, Node: "pve", Running: n%2 == 0, Config: map[string]string{
			"arch": "amd64", "ostype": "debian", "hostname": "app-" + id, "memory": "512", "swap": "512", "cores": "1",
			"unprivileged": "1", "tags": "proximity", "rootfs": "local-lvm:vm-" + id + "-disk-0,size=4G",
			"net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:00:00:01,ip=dhcp,type=veth",
		}})
	}
	return seed
}

// benchmarkGet asks for a path again and again and reports requests a second.
func benchmarkGet(b *testing.B, options pvesim.Options, path string) {
	b.Helper()
	options.Seed = crowd(2000)
	sim, err := pvesim.Open(options)
	require.NoError(b, err)
	defer func() { require.NoError(b, sim.Close()) }()
	id, secret := sim.Token()
	b.ReportAllocs()
	for b.Loop() {
		r, err := http.NewRequest("GET", "https://pve/api2/json"+path, nil)
		require.NoError(b, err)
		r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
		response, err := sim.Transport().RoundTrip(r)
		require.NoError(b, err)
		require.Equal(b, 200, response.StatusCode)
		_, err = io.Copy(io.Discard, response.Body)
		require.NoError(b, err)
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "requests/s")
}

func BenchmarkConfigInMemory(b *testing.B) {
	benchmarkGet(b, pvesim.Options{}, "/nodes/pve/lxc/2500/config")
}

func BenchmarkConfigInDirectory(b *testing.B) {
	benchmarkGet(b, pvesim.Options{Dir: b.TempDir()}, "/nodes/pve/lxc/2500/config")
}

func BenchmarkResources(b *testing.B) {
	benchmarkGet(b, pvesim.Options{}, "/cluster/resources")
}
