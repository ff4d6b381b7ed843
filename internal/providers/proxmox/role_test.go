package proxmox

import (
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// withRole returns a provider on the same host whose user has these privileges
// on the paths, and a token without privilege separation.
func (l *lab) withRole(privs []string, paths ...string) *lab {
	l.t.Helper()
	l.by("POST", "/access/roles", url.Values{"roleid": {ourRole}, "privs": {strings.Join(privs, ",")}})
	l.by("POST", "/access/users", url.Values{"userid": {"proximity@pve"}})
	for _, path := range paths {
		l.by("PUT", "/access/acl", url.Values{"path": {path}, "users": {"proximity@pve"}, "roles": {ourRole}})
	}
	client := l.tokenOf("proximity@pve", "cli", "0")
	return &lab{New(Options{Host: "pve", Client: client, Range: resource.IDRange{Low: 2000, High: 2999}}), l.t, l.sim}
}

// life is everything that this program does with a host, one thing after
// another, each as the engine does it: look, check, carry out.
type life struct {
	*lab
	told diag.List // what the checks said before anything was done
}

// put makes or changes something and returns the record of it. A change that is
// none is a mistake of the test.
func (l *life) put(want resource.Resource, id string, prior *resource.Object) (resource.Object, error) {
	target := providers.Target{Addr: want.Addr, Want: &want, Prior: prior, Marker: resource.Marker{Lineage: "l1", Addr: want.Addr}}
	if prior != nil {
		target.Marker.Nonce = prior.Nonce
	}
	found, err := l.Observe(l.t.Context(), []providers.Target{target})
	if err != nil {
		return resource.Object{}, err
	}
	seen := found.Seen[want.Addr]
	job := l.job(want, id)
	proposal := providers.Proposal{Addr: want.Addr, ID: id, Create: prior == nil, Want: want, Prior: prior, Live: seen.Object.Attrs}
	if prior != nil {
		if seen.Presence != resource.Present {
			return resource.Object{}, fmt.Errorf("%s is %s: %s", want.Addr, seen.Presence, seen.Why)
		}
		proposal.Edits = resource.Diff(l.kinds[want.Addr.Kind], prior, want, seen, resource.Sealer{})
		job.Prior, job.Edits = prior, proposal.Edits
		require.NotEmpty(l.t, proposal.Edits, want.Addr)
	}
	l.told = append(l.told, l.Precheck(l.t.Context(), found.Survey, []providers.Proposal{proposal})...)
	carry := l.Create
	if prior != nil {
		carry = l.Update
	}
	made, err := carry(l.t.Context(), job)
	if err != nil {
		return resource.Object{}, fmt.Errorf("%s: %w", want.Addr, err)
	}
	if want.Addr.Kind == "template" {
		return made, nil
	}
	return record(want, made), nil
}

func (l *life) drop(prior resource.Object) error {
	found, err := l.Observe(l.t.Context(), []providers.Target{{Addr: prior.Addr, Prior: &prior, Marker: resource.Marker{Lineage: "l1", Addr: prior.Addr, Nonce: prior.Nonce}}})
	if err != nil {
		return err
	}
	seen := found.Seen[prior.Addr]
	l.told = append(l.told, l.Precheck(l.t.Context(), found.Survey,
		[]providers.Proposal{{Addr: prior.Addr, ID: prior.ID, Delete: true, Prior: &prior, Live: seen.Object.Attrs}})...)
	job := l.job(resource.Resource{Addr: prior.Addr, Host: "pve"}, prior.ID)
	job.Prior, job.Marker.Nonce = &prior, prior.Nonce
	return l.Delete(l.t.Context(), job)
}

// live goes through it all and returns the first error.
func (l *life) live() error {
	set := values{"template": str("fedora-42-default"), "pool": str("ours"), "cores": whole(1), "memory": mebis(256),
		"features": object("features", values{"nesting": cty.True}), "tags": textSet([]string{"a"}),
		"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0"), "ip": str("dhcp")}})}
	but := func(more values) values {
		for k, v := range more {
			set[k] = v
		}
		return set
	}
	oneVolume := func(storage string, size int64) values {
		return values{"volume": labelled("volume", map[string]values{"data": {"path": str("/data"), "size": gibibytes(size), "storage": str(storage)}})}
	}
	var made, job resource.Object
	var err error
	change := func(more values) func() error {
		return func() error {
			made, err = l.put(app("web", but(more)), "2000", &made)
			return err
		}
	}
	image := app("site", values{"template": cty.NilVal, "image": str("docker.io/library/nginx:1.27"), "running": cty.False})
	steps := []func() error{
		func() error { _, err := l.put(impliedTemplates(app("web", set))[0], "t", nil); return err },
		func() error { made, err = l.put(app("web", set), "2000", nil); return err },
		change(values{"cores": whole(2)}), change(values{"memory": mebis(512)}), change(values{"tags": textSet([]string{"a", "b"})}),
		change(values{"timezone": str("UTC")}), change(oneVolume("local-lvm", 1)), change(oneVolume("local-lvm", 2)), change(oneVolume("nvme", 2)),
		change(values{"hostname": str("other")}), change(values{"pool": str("theirs")}),
		change(values{"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr1"), "ip": str("dhcp"), "vlan": whole(7)}})}),
		change(values{"running": cty.False}), change(values{"node": str("pve2")}),
		func() error {
			_, err := l.put(app("copy", values{"template": cty.NilVal, "clone": str("2000"), "node": str("pve2"), "running": cty.False}), "2001", nil)
			return err
		},
		func() error { _, err := l.put(impliedTemplates(image)[0], "t", nil); return err },
		func() error { _, err := l.put(image, "2002", nil); return err },
		func() error {
			_, err := l.put(app("strong", values{"unprivileged": cty.False, "running": cty.False}), "2003", nil)
			return err
		},
		func() error { job, err = l.put(policy(nil), jobID("l1", policy(nil).Addr), nil); return err },
		func() error {
			keep := keepBlock()
			job, err = l.put(policy(values{"schedule": str("03:00"), "keep": keep.Value(values{"last": whole(3)})}), job.ID, &job)
			return err
		},
		func() error { return l.drop(job) },
		func() error {
			_, err := l.put(policy(values{"apps": cty.NullVal(cty.Set(cty.Number)), "pool": str("ours")}), job.ID, nil)
			return err
		},
		func() error { return l.drop(made) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
		time.Sleep(time.Minute) // until listings have caught up
	}
	return nil
}

func openLife(t *testing.T, privs []string) *life {
	l := openLab(t, pvesim.Options{})
	for _, pool := range []string{"ours", "theirs"} {
		l.by("POST", "/pools", url.Values{"poolid": {pool}})
	}
	return &life{lab: l.withRole(privs, "/")}
}

func roleNames() []string {
	var names []string
	for _, p := range Role() {
		names = append(names, p.Name)
	}
	return names
}

// The role of docs/permissions.md suffices for everything, and the checks know
// that.
func TestRoleSuffices(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLife(t, roleNames())
		require.NoError(t, l.live())
		for _, d := range l.told {
			require.NotContains(t, d.Summary, "privileges", "%s", d.Detail)
			require.NotEqual(t, diag.Error, d.Severity, "%s", d)
		}
	})
}

// No privilege of the role is too much: without any one of them something
// fails, and the checks have said so before, by its name. Only what shows
// storages is there twice, so that the space on some can be kept from us.
func TestRoleIsTheLeast(t *testing.T) {
	for _, p := range Role() {
		if p.Name == "Datastore.Audit" {
			continue
		}
		timeless(t, p.Name, func(t *testing.T) {
			l := openLife(t, slices.DeleteFunc(roleNames(), func(name string) bool { return name == p.Name }))
			err := l.live()
			require.Error(t, err, "%s is not needed", p.Name)
			var told []string
			for _, d := range l.told {
				told = append(told, d.Summary+": "+d.Detail)
			}
			require.Contains(t, strings.Join(told, "\n"), p.Name, "%v", err)
		})
	}
}

// The document names the role as it is, and the README makes it.
func TestPermissionsDocument(t *testing.T) {
	var table strings.Builder
	for _, p := range Role() {
		unless := p.Unless
		if unless == "" {
			unless = "–"
		}
		fmt.Fprintf(&table, "| %s | `%s` | %s | %s |\n", p.Name, p.On, p.For, unless)
	}
	const document, head = "../../../docs/permissions.md", "| privilege | on | for | can be left out when |\n|---|---|---|---|\n"
	raw, err := os.ReadFile(document)
	require.NoError(t, err)
	before, after, found := strings.Cut(string(raw), head)
	require.True(t, found)
	_, rest, found := strings.Cut(after, "\n\n")
	require.True(t, found)
	text := before + head + table.String() + "\n" + rest
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(text), 0o644))
		raw = []byte(text)
	}
	require.Equal(t, text, string(raw), "docs/permissions.md is behind: run make golden")
	readme, err := os.ReadFile("../../../README.md")
	require.NoError(t, err)
	require.Contains(t, string(readme), RoleCommand()+"\n")
	require.Contains(t, string(raw), RoleCommand()+"\n")
}
