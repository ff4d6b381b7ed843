package proxmox

import (
	"fmt"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

func proposals(create bool, wants ...resource.Resource) []providers.Proposal {
	var all []providers.Proposal
	for i, want := range wants {
		all = append(all, providers.Proposal{Addr: want.Addr, ID: fmt.Sprint(2000 + i), Create: create, Want: want})
	}
	return all
}

func TestPrecheck(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	survey := l.survey()
	static := func(ip, gateway string) values {
		return oneNetwork(values{"bridge": str("vmbr0"), "ip": str(ip), "gateway": textOrNull(gateway)})
	}
	disk := func(storage string, size cty.Value) values {
		return values{"disk": object("disk", values{"size": size, "storage": textOrNull(storage)})}
	}
	for _, c := range []struct {
		name  string
		wants []values
		says  []string // summaries, errors and warnings alike
	}{
		{"all is well", []values{nil, static("192.0.2.60/24", "192.0.2.1")}, nil},
		{"node", []values{{"node": str("pve9")}}, []string{`there is no node "pve9"`}},
		{"no storage", []values{disk("", gibibytes(4))}, []string{"no storage for the disk of app.a0"}},
		{"unknown storage", []values{disk("nope", gibibytes(4))}, []string{`there is no storage "nope" on node "pve1"`}},
		{"storage of another kind", []values{disk("local", gibibytes(4))}, []string{`storage "local" cannot hold container disks`}},
		{"template storage", []values{{"template_storage": str("nvme")}}, []string{`storage "nvme" cannot hold templates`}},
		{"more than the storage is large", []values{disk("local-lvm", gibibytes(300)), disk("local-lvm", gibibytes(300))}, []string{`too little space on storage "local-lvm"`}},
		{"bridge", []values{oneNetwork(values{"bridge": str("vmbr7")})}, []string{`there is no bridge "vmbr7" on node "pve1"`}},
		{"no bridge", []values{oneNetwork(values{})}, []string{"no bridge for eth0 of app.a0"}},
		{"gateway", []values{static("192.0.2.60/24", "198.51.100.1")}, []string{"gateway 198.51.100.1 is outside of 192.0.2.0/24"}},
		{"one address twice", []values{static("192.0.2.60/24", ""), static("192.0.2.60/24", "")}, []string{"address 192.0.2.60 is there twice"}},
		{"a VMID of somebody else", []values{{"vmid": whole(100)}}, []string{"VMID 100 is taken"}},
		{"one VMID twice", []values{{"vmid": whole(500)}, {"vmid": whole(500)}}, []string{"VMID 500 is taken"}},
		{"a host name twice", []values{{"hostname": str("x")}, {"hostname": str("x")}}, []string{"host name x is there twice"}},
		{"a host name of somebody else", []values{{"hostname": str("wiki-old")}}, []string{"host name wiki-old is there twice"}},
		{"a path twice", []values{{"volume": labelled("volume", map[string]values{
			"a": {"path": str("/srv"), "size": gibibytes(1), "storage": str("nvme")}, "b": {"path": str("/srv/"), "size": gibibytes(1), "storage": str("nvme")}})}}, []string{"/srv is asked for twice in app.a0"}},
		{"memory", []values{{"memory": gibibytes(40)}, {"memory": gibibytes(40)}}, []string{`node "pve1" may run out of memory`}},
		{"nothing to make it from", []values{{"template": cty.NilVal}}, []string{"nothing to make app.a0 from"}},
		{"root only", []values{{"bind": labelled("bind", map[string]values{"/x": {"source": str("/srv")}}),
			"features": object("features", values{"fuse": cty.True, "nesting": cty.True})}}, []string{"bind./x needs root@pam", "features.fuse needs root@pam"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			var wants []resource.Resource
			for i, set := range c.wants {
				want := app(fmt.Sprint("a", i), set)
				want.Range = hcl.Range{Filename: "main.hcl"}
				wants = append(wants, want)
			}
			var summaries []string
			for _, d := range l.Precheck(t.Context(), survey, proposals(true, wants...)) {
				summaries = append(summaries, d.Summary)
				require.NotEmpty(t, d.Detail)
				require.NotNil(t, d.Subject)
				if d.Severity == diag.Error {
					require.NotEmpty(t, d.Hint, d.Summary)
				}
			}
			require.Equal(t, c.says, summaries)
		})
	}
}

// Images need a release that can pull them.
func TestPrecheckOfImages(t *testing.T) {
	implied := impliedTemplates(app("web", values{"template": cty.NilVal, "image": str("docker.io/library/nginx:1.27")}))
	for version, fine := range map[string]bool{"8.4.1": false, "9.0.3": false, "9.1.2": true, "10.0.1": true} {
		found := New(Options{}).Precheck(t.Context(), resource.Survey{Version: version}, proposals(true, implied...))
		require.Equal(t, fine, !found.HasErrors(), version)
	}
}

// So do the environment and the first process: older releases refuse requests
// that name them.
func TestPrecheckOfReleases(t *testing.T) {
	want := app("web", values{"env": cty.MapVal(map[string]cty.Value{"A": str("1")}), "entrypoint": str("/bin/app")})
	for version, says := range map[string][]string{
		"8.4.1":  {"env needs Proxmox VE 9.1 or later", "entrypoint needs Proxmox VE 9.1 or later"},
		"9.0.10": {"env needs Proxmox VE 9.1 or later", "entrypoint needs Proxmox VE 9.1 or later"},
		"9.1.2":  nil,
	} {
		c := &checker{survey: resource.Survey{Version: version}}
		c.release(want)
		require.Equal(t, says, summaries(c.found), version)
	}
}

// What only root@pam may change is found in changes too, also where something
// is taken away.
func TestPrecheckOfRootOnlyChanges(t *testing.T) {
	gone := func(path ...string) resource.Edit {
		return resource.Edit{Path: path, Old: cty.True, New: cty.NullVal(cty.Bool), Verdict: resource.Verdict{Effect: resource.Live}}
	}
	for _, c := range []struct {
		edit  resource.Edit
		token bool // whether a token may do it
	}{
		{gone("features", "fuse"), false},
		{gone("features", "nesting"), true},
		{gone("device", "/dev/fuse"), false},
		{gone("hook"), false},
		{gone("bind", "/x"), true},
		{gone("bind", "/x", "read_only"), false},
		{gone("memory"), true},
	} {
		checker := &checker{}
		checker.rootOnly(providers.Proposal{Want: app("web", nil), Edits: []resource.Edit{c.edit}})
		require.Equal(t, c.token, len(checker.found) == 0, "%s", c.edit.Path)
	}
	checker := &checker{}
	checker.rootOnly(providers.Proposal{Create: true, Want: app("web", values{
		"unprivileged": cty.False, "features": object("features", values{"nesting": cty.True})})})
	require.Equal(t, []string{"features.nesting of a privileged container needs root@pam"}, summaries(checker.found))
	checker.found = nil
	checker.rootOnly(providers.Proposal{Want: app("web", values{"unprivileged": cty.False}), Edits: []resource.Edit{gone("features", "nesting")}})
	require.Equal(t, []string{"features.nesting of a privileged container needs root@pam"}, summaries(checker.found))
}

// A token that sees nothing is told so, and not sent to look for names.
func TestPrecheckWithABlindToken(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{}).limited("/vms")
		want := app("web", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("dhcp")}))
		text := ""
		for _, d := range l.Precheck(t.Context(), l.survey(want), proposals(true, want)) {
			text += d.Detail + d.Hint + "\n"
		}
		require.Contains(t, text, "Datastore.Audit on /storage/local-lvm")
		require.Contains(t, text, "SDN.Use on /sdn/zones/localnetwork/vmbr0")
		require.NotContains(t, text, `= ""`)
	})
}

// survey looks at the host as the engine does before a plan.
func (l *lab) survey(wants ...resource.Resource) resource.Survey {
	l.t.Helper()
	var targets []providers.Target
	for i := range wants {
		targets = append(targets, providers.Target{Addr: wants[i].Addr, Want: &wants[i]})
	}
	found, err := l.Observe(l.t.Context(), targets)
	require.NoError(l.t, err)
	return found.Survey
}

func summaries(list diag.List) []string {
	var all []string
	for _, d := range list {
		all = append(all, d.Summary)
	}
	return all
}
