package pvesim_test

import (
	"net/http"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// Whatever is sent, an answer comes: none of the server's errors, and no panic.
func FuzzRequest(f *testing.F) {
	f.Add("PUT", "/nodes/pve1/lxc/100/config", "memory=64&description=%zz;a=b=c")
	f.Add("POST", "/nodes/pve1/lxc", "vmid=300&rootfs=local-lvm:1&ostemplate="+alpine+"&net0=name=eth0")
	f.Add("PUT", "/nodes/pve1/lxc/100/resize", "disk=rootfs&size=%2B1G")
	f.Add("PUT", "/nodes/pve1/lxc/100/config", "delete=net0,mp0&mp1=local-lvm:1,mp=/x")
	f.Add("GET", "//nodes//pve1/tasks/UPID:a:b", "start=1")
	f.Add("POST", "/access/ticket", "username=root@pam&password=x")
	f.Fuzz(func(t *testing.T, method, path, body string) {
		if strings.ContainsAny(path, "\x7f \t\r\n?#") || !utf8.ValidString(path) {
			t.Skip("no URL")
		}
		a := openSim(t, pvesim.Options{})
		r, err := http.NewRequest(method, "https://pve/api2/json"+path, strings.NewReader(body))
		if err != nil {
			t.Skip("no request")
		}
		if method == http.MethodGet || method == http.MethodDelete {
			r.Body, r.ContentLength, r.URL.RawQuery = nil, 0, body
		}
		id, secret := a.sim.Token()
		r.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
		response, err := a.sim.Transport().RoundTrip(r)
		require.NoError(t, err)
		require.NoError(t, response.Body.Close())
		require.NotContains(t, response.Status, "\n")
		require.NoError(t, a.clock.Sleep(t.Context(), 3600e9))
		require.Empty(t, a.sim.World().Running)
	})
}
