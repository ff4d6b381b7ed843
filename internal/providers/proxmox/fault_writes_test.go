package proxmox

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"path"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// mishap is a way that goes wrong with the first request of one kind, and counts
// how often requests of that kind had their effect.
type mishap struct {
	http.RoundTripper
	method, path string // below /api2/json, * for one segment
	does         func(m *mishap, r *http.Request) (*http.Response, error)

	mu      sync.Mutex
	struck  bool
	effects int
	late    sync.WaitGroup
}

func (m *mishap) RoundTrip(r *http.Request) (*http.Response, error) {
	isMeant, _ := path.Match(m.path, strings.TrimPrefix(r.URL.Path, "/api2/json"))
	if r.Method != m.method || !isMeant {
		return m.RoundTripper.RoundTrip(r)
	}
	m.mu.Lock()
	first := !m.struck
	m.struck = true
	m.mu.Unlock()
	if first {
		return m.does(m, r)
	}
	return m.forward(r)
}

func (m *mishap) forward(r *http.Request) (*http.Response, error) {
	response, err := m.RoundTripper.RoundTrip(r)
	if err == nil && response.StatusCode == http.StatusOK {
		m.mu.Lock()
		m.effects++
		m.mu.Unlock()
	}
	return response, err
}

var errReset = errors.New("connection reset by peer")

func answer(r *http.Request, status, body string) *http.Response {
	code, err := strconv.Atoi(status[:3])
	if err != nil {
		panic(err)
	}
	return &http.Response{StatusCode: code, Status: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}, Request: r}
}

// mishaps before, after and long before the effect of a request.
var mishaps = []struct {
	name string
	does func(m *mishap, r *http.Request) (*http.Response, error)
}{
	{"595 before", func(_ *mishap, r *http.Request) (*http.Response, error) {
		return answer(r, "595 No route to host", ""), nil
	}},
	{"596 before", func(_ *mishap, r *http.Request) (*http.Response, error) {
		return answer(r, "596 Connection timed out", ""), nil
	}},
	{"reset before", func(*mishap, *http.Request) (*http.Response, error) { return nil, errReset }},
	{"596 after", func(m *mishap, r *http.Request) (*http.Response, error) {
		if _, err := m.forward(r); err != nil {
			return nil, err
		}
		return answer(r, "596 Connection timed out", ""), nil
	}},
	{"reset after", func(m *mishap, r *http.Request) (*http.Response, error) {
		if _, err := m.forward(r); err != nil {
			return nil, err
		}
		return nil, errReset
	}},
	{"cut after", func(m *mishap, r *http.Request) (*http.Response, error) {
		response, err := m.forward(r)
		if err == nil {
			response.Body = io.NopCloser(io.MultiReader(io.LimitReader(response.Body, 3), torn{}))
		}
		return response, err
	}},
	{"596, the effect a second later", func(m *mishap, r *http.Request) (*http.Response, error) {
		later := r.Clone(context.WithoutCancel(r.Context()))
		if r.GetBody != nil {
			body, err := r.GetBody()
			if err != nil {
				return nil, err
			}
			later.Body = body
		}
		m.late.Go(func() {
			time.Sleep(time.Second)
			if response, err := m.forward(later); err == nil {
				response.Body.Close()
			}
		})
		return answer(r, "596 Connection timed out", ""), nil
	}},
}

type torn struct{}

func (torn) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// No kind of write is ever repeated blindly: whatever happens to its first
// request, before or after its effect, in the end the effect is there, and it
// happened once.
func TestWritesHaveTheirEffectOnce(t *testing.T) {
	stopped := values{"running": cty.False}
	big := object("disk", values{"size": gibibytes(5), "storage": str("local-lvm")})
	moved := object("disk", values{"size": gibibytes(4), "storage": str("nvme")})
	for _, c := range []struct {
		name, method, path string
		before, after      *resource.Resource // nil: it is not there
	}{
		{"create", "POST", "/nodes/*/lxc", nil, is(app("web", stopped))},
		{"config", "PUT", "/nodes/*/lxc/*/config", is(app("web", nil)), is(app("web", oneVolume(nil)))},
		{"resize", "PUT", "/nodes/*/lxc/*/resize", is(app("web", nil)), is(app("web", values{"disk": big}))},
		{"move", "POST", "/nodes/*/lxc/*/move_volume", is(app("web", stopped)), is(app("web", values{"running": cty.False, "disk": moved}))},
		{"migrate", "POST", "/nodes/*/lxc/*/migrate", is(app("web", stopped)), is(app("web", values{"running": cty.False, "node": str("pve2")}))},
		{"start", "POST", "/nodes/*/lxc/*/status/start", is(app("web", stopped)), is(app("web", nil))},
		{"shutdown", "POST", "/nodes/*/lxc/*/status/shutdown", is(app("web", nil)), is(app("web", stopped))},
		{"stop", "POST", "/nodes/*/lxc/*/status/stop", is(app("web", nil)), nil},
		{"delete", "DELETE", "/nodes/*/lxc/*", is(app("web", stopped)), nil},
		{"pool", "PUT", "/pools", is(app("web", nil)), is(app("web", values{"pool": str("ours")}))},
		{"job create", "POST", "/cluster/backup", nil, is(policy(nil))},
		{"job change", "PUT", "/cluster/backup/*", is(policy(nil)), is(policy(values{"schedule": str("04:00")}))},
		{"job delete", "DELETE", "/cluster/backup/*", is(policy(nil)), nil},
	} {
		for _, m := range mishaps {
			timeless(t, c.name+", "+m.name, func(t *testing.T) {
				l := openLab(t, pvesim.Options{})
				l.by("POST", "/pools", url.Values{"poolid": {"ours"}})
				way := &mishap{RoundTripper: l.sim.Transport(), method: c.method, path: c.path, does: m.does}
				faulty := newLab(t, l.sim, way)
				made := l.made(c.before)
				_, err := faulty.run(c.after, made)
				way.late.Wait()
				require.NoError(t, err)
				require.Equal(t, 1, way.effects-l.failedTasks())
			})
		}
	}
}

func is(r resource.Resource) *resource.Resource { return &r }

// made makes what a test begins with.
func (l *lab) made(want *resource.Resource) *resource.Object {
	l.t.Helper()
	switch {
	case want == nil:
		return nil
	case want.Addr.Kind == "backup_policy":
		o := l.createPolicyNow(*want)
		return &o
	}
	o := l.create(*want, 2000)
	return &o
}

// run does for one resource what a run of the engine would, and requires that
// nothing is left to do.
func (l *lab) run(want *resource.Resource, prior *resource.Object) (*resource.Object, error) {
	l.t.Helper()
	switch {
	case want == nil:
		job := l.job(resource.Resource{Addr: prior.Addr, Host: "pve"}, prior.ID)
		job.Prior = prior
		if err := l.Delete(l.t.Context(), job); err != nil {
			return prior, err
		}
		require.Equal(l.t, resource.Gone, l.see(want, prior).Presence)
		return nil, nil
	case prior == nil:
		id := "2000"
		if want.Addr.Kind == "backup_policy" {
			id = jobID("l1", want.Addr)
		}
		made, err := l.Create(l.t.Context(), l.job(*want, id))
		if err != nil {
			return nil, err
		}
		o := record(*want, made)
		left, _ := l.edits(*want, o)
		require.Empty(l.t, left)
		return &o, nil
	}
	o, _ := l.change(*want, *prior)
	return &o, nil
}

// failedTasks counts the tasks that came to nothing.
func (l *lab) failedTasks() int { return len(l.sim.World().Failed) }
