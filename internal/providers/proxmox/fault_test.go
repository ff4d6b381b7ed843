package proxmox

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

const creates = "/nodes/*/lxc"

// Whatever happens to one request of a create, there is one container in the
// end, it is ours, and it is as wanted.
func TestCreateSurvivesFaults(t *testing.T) {
	const busyStorage = "unable to create CT 2000 - can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout"
	for _, c := range []struct {
		name  string
		fault pvesim.Fault
	}{
		{"the reply is lost after the effect", pvesim.Fault{Method: "POST", Path: creates, Count: 1, DropReply: true}},
		{"the connection closes before the effect", pvesim.Fault{Method: "POST", Path: creates, Count: 1, CloseConn: true}},
		{"the proxy gives up", pvesim.Fault{Method: "POST", Path: creates, Count: 1, Status: 596}},
		{"the lock of the container is busy", pvesim.Fault{Method: "POST", Path: creates, Count: 1, Status: 500, Message: "can't lock file '/run/lock/lxc/pve-config-2000.lock' - got timeout"}},
		{"the storage is busy", pvesim.Fault{Method: "POST", Path: creates, Count: 2, FailTask: busyStorage}},
		{"reads fail now and then", pvesim.Fault{Method: "GET", Probability: 0.2, Status: 595}},
		{"answers are cut", pvesim.Fault{Method: "GET", Probability: 0.2, CutBody: true}},
		{"the start finds a lock", pvesim.Fault{Method: "POST", Path: "/nodes/*/lxc/*/status/start", Count: 1, FailTask: "can't lock file '/run/lock/lxc/pve-config-2000.lock' - got timeout"}},
		{"the reply of the start is lost", pvesim.Fault{Method: "POST", Path: "/nodes/*/lxc/*/status/start", Count: 1, DropReply: true}},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			l.sim.Inject(c.fault)
			want := app("web", nil)
			made, err := l.Create(t.Context(), l.job(want, "2000"))
			l.sim.ClearFaults()
			if err != nil { // then what was made is told, and the next run goes on
				require.Equal(t, "2000", made.ID)
				made, err = l.Create(t.Context(), l.job(want, "2000"))
				require.NoError(t, err)
			}
			edits, _ := l.edits(want, record(want, made))
			require.Empty(t, edits)
			all, err := l.list(t.Context())
			require.NoError(t, err)
			require.Len(t, all.survey("", "", resource.IDRange{}).Guests, 4, "three of others, one of ours")
		})
	}
}

// A start whose reply is lost is looked after: see TestCreateSurvivesFaults. A
// create that fails for good leaves nothing and says why.
func TestCreateThatFails(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	l.sim.Inject(pvesim.Fault{Method: "POST", Path: creates, FailTask: "unable to create CT 2000 - no space left"})
	_, err := l.Create(t.Context(), l.job(app("web", nil), "2000"))
	require.ErrorContains(t, err, "no space left")
	require.ErrorAs(t, err, &providers.ErrNothingMade{})
	all, err := l.list(t.Context())
	require.NoError(t, err)
	_, there := all.guest("2000")
	require.False(t, there)
}

// What Proxmox refuses is told as it says it, without further questions.
func TestRefusedCreate(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	l.sim.Inject(pvesim.Fault{Method: "POST", Path: creates, Status: 403, Message: "Permission check failed (/vms/2000, VM.Allocate)"})
	before := l.requests()
	_, err := l.Create(t.Context(), l.job(app("web", values{"template": str("local:vztmpl/x.tar.zst")}), "2000"))
	require.EqualError(t, err, "POST /nodes/pve1/lxc: Permission check failed (/vms/2000, VM.Allocate)")
	require.ErrorAs(t, err, &providers.ErrNothingMade{})
	require.Equal(t, before, l.requests(), "faults are not counted, and nothing else was asked")
}

// What cannot be looked at is unknown, never gone.
func TestAbsenceIsNotGuessed(t *testing.T) {
	for _, c := range []struct {
		name  string
		fault pvesim.Fault
		want  resource.Presence
	}{
		{"the configuration cannot be read", pvesim.Fault{Method: "GET", Path: "/nodes/pve1/lxc/2000/**", Status: 500, Message: "no quorum"}, resource.Unknown},
		{"the node is not reached", pvesim.Fault{Method: "GET", Path: "/nodes/pve1/**", Status: 403, Message: "Permission check failed"}, resource.Unknown},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want := app("web", nil)
			made := l.create(want, 2000)
			l.sim.Inject(c.fault)
			seen := l.see(&want, &made)
			require.Equal(t, c.want, seen.Presence)
			require.NotEmpty(t, seen.Why)
		})
	}
	l := openLab(t, pvesim.Options{})
	l.sim.Inject(pvesim.Fault{Path: "/cluster/resources", Status: 403})
	_, err := l.Observe(t.Context(), nil)
	require.Error(t, err, "without a listing nothing is known")
}

// Lost answers to changes and removals are looked after: what was asked for is
// done once.
func TestLostAnswersOfChangesAndRemovals(t *testing.T) {
	for _, c := range []struct{ name, method, path string }{
		{"the change", "PUT", "/nodes/*/lxc/*/config"},
		{"the shutdown", "POST", "/nodes/*/lxc/*/status/shutdown"},
		{"the start", "POST", "/nodes/*/lxc/*/status/start"},
		{"the stop", "POST", "/nodes/*/lxc/*/status/stop"},
		{"the removal", "DELETE", "/nodes/*/lxc/*"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", nil), 2000)
			l.sim.Inject(pvesim.Fault{Method: c.method, Path: c.path, Count: 1, DropReply: true},
				pvesim.Fault{Method: c.method, Path: c.path, Count: 1, CloseConn: true})
			set := oneVolume(nil)
			set["timezone"] = str("UTC")
			made, _ = l.change(app("web", set), made)
			require.Len(t, slots(l.config("2000"), "mp"), 1)
			job := l.job(resource.Resource{Addr: made.Addr, Host: "pve"}, "2000")
			job.Prior = &made
			require.NoError(t, l.Delete(t.Context(), job))
			want := app("web", nil)
			require.Equal(t, resource.Gone, l.see(&want, &made).Presence)
		})
	}
}

// The VMID of a virtual machine is taken too.
func TestVirtualMachinesAreNeverTouched(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := app("web", nil)
	_, err := l.Create(t.Context(), l.job(want, "102"))
	require.ErrorIs(t, err, providers.ErrTaken{ID: "102"})
	prior := resource.Object{Addr: want.Addr, ID: "102", Nonce: "n102"}
	require.Equal(t, resource.Stranger, l.see(&want, &prior).Presence)
	var stranger providers.ErrStranger
	require.ErrorAs(t, l.Delete(t.Context(), l.job(want, "102")), &stranger)
}

// An app that Proxmox protects is not removed.
func TestProtectionIsRespected(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := app("web", values{"protection": cty.True})
	made := l.create(want, 2000)
	job := l.job(resource.Resource{Addr: want.Addr, Host: "pve"}, "2000")
	job.Prior = &made
	require.ErrorContains(t, l.Delete(t.Context(), job), "protected")
	require.Equal(t, resource.Present, l.see(&want, &made).Presence)
}

// Deleting a container leaves the backup jobs of others as they are when it
// would empty them, and takes it out of the rest.
func TestDeleteAndBackupJobs(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	l.by("POST", "/cluster/backup", url.Values{"id": {"only-it"}, "vmid": {"2000"}, "schedule": {"02:00"}, "storage": {"backup"}})
	l.by("POST", "/cluster/backup", url.Values{"id": {"with-others"}, "vmid": {"100,2001"}, "schedule": {"02:00"}, "storage": {"backup"}})
	for id := 2000; id <= 2001; id++ {
		want := app(fmt.Sprint("web", id), nil)
		made := l.create(want, id)
		job := l.job(resource.Resource{Addr: want.Addr, Host: "pve"}, fmt.Sprint(id))
		job.Prior = &made
		require.NoError(t, l.Delete(t.Context(), job))
	}
	jobs, err := l.listJobs(t.Context())
	require.NoError(t, err)
	members := map[string]string{}
	for _, j := range jobs {
		members[string(j.ID)] = string(j.VMID)
	}
	require.Equal(t, map[string]string{"only-it": "2000", "with-others": "100"}, members)
}

// Many creates that need one template download it once.
func TestTemplateIsFetchedOnce(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	var wg sync.WaitGroup
	failed := make([]error, 6)
	for i := range failed {
		wg.Go(func() {
			want := app(fmt.Sprint("web", i), values{"template": str("fedora-42-default")})
			_, failed[i] = l.Create(t.Context(), l.job(want, fmt.Sprint(2000+i)))
		})
	}
	wg.Wait()
	for _, err := range failed {
		require.NoError(t, err)
	}
	var tasks []struct{ Type string }
	require.NoError(t, l.Client.Read(t.Context(), "/nodes/pve1/tasks", url.Values{"source": {"all"}, "typefilter": {"download"}}, &tasks))
	require.Len(t, tasks, 1)
}

func (l *late) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPut || !strings.HasSuffix(r.URL.Path, "/config") {
		return l.RoundTripper.RoundTrip(r)
	}
	if !l.once {
		l.once, l.held = true, r.Clone(context.Background())
		l.held.Body, _ = r.GetBody()
		return &http.Response{StatusCode: 596, Status: "596 Connection timed out", Body: http.NoBody}, nil
	}
	if l.held != nil {
		response, err := l.RoundTripper.RoundTrip(l.held)
		if l.held = nil; err != nil {
			return nil, err
		}
		response.Body.Close()
	}
	return l.RoundTripper.RoundTrip(r)
}

// late is a proxy that gives up on the first change of a configuration, which
// takes effect all the same, just before the second one.
type late struct {
	http.RoundTripper
	held *http.Request
	once bool
}

// A change that takes longer than the proxy waits, as of a new large volume, is
// not taken for somebody else's when it is sent again.
func TestSlowChangeIsOurOwn(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", nil), 2000)
		slow := newLab(t, l.sim, &late{RoundTripper: l.sim.Transport()})
		slow.change(app("web", oneVolume(nil)), made)
		require.Len(t, slots(l.config("2000"), "mp"), 1)
	})
}

// A VMID whose create died with its node holds nobody up for ever.
func TestDeadCreateIsNotWaitedForForEver(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.AddGuest(2000, "pve1", map[string]string{"lock": "create"}) }))
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		_, err := l.Create(ctx, l.job(app("web", nil), "2000"))
		require.ErrorIs(t, err, providers.ErrTaken{ID: "2000"})
	})
}

// A volume that somebody left behind makes creates fail again and again; it is
// told soon.
func TestLeftoverVolumeIsToldSoon(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, begun := openLab(t, pvesim.Options{}), time.Now()
		const cause = "unable to create CT 2000 - zfs error: cannot create 'rpool/data/subvol-2000-disk-0': dataset already exists"
		l.sim.Inject(pvesim.Fault{Method: "POST", Path: creates, FailTask: cause})
		_, err := l.Create(t.Context(), l.job(app("web", nil), "2000"))
		require.ErrorContains(t, err, "dataset already exists")
		require.ErrorAs(t, err, &providers.ErrNothingMade{})
		require.Less(t, time.Since(begun), time.Minute)
	})
}

// A create that was cut short before it reached its pool is brought there.
func TestCreateReachesItsPool(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		l.by("POST", "/pools", url.Values{"poolid": {"ours"}})
		want := app("web", values{"pool": str("ours"), "running": cty.False})
		form := createForm(l.job(want, "2000"), "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst")
		form.Del("pool")
		l.by("POST", "/nodes/pve1/lxc", form)
		made, err := l.Create(t.Context(), l.job(want, "2000")) // as after a lost answer
		require.NoError(t, err)
		require.Equal(t, "ours", resource.Text(made.Attrs, "pool"))
		edits, _ := l.edits(want, record(want, made))
		require.Empty(t, edits)
	})
}
