package proxmox

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// noted returns what notes say, each in one line.
func noted(notes diag.List) []string {
	var all []string
	for _, n := range notes {
		if n.Severity == diag.Note {
			all = append(all, n.Summary)
		}
	}
	return all
}

func TestANewerTemplateIsOnlyMentioned(t *testing.T) {
	timeless(t, "note", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", nil)
		made := l.create(want, 2000)
		require.Contains(t, resource.Text(made.Attrs, "made_from"), "local:vztmpl/debian-13-standard_13.1-2")

		look := func(prior resource.Object) diag.List {
			found, err := l.Observe(t.Context(), []providers.Target{{Addr: want.Addr, Want: &want, Prior: &prior,
				Marker: resource.Marker{Lineage: "l1", Addr: want.Addr, Nonce: prior.Nonce}}})
			require.NoError(t, err)
			return found.Survey.Notes
		}
		require.Empty(t, look(made), "it is the newest")

		set := made.Attrs.AsValueMap()
		set["made_from"] = str("local:vztmpl/debian-13-standard_13.0-1_amd64.tar.zst")
		older := made
		older.Attrs = cty.ObjectVal(set)
		require.Equal(t, []string{"newer template debian-13-standard_13.1-2_amd64.tar.zst"}, noted(look(older)))
		edits, _ := l.edits(want, older)
		require.Empty(t, edits, "and nothing is to be done")
	})
}

func TestWhatIsGoingOnIsNoted(t *testing.T) {
	timeless(t, "waiting for a restart that people do themselves", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", values{"restart": str("manual")})
		made := l.create(want, 2000)
		want = app("web", values{"restart": str("manual"), "timezone": str("Europe/Berlin")})
		made, _ = l.change(want, made)
		seen := l.see(&want, &made)
		require.Equal(t, []string{"app.web waits for a restart"}, noted(seen.Notes))
		l.by("POST", "/nodes/pve1/lxc/2000/status/reboot", nil)
		require.Empty(t, l.see(&want, &made).Notes)
	})
	timeless(t, "locked", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", nil)
		made := l.create(want, 2000)
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"lock": {"backup"}})
		require.Equal(t, []string{"app.web is locked (backup)"}, noted(l.see(&want, &made).Notes))
	})
}

// Where high availability moves a container is no drift. Only a person who
// asks for another node than before gets it moved.
func TestHighAvailabilityDecidesWhere(t *testing.T) {
	timeless(t, "moved by high availability", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", nil)
		made := l.create(want, 2000)
		l.by("POST", "/cluster/ha/resources", url.Values{"sid": {"ct:2000"}, "state": {"started"}})
		require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.Move(2000, "pve2") }))
		edits, seen := l.edits(want, made)
		require.Empty(t, edits)
		require.Equal(t, []string{"app.web is on node pve2"}, noted(seen.Notes))
		require.Empty(t, resource.Drifted(appKind(), made, seen, resource.Sealer{}, nil))

		edits, _ = l.edits(app("web", values{"node": str("pve3")}), made)
		require.Len(t, edits, 1)
		require.Equal(t, resource.Migrate, edits[0].Effect)
	})
	timeless(t, "moved by a person", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", nil)
		made := l.create(want, 2000)
		require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.Move(2000, "pve2") }))
		edits, _ := l.edits(want, made)
		require.Len(t, edits, 1)
		require.Equal(t, resource.Drift, edits[0].Cause)
		require.Equal(t, resource.Migrate, edits[0].Effect)
	})
}
