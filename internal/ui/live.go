package ui

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/plan"
)

// tick is how often elapsed times are redrawn.
const tick = 200 * time.Millisecond

// live draws one line for each running step at the bottom of the terminal.
// What has ended stands above, for good.
type live struct {
	stream *Stream
	total  int
	quit   chan struct{}
	gone   sync.WaitGroup

	mu      sync.Mutex
	running []runningStep // oldest first
	ended   int
	drawn   int // lines that the next redraw takes back
	warned  once
}

type runningStep struct {
	step  plan.Step
	doing string
	text  string
	since time.Time
}

func newLive(s *Stream, total int) *live {
	l := &live{stream: s, total: total, quit: make(chan struct{})}
	l.gone.Go(l.tick)
	return l
}

// tick redraws until Close.
func (l *live) tick() {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-l.quit:
			return
		case <-ticker.C:
			l.mu.Lock()
			l.redraw("")
			l.mu.Unlock()
		}
	}
}

// Observe implements apply.Observer.
func (l *live) Observe(e apply.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.warned.repeats(e) {
		return
	}
	switch e := e.(type) {
	case apply.Started:
		l.running = append(l.running, runningStep{step: e.Step, doing: verb(e.Step, e.Change)[0], since: time.Now()})
	case apply.Progress:
		if i := l.index(e.Step); i >= 0 {
			l.running[i].text = Clean(e.Text)
		}
		return // the next tick shows it
	case apply.Done:
		l.end(e.Step)
	case apply.Failed:
		l.end(e.Step)
	case apply.Skipped, apply.NotStarted:
		l.ended++
	}
	l.redraw(outcome(e, l.stream.Style()))
}

func (l *live) index(s plan.Step) int {
	return slices.IndexFunc(l.running, func(r runningStep) bool { return r.step == s })
}

func (l *live) end(s plan.Step) {
	l.ended++
	if i := l.index(s); i >= 0 {
		l.running = slices.Delete(l.running, i, i+1)
	}
}

// Say implements Progress.
func (l *live) Say(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.redraw(text)
}

// Close takes the running lines away and stops drawing.
func (l *live) Close() {
	close(l.quit)
	l.gone.Wait()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = nil
	l.redraw("")
}

// redraw writes a line that stays, if any, and the running lines anew, in one
// write so that nothing flickers.
func (l *live) redraw(stays string) {
	w, h := l.stream.size()
	var b strings.Builder
	if l.drawn > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r\x1b[J", l.drawn)
	}
	if stays != "" {
		b.WriteString(stays + "\n")
	}
	lines := l.lines(w, h)
	for _, line := range lines {
		b.WriteString(line + "\n")
	}
	l.drawn = len(lines)
	if b.Len() > 0 {
		// A terminal that cannot be written to is no reason to stop the work.
		_, _ = l.stream.Write([]byte(b.String()))
	}
}

// lines returns the running lines, fitted into a screen of w by h cells.
func (l *live) lines(w, h int) []string {
	if len(l.running) == 0 {
		return nil
	}
	st := l.stream.Style()
	shown := min(len(l.running), max(h-3, 1))
	var lines []string
	for _, r := range l.running[:shown] {
		lines = append(lines, cut(r.line(time.Now()), w-1))
	}
	last := fmt.Sprintf("  %d of %d", l.ended, l.total)
	if hidden := len(l.running) - shown; hidden > 0 {
		last += fmt.Sprintf(", and %d more at work", hidden)
	}
	return append(lines, st.paint(dim, cut(last, w-1)))
}

func (r runningStep) line(now time.Time) string {
	line := fmt.Sprintf("  %s: %s %s", name(r.step.Addr), r.doing, elapsed(now.Sub(r.since)))
	if r.text != "" {
		line += ": " + r.text
	}
	return line
}
