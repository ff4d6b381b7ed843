package ui

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
)

// Progress shows the events of one apply. It is the apply.Observer of that
// run; Close ends it and leaves the screen clean.
type Progress interface {
	apply.Observer
	Say(text string) // a line of talk that stays
	Close()
}

// NewProgress returns the progress that suits the stream: lines that are
// redrawn in place on a terminal, else one plain line for each event. Total
// is the number of steps.
func NewProgress(s *Stream, total int) Progress {
	if s.Terminal() {
		return newLive(s, total)
	}
	return NewPlain(s)
}

// NewPlain returns a progress of plain lines, whatever the stream is.
func NewPlain(s *Stream) Progress { return &plainProgress{stream: s} }

// plainProgress writes a line for each event that is worth one.
type plainProgress struct {
	stream *Stream
	warned once
	waited map[apply.Progress]bool
}

// once remembers warnings: several tasks of one step often say the same.
type once map[apply.Warned]bool

// repeats reports whether an event is a warning that was heard before.
func (o *once) repeats(e apply.Event) bool {
	w, isWarning := e.(apply.Warned)
	if !isWarning {
		return false
	}
	if *o == nil {
		*o = once{}
	}
	heard := (*o)[w]
	(*o)[w] = true
	return heard
}

// Observe implements apply.Observer.
func (p *plainProgress) Observe(e apply.Event) {
	if p.warned.repeats(e) {
		return
	}
	if w, isWord := e.(apply.Progress); isWord {
		p.wait(w)
	} else if s, isStart := e.(apply.Started); isStart {
		fmt.Fprintf(p.stream, "%s: %s…\n", name(s.Step.Addr), verb(s.Step, s.Change)[0])
	} else if line := outcome(e, p.stream.Style()); line != "" {
		fmt.Fprintln(p.stream, line)
	}
}

// wait tells once what a step waits for: without it a long wait is a riddle. The
// other words of a step are for those who watch.
func (p *plainProgress) wait(w apply.Progress) {
	if !strings.HasPrefix(w.Text, "waiting") || p.waited[w] {
		return
	}
	if p.waited == nil {
		p.waited = map[apply.Progress]bool{}
	}
	p.waited[w] = true
	fmt.Fprintf(p.stream, "%s: %s\n", name(w.Step.Addr), Clean(w.Text))
}

// Say implements Progress.
func (p *plainProgress) Say(text string) { fmt.Fprintln(p.stream, text) }

// Close implements Progress.
func (p *plainProgress) Close() {}

// outcome returns the line that stays of an event, or "" when none does.
func outcome(e apply.Event, st Style) string {
	switch e := e.(type) {
	case apply.Done:
		line := fmt.Sprintf("%s: %s in %s", name(e.Step.Addr), verb(e.Step, e.Change)[1], elapsed(e.Took))
		if e.Change != nil && e.ID != "" && e.ID != e.Change.ID {
			line += fmt.Sprintf(" as %s, because %s was taken", Clean(e.ID), Clean(e.Change.ID))
		}
		return line
	case apply.Failed:
		return st.paint(red, fmt.Sprintf("%s: failed after %s", name(e.Step.Addr), elapsed(e.Took))) + ": " + firstLine(e.Err)
	case apply.Skipped:
		return fmt.Sprintf("%s: skipped, because %s failed", name(e.Step.Addr), name(e.Because.Addr))
	case apply.Warned:
		return st.paint(yellow, fmt.Sprintf("%s: warning", name(e.Step.Addr))) + ": " + Clean(e.Text)
	case apply.Recovered:
		return fmt.Sprintf("%s: left open by another run: %s", name(e.Addr), Clean(e.Text))
	}
	return ""
}

func firstLine(err error) string {
	if err == nil {
		return ""
	}
	if list, ok := diag.From(err); ok && len(list) > 0 {
		return Clean(list[0].Summary)
	}
	line, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return Clean(line)
}

// verb returns what a step does and what it has done.
func verb(s plan.Step, c *plan.Change) [2]string {
	action := plan.Update
	if c != nil {
		action = c.Action
	}
	switch {
	case action == plan.Forget:
		return [2]string{"forgetting", "forgotten"}
	case s.Op == plan.Drop:
		return [2]string{"deleting", "deleted"}
	case action == plan.Create && c.After != nil && c.Addr.Part != "":
		return [2]string{"fetching", "fetched"}
	case action == plan.Create || action == plan.Replace:
		return [2]string{"creating", "created"}
	case action == plan.Adopt:
		return [2]string{"adopting", "adopted"}
	}
	return [2]string{"changing", "changed"}
}

// task names a step in the imperative: "create app.web".
func task(s plan.Step, c *plan.Change) string {
	word := "update"
	switch {
	case s.Op == plan.Drop && (c == nil || c.Action != plan.Forget):
		word = "delete"
	case c != nil && c.Action == plan.Replace:
		word = "create"
	case c != nil:
		word = c.Action.Word()
	}
	return word + " " + name(s.Addr)
}

// Tally is what a run did to each thing, for the summary at its end.
type Tally struct {
	failed     []apply.Failed
	skipped    []apply.Skipped
	notStarted []apply.NotStarted
	done       map[string]int
}

// Observe counts an event.
func (t *Tally) Observe(e apply.Event) {
	switch e := e.(type) {
	case apply.Done:
		if t.done == nil {
			t.done = map[string]int{}
		}
		t.done[verb(e.Step, e.Change)[1]]++
	case apply.Failed:
		t.failed = append(t.failed, e)
	case apply.Skipped:
		t.skipped = append(t.skipped, e)
	case apply.NotStarted:
		t.notStarted = append(t.notStarted, e)
	}
}

// Failures returns each failure with its cause and lines, what was skipped and
// why, and what was not started, by address; "" when everything was done.
func (t *Tally) Failures(sources Sources, st Style) string {
	slices.SortFunc(t.failed, func(a, b apply.Failed) int { return addr.Compare(a.Step.Addr, b.Step.Addr) })
	slices.SortFunc(t.skipped, func(a, b apply.Skipped) int { return addr.Compare(a.Step.Addr, b.Step.Addr) })
	slices.SortFunc(t.notStarted, func(a, b apply.NotStarted) int { return addr.Compare(a.Step.Addr, b.Step.Addr) })
	var b strings.Builder
	for _, f := range t.failed {
		b.WriteString("\n" + Diagnostics(failure(f), sources, st))
	}
	if len(t.skipped) > 0 {
		b.WriteString("\nSkipped:\n")
		for _, s := range t.skipped {
			fmt.Fprintf(&b, "  %s, because %s failed\n", task(s.Step, s.Change), name(s.Because.Addr))
		}
	}
	if len(t.notStarted) > 0 {
		b.WriteString("\nNot started:\n")
		for _, n := range t.notStarted {
			fmt.Fprintf(&b, "  %s\n", task(n.Step, n.Change))
		}
	}
	if b.Len() > 0 {
		b.WriteByte('\n')
	}
	return b.String()
}

// Summary returns how a run ended, in one line.
func (t *Tally) Summary(took time.Duration, st Style) string {
	head, l := "Applied", green
	if len(t.failed)+len(t.skipped)+len(t.notStarted) > 0 {
		head, l = "Applied in part", danger
	}
	return st.paint(l, head+":") + " " + t.counts() + " in " + elapsed(took) + ".\n"
}

// counts returns "3 created, 1 failed".
func (t *Tally) counts() string {
	var parts []string
	for _, word := range []string{"fetched", "created", "changed", "adopted", "deleted", "forgotten"} {
		if n := t.done[word]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, word))
		}
	}
	for _, rest := range []struct {
		n    int
		word string
	}{{len(t.failed), "failed"}, {len(t.skipped), "skipped"}, {len(t.notStarted), "not started"}} {
		if rest.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", rest.n, rest.word))
		}
	}
	if len(parts) == 0 {
		return "nothing was done"
	}
	return strings.Join(parts, ", ")
}

// failure returns what a failed step has to say, at the lines that asked for
// the resource when the error names no better ones.
func failure(f apply.Failed) diag.List {
	if list, ok := diag.From(f.Err); ok {
		return list
	}
	summary, detail, _ := strings.Cut(strings.TrimSpace(f.Err.Error()), "\n")
	d := diagnosticsOf(f.Err)[0]
	d.Summary, d.Detail = task(f.Step, f.Change)+": "+summary, detail
	if f.Change != nil && f.Change.After != nil {
		d.Subject = f.Change.After.Where(nil)
	}
	return diag.List{d}
}
