package proxmox

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

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
		{"a disk grows where it is and then moves", disk("nvme", 4), disk("ceph", 60), nil, nil},
		{"and has to fit at both places", disk("ceph", 30), disk("nvme", 140), nil, []string{`error: too little space on storage "ceph"`}},
		{"thick volumes take their place at once", disk("local-lvm", 4), disk("local-lvm", 350), nil, []string{`error: too little space on storage "local-lvm"`}},
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
			survey.Storage("pve1", "local-lvm").Used = 100 << 30
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

// A container of nobody that has the VMID is likely the one that is meant, and
// the command that takes it over can be pasted; not so for what adopt refuses.
func TestPrecheckOffersToAdopt(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	l.by("PUT", "/nodes/pve2/lxc/101/config", url.Values{"description": {`<!-- proximity {"lineage":"other","addr":"app.wiki","nonce":"1"} -->`}})
	hint := func(address string, vmid int64) string {
		a, err := addr.Parse(address)
		require.NoError(t, err)
		want := app("web", values{"vmid": whole(vmid)})
		want.Addr = a
		found := l.Precheck(t.Context(), l.survey(), []providers.Proposal{{Addr: a, ID: fmt.Sprint(vmid), Create: true, Want: want}})
		i := slices.IndexFunc(found, func(d diag.Diagnostic) bool { return strings.HasPrefix(d.Summary, "VMID") })
		require.GreaterOrEqual(t, i, 0)
		return found[i].Hint
	}
	const free = "leave vmid out to get a free one"
	require.Equal(t, "proximity adopt pve/100 app.web\nor "+free, hint("app.web", 100))
	require.Equal(t, "proximity adopt pve/100 'app.web[\"a\"]'\nor "+free, hint(`app.web["a"]`, 100))
	require.Equal(t, free, hint("app.web", 102), "a virtual machine")
	require.Equal(t, free, hint("app.web", 101), "it carries a marker")
}

// The sum is too large because of its largest part, so that is where it is told.
func TestPrecheckPointsAtTheLargest(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	at := func(name string, line int) resource.Resource {
		want := app(name, values{"memory": gibibytes(1), "disk": object("disk", values{"size": gibibytes(4), "storage": str("local-lvm")})})
		if name == "big" {
			want = app(name, values{"memory": gibibytes(90), "disk": object("disk", values{"size": gibibytes(900), "storage": str("local-lvm")})})
		}
		want.Range = hcl.Range{Filename: "main.hcl", Start: hcl.Pos{Line: line}}
		return want
	}
	for _, d := range l.Precheck(t.Context(), l.survey(), proposals(true, at("a", 1), at("big", 2), at("c", 3))) {
		require.Equal(t, 2, d.Subject.Start.Line, d.Summary)
	}
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
