package proxmox

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// An app is reached at the interfaces it was given, not at those that programs
// inside it have made.
func TestLiveAddresses(t *testing.T) {
	const answer = `{"data":[
		{"name":"lo","inet":"127.0.0.1/8","inet6":"::1/128"},
		{"name":"docker0","inet":"172.17.0.1/16"},
		{"name":"eth1","inet":"192.0.2.7/24"},
		{"name":"eth0","inet":"198.51.100.9/24","inet6":"fe80::1/64"},
		{"name":"eth2","inet6":"2001:db8::5/64"}]}`
	for _, c := range []struct {
		name, answer string
		names, want  []string
	}{
		{"in the order of the interfaces", answer, []string{"eth0", "eth1"}, []string{"198.51.100.9", "192.0.2.7"}},
		{"IPv4 first", answer, []string{"eth2", "eth0"}, []string{"198.51.100.9", "2001:db8::5"}},
		{"none yet", `{"data":null}`, []string{"eth0"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, err := pve.New(pve.Options{TokenID: "a@pve!b", TokenSecret: "s", Transport: recorded{json.RawMessage(c.answer)}})
			require.NoError(t, err)
			p := New(Options{Client: client})
			require.Equal(t, c.want, p.liveAddresses(t.Context(), row{Node: "pve1", VMID: 100}, c.names))
		})
	}
}

// The address that a changed interface gets is recorded, not the one before.
func TestAddressAfterAChange(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		nic := func(mac string) values {
			return oneNetwork(values{"bridge": str("vmbr0"), "ip": str("dhcp"), "mac": str(mac)})
		}
		before := l.create(app("web", nic("BC:24:11:00:00:01")), 2000)
		after, _ := l.change(app("web", nic("BC:24:11:00:00:02")), before)
		require.NotEmpty(t, resource.Text(after.Attrs, "ip"))
		require.NotEqual(t, resource.Text(before.Attrs, "ip"), resource.Text(after.Attrs, "ip"))
	})
}
