package proxmox

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// availability is a cluster whose high availability manager takes requests for
// a container: their tasks end at once, and what was asked for comes later, if
// ever.
type availability struct {
	http.RoundTripper
	suffix, task string
	later        func()
}

func (a availability) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := ""
	switch {
	case r.Method == "POST" && strings.HasSuffix(r.URL.Path, a.suffix):
		answer = `{"data":"UPID:pve1:00000001:00000001:6B03F603:` + a.task + `:2000:root@pam!test:"}`
		time.AfterFunc(20*time.Second, a.later)
	case strings.Contains(r.URL.Path, ":"+a.task+":"):
		answer = `{"data":{"status":"stopped","exitstatus":"OK"}}`
	default:
		return a.RoundTripper.RoundTrip(r)
	}
	return &http.Response{StatusCode: 200, Status: "200 OK", Body: io.NopCloser(strings.NewReader(answer))}, nil
}

// High availability does later what it is asked for, and that is waited for.
func TestHighAvailabilityIsWaitedFor(t *testing.T) {
	for _, c := range []struct {
		name, suffix, task string
		set                values
		do                 func(*pvesim.Edit)
		want               string
	}{
		{"it migrates", "/migrate", "hamigrate", values{"node": str("pve2")}, func(e *pvesim.Edit) { e.Move(2000, "pve2") }, ""},
		{"it stops", "/shutdown", "hastop", values{"running": cty.False}, func(e *pvesim.Edit) { e.SetRunning(2000, false) }, ""},
		{"it never does", "/migrate", "hamigrate", values{"node": str("pve2")}, func(*pvesim.Edit) {}, "high availability"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", nil), 2000)
			later := func() { require.NoError(t, l.sim.Edit(c.do)) }
			managed := newLab(t, l.sim, availability{l.sim.Transport(), c.suffix, c.task, later})
			if c.want == "" {
				managed.change(app("web", c.set), made)
				return
			}
			want := app("web", c.set)
			job := managed.job(want, "2000")
			job.Prior = &made
			job.Edits, _ = managed.edits(want, made)
			_, err := managed.Update(t.Context(), job)
			require.ErrorContains(t, err, c.want)
			require.False(t, pve.IsWaiting(err))
			require.Equal(t, resource.Present, managed.see(&want, &made).Presence)
		})
	}
}
