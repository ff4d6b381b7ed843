package faultschedule

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

var (
	schedules = flag.Int("schedules", 500, "how many fault schedules to run")
	replay    = flag.Uint64("seed", 0, "run the schedule of this seed alone")
)

// result is what one schedule came to.
type result struct {
	tally        map[string]int
	kills, steps int
	panics       int
	touched      int // foreign guests
	err          error
	told         []string
}

// TestSchedules runs random schedules of faults. Whatever happens, in the end all
// is as wanted, nothing is there twice or left over, and nothing of others was
// touched.
func TestSchedules(t *testing.T) {
	first, last := uint64(1), uint64(*schedules)
	if *replay != 0 {
		first, last = *replay, *replay
	}
	goroutines := runtime.NumGoroutine()
	var next atomic.Uint64
	next.Store(first - 1)
	sum := newSum()
	t.Run("schedules", func(t *testing.T) {
		for worker := range runtime.GOMAXPROCS(0) {
			t.Run(fmt.Sprint("worker", worker), func(t *testing.T) {
				t.Parallel()
				for n := next.Add(1); n <= last; n = next.Add(1) {
					r := schedule(t, n)
					if sum.add(r); r.err != nil {
						t.Errorf("schedule %d: %v\nits processes said:\n  %s\nto run it again: go test ./internal/faultschedule -run TestSchedules -seed %d",
							n, r.err, strings.Join(r.told, "\n  "), n)
					}
				}
			})
		}
	})
	leaked := leftGoroutines(goroutines)
	if leaked > 0 {
		t.Errorf("%d goroutines are left", leaked)
	}
	t.Log(sum.report(leaked))
}

// leftGoroutines counts what is left above a number. Those that are just ending
// are given a moment.
func leftGoroutines(before int) int {
	for end := time.Now().Add(10 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(time.Millisecond)
	}
	return max(0, runtime.NumGoroutine()-before)
}

// schedule runs one schedule in a bubble of its own, which also tells when
// goroutines are left that wait for ever.
func schedule(t *testing.T, number uint64) (r result) {
	defer func() {
		if p := recover(); p != nil {
			r.panics++
			r.err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	synctest.Test(t, func(*testing.T) { r = play(number) })
	return r
}

func play(number uint64) (r result) {
	random := rand.New(rand.NewPCG(number, 1))
	time.Sleep(time.Duration(random.Int64N(int64(24 * time.Hour)))) // jobs run at their hours
	l, err := openLab(random, number)
	if err != nil {
		return result{err: err}
	}
	sizes := map[string]int64{}
	for run := range 1 + random.IntN(3) {
		l.want = drawEstate(random, sizes)
		l.trouble(random, run+1)
		if err := errors.Join(l.strangers(l.sim.World())...); err != nil {
			r.touched++
			r.err = errors.Join(r.err, err)
		}
	}
	for _, end := range []func() error{l.calm, l.settled, l.check} {
		if r.err == nil {
			r.err = end()
		}
	}
	l.chaos.late.Wait()
	r.tally, r.kills, r.steps, r.panics, r.told = l.chaos.tally, l.kills, l.steps, l.panics, append(l.told, l.chaos.trace...)
	if r.panics > 0 && r.err == nil {
		r.err = errors.New("a panic was turned into an error")
	}
	r.err = errors.Join(r.err, l.sim.Close())
	return r
}

// sum adds results up.
type sum struct {
	mu        sync.Mutex
	tally     map[string]int
	total     result
	schedules int
	failed    int
}

func newSum() *sum { return &sum{tally: map[string]int{}} }

func (s *sum) add(r result) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, n := range r.tally {
		s.tally[name] += n
	}
	s.schedules++
	s.total.kills += r.kills
	s.total.steps += r.steps
	s.total.panics += r.panics
	s.total.touched += r.touched
	if r.err != nil {
		s.failed++
	}
}

func (s *sum) report(leaked int) string {
	faults, kinds := 0, ""
	for _, name := range slices.Sorted(maps.Keys(s.tally)) {
		faults += s.tally[name]
		kinds += fmt.Sprintf("\n  %6d %s", s.tally[name], name)
	}
	verdict := "all converged"
	if s.failed > 0 {
		verdict = fmt.Sprintf("%d did not converge", s.failed)
	}
	return fmt.Sprintf("report: faults: %d schedules, %d faults of %d kinds, %d kills, %d steps, %d panics, %d leaked goroutines, %d foreign guests touched, %s%s",
		s.schedules, faults, len(s.tally), s.total.kills, s.total.steps, s.total.panics, leaked, s.total.touched, verdict, kinds)
}
