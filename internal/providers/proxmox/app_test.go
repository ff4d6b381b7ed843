package proxmox

import (
	"fmt"
	"net/url"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestProviderKeepsTheContract(t *testing.T) {
	providertest.Run(t, func(t *testing.T) providertest.Harness {
		l := openLab(t, pvesim.Options{})
		path := func(id string) string { return "/nodes/pve1/lxc/" + id }
		return providertest.Harness{
			Provider: l.Provider, Kind: appKind(),
			IDs: []string{"2000", "2001", "2002", "2003", "2004", "2005"},
			Want: func(name string) resource.Resource {
				return app(name, values{
					"memory": mebis(256), "password": cty.StringVal(providertest.Secret).Mark(resource.Sensitive),
					"env": cty.MapVal(map[string]cty.Value{"KEY": cty.StringVal(providertest.Secret).Mark(resource.Sensitive)}),
				})
			},
			Changed: func(want resource.Resource) resource.Resource {
				set := want.Want.AsValueMap()
				set["memory"] = mebis(512)
				want.Want = cty.ObjectVal(set)
				return want
			},
			Occupy: func(id string) {
				l.by("POST", "/nodes/pve1/lxc", url.Values{"vmid": {id}, "rootfs": {"local-lvm:1"},
					"ostemplate": {"local:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz"}})
			},
			Remove: func(id string) { l.by("DELETE", path(id), url.Values{"force": {"1"}}) },
			Tamper: func(id string) { l.by("PUT", path(id)+"/config", url.Values{"memory": {"512"}}) },
		}
	})
}

// Everything that an app can be given is read back as it was wanted: the plan
// after a create is empty.
func TestWhatIsCreatedIsWhatWasWanted(t *testing.T) {
	for i, c := range []struct {
		name string
		set  values
	}{
		{"the least", nil},
		{"limits", values{"cores": whole(2), "cpu_limit": cty.MustParseNumberVal("1.5"), "cpu_units": whole(200), "memory": mebis(1024), "swap": mebis(0)}},
		{"names", values{"hostname": str("Web-1"), "description": str("Line one\n\nLine three\n"), "timezone": str("Europe/Berlin"),
			"tags": cty.SetVal([]cty.Value{str("Web"), str("a"), str("z")})}},
		{"volumes", values{"volume": labelled("volume", map[string]values{
			"data": {"path": str("/data"), "size": gibibytes(8), "storage": str("local-lvm"), "backup": cty.True, "on_remove": str("keep")},
			"logs": {"path": str("/var/log"), "size": mebis(512), "storage": str("nvme"), "backup": cty.False, "read_only": cty.True,
				"mount_options": cty.SetVal([]cty.Value{str("noatime"), str("discard")})},
		})}},
		{"networks", values{"network": labelled("network", map[string]values{
			"eth0": {"bridge": str("vmbr0"), "ip": str("192.0.2.60/24"), "gateway": str("192.0.2.1"), "ip6": str("FD00::60/64"),
				"firewall": cty.True, "vlan": whole(20), "mtu": whole(1400), "rate": cty.MustParseNumberVal("2.5")},
			"eth1": {"bridge": str("vmbr1"), "mac": str("bc:24:11:aa:bb:cc"), "link_down": cty.True,
				"trunks": cty.SetVal([]cty.Value{whole(5), whole(7)})},
		})}},
		{"settings", values{
			"dns":      object("dns", values{"servers": texts([]string{"9.9.9.9", "1.1.1.1"}), "search": texts([]string{"home.arpa"})}),
			"features": object("features", values{"nesting": cty.True, "keyctl": cty.False}),
			"startup":  object("startup", values{"on_boot": cty.True, "order": whole(3), "up_delay": whole(30)}),
			"console":  object("console", values{"enabled": cty.True, "mode": str("shell"), "tty": whole(1)}),
		}},
		{"stopped", values{"running": cty.False, "protection": cty.True}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want := app("web", c.set)
			made := l.create(want, 2000+i)
			edits, seen := l.edits(want, made)
			require.Empty(t, edits)
			require.Empty(t, seen.Unmanaged)
			require.Equal(t, strconv.Itoa(2000+i), fmt.Sprint(resource.Attribute(made.Attrs, "id").AsBigFloat()))
		})
	}
}
