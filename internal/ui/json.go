package ui

import (
	"encoding/json"
	"io"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

// JSONVersion is the version of the form of every line of JSON output. It
// grows when a field changes its meaning or goes away, not when one is added.
const JSONVersion = 1

// head begins every line: {"version":1,"type":"…", …}.
type head struct {
	Version int    `json:"version"`
	Type    string `json:"type"`
}

func headOf(kind string) head { return head{JSONVersion, kind} }

// Lines writes JSON objects, one a line. The first error stays, and nothing
// is written after it. It is safe for concurrent use.
type Lines struct {
	mu      sync.Mutex
	encoder *json.Encoder
	err     error
}

// NewLines returns Lines that writes to w.
func NewLines(w io.Writer) *Lines {
	encoder := json.NewEncoder(w)
	encoder.SetEscapeHTML(false)
	return &Lines{encoder: encoder}
}

// Err returns the first error of writing.
func (l *Lines) Err() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.err
}

func (l *Lines) write(line any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err == nil {
		l.err = l.encoder.Encode(line)
	}
}

// Plan writes a plan: a line "plan", one for each diagnostic and change, and
// a line "summary".
func (l *Lines) Plan(doc plan.Document) {
	l.write(struct {
		head
		Base    plan.Base `json:"base"`
		Destroy bool      `json:"destroy"`
	}{headOf("plan"), doc.Base, doc.Destroy})
	for _, d := range doc.Diagnostics {
		l.write(struct {
			head
			plan.DocumentDiagnose
		}{headOf("diagnostic"), d})
	}
	counts := map[string]int{}
	for _, c := range doc.Changes {
		counts[c.Action]++
		l.write(struct {
			head
			plan.DocumentChange
		}{headOf("change"), c})
	}
	l.write(struct {
		head
		Counts      map[string]int `json:"counts"`
		Kept        int            `json:"kept"`
		Fingerprint string         `json:"fingerprint"`
	}{headOf("summary"), counts, doc.Kept, doc.Fingerprint()})
}

type jsonDiagnostic struct {
	head
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
	jsonPlace
	Trail []jsonPlace `json:"trail,omitempty"`
}

type jsonPlace struct {
	Text      string `json:"text,omitempty"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	EndLine   int    `json:"end_line,omitempty"`
	EndColumn int    `json:"end_column,omitempty"`
}

// Diagnostics writes a line "diagnostic" for each of the list.
func (l *Lines) Diagnostics(list diag.List) {
	for _, d := range list {
		line := jsonDiagnostic{
			head: headOf("diagnostic"), Severity: d.Severity.String(), Summary: d.Summary, Detail: d.Detail, Hint: d.Hint,
		}
		if d.Subject != nil {
			line.jsonPlace = placeOf(diag.Place{Range: *d.Subject})
		}
		for _, p := range d.Trail {
			line.Trail = append(line.Trail, placeOf(p))
		}
		l.write(line)
	}
}

func placeOf(p diag.Place) jsonPlace {
	return jsonPlace{
		Text: p.Text, File: p.Range.Filename, Line: p.Range.Start.Line, Column: p.Range.Start.Column,
		EndLine: p.Range.End.Line, EndColumn: p.Range.End.Column,
	}
}

// Error writes an error: the diagnostics that it carries, or one made of it.
func (l *Lines) Error(err error) {
	for _, one := range each(err) {
		l.Diagnostics(diagnosticsOf(one))
	}
}

// Object writes a line of the given type with the fields of a map.
func (l *Lines) Object(kind string, fields map[string]any) {
	line := map[string]any{"version": JSONVersion, "type": kind}
	for name, v := range fields {
		line[name] = v
	}
	l.write(line)
}

type jsonEvent struct {
	head
	Addr    addr.Addr  `json:"address"`
	Op      plan.Op    `json:"op,omitempty"`
	Action  string     `json:"action,omitempty"`
	ID      string     `json:"id,omitempty"`
	Text    string     `json:"text,omitempty"`
	Error   string     `json:"error,omitempty"`
	Because *addr.Addr `json:"because,omitempty"`
	Seconds float64    `json:"seconds,omitempty"`
}

func eventOf(kind string, s plan.Step, c *plan.Change) jsonEvent {
	e := jsonEvent{head: headOf(kind), Addr: s.Addr, Op: s.Op}
	if c != nil {
		e.Action, e.ID = c.Action.Word(), c.ID
	}
	return e
}

// Observe writes a line for an event; Lines is an apply.Observer.
func (l *Lines) Observe(e apply.Event) {
	var line jsonEvent
	switch e := e.(type) {
	case apply.Started:
		line = eventOf("started", e.Step, e.Change)
	case apply.Progress:
		line = eventOf("progress", e.Step, nil)
		line.Text = Clean(e.Text)
	case apply.Warned:
		line = eventOf("warned", e.Step, nil)
		line.Text = Clean(e.Text)
	case apply.Done:
		line = eventOf("done", e.Step, e.Change)
		line.ID, line.Seconds = e.ID, seconds(e.Took)
	case apply.Failed:
		line = eventOf("failed", e.Step, e.Change)
		line.Error, line.Seconds = CleanLines(e.Err.Error()), seconds(e.Took)
	case apply.Skipped:
		line = eventOf("skipped", e.Step, e.Change)
		line.Because = &e.Because.Addr
	case apply.NotStarted:
		line = eventOf("not_started", e.Step, e.Change)
	case apply.Recovered:
		line = jsonEvent{head: headOf("recovered"), Addr: e.Addr, Text: Clean(e.Text)}
	default:
		return
	}
	l.write(line)
}

// Say writes a line of talk; Lines is a Progress.
func (l *Lines) Say(text string) { l.Object("note", map[string]any{"text": Clean(text)}) }

// Close does nothing: there is nothing to take back.
func (l *Lines) Close() {}

// Summary writes how a run ended.
func (l *Lines) Summary(s apply.Summary) {
	l.write(struct {
		head
		Done       int     `json:"done"`
		Failed     int     `json:"failed"`
		Skipped    int     `json:"skipped"`
		NotStarted int     `json:"not_started"`
		Seconds    float64 `json:"seconds"`
	}{headOf("applied"), s.Done, s.Failed, s.Skipped, s.NotStarted, seconds(s.Took)})
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// Drift writes a line "drift" about one recorded thing.
func (l *Lines) Drift(d plan.Drift) {
	l.write(struct {
		head
		plan.Drift
		Drifted bool `json:"drifted"`
	}{headOf("drift"), d, d.Any()})
}

// Strangers writes a line "strangers": the guests of a host that are none of
// ours.
func (l *Lines) Strangers(host string, guests []resource.Guest) {
	type guest struct {
		ID   int    `json:"id"`
		Name string `json:"name,omitempty"`
		Type string `json:"type"`
		Node string `json:"node"`
	}
	all := []guest{}
	for _, g := range guests {
		all = append(all, guest{g.ID, g.Name, g.Type, g.Node})
	}
	l.write(struct {
		head
		Host   string  `json:"host"`
		Guests []guest `json:"guests"`
	}{headOf("strangers"), host, all})
}
