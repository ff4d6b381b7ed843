package apply

import (
	"time"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
)

// Event is something that happened while a plan was carried out. The types
// below are all there are.
type Event interface{ event() }

// Started: a step has its slots and begins.
type Started struct {
	Step   plan.Step
	Change *plan.Change
}

// Progress: the last words of what a running step waits for. Foreign text:
// it may hold anything.
type Progress struct {
	Step plan.Step
	Text string
}

// Warned: something a person should know, although the step goes on.
type Warned struct {
	Step plan.Step
	Text string
}

// Done: a step has ended well and is recorded.
type Done struct {
	Step   plan.Step
	Change *plan.Change
	ID     string // under which the object is recorded; differs from the change's when that was taken
	Took   time.Duration
}

// Failed: a step has ended with an error. What was made is recorded all the same.
type Failed struct {
	Step   plan.Step
	Change *plan.Change
	Err    error
	Took   time.Duration
}

// Skipped: a step was not begun, because another one that it waits for failed.
type Skipped struct {
	Step    plan.Step
	Change  *plan.Change
	Because plan.Step
}

// NotStarted: a step was not begun, because the run was interrupted.
type NotStarted struct {
	Step   plan.Step
	Change *plan.Change
}

// Recovered: what an earlier run left open was looked at before this one began,
// and settled if that was possible.
type Recovered struct {
	Addr addr.Addr
	Text string // what was found and done about it
}

func (Started) event()    {}
func (Progress) event()   {}
func (Warned) event()     {}
func (Done) event()       {}
func (Failed) event()     {}
func (Skipped) event()    {}
func (NotStarted) event() {}
func (Recovered) event()  {}

// Observer hears of events, one at a time, in the order they happened. It must
// not block for long: the work waits meanwhile.
type Observer interface{ Observe(Event) }

// Summary counts how a run ended.
type Summary struct {
	Done, Failed, Skipped, NotStarted int
	Took                              time.Duration
}

// Complete reports whether every step was done.
func (s Summary) Complete() bool { return s.Failed+s.Skipped+s.NotStarted == 0 }
