package apply

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// Options are what a run works with.
type Options struct {
	Session   *state.Session
	Providers providers.Set
	Resolver  resource.Resolver // may be nil when nothing is put
	Kinds     map[string]*resource.Kind
	Observer  Observer
	// Drain, once closed, lets nothing new start; what runs finishes. Nil never
	// drains.
	Drain <-chan struct{}
	// Fingerprint names the plan in the trail.
	Fingerprint string
	// Parallel is how many steps run at once over all hosts. 0: as many as the
	// hosts' own limits allow.
	Parallel int
	// Now is the clock for durations and records. Nil: time.Now.
	Now func() time.Time
}

// Run carries out a plan that has no error among its diagnostics. A failed
// step holds back only those that wait for it. When ctx ends nothing is waited
// for any more: what was under way stays open in the journal, and the next
// run settles it. The error holds those of all failed steps, by address.
func Run(ctx context.Context, p *plan.Plan, o Options) (Summary, error) {
	if o.Now == nil {
		o.Now = time.Now
	}
	r := &run{Options: o, plan: p, slots: newSlots(p, o), failed: map[plan.Step]error{}, used: map[string]map[string]bool{}}
	begin := o.Now()
	p.Steps.Walk(
		func(s plan.Step) error { return r.step(ctx, s) },
		func(s, because plan.Step) { r.skip(s, because) },
	)
	r.summary.Took = o.Now().Sub(begin)
	return r.summary, r.errors()
}

type run struct {
	Options
	plan  *plan.Plan
	slots slots

	mu      sync.Mutex // guards what is below, and keeps events apart
	summary Summary
	failed  map[plan.Step]error
	used    map[string]map[string]bool // by host: IDs that turned out to be taken, or were taken instead
}

// errNotStarted fails a step in the walk, so that what waits for it does not
// start either.
var errNotStarted = errors.New("not started")

// step carries out one step: slots, intent, the work itself, its record.
func (r *run) step(ctx context.Context, s plan.Step) error {
	c := r.plan.Change(s.Addr)
	release, err := r.slots.acquire(ctx, r.Drain, s)
	if err != nil {
		r.tell(NotStarted{s, c}, func(sum *Summary) { sum.NotStarted++ })
		return errNotStarted
	}
	defer release()
	r.tell(Started{s, c}, nil)
	begin := r.Now()
	id, err := r.perform(ctx, s, c)
	took := r.Now().Sub(begin)
	if err != nil {
		r.mu.Lock()
		r.failed[s] = err
		r.mu.Unlock()
		r.tell(Failed{s, c, err, took}, func(sum *Summary) { sum.Failed++ })
		return err
	}
	r.tell(Done{s, c, id, took}, func(sum *Summary) { sum.Done++ })
	return nil
}

// skip reports a step that was held back: as not started when the one it waits
// for was not started either, else as skipped.
func (r *run) skip(s, because plan.Step) {
	c := r.plan.Change(s.Addr)
	r.mu.Lock()
	_, hasFailed := r.failed[because]
	r.mu.Unlock()
	if hasFailed {
		r.tell(Skipped{s, c, because}, func(sum *Summary) { sum.Skipped++ })
	} else {
		r.tell(NotStarted{s, c}, func(sum *Summary) { sum.NotStarted++ })
	}
}

// perform does the work of a step and returns the ID it ended up with.
func (r *run) perform(ctx context.Context, s plan.Step, c *plan.Change) (string, error) {
	host := c.Host
	if s.Op == plan.Drop {
		host = c.Before.Host
	}
	provider, ok := r.Providers[host]
	switch {
	case c.Action == plan.Forget:
		return c.ID, r.forget(ctx, s, c)
	case !ok:
		return "", fmt.Errorf("host %q is not in the configuration", host)
	case s.Op == plan.Drop:
		return c.Before.ID, r.drop(ctx, provider, s, c)
	}
	want, err := r.resolve(c)
	if err != nil {
		return "", err
	}
	if c.Action == plan.Create || c.Action == plan.Replace {
		return r.create(ctx, provider, s, c, want)
	}
	return c.ID, r.update(ctx, provider, s, c, want)
}

// resolve returns what is wanted now that everything it refers to exists, and
// holds it against what the plan showed.
func (r *run) resolve(c *plan.Change) (resource.Resource, error) {
	want, problems := r.Resolver.Resolve(c.Addr, r.known(c.After.Needs))
	if err := problems.Err(); err != nil {
		return want, err
	}
	if !want.Want.IsWhollyKnown() {
		return want, fmt.Errorf("some of its values are still unknown, although all it needs is there")
	}
	if at := contradiction(c.After.Want, want.Want); at != nil {
		return want, fmt.Errorf("%s came out different from the plan; plan again", at)
	}
	return want, nil
}

func (r *run) known(needs []addr.Addr) map[addr.Addr]value {
	known := make(map[addr.Addr]value, len(needs))
	for _, need := range needs {
		if o, ok := r.Session.Object(need); ok {
			known[need] = r.Kinds[need.Kind].Readable(o.Attrs, o.ID)
		}
	}
	return known
}

// tell passes an event on and counts it.
func (r *run) tell(e Event, count func(*Summary)) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if count != nil {
		count(&r.summary)
	}
	if r.Observer != nil {
		r.Observer.Observe(e)
	}
}

func (r *run) errors() error {
	steps := make([]plan.Step, 0, len(r.failed))
	for s := range r.failed {
		steps = append(steps, s)
	}
	slices.SortFunc(steps, func(a, b plan.Step) int { return addr.Compare(a.Addr, b.Addr) })
	var all *multierror.Error
	for _, s := range steps {
		all = multierror.Append(all, &StepError{Step: s, Change: r.plan.Change(s.Addr), Err: r.failed[s]})
	}
	return all.ErrorOrNil()
}

// StepError is the error of one step.
type StepError struct {
	Step   plan.Step
	Change *plan.Change
	Err    error
}

func (e *StepError) Error() string {
	return fmt.Sprintf("%s %s: %v", e.Change.Word(e.Step.Op), e.Step.Addr, e.Err)
}

// Unwrap returns the cause.
func (e *StepError) Unwrap() error { return e.Err }
