package ui

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// History returns steps that were carried out as text, the oldest first. Each
// is one line, with what it changed, its tasks and what came of it below when
// details are asked for; why it failed is always told.
func History(entries []state.Entry, detail Detail, st Style) string {
	var b strings.Builder
	for _, e := range entries {
		writeEntry(&b, e, st)
		if e.Text != "" {
			b.WriteString(wrap(Clean(e.Text), "    ", st.width()))
		}
		if detail == Detailed {
			writeDetails(&b, e, st)
		}
	}
	b.WriteString(st.paint(bold, Plural(len(entries), "step")+".") + "\n")
	return b.String()
}

// Detail is how much is told of each thing.
type Detail int

// Brief is a line, Detailed all there is.
const (
	Brief Detail = iota
	Detailed
)

func writeEntry(b *strings.Builder, e state.Entry, st Style) {
	what := e.Action
	if e.Address != "" {
		what += " " + e.Address
	}
	if e.ID != "" && e.Host != resource.NoHost {
		what += fmt.Sprintf(" (%s on %s)", e.ID, e.Host)
	}
	lookOf := map[state.Result]look{state.FailedRun: red, state.Settled: yellow}
	result := string(e.Result)
	if e.Took >= 0.05 {
		result += " in " + elapsed(time.Duration(e.Took*float64(time.Second)))
	}
	line := e.At.Local().Format(time.DateTime) + "  " + Clean(what) + "  "
	by := "  " + Clean(e.By.User)
	if e.By.Host != "" {
		by += "@" + Clean(e.By.Host)
	}
	fmt.Fprintf(b, "%s%s%s\n", line, st.paint(lookOf[e.Result], result), st.paint(dim, by))
}

func writeDetails(b *strings.Builder, e state.Entry, st Style) {
	var edits []plan.DocumentEdit
	if len(e.Edits) > 0 && json.Unmarshal(e.Edits, &edits) == nil { // what a later version wrote is left to --json
		writeEdits(b, edits, e.Action, st)
	}
	for _, task := range e.Tasks {
		b.WriteString("    " + st.paint(dim, "task "+Clean(task)) + "\n")
	}
	if e.Plan != "" {
		b.WriteString("    " + st.paint(dim, "plan "+cut(Clean(e.Plan), 16)+", by "+Clean(e.By.Command)) + "\n")
	}
}

// History writes one line for each step that was carried out.
func (l *Lines) History(entries []state.Entry) {
	for _, e := range entries {
		l.write(struct {
			head
			state.Entry
		}{headOf("step"), e})
	}
}
