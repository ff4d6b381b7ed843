// Package providers says what the engine asks of a host. A Provider makes,
// changes and removes things of some kinds on one host; it knows nothing of
// configuration, plans or state. Its implementations lie below this package.
package providers

import (
	"context"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Provider works on one host. Every method is safe for concurrent use and
// safe to repeat, ends soon after its context, and puts no secret into errors
// or reports.
type Provider interface {
	// Observe looks at the targets, in as few requests as the host allows, and
	// at what else matters for a plan. A target that is gone is Gone; one that
	// could not be looked at is Unknown with the reason. The error is for a host
	// that could not be reached at all; then nothing is known of any target.
	Observe(ctx context.Context, targets []Target) (Observation, error)

	// Create makes a thing that is not there. When it ends after making
	// something it returns both the object and the error. An ID that is taken is
	// ErrTaken, never success.
	Create(ctx context.Context, job Job) (resource.Object, error)

	// Update makes the job's edits on a thing that is there, and returns what it
	// is afterwards, also with an error when some edits were made.
	Update(ctx context.Context, job Job) (resource.Object, error)

	// Delete removes a thing and everything that belongs to it alone. To delete
	// what is gone succeeds.
	Delete(ctx context.Context, job Job) error

	// Settle waits until a task that an earlier run left behind has ended, then
	// looks at the target. The target's Prior is what that run was about to make
	// (without attributes: to remove), Changed when it began. An empty task may
	// mean that the request was still on its way.
	Settle(ctx context.Context, target Target, task string) (resource.Seen, error)
}

// Target is one thing to look at: what is wanted of it, what is recorded of
// it, or both.
type Target struct {
	Addr   addr.Addr
	Want   *resource.Resource // nil when the configuration no longer has it
	Prior  *resource.Object   // nil when it was never made
	Marker resource.Marker    // what its marker has to say for it to be ours
	// Adopt is the ID of what a person asks to take over. It may be without a
	// marker; with the marker of somebody else it is a Stranger. Empty: nothing.
	Adopt string
	// Thorough asks for everything that is there, at the cost of another request.
	Thorough bool
	Anew     bool // somebody asks for it to be made anew
}

// Observation is what a look at one host found. Seen has an entry for every
// target.
type Observation struct {
	Seen   map[addr.Addr]resource.Seen
	Survey resource.Survey
}

// Job is one change to carry out.
type Job struct {
	Addr   addr.Addr
	ID     string            // the ID the plan chose, or the object's
	Want   resource.Resource // wholly known; zero for Delete
	Prior  *resource.Object  // what is recorded; nil for Create
	Edits  []resource.Edit   // for Update
	Digest string            // of what the plan saw; empty: do not check
	Marker resource.Marker   // to write, and to find before anything is changed
	// Adopt takes over what is there without a marker: it is given one first.
	Adopt  bool
	Report Reporter
}

// Reporter hears how a job goes.
type Reporter interface {
	// Task records the host's name for work that goes on without us, durably,
	// so that a later run can wait for it. An error ends the job.
	Task(id string) error
	// Say passes on the last words of what is going on.
	Say(text string)
	// Warn passes on something a person should know although the job goes on.
	Warn(text string)
}

// Limiter is a provider that can do only so much at once.
type Limiter interface {
	// Slots names what a resource occupies while it is worked on, narrowest
	// first, with how many fit at once. Slots of one name always say one number.
	Slots(want resource.Resource) []Slot
}

// Slot is one place that work takes up.
type Slot struct {
	Name string
	Max  int
}

// Prechecker is a provider that can tell what of a plan would fail. It only
// reads, asks the host no more than the proposals make worth knowing, and equal
// answers give equal findings. What it cannot find out hinders nobody.
type Prechecker interface {
	Precheck(ctx context.Context, survey resource.Survey, proposals []Proposal) diag.List
}

// Proposal is one change that a plan is about to show. A replacement is a
// Create with a Prior: that goes first.
type Proposal struct {
	Addr   addr.Addr
	ID     string // that it has, or will have
	Create bool
	Delete bool              // then there is no Want
	Want   resource.Resource // zero for a delete
	Prior  *resource.Object  // what is recorded; nil when it was never made
	Live   cty.Value         // what is there, as the last look found it; may be cty.NilVal
	Edits  []resource.Edit   // for an update or a replacement
}

// Set is the providers of all hosts, by the label of their host block.
type Set map[string]Provider
