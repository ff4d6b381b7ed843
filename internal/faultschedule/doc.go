// Package faultschedule has no code of its own: its test runs random schedules
// of faults against the whole engine. State, inventory, plan, apply, the real
// provider and its client work on a simulated cluster in the same process, in
// a bubble where waiting takes no time.
//
// A schedule is everything that happens to one estate, drawn from one seed: what
// is wanted and how that changes, what strangers have on the cluster and what
// people do there by hand, which requests go wrong and how, and when the process
// is killed. Then the faults end, and all has to be as wanted. A schedule that
// fails prints the command line that runs it again.
package faultschedule
