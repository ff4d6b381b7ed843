package proxmox

import (
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// manual is an app whose restarts people do themselves.
func manual(set values) values {
	all := values{"restart": str("manual")}
	for k, v := range set {
		all[k] = v
	}
	return all
}

// apply makes the edits of a plan and returns the record and the requests.
func (l *lab) apply(r *traffic, want resource.Resource, prior resource.Object) (resource.Object, []string) {
	l.t.Helper()
	r.requests = nil
	made, _ := l.change(want, prior)
	return made, slices.Clone(r.requests)
}

// With restart = "auto" all edits of an app that need it share one restart, and
// edits that do not need it cause none.
func TestOneRestartForAllEdits(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, r := rootLab(t, settingsSeed())
		made := l.create(app("web", oneVolume(nil)), 2000)
		live := oneVolume(nil)
		live["memory"], live["cores"], live["tags"] = mebis(256), whole(2), textSet([]string{"a"})
		live["network"] = labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0")}})
		made, did := l.apply(r, app("web", live), made)
		require.Equal(t, []string{"PUT config"}, did, "one request, and nothing stops")

		heavy := oneVolume(values{"backup": cty.False, "size": gibibytes(9)})
		heavy["timezone"], heavy["env"] = str("UTC"), textMap("A", "1")
		heavy["features"] = object("features", values{"nesting": cty.True})
		heavy["memory"] = mebis(512)
		_, did = l.apply(r, app("web", heavy), made)
		require.Equal(t, []string{"PUT resize", "PUT config", "POST shutdown", "POST start"}, did)
	})
}

// With restart = "manual" changes wait under the names that people know. They
// are no difference then, are not made again, and a later plan still shows them.
func TestWaitingChangesAreKnownByName(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, r := rootLab(t, settingsSeed())
		made := l.create(app("web", manual(settledApp(nil))), 2000)
		set := manual(settledApp(values{
			"volume":   labelled("volume", map[string]values{"data": volume(values{"backup": cty.False})}),
			"env":      textMap("A", "1"),
			"dns":      object("dns", values{"servers": texts([]string{"9.9.9.9"})}),
			"features": object("features", values{"nesting": cty.True, "fuse": cty.True}),
			"console":  object("console", values{"mode": str("shell")}),
			"disk":     object("disk", values{"size": gibibytes(4), "storage": str("local-lvm"), "acl": cty.True}),
			"bind":     cty.NilVal,
			"timezone": str("UTC"),
		}))
		want := app("web", set)
		made, did := l.apply(r, want, made)
		require.Equal(t, []string{"PUT config"}, did)
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"nameserver": {"9.9.9.9"}, "net0": {l.config("2000")["net0"]}})
		names := []string{"bind./media", "console.mode", "disk.acl", "dns.servers", "env", "features.fuse", "features.nesting",
			"timezone", "volume.data.backup"}
		edits, seen := l.edits(want, made)
		require.Empty(t, edits)
		require.Equal(t, names, seen.Pending)

		set["memory"] = mebis(256)
		made, did = l.apply(r, app("web", set), made)
		require.Equal(t, []string{"PUT config"}, did, "what waits is not sent again")
		want = app("web", set)
		require.Equal(t, names, l.see(&want, &made).Pending)

		l.by("POST", "/nodes/pve1/lxc/2000/status/shutdown", nil)
		l.by("POST", "/nodes/pve1/lxc/2000/status/start", nil)
		edits, seen = l.edits(want, made)
		require.Empty(t, edits)
		require.Empty(t, seen.Pending)
	})
}

// Who leaves restarts to the program again gets what waited: what was added and
// changed, and also what was only taken away.
func TestSwitchToAutomaticRestarts(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after values
		effects       string
	}{
		{"something was changed", nil, values{"timezone": str("UTC")}, "restart restart"},
		{"something was taken away", values{"timezone": str("UTC")}, nil, "restart"},
		{"a volume was taken away", oneVolume(nil), nil, "restart"},
		{"nothing waits", nil, values{"memory": mebis(256)}, "record"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l, r := rootLab(t, settingsSeed())
			made := l.create(app("web", manual(c.before)), 2000)
			made, _ = l.change(app("web", manual(c.after)), made)
			want := app("web", c.after)
			edits, _ := l.edits(want, made)
			require.Equal(t, c.effects, effectsOf(edits))
			made, did := l.apply(r, want, made)
			require.Equal(t, c.effects != "record", slices.Contains(did, "POST start"))
			require.NotContains(t, did, "PUT config", "all was said before")
			require.Empty(t, l.see(&want, &made).Pending)
		})
	}
}

// Of a container that was taken over, what somebody else lets wait goes on
// waiting.
func TestTakingOverRestartsNothing(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, _ := rootLab(t, settingsSeed())
		want := app("web", values{"vmid": whole(2000)})
		l.create(want, 2000)
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"timezone": {"UTC"}})
		seen := l.see(&want, nil)
		require.Equal(t, []string{"timezone"}, seen.Pending)
		require.Equal(t, resource.Record, heaviest(resource.Diff(kindOfApp(), nil, want, seen, resource.Sealer{})))
	})
}

// A delete of a setting with a waiting value is lost on a node. So the value is
// taken back before.
func TestDeletesOfWaitingValuesAreNotLost(t *testing.T) {
	for _, c := range []struct {
		name                  string
		before, then, finally values
		key                   string
	}{
		{"a time zone", values{"timezone": str("host")}, values{"timezone": str("UTC")}, nil, "timezone"},
		{"a mount point", oneVolume(nil), oneVolume(values{"path": str("/else")}), nil, "mp0"},
		{"with others beside", values{"timezone": str("host"), "entrypoint": str("/bin/a")},
			values{"timezone": str("UTC"), "entrypoint": str("/bin/b")}, values{"env": textMap("A", "1")}, "timezone"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l, _ := rootLab(t, settingsSeed())
			made := l.create(app("web", manual(c.before)), 2000)
			made, _ = l.change(app("web", manual(c.then)), made)
			made, _ = l.change(app("web", manual(c.finally)), made)
			l.by("POST", "/nodes/pve1/lxc/2000/status/stop", nil)
			require.NotContains(t, l.config("2000"), c.key, "the stop brought it back")
			want := app("web", manual(c.finally))
			require.Equal(t, resource.Present, l.see(&want, &made).Presence)
		})
	}
}

// A value that somebody deletes by hand, while another one waits for it, is
// seen as the node will have it.
func TestLostDeletesOfOthersAreSeen(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, _ := rootLab(t, settingsSeed())
		want := app("web", values{"timezone": str("host")})
		made := l.create(want, 2000)
		for _, form := range []url.Values{{"timezone": {"UTC"}}, {"delete": {"timezone"}}} {
			l.by("PUT", "/nodes/pve1/lxc/2000/config", form)
		}
		edits, seen := l.edits(want, made)
		require.Equal(t, "live", effectsOf(edits), "to take back what waits needs no restart")
		require.Equal(t, str("UTC"), edits[0].Old)
		require.Equal(t, []string{"timezone"}, seen.Pending)
		l.change(want, made)
		require.Equal(t, "host", l.config("2000")["timezone"])
		require.Empty(t, l.see(&want, &made).Pending)
	})
}

// A volume that waits for its removal is the same volume when its block comes
// back, and not a new one.
func TestARemovalThatWaitsIsTakenBack(t *testing.T) {
	timeless(t, "by the configuration", func(t *testing.T) {
		l, _ := rootLab(t, settingsSeed())
		made := l.create(app("web", manual(oneVolume(nil))), 2000)
		volid := pve.ParseLine(l.config("2000")["mp0"], "volume").Value("volume")
		made, _ = l.change(app("web", manual(nil)), made)
		require.Contains(t, l.see(nil, &made).Pending, "mp0", "nobody names it any more")
		made, edits := l.change(app("web", manual(oneVolume(nil))), made)
		require.Equal(t, "live", effectsOf(edits))
		l.by("POST", "/nodes/pve1/lxc/2000/status/stop", nil)
		cfg := l.config("2000")
		require.Equal(t, volid, pve.ParseLine(cfg["mp0"], "volume").Value("volume"))
		require.NotContains(t, cfg, "unused0")
		require.NotContains(t, cfg, "mp1")
	})
	timeless(t, "done by hand", func(t *testing.T) {
		l, r := rootLab(t, settingsSeed())
		want := app("web", oneVolume(nil))
		made := l.create(want, 2000)
		line := l.config("2000")["mp0"]
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"delete": {"mp0"}})
		_, did := l.apply(r, want, made)
		require.Equal(t, []string{"PUT config"}, did, "no restart, and no new volume")
		require.Equal(t, line, l.config("2000")["mp0"])
	})
}

// What waits is never less than the volume has become meanwhile.
func TestGrowthUnderWhatWaits(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, _ := rootLab(t, settingsSeed())
		disk := func(set values) values {
			all := values{"size": gibibytes(4), "storage": str("local-lvm"), "acl": cty.True}
			for k, v := range set {
				all[k] = v
			}
			return manual(values{"disk": object("disk", all)})
		}
		made := l.create(app("web", manual(nil)), 2000)
		made, _ = l.change(app("web", disk(nil)), made)
		l.change(app("web", disk(values{"size": gibibytes(6)})), made)
		l.by("POST", "/nodes/pve1/lxc/2000/status/stop", nil)
		require.Contains(t, l.config("2000")["rootfs"], "size=6G")
	})
}

// Proxmox changes no volume of a protected container. Where the protection goes
// in the same plan it goes first; where it stays the plan says so.
func TestProtectedDrives(t *testing.T) {
	protected := func(is cty.Value, set values) values {
		all := oneVolume(set)
		all["protection"] = is
		return all
	}
	timeless(t, "protection goes", func(t *testing.T) {
		l, r := rootLab(t, settingsSeed())
		made := l.create(app("web", protected(cty.True, values{"read_only": cty.True})), 2000)
		_, did := l.apply(r, app("web", protected(cty.False, nil)), made)
		require.Equal(t, []string{"PUT config", "PUT config", "POST shutdown", "POST start"}, did)
	})
	timeless(t, "protection stays", func(t *testing.T) {
		l, _ := rootLab(t, settingsSeed())
		made := l.create(app("web", protected(cty.True, nil)), 2000)
		edits, _ := l.edits(app("web", protected(cty.True, values{"read_only": cty.True})), made)
		require.Equal(t, "refused", effectsOf(edits))
		require.Contains(t, edits[0].Hint, "protection = false")
	})
	timeless(t, "protection comes", func(t *testing.T) {
		l, r := rootLab(t, settingsSeed())
		made := l.create(app("web", protected(cty.False, nil)), 2000)
		_, did := l.apply(r, app("web", protected(cty.True, values{"read_only": cty.True})), made)
		require.Equal(t, []string{"PUT config", "POST shutdown", "POST start"}, did)
	})
}

// A change that a node makes although it answers with an error about something
// else has been made.
func TestChangesDespiteAnError(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, _ := rootLab(t, settingsSeed())
		made := l.create(app("web", values{"running": cty.False}), 2000)
		require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) {
			e.SetConfig(2000, "net3", "name=eth3,bridge=vmbr9,hwaddr=BC:24:11:00:00:09,type=veth")
		}))
		l.change(app("web", values{"running": cty.False, "memory": mebis(256)}), made)
		require.Equal(t, "256", l.config("2000")["memory"])
	})
}

// refusing answers a change of a configuration with an error, at a moment when
// somebody else changes something.
type refusing struct {
	http.RoundTripper
	meanwhile func()
}

func (r refusing) RoundTrip(request *http.Request) (*http.Response, error) {
	if request.Method != http.MethodPut {
		return r.RoundTripper.RoundTrip(request)
	}
	r.meanwhile()
	return &http.Response{StatusCode: 500, Status: "500 no", Body: io.NopCloser(strings.NewReader(`{"data":null,"message":"no\n"}`))}, nil
}

// An error after which the change is not there is an error, whatever else has
// changed.
func TestChangesThatWereNotMade(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", nil), 2000)
		l.Client = newLab(t, l.sim, refusing{l.sim.Transport(), func() {
			require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetConfig(2000, "cores", "3") }))
		}}).Client
		want := app("web", values{"memory": mebis(256)})
		edits, seen := l.edits(want, made)
		job := l.job(want, "2000")
		job.Prior, job.Edits, job.Digest = &made, edits, seen.Digest
		_, err := l.Update(t.Context(), job)
		require.ErrorContains(t, err, "no")
	})
}
