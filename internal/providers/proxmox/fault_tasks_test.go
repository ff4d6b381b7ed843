package proxmox

import (
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// A task that ends with warnings has done its work; the warnings are shown.
func TestWarningsOfTasksAreShown(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		job, report := l.job(app("web", nil), "2000"), &providertest.Recorder{}
		job.Report = report
		_, err := l.Create(t.Context(), job)
		require.NoError(t, err)
		require.True(t, slices.ContainsFunc(report.Texts, func(text string) bool {
			return strings.HasPrefix(text, "Systemd 252 detected")
		}), "%q", report.Texts)
	})
}

// forgetful is a way to a node that does not know its tasks, or one whose tasks
// are killed while they run.
type forgetful struct {
	http.RoundTripper
	kill func(path string) // nil: it forgets
}

var taskStatus = regexp.MustCompile(`/tasks/UPID:.*/status$`)

func (f *forgetful) RoundTrip(r *http.Request) (*http.Response, error) {
	if !taskStatus.MatchString(r.URL.Path) {
		return f.RoundTripper.RoundTrip(r)
	}
	if f.kill == nil {
		return answer(r, "400 Parameter verification failed.", `{"data":null,"message":"Parameter verification failed.\n","errors":{"upid":"no such task"}}`), nil
	}
	f.kill(strings.TrimSuffix(strings.TrimPrefix(r.URL.Path, "/api2/json"), "/status"))
	return answer(r, "200 OK", `{"data":{"status":"stopped","exitstatus":"unexpected status"}}`), nil
}

// What became of a task that its node has forgotten is looked up: the work is
// done once, and the step succeeds.
func TestForgottenTasksAreLookedAfter(t *testing.T) {
	for name, c := range changesWithTasks() {
		timeless(t, name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{Tasks: func(string) time.Duration { return 3 * time.Minute }})
			made := l.made(c.before)
			tasks := l.sim.World().Tasks[c.task]
			blind := newLab(t, l.sim, &forgetful{RoundTripper: l.sim.Transport()})
			_, err := blind.run(c.after, made)
			require.NoError(t, err)
			require.Equal(t, 1, l.sim.World().Tasks[c.task]-tasks)
			require.Empty(t, l.sim.World().Failed)
		})
	}
}

// A task that was killed without a word is a failure that says so. What it left
// is ours to go on with.
func TestKilledTasks(t *testing.T) {
	for name, c := range changesWithTasks() {
		if c.task == "vzdestroy" {
			continue // it leaves what only a person on the node can unlock
		}
		timeless(t, name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{Tasks: func(string) time.Duration { return 3 * time.Minute }})
			made := l.made(c.before)
			way := &forgetful{RoundTripper: l.sim.Transport()}
			way.kill = func(path string) { l.by("DELETE", path, nil) }
			err := newLab(t, l.sim, way).try(c.after, made)
			require.ErrorContains(t, err, "task "+c.task+" 2000: unexpected status")
			_, err = l.run(c.after, made)
			require.NoError(t, err)
		})
	}
}

type changeWithTask struct {
	task          string
	before, after *resource.Resource
}

func changesWithTasks() map[string]changeWithTask {
	off := func(set values) *resource.Resource {
		all := values{"running": cty.False}
		for name, v := range set {
			all[name] = v
		}
		return is(app("web", all))
	}
	disk := func(size int64, storage string) values {
		return values{"disk": object("disk", values{"size": gibibytes(size), "storage": str(storage)})}
	}
	return map[string]changeWithTask{
		"create":  {"vzcreate", nil, off(nil)},
		"start":   {"vzstart", off(nil), is(app("web", nil))},
		"resize":  {"resize", off(nil), off(disk(5, "local-lvm"))},
		"move":    {"move_volume", off(nil), off(disk(4, "nvme"))},
		"migrate": {"vzmigrate", off(nil), off(values{"node": str("pve2")})},
		"delete":  {"vzdestroy", off(nil), nil},
	}
}

// try makes one change and returns its error.
func (l *lab) try(want *resource.Resource, prior *resource.Object) error {
	l.t.Helper()
	if prior == nil {
		_, err := l.Create(l.t.Context(), l.job(*want, "2000"))
		return err
	}
	edits, seen := l.edits(*want, *prior)
	job := l.job(*want, prior.ID)
	job.Prior, job.Edits, job.Digest = prior, edits, seen.Digest
	_, err := l.Update(l.t.Context(), job)
	return err
}

// A container that is just being backed up is waited for, which is told as
// progress, and not for ever.
func TestABackupIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name  string
		takes time.Duration
		works bool
	}{{"that ends", 5 * time.Minute, true}, {"that was killed and left its lock", 10 * time.Hour, false}} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", nil), 2000)
			want := app("web", oneVolume(nil))
			edits, seen := l.edits(want, made)
			lock := func(value string) {
				require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetConfig(2000, "lock", value) }))
			}
			lock("backup")
			end := time.AfterFunc(c.takes, func() { lock("") })
			defer end.Stop()
			report, begun := &providertest.Recorder{}, time.Now()
			job := l.job(want, "2000")
			job.Prior, job.Edits, job.Digest, job.Report = &made, edits, seen.Digest, report
			_, err := l.Update(t.Context(), job)
			require.True(t, slices.ContainsFunc(report.Texts, func(text string) bool {
				return strings.HasPrefix(text, "waiting: ") && strings.Contains(text, "CT is locked (backup)")
			}), "%q", report.Texts)
			if c.works {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, "CT is locked (backup)")
			require.Less(t, time.Since(begun), 20*time.Minute)
		})
	}
}

// What somebody changes between plan and apply is never overwritten. Where it
// is something else than what the plan changes it is kept, and the change is
// made; where it is the same the step fails and nothing is changed.
func TestChangedSinceThePlan(t *testing.T) {
	for _, c := range []struct {
		name    string
		by      url.Values
		changed bool
	}{
		{"something else", url.Values{"cores": {"3"}}, false},
		{"the same", url.Values{"memory": {"777"}}, true},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", values{"memory": mebis(256)}), 2000)
			want := app("web", values{"memory": mebis(512)})
			edits, seen := l.edits(want, made)
			l.by("PUT", "/nodes/pve1/lxc/2000/config", c.by)
			job := l.job(want, "2000")
			job.Prior, job.Edits, job.Digest = &made, edits, seen.Digest
			_, err := l.Update(t.Context(), job)
			if c.changed {
				require.ErrorIs(t, err, providers.ErrChanged{ID: "2000"})
				require.Equal(t, "777", l.config("2000")["memory"])
				return
			}
			require.NoError(t, err)
			require.Equal(t, []string{"512", "3"}, []string{l.config("2000")["memory"], l.config("2000")["cores"]})
		})
	}
}

// What a run that was cut short left waiting for a restart, and that nobody
// wants any more, is taken back: else the next stop would bring it.
func TestWhatWasLeftWaitingIsTakenBack(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", nil), 2000)
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"timezone": {"UTC"}})
		begun := record(app("web", values{"timezone": str("UTC")}), made) // as recovery records a change that was begun
		begun.ID, begun.Nonce = made.ID, made.Nonce
		_, edits := l.change(app("web", nil), begun)
		require.NotEmpty(t, edits)
		l.by("POST", "/nodes/pve1/lxc/2000/status/stop", nil)
		require.NotContains(t, l.config("2000"), "timezone")
	})
}

// Two volumes that change places keep their names, although the one that moves
// last gets the id that the other one had.
func TestVolumesThatChangePlacesKeepTheirNames(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		two := func(data, media string) resource.Resource {
			return app("web", values{"volume": labelled("volume", map[string]values{
				"data":  volume(values{"path": str("/srv/data"), "storage": str(data)}),
				"media": volume(values{"path": str("/srv/media"), "storage": str(media)}),
			}), "disk": object("disk", values{"size": gibibytes(4), "storage": str("nvme")})})
		}
		before, after := two("local-lvm", "nvme"), two("nvme", "local-lvm")
		prior := l.create(before, 2000)
		prior.Attrs = l.see(&before, &prior).Object.Attrs // as the engine records it, with the ids of its volumes
		edits, seen := l.edits(after, prior)
		job := l.job(after, "2000")
		job.Prior, job.Edits, job.Digest = &prior, edits, seen.Digest
		made, err := l.Update(t.Context(), job)
		require.NoError(t, err)
		of := func(o resource.Object, label, attr string) string {
			return resource.Text(element(o.Attrs, "volume", label), attr)
		}
		require.Equal(t, of(prior, "data", "volid"), pve.ParseLine(l.config("2000")["mp1"], "volume").Value("volume"), "else this tests nothing")
		require.Equal(t, []string{"/srv/data", "mp0", "/srv/media", "mp1"},
			[]string{of(made, "data", "path"), of(made, "data", "slot"), of(made, "media", "path"), of(made, "media", "slot")})
	})
}

// What a plan makes at once because the container does not run is not left
// waiting in one that somebody has started since: the step fails, nothing is
// changed, and the next plan says that it takes a restart.
func TestStartedSinceThePlan(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		off := values{"running": cty.False, "timezone": str("UTC")}
		made := l.create(app("web", off), 2000)
		for name, c := range map[string]struct {
			want  values
			fails bool
		}{"what waits": {values{"running": cty.False}, true}, "what is made at once": {values{"running": cty.False, "timezone": str("UTC"), "memory": mebis(777)}, false}} {
			want := app("web", c.want)
			edits, seen := l.edits(want, made)
			require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetRunning(2000, true) }))
			job := l.job(want, "2000")
			job.Prior, job.Edits, job.Digest = &made, edits, seen.Digest
			_, err := l.Update(t.Context(), job)
			if !c.fails {
				require.NoError(t, err, name)
			} else {
				require.ErrorIs(t, err, providers.ErrChanged{ID: "2000"}, name)
				require.Equal(t, "UTC", l.config("2000")["timezone"])
			}
			require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetRunning(2000, false) }))
			time.Sleep(20 * time.Second)
		}
	})
}

// A removal that waits for a restart and that is still wanted is still to do,
// after a run that was cut short before the restart.
func TestARemovalThatWaitsIsStillToDo(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		before := app("web", oneVolume(nil))
		made := l.create(before, 2000)
		made.Attrs = l.see(&before, &made).Object.Attrs
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"delete": {"mp0"}})
		l.change(app("web", nil), made)
		require.Empty(t, slots(l.config("2000"), "mp"))
		require.Empty(t, l.sim.World().Guests[2000].Pending)
	})
}

// A container that is started while it is being changed has some of the change
// waiting; the step says so instead of counting it as done.
func TestStartedWhileItIsChanged(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		off := app("web", values{"running": cty.False, "timezone": str("UTC")})
		made := l.create(off, 2000)
		want := app("web", values{"running": cty.False})
		l.sim.Inject(pvesim.Fault{Method: "PUT", Path: "/nodes/*/lxc/*/config", Count: 1, Behind: func(e *pvesim.Edit) { e.SetRunning(2000, true) }})
		require.ErrorContains(t, l.try(&want, &made), "container 2000 was started meanwhile")
	})
}
