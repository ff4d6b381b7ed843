package faultschedule

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
)

// chaos lies between the client and the cluster and makes requests go wrong.
// What happens to a request depends on the seed, on the request and on how often
// it was sent, so that a schedule comes out alike however requests interleave.
type chaos struct {
	inner http.RoundTripper
	sim   *pvesim.Sim
	calm  *pve.Client // of whoever kills tasks
	seed  uint64

	mu    sync.Mutex
	run   int     // of the process, from 1
	level float64 // how likely a request goes wrong; 0: never
	kill  func(torn bool)
	sent  map[string]int
	lost  map[string]bool // tasks that their node knows nothing of any more
	dead  map[string]bool // tasks that were killed: their end was not written down
	tally map[string]int  // by the name of the fault
	trace []string        // what happened, when a schedule is run again
	late  sync.WaitGroup  // what goes on although nobody waits for it
}

// strike is one request that is to go wrong.
type strike struct {
	*chaos
	r    *http.Request
	rand *rand.Rand
	vmid string
}

// misfortunes are the faults by name. A write can meet all of them, a read
// those that need no effect.
var misfortunes = []struct {
	name   string
	writes bool // of writes only
	do     func(strike) (*http.Response, error)
}{
	{"connection closed", false, func(strike) (*http.Response, error) { return nil, errReset }},
	{"no route (595)", false, func(s strike) (*http.Response, error) { return answer(s.r, 595, "No route to host", ""), nil }},
	{"proxy gave up (596)", false, func(s strike) (*http.Response, error) { return answer(s.r, 596, "Connection timed out", ""), nil }},
	{"body cut", false, strike.cut},
	{"delay", false, strike.slow},
	{"reply dropped", true, strike.drop},
	{"effect after the proxy gave up", true, strike.delayed},
	{"lock timeout", true, strike.busy},
	{"task fails", true, strike.failTask},
	{"task finds a lock", true, strike.busyTask},
	{"task killed", true, strike.killTask},
	{"task lost", true, strike.loseTask},
}

var errReset = errors.New("connection reset by peer")

// RoundTrip implements http.RoundTripper.
func (c *chaos) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	if response := c.ofLostTask(r); response != nil {
		return response, nil
	}
	if r.Method != http.MethodGet {
		c.say("%s %s %s", r.Method, r.URL.Path, formOf(r).Encode())
	}
	if s, goesWrong := c.draw(r); goesWrong {
		return s.misfortune()
	}
	response, err := c.inner.RoundTrip(r)
	if err != nil {
		return nil, err
	}
	return c.ofDeadTask(r, response)
}

// draw decides about a request.
func (c *chaos) draw(r *http.Request) (strike, bool) {
	form := formOf(r)
	path := upidInPath.ReplaceAllString(r.URL.Path, "$1")
	c.mu.Lock()
	defer c.mu.Unlock()
	key := fmt.Sprint(c.run, " ", r.Method, " ", path, " ", form.Get("vmid"), form.Get("newid"))
	c.sent[key]++
	h := fnv.New64a()
	fmt.Fprint(h, key, " ", c.sent[key])
	s := strike{chaos: c, r: r, rand: rand.New(rand.NewPCG(c.seed, h.Sum64())), vmid: form.Get("vmid")}
	if m := guestInPath.FindStringSubmatch(path); m != nil {
		s.vmid = m[1]
	}
	level := c.level
	if r.Method == http.MethodGet {
		level /= 3 // there are many more of them
	}
	return s, s.rand.Float64() < level
}

var (
	upidInPath  = regexp.MustCompile(`UPID:[^:]*:[^:]*:[^:]*:[^:]*:([^:]*:[^:]*):[^/]*`)
	guestInPath = regexp.MustCompile(`/lxc/(\d+)`)
)

func formOf(r *http.Request) url.Values {
	if r.GetBody == nil {
		return r.URL.Query()
	}
	body, err := r.GetBody()
	if err != nil {
		return nil
	}
	raw, err := io.ReadAll(body)
	if err != nil {
		return nil
	}
	form, _ := url.ParseQuery(string(raw))
	return form
}

func (s strike) misfortune() (*http.Response, error) {
	isWrite := s.r.Method != http.MethodGet
	if isWrite && s.rand.IntN(8) == 0 {
		return s.death()
	}
	for {
		m := misfortunes[s.rand.IntN(len(misfortunes))]
		// A removal that is cut short leaves a container that only a person on the
		// node can unlock.
		breaksRemoval := s.r.Method == http.MethodDelete && (m.name == "task fails" || m.name == "task finds a lock" || m.name == "task killed")
		if m.writes && !isWrite || breaksRemoval {
			continue
		}
		s.count(m.name)
		s.say("  %s: %s %s %s", m.name, s.r.Method, s.r.URL.Path, s.vmid)
		return m.do(s)
	}
}

func (c *chaos) count(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.tally[name]++
}

// say notes what happens, when one schedule is looked at.
func (c *chaos) say(format string, args ...any) {
	if *replay == 0 {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.trace = append(c.trace, time.Now().Format("15:04:05.000 ")+fmt.Sprintf(format, args...))
}

func (s strike) forward() (*http.Response, error) { return s.inner.RoundTrip(s.r) }

// death kills the process just before or just after the request.
func (s strike) death() (*http.Response, error) {
	torn, after := s.rand.IntN(2) == 0, s.rand.IntN(2) == 0
	if after {
		if _, err := s.forward(); err != nil {
			return nil, err
		}
	}
	s.mu.Lock()
	kill := s.chaos.kill
	s.mu.Unlock()
	s.say("  killed (after the request: %t): %s %s", after, s.r.Method, s.r.URL.Path)
	kill(torn)
	return nil, context.Canceled
}

func (s strike) cut() (*http.Response, error) {
	response, err := s.forward()
	if err != nil {
		return nil, err
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(io.MultiReader(bytes.NewReader(raw[:len(raw)/2]), brokenOff{}))
	return response, nil
}

type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func (s strike) slow() (*http.Response, error) {
	if err := pve.Pause(s.r.Context(), time.Duration(s.rand.Int64N(int64(25*time.Second)))); err != nil {
		return nil, err
	}
	return s.forward()
}

func (s strike) drop() (*http.Response, error) {
	if _, err := s.forward(); err != nil {
		return nil, err
	}
	return nil, errReset
}

// delayed lets the request have its effect some time after its answer, also
// when the process is dead by then.
func (s strike) delayed() (*http.Response, error) {
	r := s.r.Clone(context.WithoutCancel(s.r.Context()))
	if s.r.GetBody != nil {
		body, err := s.r.GetBody()
		if err != nil {
			return nil, err
		}
		r.Body = body
	}
	wait := time.Duration(s.rand.Int64N(int64(4 * time.Second)))
	s.late.Go(func() {
		time.Sleep(wait)
		if response, err := s.inner.RoundTrip(r); err == nil {
			response.Body.Close()
		}
	})
	return answer(s.r, 596, "Connection timed out", ""), nil
}

func (s strike) busy() (*http.Response, error) {
	return answer(s.r, 500, "x", fmt.Sprintf(`{"data":null,"message":"can't lock file '/run/lock/lxc/pve-config-%s.lock' - got timeout\n"}`, s.vmid)), nil
}

func (s strike) failTask() (*http.Response, error) {
	return s.withTask("command 'x' failed: exit code 1")
}

func (s strike) busyTask() (*http.Response, error) {
	return s.withTask("can't lock file '/var/lock/pve-manager/pve-storage-local-lvm' - got timeout")
}

// withTask makes the task of this request fail, its work undone.
func (s strike) withTask(exit string) (*http.Response, error) {
	s.sim.Inject(pvesim.Fault{Method: s.r.Method, Path: strings.TrimPrefix(s.r.URL.Path, "/api2/json"), Count: 1, FailTask: exit})
	return s.forward()
}

// task forwards the request and returns its task, or "".
func (s strike) task() (string, *http.Response, error) {
	response, err := s.forward()
	if err != nil {
		return "", nil, err
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return "", nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(raw))
	upid := anyUPID.FindString(string(raw))
	return upid, response, nil
}

var anyUPID = regexp.MustCompile(`UPID:[^"]+`)

// killTask has somebody stop the task after a while, or the node kill it, which
// leaves no word about its end.
func (s strike) killTask() (*http.Response, error) {
	upid, response, err := s.task()
	task, parseErr := pve.ParseUPID(upid)
	if err != nil || parseErr != nil {
		return response, err
	}
	s.mu.Lock()
	s.dead[upid] = s.rand.IntN(2) == 0
	s.mu.Unlock()
	wait := time.Duration(s.rand.Int64N(int64(3 * time.Second)))
	s.late.Go(func() {
		time.Sleep(wait)
		_, _ = s.calm.Delete(context.Background(), pve.Path("nodes", task.Node, "tasks", upid), nil)
	})
	return response, nil
}

func (s strike) loseTask() (*http.Response, error) {
	upid, response, err := s.task()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost[upid] = upid != ""
	return response, err
}

// ofLostTask answers for a task that its node has forgotten.
func (c *chaos) ofLostTask(r *http.Request) *http.Response {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.level == 0 || !c.lost[anyUPID.FindString(strings.TrimSuffix(r.URL.Path, "/status"))] {
		return nil
	}
	return answer(r, 400, "Parameter verification failed.", `{"data":null,"message":"Parameter verification failed.\n","errors":{"upid":"no such task"}}`)
}

// ofDeadTask takes the last words from the end of a task that was killed.
func (c *chaos) ofDeadTask(r *http.Request, response *http.Response) (*http.Response, error) {
	upid := anyUPID.FindString(strings.TrimSuffix(r.URL.Path, "/status"))
	if upid == "" {
		return response, nil
	}
	raw, err := io.ReadAll(response.Body)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.dead[upid] {
		raw = regexp.MustCompile(`"exitstatus":"[^"]*received interrupt"`).ReplaceAll(raw, []byte(`"exitstatus":"unexpected status"`))
	}
	if bytes.Contains(raw, []byte(`"exitstatus":"WARNINGS`)) {
		c.tally["task warns"]++
	}
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(raw)), int64(len(raw))
	return response, nil
}

func answer(r *http.Request, status int, reason, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Status: fmt.Sprintf("%d %s", status, reason), Header: http.Header{}, Request: r,
		Body: io.NopCloser(strings.NewReader(body)),
	}
}
