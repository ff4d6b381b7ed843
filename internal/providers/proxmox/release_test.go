package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Older releases take every request that a life of an app and a policy needs.
func TestOlderRelease(t *testing.T) {
	timeless(t, "8.4", func(t *testing.T) {
		l := openLab(t, pvesim.Options{PVE: "8.4"})
		set := oneVolume(nil)
		set["network"] = labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0"), "ip": str("dhcp")}})
		made := l.create(app("web", set), 2000)
		set["memory"], set["timezone"] = mebis(768), str("UTC")
		made, _ = l.change(app("web", set), made)
		nightly := l.createPolicyNow(policy(values{"apps": numbers(2000)}))
		l.change(policy(values{"apps": numbers(2000), "comment": str("x"), "protected": cty.True}), nightly)
		job := l.job(resource.Resource{Addr: made.Addr, Host: "pve"}, "2000")
		job.Prior = &made
		require.NoError(t, l.Delete(t.Context(), job))
	})
}
