package proxmox

import (
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// An app and a policy live their lives on every release that is simulated: they are made, changed, grown, moved and
// removed, and after each step there is nothing left to do.
func TestLifeOnEveryRelease(t *testing.T) {
	for _, version := range pvesim.Versions() {
		timeless(t, version, func(t *testing.T) {
			l := openLab(t, pvesim.Options{PVE: version})
			set := oneVolume(nil)
			set["network"] = labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0"), "ip": str("dhcp")}})
			begin := time.Now()
			made := l.create(app("web", set), 2000)
			require.Less(t, time.Since(begin), addressPatience, "no release is asked for long for what it cannot tell")

			set["memory"], set["timezone"], set["description"] = mebis(768), str("UTC"), str("changed")
			made, _ = l.change(app("web", set), made)
			set["disk"] = object("disk", values{"size": gibibytes(6), "storage": str("local-lvm")})
			made, _ = l.change(app("web", set), made)
			set["node"] = str("pve2")
			made, _ = l.change(app("web", set), made)
			require.Equal(t, "pve2", l.sim.World().Guests[2000].Node)
			set["running"] = cty.False
			made, _ = l.change(app("web", set), made)
			require.False(t, l.sim.World().Guests[2000].Running)

			nightly := l.createPolicyNow(policy(values{"apps": numbers(2000), "notification_mode": str("auto")}))
			nightly, _ = l.change(policy(values{"apps": numbers(2000), "comment": str("x"), "protected": cty.True}), nightly)
			drop := func(object resource.Object) {
				job := l.job(resource.Resource{Addr: object.Addr, Host: "pve"}, object.ID)
				job.Prior = &object
				require.NoError(t, l.Delete(t.Context(), job))
			}
			drop(nightly)
			drop(made)
			require.NotContains(t, l.sim.World().Guests, 2000)
			require.Empty(t, l.sim.World().Jobs)
			require.Empty(t, l.sim.World().Failed)
		})
	}
}

// A container that high availability looks after is moved, stopped, started and removed like any other: its manager does
// that some seconds after its task said so.
func TestHighAvailabilityOnEveryRelease(t *testing.T) {
	for _, version := range pvesim.Versions() {
		timeless(t, version, func(t *testing.T) {
			l := openLab(t, pvesim.Options{PVE: version})
			set := values{}
			made := l.create(app("web", set), 2000)
			l.by("POST", "/cluster/ha/resources", url.Values{"sid": {"ct:2000"}})
			time.Sleep(20 * time.Second) // in the bubble: until the manager has seen it
			set["node"] = str("pve2")
			made, _ = l.change(app("web", set), made)
			for _, running := range []bool{false, true} {
				set["running"] = cty.BoolVal(running)
				made, _ = l.change(app("web", set), made)
				require.Equal(t, running, l.sim.World().Guests[2000].Running)
			}
			job := l.job(resource.Resource{Addr: made.Addr, Host: "pve"}, made.ID)
			job.Prior = &made
			require.NoError(t, l.Delete(t.Context(), job))
			require.NotContains(t, l.sim.World().Guests, 2000)
			require.Equal(t, 1, l.sim.World().Tasks["hamigrate"], "it was asked of the manager")
		})
	}
}
