package proxmox

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// needsOf names the privileges that a proposal asks for, each once.
func needsOf(version string, proposal providers.Proposal) []string {
	c := &checker{survey: resource.Survey{Version: version, Nodes: []resource.Node{{Name: "pve1", Online: true}, {Name: "pve2", Online: true}},
		Storages: []resource.Storage{{Node: "pve1", Name: "nvme"}, {Node: "pve1", Name: "local-lvm"}}}}
	var names []string
	for _, n := range c.needs(proposal) {
		names = append(names, n.String())
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Each edit takes the privilege that Proxmox asks for its key, where the
// container, its storage, its bridge or its pool is.
func TestNeedsOfChanges(t *testing.T) {
	const on = " on /vms/2000 or /pool/ours"
	audit := "VM.Audit" + on
	live := appKind().Schema.Value(values{"pool": str("ours"), "running": cty.True,
		"disk":    object("disk", values{"size": gibibytes(4), "storage": str("local-lvm")}),
		"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0")}})})
	want := app("web", values{"pool": str("ours"), "disk": object("disk", values{"size": gibibytes(6), "storage": str("nvme")}),
		"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr1"), "vlan": whole(7)}})})
	for _, c := range []struct {
		path   resource.Path
		effect resource.Effect
		want   []string
	}{
		{resource.Path{"memory"}, resource.Record, nil},
		{resource.Path{"cores"}, resource.Live, []string{audit, "VM.Config.CPU" + on}},
		{resource.Path{"memory"}, resource.Live, []string{audit, "VM.Config.Memory" + on}},
		{resource.Path{"hostname"}, resource.Live, []string{audit, "VM.Config.Network" + on}},
		{resource.Path{"dns", "servers"}, resource.Restart, []string{audit, "VM.Config.Network" + on, "VM.PowerMgmt" + on}},
		{resource.Path{"tags"}, resource.Live, []string{audit, "VM.Config.Options" + on}},
		{resource.Path{"timezone"}, resource.Restart, []string{audit, "VM.Config.Options" + on, "VM.PowerMgmt" + on}},
		{resource.Path{"features", "nesting"}, resource.Restart, []string{"VM.Allocate" + on, audit, "VM.PowerMgmt" + on}},
		{resource.Path{"running"}, resource.Live, []string{audit, "VM.PowerMgmt" + on}},
		{resource.Path{"disk", "size"}, resource.Resize, []string{"Datastore.AllocateSpace on /storage/local-lvm", audit, "VM.Config.Disk" + on}},
		{resource.Path{"disk", "storage"}, resource.Move, []string{"Datastore.AllocateSpace on /storage/nvme", audit, "VM.Config.Disk" + on, "VM.PowerMgmt" + on}},
		{resource.Path{"disk", "acl"}, resource.Live, []string{audit, "VM.Config.Disk" + on}},
		{resource.Path{"node"}, resource.Migrate, []string{audit, "VM.Migrate" + on}},
		{resource.Path{"network", "eth0", "bridge"}, resource.Live, []string{"SDN.Use on /sdn/zones/localnetwork/vmbr0",
			"SDN.Use on /sdn/zones/localnetwork/vmbr1 or /sdn/zones/localnetwork/vmbr1/7", audit, "VM.Config.Network" + on}},
		{resource.Path{"device", "/dev/fuse"}, resource.Live, []string{audit}},
	} {
		edit := resource.Edit{Path: c.path, Old: cty.NumberIntVal(4 << 30), New: cty.NumberIntVal(6 << 30), Verdict: resource.Verdict{Effect: c.effect}}
		got := needsOf("9.1.4", providers.Proposal{Addr: want.Addr, ID: "2000", Want: want, Live: live, Edits: []resource.Edit{edit}})
		require.Equal(t, c.want, got, "%s", c.path)
	}
	pool := resource.Edit{Path: resource.Path{"pool"}, Old: str("ours"), New: str("theirs"), Verdict: resource.Verdict{Effect: resource.Live}}
	require.Equal(t, []string{"Pool.Allocate on /pool/ours", "Pool.Allocate on /pool/theirs", "VM.Allocate" + on, audit},
		needsOf("9.1.4", providers.Proposal{Addr: want.Addr, ID: "2000", Want: want, Live: live, Edits: []resource.Edit{pool}}))
}

// What goes is stopped and removed, and a replacement is both: the old one's
// end and a new one.
func TestNeedsOfDeletes(t *testing.T) {
	live := appKind().Schema.Value(values{"running": cty.True})
	prior := resource.Object{ID: "2000"}
	want := app("web", nil)
	require.Equal(t, []string{"VM.Allocate on /vms/2000", "VM.Audit on /vms/2000", "VM.PowerMgmt on /vms/2000"},
		needsOf("9.1.4", providers.Proposal{Addr: want.Addr, ID: "2000", Delete: true, Prior: &prior, Live: live}))
	both := needsOf("9.1.4", providers.Proposal{Addr: want.Addr, ID: "2001", Create: true, Want: want, Prior: &prior, Live: live})
	require.Contains(t, both, "VM.Allocate on /vms/2000")
	require.Contains(t, both, "VM.Allocate on /vms/2001")
	require.Equal(t, []string{"Sys.Audit on /", "Sys.Modify on /"},
		needsOf("9.1.4", providers.Proposal{Addr: policy(nil).Addr, ID: "x", Delete: true}))
}

// Older releases ask for less: bridges are free before 8.0, privileged
// containers before 9.0.
func TestNeedsOfReleases(t *testing.T) {
	want := app("web", oneNetwork(values{"bridge": str("vmbr0")}))
	strong := app("web", values{"unprivileged": cty.False})
	has := func(version string, want resource.Resource, name string) bool {
		return slices.Contains(needsOf(version, providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want}), name)
	}
	require.True(t, has("8.4.1", want, "SDN.Use on /sdn/zones/localnetwork/vmbr0"))
	require.False(t, has("7.4-3", want, "SDN.Use on /sdn/zones/localnetwork/vmbr0"))
	require.True(t, has("9.0.3", strong, "Sys.Modify on /"))
	require.False(t, has("8.4.1", strong, "Sys.Modify on /"))
}
