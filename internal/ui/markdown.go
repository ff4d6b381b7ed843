package ui

import (
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/plan"
)

// Forges refuse comments above 65,536 characters, so the table and then the
// details end before that; maxMarkdown is in bytes.
const (
	maxRows     = 200
	maxMarkdown = 60_000
)

// Markdown returns a plan for a comment on a merge request: a table of what
// changes, and the plan as a diff to unfold.
func Markdown(doc plan.Document) string {
	var b strings.Builder
	fmt.Fprintf(&b, "### %s\n", Count(doc))
	if len(doc.Changes) > 0 {
		b.WriteString("\n| | resource | what | why |\n|---|---|---|---|\n")
	}
	for i, c := range doc.Changes {
		if i == maxRows {
			fmt.Fprintf(&b, "| | … and %d more | | |\n", len(doc.Changes)-i)
			break
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", code(symbol(c.Action)), code(c.Addr.String()), whatOf(c), cell(c.Reason))
	}
	for _, d := range doc.Diagnostics {
		fmt.Fprintf(&b, "\n**%s:** %s", d.Severity, cell(d.Summary))
		if d.Detail != "" {
			b.WriteString(": " + cell(d.Detail))
		}
		b.WriteByte('\n')
	}
	if len(doc.Changes) == 0 {
		return b.String()
	}
	text := diffLines(Plan(doc, Style{Width: 100}))
	if room := max(maxMarkdown-b.Len(), 0); len(text) > room {
		end := strings.LastIndexByte(text[:room], '\n') + 1
		text = text[:end] + "… the rest does not fit here\n"
	}
	fence := "```"
	for strings.Contains(text, fence) {
		fence += "`"
	}
	fmt.Fprintf(&b, "\n<details><summary>The whole plan</summary>\n\n%sdiff\n%s%s\n\n</details>\n", fence, text, fence)
	return b.String()
}

// whatOf says what happens: the action, and how an update is felt.
func whatOf(c plan.DocumentChange) string {
	effects := map[string]int{}
	for _, e := range c.Edits {
		effects[e.Effect]++
	}
	if c.Action == "update" {
		return c.Action + effectCount(effects)
	}
	return c.Action
}

// cell returns foreign text so that it stays inside a cell of a table.
func cell(text string) string {
	return strings.NewReplacer("|", `\|`, "<", "&lt;", "`", "\\`").Replace(Clean(text))
}

// code returns text as inline code inside a cell.
func code(text string) string {
	return "`" + strings.NewReplacer("|", `\|`, "`", "'").Replace(Clean(text)) + "`"
}

// diffLines moves the sign of each line to its front, where the colours of a
// diff are found; a change has the sign "!".
func diffLines(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		trimmed := strings.TrimLeft(line, " ")
		sign, rest, found := strings.Cut(trimmed, " ")
		indent := strings.Repeat(" ", len(line)-len(trimmed))
		switch {
		case found && (sign == "+" || sign == "-"):
			line = sign + indent + " " + rest
		case found && (sign == "~" || sign == "±"):
			line = "!" + indent + " " + rest
		default:
			line = " " + line
		}
		b.WriteString(line)
	}
	return b.String()
}
