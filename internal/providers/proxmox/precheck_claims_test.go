package proxmox

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// proposed returns the update that the engine would propose.
func (l *lab) proposed(want resource.Resource, prior resource.Object) providers.Proposal {
	l.t.Helper()
	edits, seen := l.edits(want, prior)
	return providers.Proposal{Addr: want.Addr, ID: prior.ID, Want: want, Prior: &prior, Live: seen.Object.Attrs, Edits: edits}
}

// observed looks at what was made, as the engine does before a plan.
func (l *lab) observed(made ...resource.Object) resource.Survey {
	l.t.Helper()
	var targets []providers.Target
	for i := range made {
		targets = append(targets, providers.Target{Addr: made[i].Addr, Prior: &made[i],
			Marker: resource.Marker{Lineage: "l1", Addr: made[i].Addr, Nonce: made[i].Nonce}})
	}
	found, err := l.Observe(l.t.Context(), targets)
	require.NoError(l.t, err)
	return found.Survey
}

// says returns the severity and summary of each finding.
func (l *lab) says(survey resource.Survey, all ...providers.Proposal) []string {
	l.t.Helper()
	var says []string
	for _, d := range l.Precheck(l.t.Context(), survey, all) {
		says = append(says, d.Severity.String()+": "+d.Summary)
	}
	return says
}

// Static addresses, hardware addresses and names are compared with those of all
// guests: of strangers of both kinds, of what the plan leaves as it is, of the
// nodes, and of what the plan itself brings.
func TestPrecheckOfClashes(t *testing.T) {
	nic := func(set values) values {
		all := values{"bridge": str("vmbr0")}
		for k, v := range set {
			all[k] = v
		}
		return oneNetwork(all)
	}
	for _, c := range []struct {
		name string
		want values
		says []string
	}{
		{"nobody has it", nic(values{"ip": str("192.0.2.60/24"), "mac": str("BC:24:11:00:00:60")}), nil},
		{"a container of others has the address", nic(values{"ip": str("192.0.2.53/24")}), []string{"error: address 192.0.2.53 is there twice"}},
		{"in another VLAN it may be used again", nic(values{"ip": str("192.0.2.53/24"), "vlan": whole(7)}), nil},
		{"on another bridge too", oneNetwork(values{"bridge": str("vmbr1"), "ip": str("192.0.2.53/24")}), nil},
		{"a container of others that is off has the hardware address", nic(values{"mac": str("bc:24:11:5a:10:0b")}),
			[]string{"warning: hardware address BC:24:11:5A:10:0B is there twice"}},
		{"a virtual machine has it", nic(values{"mac": str("BC:24:11:5A:10:0C")}), []string{"error: hardware address BC:24:11:5A:10:0C is there twice"}},
		{"cloud-init gives a virtual machine the address", nic(values{"ip": str("192.0.2.99/24")}), []string{"error: address 192.0.2.99 is there twice"}},
		{"and an IPv6 one", nic(values{"ip6": str("2001:db8::99/64")}), []string{"error: address 2001:db8::99 is there twice"}},
		{"an app that stays has it", nic(values{"ip": str("192.0.2.70/24")}), []string{"error: address 192.0.2.70 is there twice"}},
		{"the node itself has it", nic(values{"ip": str("192.0.2.2/24")}), []string{"error: address 192.0.2.2 is there twice"}},
		{"a name of an app that stays", values{"hostname": str("Stays")}, []string{"warning: host name stays is there twice"}},
		{"a name of others", values{"hostname": str("homeassistant")}, []string{"warning: host name homeassistant is there twice"}},
		{"two interfaces", values{"network": labelled("network", map[string]values{
			"eth0": {"bridge": str("vmbr0"), "ip": str("192.0.2.61/24")}, "eth1": {"bridge": str("vmbr1"), "ip": str("192.0.2.61/24")}})},
			[]string{"error: address 192.0.2.61 is there twice"}},
	} {
		timeless(t, c.name, func(t *testing.T) {
			seed := pvesim.Cluster()
			seed.Guests[2].Config["net0"] = "virtio=BC:24:11:5A:10:0C,bridge=vmbr0"
			seed.Guests[2].Config["ipconfig0"] = "ip=192.0.2.99/24,gw=192.0.2.1,ip6=2001:db8::99/64"
			l := openLab(t, pvesim.Options{Seed: seed})
			stays := l.create(app("stays", nic(values{"ip": str("192.0.2.70/24")})), 2000)
			time.Sleep(time.Minute) // until the listing knows its name
			want := app("web", c.want)
			require.Equal(t, c.says, l.says(l.observed(stays), providers.Proposal{Addr: want.Addr, ID: "2001", Create: true, Want: want}))
		})
	}
}

// What is refused since it is there already has its own host name and address.
func TestATwinClaimsNothing(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.70/24")}))
		l.create(want, 2000)
		time.Sleep(time.Minute) // until the listing knows its name
		says := l.says(l.observed(), providers.Proposal{Addr: want.Addr, ID: "2001", Create: true, Want: want})
		require.Equal(t, []string{"error: app.web is there already, as container 2000"}, says)
	})
}

// Guests of others are read only when a plan brings an address, and what an app
// had before is not held against it.
func TestStrangersAreReadOnlyForNewAddresses(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		static := oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.53/24")}) // the address of guest 100
		static["hostname"] = str("wiki-old")                                             // and the name of guest 101
		made := l.create(app("web", static), 2000)
		survey := l.observed(made)
		ask := func(set values) (int, []string) {
			all := values{}
			for _, part := range []values{static, set} {
				for k, v := range part {
					all[k] = v
				}
			}
			proposal := l.proposed(app("web", all), made)
			before := l.requests()
			says := l.says(survey, proposal)
			return l.requests() - before, says
		}
		n, says := ask(values{"memory": gibibytes(1)})
		require.Equal(t, 1, n, "the privileges")
		require.Empty(t, says, "the clash was there before")
		n, says = ask(oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.77/24")}))
		require.Equal(t, 5, n, "privileges, bridges, three guests")
		require.Empty(t, says)
		_, says = ask(oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.53/24"), "mac": str("BC:24:11:5A:10:0A")}))
		require.Equal(t, []string{"error: hardware address BC:24:11:5A:10:0A is there twice"}, says)
	})
}
