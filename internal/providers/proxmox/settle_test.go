package proxmox

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// A run that ends while a create is under way leaves its task; the next run
// waits for it and finds what it made.
func TestSettleFindsWhatAKilledRunMade(t *testing.T) {
	slow := func(string) time.Duration { return 20 * time.Second }
	for _, known := range []bool{true, false} {
		timeless(t, fmt.Sprintf("task known %t", known), func(t *testing.T) {
			l := openLab(t, pvesim.Options{Tasks: slow})
			want := app("web", nil)
			job, report := l.job(want, "2000"), &stopper{}
			ctx, cancel := context.WithCancel(t.Context())
			report.stop, job.Report = cancel, report
			_, err := l.Create(ctx, job)
			require.Error(t, err)
			require.NotEmpty(t, report.task)
			prior := resource.Object{Addr: want.Addr, Host: "pve", ID: "2000", Nonce: "n2000", Attrs: want.Want, Changed: time.Now()}
			task := report.task
			if !known {
				task = ""
			}
			seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &prior, Marker: job.Marker}, task)
			require.NoError(t, err)
			require.Equal(t, resource.Present, seen.Presence, seen.Why)
			require.Equal(t, "stopped", resource.Text(seen.Object.Attrs, "status"))
		})
	}
}

// stopper ends a run as soon as it has a task.
type stopper struct {
	providertest.Recorder
	stop context.CancelFunc
	task string
}

func (s *stopper) Task(id string) error {
	s.task = id
	s.stop()
	return nil
}

// A run that is killed while its request travels leaves no task; the request
// takes effect all the same, a moment after the next run has begun to look.
func TestSettleIsPatientWithRequestsUnderWay(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", nil)
		job := l.job(want, "2000")
		prior := resource.Object{Addr: want.Addr, Host: "pve", ID: "2000", Nonce: "n2000", Attrs: want.Want, Changed: time.Now()}
		l.sim.Inject(pvesim.Fault{Method: "POST", Path: creates, Delay: 3 * time.Second})
		var wg sync.WaitGroup
		wg.Go(func() { // the node goes on although nobody listens any more
			_, _ = l.Client.Post(t.Context(), "/nodes/pve1/lxc", createForm(job, "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"))
		})
		seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &prior, Marker: job.Marker}, "")
		require.NoError(t, err)
		require.Equal(t, resource.Present, seen.Presence, seen.Why)
		wg.Wait()
	})
	for name, c := range map[string]struct{ ago, patience time.Duration }{
		"an old request is not waited for":                  {time.Minute, time.Second},
		"a clock that was set back an hour holds nobody up": {-time.Hour, requestPatience + 2*time.Second},
	} {
		timeless(t, name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want, begun := app("web", nil), time.Now()
			prior := resource.Object{Addr: want.Addr, Host: "pve", ID: "2000", Nonce: "n2000", Attrs: want.Want, Changed: begun.Add(-c.ago)}
			seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &prior, Marker: l.job(want, "2000").Marker}, "")
			require.NoError(t, err)
			require.Equal(t, resource.Gone, seen.Presence)
			require.Less(t, time.Since(begun), c.patience)
		})
	}
}

// The task of an earlier run may be out of sight: it was another token's, its
// log was removed, or its node has left the cluster. What it made is not.
func TestSettleLooksAtWhatATaskLeft(t *testing.T) {
	for _, fault := range []pvesim.Fault{
		{Status: 403, Message: "Permission check failed (/nodes/pve1, Sys.Audit)"},
		{Status: 400, Message: "no such task"},
		{Status: 500, Message: "hostname lookup 'pve1' failed - failed to get address info for: pve1: Name or service not known"},
	} {
		timeless(t, fault.Message, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			want := app("web", nil)
			made := l.create(want, 2000)
			fault.Path = "/nodes/*/tasks/*/status"
			l.sim.Inject(fault)
			marker := resource.Marker{Lineage: "l1", Addr: want.Addr, Nonce: "n2000"}
			seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &made, Marker: marker},
				"UPID:pve1:00000001:00000001:6B03F603:vzcreate:2000:root@pam!other:")
			require.NoError(t, err)
			require.Equal(t, resource.Present, seen.Presence, seen.Why)
		})
	}
}

// What a removal left that was cut short holds nobody up for long, and people
// are told what to do on the node.
func TestSettleTellsWhatOnlyAPersonCanClearUp(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l, want := openLab(t, pvesim.Options{}), app("web", nil)
		require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.AddGuest(2000, "pve1", map[string]string{"lock": "destroyed"}) }))
		prior, begun := resource.Object{Addr: want.Addr, Host: "pve", ID: "2000", Nonce: "n2000"}, time.Now()
		seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &prior, Marker: l.job(want, "2000").Marker}, "")
		require.NoError(t, err)
		require.Equal(t, resource.Unknown, seen.Presence)
		require.Equal(t, "2000 is just being made or removed, and no task works on it; on its node: pct unlock 2000 && pct destroy 2000", seen.Why)
		require.Less(t, time.Since(begun), 2*time.Minute)
	})
}

// A create whose task nobody told is waited for as long as it runs.
func TestSettleWaitsAsLongAsATaskRuns(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{Tasks: func(string) time.Duration { return time.Hour }})
		want := app("web", values{"running": cty.False})
		job := l.job(want, "2000")
		upid, err := l.Client.Post(t.Context(), "/nodes/pve1/lxc", createForm(job, "local:vztmpl/debian-13-standard_13.1-2_amd64.tar.zst"))
		require.NoError(t, err)
		require.NotEmpty(t, upid)
		prior := resource.Object{Addr: want.Addr, Host: "pve", ID: "2000", Nonce: "n2000", Attrs: want.Want, Changed: time.Now()}
		seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &prior, Marker: job.Marker}, "")
		require.NoError(t, err)
		require.Equal(t, resource.Present, seen.Presence, seen.Why)
	})
}

// A start whose answer was lost is waited for too: what comes next is judged by
// whether the container runs.
func TestSettleWaitsForAnyTaskOfAStep(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{Tasks: func(string) time.Duration { return time.Minute }})
		want := app("web", values{"running": cty.False})
		made := l.create(want, 2000)
		_, err := l.Client.Post(t.Context(), "/nodes/pve1/lxc/2000/status/start", nil)
		require.NoError(t, err)
		marker := resource.Marker{Lineage: "l1", Addr: want.Addr, Nonce: "n2000"}
		seen, err := l.Settle(t.Context(), providers.Target{Addr: want.Addr, Prior: &made, Marker: marker}, "")
		require.NoError(t, err)
		require.Equal(t, "running", resource.Text(seen.Object.Attrs, "status"))
	})
}
