package proxmox

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// privileges of a role that makes and changes containers, and nothing else.
const privileges = "VM.Allocate,VM.Audit,VM.Clone,VM.Config.CPU,VM.Config.Disk,VM.Config.Memory,VM.Config.Network," +
	"VM.Config.Options,VM.PowerMgmt,Datastore.Audit,Datastore.AllocateSpace,Datastore.AllocateTemplate,SDN.Use,Pool.Audit"

// limited returns a provider on the same host whose token has the privileges
// on these paths only.
func (l *lab) limited(paths ...string) *lab {
	l.t.Helper()
	l.by("POST", "/access/roles", url.Values{"roleid": {"Few"}, "privs": {privileges}})
	l.by("POST", "/access/users", url.Values{"userid": {"few@pve"}})
	for _, path := range paths {
		l.by("PUT", "/access/acl", url.Values{"path": {path}, "users": {"few@pve"}, "roles": {"Few"}})
	}
	client := l.tokenOf("few@pve", "ci", "0")
	return &lab{New(Options{Host: "pve", Client: client, Range: resource.IDRange{Low: 2000, High: 2999}}), l.t, l.sim}
}

// A token that has rights in one pool only sees no other guest, and none at
// all once it has left the pool. What it cannot see is there all the same.
func TestTokenOfOnePool(t *testing.T) {
	inPool := values{"pool": str("ours"), "network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0"), "ip": str("manual")}})}
	open := func(t *testing.T) *lab {
		l := openLab(t, pvesim.Options{})
		l.by("POST", "/pools", url.Values{"poolid": {"ours"}})
		return l.limited("/pool/ours", "/storage", "/sdn")
	}
	timeless(t, "it can make and remove its containers", func(t *testing.T) {
		l := open(t)
		want := app("web", inPool)
		made := l.create(want, 2000)
		edits, _ := l.edits(want, made)
		require.Empty(t, edits)
		job := l.job(resource.Resource{Addr: made.Addr, Host: "pve"}, "2000")
		job.Prior = &made
		require.NoError(t, l.Delete(t.Context(), job))
		require.Equal(t, resource.Gone, l.see(&want, &made).Presence, "its VMID is free again")
	})
	timeless(t, "a VMID that it cannot see is taken", func(t *testing.T) {
		l := open(t)
		_, err := l.Create(t.Context(), l.job(app("web", inPool), "100"))
		require.ErrorIs(t, err, providers.ErrTaken{ID: "100"})
	})
	timeless(t, "what it may no longer see is not gone", func(t *testing.T) {
		l := open(t)
		want := app("web", inPool)
		made := l.create(want, 2000)
		root := newLab(t, l.sim, l.sim.Transport())
		root.by("PUT", "/pools", url.Values{"poolid": {"ours"}, "vms": {"2000"}, "delete": {"1"}})
		seen := l.see(&want, &made)
		require.Equal(t, resource.Unknown, seen.Presence)
		require.Contains(t, seen.Why, "VM.Audit")
		job := l.job(resource.Resource{Addr: made.Addr, Host: "pve"}, "2000")
		job.Prior = &made
		require.ErrorContains(t, l.Delete(t.Context(), job), "VM.Audit", "nor is it deleted")
	})
}

// Whatever keeps the program from asking, a container that is not listed is
// not taken for gone.
func TestUnlistedIsNotGone(t *testing.T) {
	for _, status := range []int{403, 500, 595, 596} {
		timeless(t, http.StatusText(status), func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want := app("web", nil)
			prior := resource.Object{Addr: want.Addr, ID: "2000", Nonce: "n2000", Attrs: want.Want}
			l.sim.Inject(pvesim.Fault{Path: "/cluster/nextid", Status: status}, pvesim.Fault{Path: "/nodes/*/lxc/**", Status: status})
			seen := l.see(&want, &prior)
			require.Equal(t, resource.Unknown, seen.Presence)
			require.NotEmpty(t, seen.Why)
		})
	}
}

// A token may take features away as far as it may give them.
func TestTokenTakesNestingAway(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{}).limited("/")
		made := l.create(app("web", values{"features": object("features", values{"nesting": cty.True})}), 2000)
		l.change(app("web", nil), made)
		require.NotContains(t, l.config("2000")["features"], "nesting=1")
	})
}

// What a token is allowed is told by the deepest entry on the way to a path.
func TestRights(t *testing.T) {
	r := rights{"/": {"A": true, "B": false}, "/vms": {"C": true}, "/storage/x": {"D": false}}
	for _, c := range []struct {
		path, privilege string
		want            bool
	}{
		{"/", "A", true}, {"/", "B", true}, {"/nodes/n", "A", true}, {"/nodes/n", "B", false},
		{"/vms/100", "C", true}, {"/vms/100", "A", false}, {"/storage/x", "D", true}, {"/storage/y", "D", false},
	} {
		require.Equal(t, c.want, r.has(c.path, c.privilege), "%s on %s", c.privilege, c.path)
	}
}

// A token that may too little is told beforehand what it lacks, once for all,
// with the commands that give it.
func TestPlanTellsMissingPrivileges(t *testing.T) {
	for _, c := range []struct {
		name  string
		paths []string
		says  string // of what will be refused; empty: nothing
		hint  string
	}{
		{"everything", []string{"/"}, "", ""},
		{"no storage", []string{"/vms", "/sdn"}, "Datastore.Audit on /storage/local; Datastore.AllocateSpace on /storage/local-lvm",
			"pveum acl modify /storage/local-lvm --tokens 'few@pve!ci' --roles ProximityStorage"},
		{"nothing but storage", []string{"/storage", "/sdn"},
			"VM.Allocate and VM.Config.Disk and VM.Config.Network and VM.Config.Options and VM.PowerMgmt on /vms/2000; " +
				"VM.Allocate and VM.Config.Disk and VM.Config.Network and VM.Config.Options and VM.PowerMgmt on /vms/2001",
			"pveum role add ProximityGuests --privs VM.Allocate,VM.Config.Disk,VM.Config.Network,VM.Config.Options,VM.PowerMgmt\n" +
				"pveum acl modify /vms --tokens 'few@pve!ci' --roles ProximityGuests\n" +
				"pveum acl modify /vms --users few@pve --roles ProximityGuests"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{}).limited(c.paths...)
			web, db := app("web", nil), app("db", nil)
			var says []diag.Diagnostic
			for _, d := range l.Precheck(t.Context(), l.survey(web, db), proposals(true, web, db)) {
				if strings.Contains(d.Summary, "privileges") && d.Severity == diag.Error {
					says = append(says, d)
				}
			}
			if c.says == "" {
				require.Empty(t, says)
				return
			}
			require.Len(t, says, 1)
			require.Equal(t, `host "pve" will refuse some of it: `+c.says, says[0].Detail)
			require.Contains(t, says[0].Hint, c.hint)
		})
	}
}
