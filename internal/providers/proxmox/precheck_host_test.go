package proxmox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// rows changes what a simulated node says of its bridges.
type rows struct {
	http.RoundTripper
	change func(row map[string]any)
}

func (r rows) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := r.RoundTripper.RoundTrip(request)
	if err != nil || !strings.HasSuffix(request.URL.Path, "/network") {
		return response, err
	}
	defer response.Body.Close()
	var answer struct {
		Data []map[string]any `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}
	for _, row := range answer.Data {
		r.change(row)
	}
	body, err := json.Marshal(answer)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, err
}

// What a node tells of its bridges is checked: VLANs where it knows them, and
// how large packets may be. What it does not tell is not held against anybody.
func TestPrecheckOfBridges(t *testing.T) {
	aware := func(row map[string]any) {
		if row["iface"] == "vmbr1" {
			row["bridge_vlan_aware"], row["mtu"] = 1, "9000"
		} else {
			row["mtu"] = "1500"
		}
	}
	for _, c := range []struct {
		name string
		tell func(row map[string]any)
		nic  values
		says []string
	}{
		{"nothing is told", func(map[string]any) {}, values{"bridge": str("vmbr0"), "vlan": whole(20), "mtu": whole(9000)}, nil},
		{"a bridge without VLANs", aware, values{"bridge": str("vmbr0"), "vlan": whole(20)}, []string{`warning: bridge "vmbr0" is not aware of VLANs`}},
		{"trunks on it", aware, values{"bridge": str("vmbr0"), "trunks": numbers(20, 30)}, []string{`warning: bridge "vmbr0" is not aware of VLANs`}},
		{"a bridge with VLANs", aware, values{"bridge": str("vmbr1"), "vlan": whole(20), "mtu": whole(9000)}, nil},
		{"packets larger than the bridge's", aware, values{"bridge": str("vmbr0"), "mtu": whole(9000)}, []string{`error: mtu 9000 is more than bridge "vmbr0" has`}},
		{"no such bridge", aware, values{"bridge": str("vmbr10")}, []string{`error: there is no bridge "vmbr10" on node "pve1"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			sim := openLab(t, pvesim.Options{}).sim
			l := newLab(t, sim, rows{sim.Transport(), c.tell})
			want := app("web", oneNetwork(c.nic))
			require.Equal(t, c.says, l.says(l.survey(), providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want}))
		})
	}
	t.Run("a bridge the token may not use", func(t *testing.T) {
		l := openLab(t, pvesim.Options{}).limited("/vms", "/storage", "/sdn/zones/localnetwork/vmbr1")
		want := app("web", oneNetwork(values{"bridge": str("vmbr0")}))
		require.Equal(t, []string{`error: there is no bridge "vmbr0" on node "pve1"`, "warning: few@pve!ci lacks privileges for this plan"},
			l.says(l.survey(), providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want}))
	})
}

// What one app asks for has to make sense by itself.
func TestPrecheckOfOneApp(t *testing.T) {
	nic := func(set values) values { return oneNetwork(set) }
	mount := func(path string) values {
		return values{"volume": labelled("volume", map[string]values{"data": {"path": str(path), "size": gibibytes(1), "storage": str("nvme")}})}
	}
	for _, c := range []struct {
		name string
		want values
		says []string
	}{
		{"gateway is the own address", nic(values{"bridge": str("vmbr0"), "ip": str("192.0.2.60/24"), "gateway": str("192.0.2.60")}),
			[]string{"error: gateway 192.0.2.60 is the interface's own address"}},
		{"gateway beside DHCP", nic(values{"bridge": str("vmbr0"), "ip": str("dhcp"), "gateway": str("192.0.2.1")}), []string{"warning: gateway of eth0 is not used"}},
		{"IPv6 gateway elsewhere", nic(values{"bridge": str("vmbr0"), "ip6": str("2001:db8::2/64"), "gateway6": str("2001:db8:1::1")}),
			[]string{"warning: gateway 2001:db8:1::1 is outside of 2001:db8::/64"}},
		{"link-local gateway", nic(values{"bridge": str("vmbr0"), "ip6": str("2001:db8::2/64"), "gateway6": str("fe80::1")}), nil},
		{"the address of a network", nic(values{"bridge": str("vmbr0"), "ip": str("192.0.2.0/24")}), []string{"error: 192.0.2.0 is no address of a machine"}},
		{"the address of all", nic(values{"bridge": str("vmbr0"), "ip": str("192.0.2.127/25")}), []string{"error: 192.0.2.127 is no address of a machine"}},
		{"a name of an interface that no kernel takes", values{"network": labelled("network", map[string]values{"a-very-long-name": {"bridge": str("vmbr0")}})},
			[]string{`error: "a-very-long-name" is no name of an interface`}},
		{"quota of an unprivileged container", values{"disk": object("disk", values{"size": gibibytes(4), "storage": str("local-lvm"), "quota": cty.True})},
			[]string{"error: disk cannot have quotas"}},
		{"a mount over everything", mount("/"), []string{"error: volume.data would hide the whole container"}},
		{"a relative mount", mount("srv"), []string{`error: "srv" is no absolute path`}},
		{"a template of a storage that lacks it", values{"template": str("local:vztmpl/debian-13-standard_13.0-1_amd64.tar.zst")},
			[]string{`error: there is no template "local:vztmpl/debian-13-standard_13.0-1_amd64.tar.zst"`}},
		{"a clone of nobody", values{"template": cty.NilVal, "clone": str("wiki")}, []string{`error: there is no container "wiki" to clone`}},
		{"a clone of what runs", values{"template": cty.NilVal, "clone": str("100")}, []string{`error: container "100" runs and cannot be cloned`}},
		{"a clone", values{"template": cty.NilVal, "clone": str("wiki-old")}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want := app("web", c.want)
			found := l.Precheck(t.Context(), l.survey(), proposals(true, want))
			var says []string
			for _, d := range found {
				says = append(says, d.Severity.String()+": "+d.Summary)
				require.NotEmpty(t, d.Hint, d.Summary)
			}
			require.Equal(t, c.says, says)
		})
	}
}

// The names that are nearest to a misspelt template come first.
func TestPrecheckNamesNearTemplates(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	for spec, hint := range map[string]string{
		"debain-13-standard": `template = "debian-13-standard"`, "debain-13": `template = "debian-13-standard"`, "ubunut": `template = "ubuntu-22.04-standard"`, "alpine-3.21-default": `template = "alpine-3.22-default"`,
		"local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst": `template = "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst"`,
	} {
		want := app("web", values{"template": str(spec)})
		found := l.Precheck(t.Context(), l.survey(), proposals(true, append(impliedTemplates(want), want)...))
		require.Len(t, found, 1, spec)
		require.Equal(t, hint, found[0].Hint)
	}
}

// What only root@pam may set comes with the very line that does it on the node:
// the slots are those that a create gives, or that are free.
func TestPrecheckWritesPctLines(t *testing.T) {
	rich := values{
		"bind":   labelled("bind", map[string]values{"/media": {"source": str("/srv/my media"), "read_only": cty.True}}),
		"device": labelled("device", map[string]values{"/dev/dri/renderD128": {"mode": str("0660"), "gid": whole(104)}}),
		"hook":   str("local:snippets/hook.pl"),
		"volume": labelled("volume", map[string]values{"data": {"path": str("/data"), "size": gibibytes(1), "storage": str("nvme")}}),
		"features": object("features", values{"nesting": cty.True, "keyctl": cty.True,
			"mount": textSet([]string{"cifs", "nfs"})}),
	}
	hints := func(found []string) string { return strings.Join(found, "\n") }
	timeless(t, "create", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		var found []string
		for _, d := range l.Precheck(t.Context(), l.survey(), proposals(true, app("web", rich))) {
			found = append(found, d.Hint)
		}
		require.Len(t, found, 5)
		require.Contains(t, found[0], `username = "root@pam"`)
		text := hints(found)
		require.Contains(t, text, "pct set 2000 --mp1 '/srv/my media,mp=/media,ro=1'")
		require.Contains(t, text, "pct set 2000 --dev0 /dev/dri/renderD128,gid=104,mode=0660")
		require.Contains(t, text, "pct set 2000 --hookscript local:snippets/hook.pl")
		require.Contains(t, text, "pct set 2000 --features 'keyctl=1,mount=cifs;nfs,nesting=1'")
	})
	timeless(t, "update", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", values{"volume": rich["volume"], "features": object("features", values{"nesting": cty.True})}), 2000)
		var found []string
		for _, d := range l.Precheck(t.Context(), l.observed(made), []providers.Proposal{l.proposed(app("web", rich), made)}) {
			found = append(found, d.Hint)
		}
		text := hints(found)
		require.Contains(t, text, "pct set 2000 --mp1 '/srv/my media,mp=/media,ro=1'")
		require.Contains(t, text, "pct set 2000 --dev0 /dev/dri/renderD128,gid=104,mode=0660")
		require.NotContains(t, text, "once the container is there")
	})
	timeless(t, "taken away", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		with := app("web", values{"device": rich["device"]})
		proposal := providers.Proposal{Addr: with.Addr, ID: "2000", Want: app("web", nil),
			Live: appKind().Schema.Value(values{"device": labelled("device", map[string]values{"/dev/dri/renderD128": {"slot": str("dev3")}})}),
			Edits: []resource.Edit{{Path: resource.Path{"device", "/dev/dri/renderD128"}, Old: cty.True, New: cty.NullVal(cty.Bool),
				Verdict: resource.Verdict{Effect: resource.Restart}}}}
		found := l.Precheck(t.Context(), l.survey(), []providers.Proposal{proposal})
		require.Contains(t, found[0].Hint, "pct set 2000 --delete dev3")
	})
}

// A plan tells when a policy that is new or gets another schedule runs next, by
// the clock of the node, and what a retention of nothing means.
func TestPrecheckOfPolicies(t *testing.T) {
	timeless(t, "", func(t *testing.T) { // a bubble begins on Saturday 2000-01-01
		l := openLab(t, pvesim.Options{})
		keep := func(set values) cty.Value { b := keepBlock(); return b.Value(set) }
		create := func(set values) []string {
			want := policy(set)
			return l.says(l.survey(), providers.Proposal{Addr: want.Addr, ID: "x", Create: true, Want: want})
		}
		require.Equal(t, []string{"note: backup_policy.nightly runs next at Mon 2000-01-03 22:30"},
			create(values{"schedule": str("mon..fri 22:30")}))
		want := policy(values{"schedule": str("mon..fri 22:30")})
		require.Equal(t, "then Tue 2000-01-04 22:30 and Wed 2000-01-05 22:30; mon..fri 22:30 in the node's time zone",
			l.Precheck(t.Context(), l.survey(), []providers.Proposal{{Addr: want.Addr, ID: "x", Create: true, Want: want}})[0].Detail)
		require.Equal(t, []string{`error: there is no storage "nostor"`}, create(values{"enabled": cty.False, "storage": str("nostor")}))
		require.Equal(t, []string{`error: storage "local-lvm" cannot hold backups`}, create(values{"enabled": cty.False, "storage": str("local-lvm")}))
		require.Equal(t, []string{"warning: backup_policy.nightly never runs"}, create(values{"schedule": str("1999-12-31 10:00")}))
		require.Empty(t, create(values{"enabled": cty.False}))
		require.Equal(t, []string{"warning: backup_policy.nightly keeps every archive"},
			create(values{"enabled": cty.False, "keep": keep(values{"last": whole(0), "daily": whole(0)})}))
		require.Equal(t, []string{"warning: backup_policy.nightly keeps every archive"}, create(values{"enabled": cty.False, "keep": keep(nil)}))
		require.Empty(t, create(values{"enabled": cty.False, "keep": keep(values{"last": whole(0), "daily": whole(7)})}))
		require.Equal(t, []string{`error: there is no node "pve9"`}, create(values{"enabled": cty.False, "node": str("pve9")}))

		made := l.createPolicyNow(policy(nil))
		change := func(set values) []string { return l.says(l.survey(), l.proposed(policy(set), made)) }
		require.Equal(t, []string{"note: backup_policy.nightly runs next at Sat 2000-01-01 04:00"},
			change(values{"schedule": str("04:00")}))
		require.Empty(t, change(values{"mode": str("stop")}))
	})
}

// Without proposals a host is asked nothing.
func TestPrecheckAsksNothingForNothing(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	survey := l.survey()
	before := l.requests()
	require.Empty(t, l.Precheck(t.Context(), survey, nil))
	require.Equal(t, before, l.requests())
}

// Whatever the host does not answer is not checked, and hinders nobody.
func TestPrecheckWithoutAnswers(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		survey := l.survey()
		l.sim.Inject(pvesim.Fault{Path: "/**", Status: 500})
		want := app("web", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.53/24")}))
		require.Empty(t, l.says(survey, providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want}))
	})
}

// Equal answers give equal findings, in one order.
func TestPrecheckIsInOneOrder(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{}).limited("/storage/local")
		bad := values{"cores": whole(1), "memory": gibibytes(99), "template": str("none"), "vmid": whole(100),
			"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr9"), "ip": str("192.0.2.53/24")}, "eth1": {"bridge": str("vmbr0"), "ip": str("192.0.2.53/24")}})}
		wants := []resource.Resource{app("a", bad), app("b", bad), impliedTemplates(app("a", bad))[0], policy(nil)}
		survey := l.survey()
		first := l.Precheck(t.Context(), survey, proposals(true, wants...))
		require.Greater(t, len(first), 8)
		for range 20 {
			require.Equal(t, first, l.Precheck(t.Context(), survey, proposals(true, wants...)))
		}
	})
}

// A change of one thing does not bring up what stays as it is.
func TestPrecheckLeavesInPeaceWhatStays(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		nic := oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.60/24"), "gateway": str("198.51.100.1")})
		made := l.create(app("web", nic), 2000)
		survey := l.observed(made)
		survey.Storage("pve1", "local-lvm").Active = false
		more := values{"network": nic["network"], "memory": gibibytes(1)}
		require.Empty(t, l.says(survey, l.proposed(app("web", more), made)))
		more["disk"] = object("disk", values{"size": gibibytes(6), "storage": str("local-lvm")})
		require.Equal(t, []string{`error: storage "local-lvm" is not available on node "pve1"`}, l.says(survey, l.proposed(app("web", more), made)))
	})
}
