package pvesim

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// handler does one operation of the API and returns what belongs below "data".
type handler func(x *tx, c *request) (any, error)

// errWait is returned by a handler that must wait before it can go on: it is called again at each change of tasks, with
// waited set when the time is over.
type errWait struct{ patience time.Duration }

func (e *errWait) Error() string { return "wait " + e.patience.String() }

// authDelay is how long Proxmox keeps whoever failed to authenticate waiting.
const authDelay = 3 * time.Second

// serve answers one HTTP request. The error is the context's, or that of the estate's directory.
func (s *Sim) serve(ctx context.Context, r *http.Request) (*answer, error) {
	c, refused := newRequest(r)
	if refused != nil {
		return s.httpLayer(refused), nil
	}
	c.maxBody = s.maxBody()
	fault, err := s.before(ctx, c)
	if err != nil {
		return nil, err
	}
	if a := s.instead(fault); a != nil {
		return a, nil
	}
	if err := sleepReal(ctx, s.options.Latency); err != nil {
		return nil, err
	}
	a, err := s.handle(ctx, c, fault)
	if err != nil {
		return nil, err
	}
	if c.format == "extjs" {
		a = a.extjs()
	}
	return fault.spoil(a), nil
}

// newRequest splits the URL. Verbs that Proxmox's server does not know are refused before anything else.
func newRequest(r *http.Request) (*request, *answer) {
	switch r.Method {
	case http.MethodGet, http.MethodPost, http.MethodPut, http.MethodDelete:
	default:
		return nil, refusal(http.StatusNotImplemented, fmt.Sprintf("method '%s' not available", r.Method), "")
	}
	path, ok := strings.CutPrefix(r.URL.EscapedPath(), "/api2/")
	format, below, _ := strings.Cut(path, "/")
	if !ok || format != "json" && format != "extjs" {
		reason := fmt.Sprintf("no such file '%s'", r.URL.Path)
		if ok {
			reason = "no formatter for uri " + r.URL.Path
		}
		return nil, refusal(http.StatusNotImplemented, reason, reason)
	}
	plain, err := url.PathUnescape(below)
	if err != nil {
		plain = below
	}
	return &request{http: r, verb: r.Method, path: "/" + plain, format: format, raw: map[string]any{}}, nil
}

// handle authenticates, reads the body, and runs the operation until it need not wait any more.
func (s *Sim) handle(ctx context.Context, c *request, f *firing) (*answer, error) {
	var a *answer
	if err := s.view(func(x *tx) { c.who, a = x.authenticate(c) }); err != nil {
		return nil, err
	}
	if a != nil {
		return a, s.clock.Sleep(ctx, authDelay)
	}
	if a := s.httpLayer(c.read()); a != nil {
		return a, nil
	}
	var deadline time.Time
	for {
		var wait *errWait
		var next, now time.Time
		err := s.view(func(x *tx) {
			a, wait = x.struck(c, f)
			now, next = x.now, x.nextChange()
		})
		switch {
		case err != nil || wait == nil:
			return a, err
		case a != nil:
			return a, s.clock.Sleep(ctx, wait.patience)
		}
		if deadline.IsZero() {
			deadline = now.Add(wait.patience)
		}
		if next.IsZero() || next.After(deadline) {
			next = deadline
		}
		if err := s.clock.Sleep(ctx, max(next.Sub(now), time.Millisecond)); err != nil {
			return nil, err
		}
		c.waited = !s.clock.Now().Before(deadline)
	}
}

// struck is answer under a fault.
func (x *tx) struck(c *request, f *firing) (*answer, *errWait) {
	x.fate = f.fate()
	if err := f.behind(x); err != nil {
		return x.failed(err), nil
	}
	a, wait := x.answer(c)
	if a != nil {
		if err := f.afterwards(x); err != nil {
			return x.failed(err), nil
		}
	}
	return a, wait
}

// failed is the answer for an error that is none of the API's own.
func (x *tx) failed(err error) *answer {
	return x.sim.failure(&apiError{status: http.StatusInternalServerError, message: err.Error()})
}

// nextChange is when the next step of a task is due, zero when there is none.
func (x *tx) nextChange() time.Time {
	if t := x.nextTask(); t != nil {
		return t.Due
	}
	return time.Time{}
}

// answer runs the operation and turns its outcome into an answer, unless it wants to wait.
func (x *tx) answer(c *request) (*answer, *errWait) {
	data, err := x.dispatch(c)
	var wait *errWait
	var failed *apiError
	switch {
	case err == nil:
		return success(data), nil
	case errors.As(err, &wait):
		return nil, wait
	case errors.As(err, &failed):
		if failed.status >= 595 {
			return refusal(failed.status, failed.message, ""), nil // between nodes: no answer of the API
		}
		if failed.status == http.StatusUnauthorized {
			return x.sim.failure(failed), &errWait{authDelay} // a failed login waits before it is answered
		}
		return x.sim.failure(failed), nil
	default:
		return x.failed(err), nil
	}
}

// dispatch finds the operation and checks, in Proxmox's order: the path, tokens, the declared permission, the node, the
// parameters.
func (x *tx) dispatch(c *request) (any, error) {
	method, vars := x.sim.api().Find(c.verb, c.path)
	if method == nil {
		return nil, unimplemented(c)
	}
	c.method = method
	x.sim.stats.count(c.verb, method.Path)
	do := x.sim.handlers[c.verb+" "+method.Path]
	if do == nil {
		return nil, unimplemented(c)
	}
	if err := mergePath(c, vars); err != nil {
		return nil, err
	}
	if method.NoToken && c.who.token != "" {
		return nil, forbidden("URI '%s' not available with API token, need proper ticket.", c.path)
	}
	if err := x.declared(c); err != nil {
		return nil, err
	}
	if err := x.resolveNode(c, vars); err != nil {
		return nil, err
	}
	params, bad := method.Check(c.raw)
	if bad != nil {
		return nil, badParams(bad)
	}
	c.params = params
	c.vmid, _ = strconv.Atoi(vars["vmid"]) // 0 when the path has none
	return do(x, c)
}

func unimplemented(c *request) error {
	return &apiError{
		status: http.StatusNotImplemented, bare: true,
		message: fmt.Sprintf("Method '%s %s' not implemented", c.verb, c.path),
	}
}

// mergePath puts the placeholders of the path among the parameters.
func mergePath(c *request, vars map[string]string) error {
	for name, value := range vars {
		if sent, ok := c.raw[name]; ok && fmt.Sprint(sent) != value {
			return badParam(name, "duplicate parameter (already defined in URI) with conflicting values!")
		}
		c.raw[name] = value
	}
	return nil
}

// resolveNode finds the node that a path names. The answering node proxies to others by their name's address.
func (x *tx) resolveNode(c *request, vars map[string]string) error {
	name, ok := vars["node"]
	if !ok {
		c.node = x.localNode()
		return nil
	}
	if name == "localhost" {
		name = x.localNode()
	}
	c.node = name
	n := x.nodes.at(name)
	switch {
	case n == nil:
		return die("hostname lookup '%s' failed - failed to get address info for: %s: Name or service not known", name, name)
	case n.Offline:
		return &apiError{status: 595, message: "No route to host", bare: true}
	}
	return nil
}

// localNode is the name of the node that answers.
func (x *tx) localNode() string {
	for _, n := range x.nodes.all() {
		if n.Local {
			return n.Name
		}
	}
	return ""
}
