package proxmox

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

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

// Guests of others are read only when a plan brings an address, and what an app
// had before is not held against it.
func TestStrangersAreReadOnlyForNewAddresses(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		static := oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.53/24")}) // the address of guest 100
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

// Disks and memory are summed over everything that a plan makes, grows, moves
// and migrates, for each storage and node; a shared storage is one.
func TestPrecheckOfSums(t *testing.T) {
	open := func(t *testing.T) *lab {
		seed := pvesim.Cluster()
		for i := range seed.Storages {
			if seed.Storages[i].Storage == "local-lvm" {
				seed.Storages[i].Type, seed.Storages[i].Options = "lvm", map[string]string{"vgname": "pve"}
			}
		}
		seed.Storages = append(seed.Storages, pvesim.SeedStorage{Storage: "ceph", Type: "rbd", Content: "rootdir", Shared: true, Size: 100 << 30,
			Options: map[string]string{"pool": "ceph"}})
		return openLab(t, pvesim.Options{Seed: seed})
	}
	disk := func(storage string, size int64) values {
		return values{"disk": object("disk", values{"size": gibibytes(size), "storage": str(storage)}), "running": cty.False}
	}
	create := func(id, name string, set values) providers.Proposal {
		want := app(name, set)
		return providers.Proposal{Addr: want.Addr, ID: id, Create: true, Want: want}
	}
	on := func(node string, set values) values {
		all := values{"node": str(node)}
		for k, v := range set {
			all[k] = v
		}
		return all
	}
	for _, c := range []struct {
		name   string
		before values
		after  values // nil: it stays
		also   []providers.Proposal
		says   []string
	}{
		{"it fits", disk("nvme", 4), disk("nvme", 900), nil, nil},
		{"one grows and another is made", disk("nvme", 4), disk("nvme", 600), []providers.Proposal{create("2001", "b", disk("nvme", 500))},
			[]string{`error: too little space on storage "nvme"`}},
		{"on two nodes it is not one", disk("nvme", 4), disk("nvme", 600), []providers.Proposal{create("2001", "b", on("pve2", disk("nvme", 500)))}, nil},
		{"but for a shared one", disk("ceph", 4), disk("ceph", 60), []providers.Proposal{create("2001", "b", on("pve2", disk("ceph", 50)))},
			[]string{`error: too little space on storage "ceph"`}},
		{"a disk moves", disk("nvme", 90), disk("ceph", 90), []providers.Proposal{create("2001", "b", disk("ceph", 20))},
			[]string{`error: too little space on storage "ceph"`}},
		{"a container migrates with its disks", disk("nvme", 600), on("pve2", disk("nvme", 600)), []providers.Proposal{create("2001", "b", on("pve2", disk("nvme", 500)))},
			[]string{`error: too little space on storage "nvme"`}},
		{"thick volumes take their place at once", disk("nvme", 4), disk("local-lvm", 398), nil, []string{`error: too little space on storage "local-lvm"`}},
		{"thin ones are only promised", disk("nvme", 4), disk("nvme", 1000), nil, []string{`warning: storage "nvme" is promised more than it has`}},
		{"a new volume", disk("ceph", 60), map[string]cty.Value{"disk": object("disk", values{"size": gibibytes(60), "storage": str("ceph")}), "running": cty.False,
			"volume": labelled("volume", map[string]values{"data": {"path": str("/data"), "size": gibibytes(120), "storage": str("ceph")}})}, nil,
			[]string{`error: too little space on storage "ceph"`}},
		{"memory grows while another is started", values{"memory": gibibytes(1)}, values{"memory": gibibytes(40)}, []providers.Proposal{create("2001", "b", values{"memory": gibibytes(30)})},
			[]string{`warning: node "pve1" may run out of memory`}},
		{"memory of what does not run counts nowhere", values{"memory": gibibytes(1)}, values{"memory": gibibytes(40)},
			[]providers.Proposal{create("2001", "b", values{"memory": gibibytes(30), "running": cty.False})}, nil},
		{"memory comes with a migration", values{"memory": gibibytes(20)}, on("pve3", values{"memory": gibibytes(20)}),
			[]providers.Proposal{create("2001", "b", on("pve3", values{"memory": gibibytes(14)}))}, []string{`warning: node "pve3" may run out of memory`}},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := open(t)
			made := l.create(app("a", c.before), 2000)
			time.Sleep(time.Minute) // until the listing knows what storages hold
			survey := l.observed(made)
			survey.Storage("pve1", "nvme").Used = 100 << 30
			all := c.also
			if c.after != nil {
				all = append([]providers.Proposal{l.proposed(app("a", c.after), made)}, all...)
			}
			require.Equal(t, c.says, l.says(survey, all...))
		})
	}
}

// A VMID that is asked for may be anybody's, also of a guest that the token may
// not see, but not one that the plan itself frees.
func TestPrecheckOfVMIDs(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("old", nil), 2000)
		survey := l.observed(made)
		want := app("new", values{"vmid": whole(2000)})
		create := providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want}
		gone := providers.Proposal{Addr: made.Addr, ID: "2000", Delete: true, Prior: &made, Live: made.Attrs}
		require.Equal(t, []string{"error: VMID 2000 is taken"}, l.says(survey, create))
		require.Empty(t, l.says(survey, create, gone))

		blind := l.limited("/storage", "/sdn")
		var taken []string
		for _, text := range blind.says(blind.survey(), create) {
			if strings.Contains(text, "VMID") {
				taken = append(taken, text)
			}
		}
		require.Equal(t, []string{"error: VMID 2000 is taken"}, taken)
	})
}

// A replacement does not clash with what it replaces.
func TestPrecheckOfReplacements(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.70/24"), "mac": str("BC:24:11:00:00:70")}))
		made := l.create(want, 2000)
		time.Sleep(time.Minute) // until the listing knows its name
		require.Empty(t, l.says(l.observed(made), providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want, Prior: &made, Live: made.Attrs}))
	})
}

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
		"debain-13-standard": `template = "debian-13-standard"`, "alpine-3.21-default": `template = "alpine-3.22-default"`,
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
		require.Equal(t, []string{"note: backup_policy.nightly runs next at Mon 2000-01-03 22:30, Tue 2000-01-04 22:30, Wed 2000-01-05 22:30"},
			create(values{"schedule": str("mon..fri 22:30")}))
		require.Equal(t, []string{"warning: backup_policy.nightly never runs"}, create(values{"schedule": str("1999-12-31 10:00")}))
		require.Empty(t, create(values{"enabled": cty.False}))
		require.Equal(t, []string{"warning: backup_policy.nightly keeps every archive"},
			create(values{"enabled": cty.False, "keep": keep(values{"last": whole(0), "daily": whole(0)})}))
		require.Equal(t, []string{"warning: backup_policy.nightly keeps every archive"}, create(values{"enabled": cty.False, "keep": keep(nil)}))
		require.Empty(t, create(values{"enabled": cty.False, "keep": keep(values{"last": whole(0), "daily": whole(7)})}))
		require.Equal(t, []string{`error: there is no node "pve9"`}, create(values{"enabled": cty.False, "node": str("pve9")}))

		made := l.createPolicyNow(policy(nil))
		change := func(set values) []string { return l.says(l.survey(), l.proposed(policy(set), made)) }
		require.Equal(t, []string{"note: backup_policy.nightly runs next at Sat 2000-01-01 04:00, Sun 2000-01-02 04:00, Mon 2000-01-03 04:00"},
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
