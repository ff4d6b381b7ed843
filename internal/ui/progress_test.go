package ui

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

func none(string) (string, bool) { return "", false }

func put(name string) plan.Step { return plan.Step{Addr: addr.New("app", name), Op: plan.Put} }

func creates(name string) *plan.Change {
	a := addr.New("app", name)
	return &plan.Change{Addr: a, Action: plan.Create, ID: "2001", After: &resource.Resource{Addr: a, Range: headOfBlock}}
}

// aRun is a run in which one thing succeeds, one fails, one is skipped for it
// and one is not started.
func aRun() []apply.Event {
	return []apply.Event{
		apply.Recovered{Addr: addr.New("app", "lost"), Text: "found as 2007 and kept"},
		apply.Started{Step: put("web"), Change: creates("web")},
		apply.Progress{Step: put("web"), Text: "extracting \x1b[31marchive\n"},
		apply.Started{Step: put("db"), Change: creates("db")},
		apply.Warned{Step: put("db"), Text: "the first answer was lost"},
		apply.Warned{Step: put("db"), Text: "the first answer was lost"}, // is shown once
		apply.Done{Step: put("web"), Change: creates("web"), ID: "2002", Took: 4100 * time.Millisecond},
		apply.Failed{Step: put("db"), Change: creates("db"), Err: errors.New("storage \"nvme\" is full\nsecond line"), Took: time.Minute},
		apply.Skipped{Step: put("shop"), Change: creates("shop"), Because: put("db")},
		apply.NotStarted{Step: put("late"), Change: creates("late")},
	}
}

func TestProgressWithoutATerminalIsPlainLines(t *testing.T) {
	var b bytes.Buffer
	p := NewProgress(NewStream(&b, none, false), 4)
	for _, e := range aRun() {
		p.Observe(e)
	}
	p.Say("stopping")
	p.Close()
	golden(t, "progress", b.String())
}

func TestProgressAsLines(t *testing.T) {
	var b bytes.Buffer
	lines := NewLines(&b)
	for _, e := range aRun() {
		lines.Observe(e)
	}
	lines.Summary(apply.Summary{Done: 1, Failed: 1, Skipped: 1, NotStarted: 1, Took: time.Minute})
	require.NoError(t, lines.Err())
	golden(t, "progress_json", b.String())
}

func TestSummaryNamesWhatFailedAndWhatThatHeldBack(t *testing.T) {
	var tally Tally
	for _, e := range aRun() {
		tally.Observe(e)
	}
	golden(t, "summary", tally.Failures(sources, Style{})+tally.Summary(61*time.Second, Style{}))
	require.Equal(t, "Applied: nothing was done in 0.0s.\n", new(Tally).Summary(0, Style{}))
}

// screen is what a terminal shows after text was written to it, for the few
// sequences that live uses.
func screen(text string) []string {
	lines := []string{""}
	for text != "" {
		var up int
		switch {
		case strings.HasPrefix(text, "\x1b["):
			if n, _ := fmt.Sscanf(text, "\x1b[%dA", &up); n == 1 {
				lines = append(lines[:len(lines)-1-up], lines[len(lines)-1-up])
				text = text[strings.IndexByte(text, 'A')+1:]
				lines[len(lines)-1] = "" // what follows is always "\r\x1b[J"
				text = strings.TrimPrefix(text, "\r\x1b[J")
			}
		case text[0] == '\n':
			lines, text = append(lines, ""), text[1:]
		default:
			end := strings.IndexAny(text, "\n\x1b")
			if end < 0 {
				end = len(text)
			}
			lines[len(lines)-1] += text[:end]
			text = text[end:]
		}
	}
	return lines
}

func TestLiveProgressIsRedrawnInPlaceAndLeavesTheScreenClean(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var b bytes.Buffer
		l := newLive(NewStream(&b, none, false), 4)
		l.Observe(apply.Started{Step: put("web"), Change: creates("web")})
		l.Observe(apply.Progress{Step: put("web"), Text: strings.Repeat("far too long for a line ", 10)})
		l.Observe(apply.Started{Step: put("db"), Change: creates("db")})
		time.Sleep(42*time.Second + tick/2) // the clock of this test jumps
		synctest.Wait()
		l.mu.Lock()
		shown := screen(b.String())
		l.mu.Unlock()
		require.Equal(t, []string{
			cut("  app.web: creating 42s: "+strings.Repeat("far too long for a line ", 10), defaultWidth-1),
			"  app.db: creating 42s",
			"  0 of 4",
			"",
		}, shown)
		l.Observe(apply.Done{Step: put("web"), Change: creates("web"), ID: "2001", Took: 42 * time.Second})
		l.Say("stopping after what runs")
		l.Observe(apply.Failed{Step: put("db"), Change: creates("db"), Err: errors.New("no space"), Took: 42 * time.Second})
		l.Close()
		require.Equal(t, []string{
			"app.web: created in 42s",
			"stopping after what runs",
			"app.db: failed after 42s: no space",
			"",
		}, screen(b.String()))
	})
}

func TestLiveProgressFitsTheHeightOfTheScreen(t *testing.T) {
	l := &live{stream: NewStream(&bytes.Buffer{}, none, false), total: 50}
	for i := range 40 {
		l.running = append(l.running, runningStep{step: put(fmt.Sprint("a", i)), doing: "creating", since: time.Now()})
	}
	lines := l.lines(80, 10)
	require.Len(t, lines, 8)
	require.Equal(t, "  0 of 50, and 33 more at work", lines[7])
}

var headOfBlock = hcl.Range{
	Filename: "main.hcl",
	Start:    hcl.Pos{Line: 1, Column: 1},
	End:      hcl.Pos{Line: 1, Column: 10, Byte: 9},
}

// Without a terminal a step that waits says once what for; its other words are
// for those who watch.
func TestPlainProgressTellsWhatIsWaitedFor(t *testing.T) {
	var b bytes.Buffer
	p := NewPlain(NewStream(&b, none, false))
	p.Observe(apply.Started{Step: put("web"), Change: creates("web")})
	for range 3 {
		p.Observe(apply.Progress{Step: put("web"), Text: "waiting: CT is locked (backup)"})
		p.Observe(apply.Progress{Step: put("web"), Text: "extracting archive"})
	}
	require.Equal(t, "app.web: creating…\napp.web: waiting: CT is locked (backup)\n", b.String())
}
