package ui

import (
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/plan"
)

// row is one edit ready to be laid out.
type row struct {
	sign   string // "+ ", "- ", "~ ", or "" when everything is new
	path   string // with its colon
	text   string
	effect string
	below  []string // for what does not fit on a line: one part each, with its sign
}

// maxPath is how wide the column of the paths gets; longer ones push their
// values to the right.
const maxPath = 36

// writeEdits lays edits out in columns: sign and path, values, effect. What
// nobody asked for is left out; JSON has it.
func writeEdits(b *strings.Builder, edits []plan.DocumentEdit, action string, st Style) {
	edits = slices.DeleteFunc(slices.Clone(edits), func(e plan.DocumentEdit) bool { return e.Default })
	paths := 0
	for _, e := range edits {
		paths = max(paths, min(width(pathOf(e)), maxPath))
	}
	room := max(st.width()-len("    ~ ")-paths-len(" ")-len("  in guest"), 24)
	var rows []row
	texts := 0
	for _, e := range edits {
		r := rowOf(e, action, room)
		rows = append(rows, r)
		texts = max(texts, width(r.text))
	}
	for _, r := range rows {
		line := "    " + st.paint(signLook(r.sign), r.sign) + pad(r.path, paths) + " " + pad(r.text, texts) +
			"  " + st.paint(effectLook(r.effect), r.effect)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
		for _, part := range r.below {
			sign, text := part[:2], cut(part[2:], max(st.width()-12, 20))
			b.WriteString("        " + st.paint(signLook(sign), sign+text) + "\n")
		}
	}
}

func pathOf(e plan.DocumentEdit) string { return Clean(strings.Join(e.Path, ".")) + ":" }

func signLook(sign string) look {
	switch sign {
	case "+ ":
		return green
	case "- ":
		return red
	case "  ":
		return dim
	}
	return yellow
}

func effectLook(effect string) look {
	switch effect {
	case "pending", "restart", "migrate":
		return yellow
	case "replace", "refused":
		return danger
	}
	return dim
}

// rowOf makes the row of an edit, with values in at most room cells.
func rowOf(e plan.DocumentEdit, action string, room int) row {
	before, after := valueOf(e.Old, e.Unit), valueOf(e.New, e.Unit)
	r := row{path: pathOf(e)}
	if action == "create" || action == "replace" && e.Effect == "" {
		if parts, ok := after.parts(); ok && width(after.inline()) > room {
			for _, part := range parts {
				r.below = append(r.below, "  "+part)
			}
			return r
		}
		r.text = cut(after.inline(), room)
		return r
	}
	r.effect = e.Effect
	if r.effect == "record" {
		r.effect = "recorded"
	}
	switch {
	case e.Old == nil && e.New == nil: // only the record still has it
		r.sign, r.text = "- ", "not there any more"
		return r
	case e.Old == nil:
		r.sign = "+ "
	case e.New == nil:
		r.sign = "- "
	default:
		r.sign = "~ "
	}
	old, oldParts := before.parts()
	new, newParts := after.parts()
	switch {
	case oldParts && newParts:
		r.below = differences(old, new)
	case e.Old == nil:
		r.text = cut(after.inline(), room)
	case e.New == nil:
		r.text = cut(before.inline(), room)
	case before.fixed == sensitiveText && after.fixed == sensitiveText:
		r.text = sensitiveText
	case before.inline() == after.inline() && e.Effect == "record":
		r.text = cut(after.inline(), room)
	default:
		r.text = arrow(before.inline(), after.inline(), (room-len(" → "))/2)
	}
	return r
}
