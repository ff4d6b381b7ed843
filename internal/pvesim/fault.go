package pvesim

import (
	"cmp"
	"context"
	"path"
	"strings"
	"time"
)

// Fault makes some requests go wrong. It strikes the requests that it matches, after the first Skip of them, at most Count
// times, each with Probability.
type Fault struct {
	Method string `json:"method,omitempty"` // "": any
	Path   string `json:"path,omitempty"`   // below /api2/json; * stands for one segment, a final ** for the rest; "": any

	Skip        int     `json:"skip,omitempty"`
	Count       int     `json:"count,omitempty"`       // 0: no limit
	Probability float64 `json:"probability,omitempty"` // 0: always

	Delay     time.Duration `json:"delay,omitempty"`      // simulated time before anything else; nanoseconds in JSON
	Status    int           `json:"status,omitempty"`     // answered instead of doing anything,
	Message   string        `json:"message,omitempty"`    // with this message
	CloseConn bool          `json:"close_conn,omitempty"` // the connection is closed before anything is done
	DropReply bool          `json:"drop_reply,omitempty"` // the operation is done, the connection closed without an answer
	CutBody   bool          `json:"cut_body,omitempty"`   // half of the answer's body is sent
	Late      int           `json:"late,omitempty"`       // the operation is done, but answered with this status, such as 596

	FailTask string `json:"fail_task,omitempty"` // the task that is made ends with this error, its work undone
	WarnTask int    `json:"warn_task,omitempty"` // it ends with so many warnings
	KillTask bool   `json:"kill_task,omitempty"` // it dies before its last change, nothing is undone, and it has no verdict
	LoseTask bool   `json:"lose_task,omitempty"` // it does its work, but the node does not know of it

	// Before and After are requests that root@pam makes behind the caller's back, just before and just after the operation.
	Before []FaultRequest `json:"before,omitempty"`
	After  []FaultRequest `json:"after,omitempty"`
	// Behind changes the estate behind the caller's back, just before the operation is done.
	Behind func(*Edit) `json:"-"`

	matched, struck int
}

// FaultRequest is a request of somebody else.
type FaultRequest struct {
	Method string            `json:"method"`
	Path   string            `json:"path"` // below /api2/json
	Params map[string]string `json:"params,omitempty"`
}

// firing is a fault that strikes one request; nil is none.
type firing struct {
	*Fault
	begun bool
}

// Inject adds faults. Of several that match a request, the first that strikes counts.
func (s *Sim) Inject(faults ...Fault) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range faults {
		s.faults = append(s.faults, &f)
	}
}

// ClearFaults removes all faults.
func (s *Sim) ClearFaults() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.faults = nil
}

// before finds the fault that strikes a request and waits for its delay.
func (s *Sim) before(ctx context.Context, c *request) (*firing, error) {
	f := s.strike(c)
	if f == nil || f.Delay == 0 {
		return f, ctx.Err()
	}
	return f, s.clock.Sleep(ctx, f.Delay)
}

func (s *Sim) strike(c *request) *firing {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.faults {
		if f.matches(c) && f.due(s.chance) {
			return &firing{Fault: f}
		}
	}
	return nil
}

// chance is a random number below 1. Faults are of this process alone: they leave the estate's random numbers as they are.
func (s *Sim) chance() float64 {
	s.stats.rolls++
	z := (s.options.Rand + s.stats.rolls) * 0x9e3779b97f4a7c15
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	return float64((z^z>>27)>>11) / (1 << 53)
}

func (f *Fault) matches(c *request) bool {
	if f.Method != "" && f.Method != c.verb {
		return false
	}
	pattern, rest := strings.CutSuffix(f.Path, "**")
	if rest {
		n := strings.Count(pattern, "/")
		parts := strings.SplitAfterN(c.path, "/", n+1)
		if len(parts) <= n {
			return false
		}
		ok, err := path.Match(pattern, strings.Join(parts[:n], ""))
		return ok && err == nil
	}
	ok, err := path.Match(f.Path, c.path)
	return f.Path == "" || ok && err == nil
}

// due counts a matching request and decides whether the fault strikes it.
func (f *Fault) due(chance func() float64) bool {
	f.matched++
	switch {
	case f.matched <= f.Skip,
		f.Count > 0 && f.struck >= f.Count,
		f.Probability > 0 && chance() >= f.Probability:
		return false
	}
	f.struck++
	return true
}

// instead is the answer in place of the operation, or nil.
func (s *Sim) instead(f *firing) *answer {
	switch {
	case f == nil:
		return nil
	case f.CloseConn:
		return &answer{lost: true}
	case f.Status >= 595:
		return refusal(f.Status, f.Message, "")
	case f.Status != 0:
		return s.failure(&apiError{status: f.Status, message: f.Message})
	}
	return nil
}

// spoil damages the answer of an operation that was done.
func (f *firing) spoil(a *answer) *answer {
	if f == nil {
		return a
	}
	if f.Late != 0 {
		a = refusal(f.Late, cmp.Or(f.Message, "Connection timed out"), "")
	}
	a.lost = a.lost || f.DropReply
	a.cut = a.cut || f.CutBody
	return a
}

// fate is what a fault does to the task that a request makes.
type fate struct {
	fail       string
	warn       int
	kill, lose bool
}

func (f *firing) fate() fate {
	if f == nil {
		return fate{}
	}
	return fate{f.FailTask, f.WarnTask, f.KillTask, f.LoseTask}
}

// behind lets the fault change the estate before the operation, once.
func (f *firing) behind(x *tx) error {
	if f == nil || f.begun {
		return nil
	}
	f.begun = true
	if f.Behind != nil {
		f.Behind(&Edit{x: x})
	}
	return x.byOthers(f.Before)
}

// afterwards lets the fault change the estate after the operation.
func (f *firing) afterwards(x *tx) error {
	if f == nil {
		return nil
	}
	return x.byOthers(f.After)
}

// byOthers makes requests as root@pam does. One that fails is a mistake of whoever wrote the fault.
func (x *tx) byOthers(requests []FaultRequest) error {
	for _, r := range requests {
		c := &request{verb: r.Method, path: r.Path, format: "json", raw: map[string]any{}, who: &identity{id: rootUser, user: rootUser}}
		for key, value := range r.Params {
			c.raw[key] = value
		}
		kept := x.fate
		x.fate = fate{}
		_, err := x.dispatch(c)
		x.fate = kept
		if err != nil {
			return die("simulator: request of a fault: %s %s: %v", r.Method, r.Path, err)
		}
	}
	return nil
}
