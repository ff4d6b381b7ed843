package ui

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
)

// symbol returns the sign of an action, which is given by its word.
func symbol(action string) string {
	for _, a := range []plan.Action{plan.Create, plan.Update, plan.Replace, plan.Delete, plan.Forget, plan.Adopt} {
		if a.Word() == action {
			return string(a)
		}
	}
	return string(plan.Keep)
}

func actionLook(action string) look {
	switch action {
	case "create":
		return green
	case "update":
		return yellow
	case "replace":
		return magenta
	case "delete":
		return red
	case "adopt":
		return blue
	}
	return dim
}

// Plan returns a plan as text: first what is dangerous, then each change with
// its reason and its edits, what stays the same in one line, and a count. It
// does not show the plan's diagnostics.
func Plan(doc plan.Document, st Style) string {
	var b strings.Builder
	writeDangers(&b, doc, st)
	for _, group := range alike(doc.Changes) {
		writeChange(&b, group, st)
	}
	writeLasting(&b, doc)
	if len(doc.Changes) > 0 && doc.Kept > 0 {
		fmt.Fprintf(&b, "Unchanged: %s.\n", Plural(doc.Kept, "resource"))
	}
	b.WriteString(st.paint(bold, Count(doc)) + "\n")
	return b.String()
}

// writeDangers lists what deletes data or interrupts a service.
func writeDangers(b *strings.Builder, doc plan.Document, st Style) {
	var rows [][2]string
	for _, c := range doc.Changes {
		if text := dangerOf(c); text != "" {
			rows = append(rows, [2]string{symbol(c.Action) + " " + c.Addr.String(), text})
		}
	}
	if len(rows) == 0 {
		return
	}
	column := 0
	for _, row := range rows {
		column = max(column, width(row[0]))
	}
	b.WriteString(st.paint(danger, "Careful:") + "\n")
	column = min(column, 40)
	for _, row := range rows {
		text := wrap(row[1], strings.Repeat(" ", column+4), max(st.width(), column+30))
		b.WriteString("  " + pad(row[0], column) + "  " + strings.TrimLeft(text, " "))
	}
	b.WriteByte('\n')
}

// dangerOf says in a few words what is dangerous about a change, or "".
func dangerOf(c plan.DocumentChange) string {
	switch c.Action {
	case "delete":
		if c.Addr.Kind == "backup_policy" {
			return "is deleted; the archives it made stay"
		}
		return "is deleted, with its data"
	case "replace":
		return "is deleted and made anew: " + Clean(c.Reason)
	case "update", "adopt":
		var restarts, migrates, moves []string
		for _, e := range c.Edits {
			switch path := Clean(strings.Join(e.Path, ".")); e.Effect {
			case "restart":
				restarts = append(restarts, path)
			case "migrate":
				migrates = append(migrates, Clean(e.Reason))
			case "move":
				if e.Reason != "" {
					moves = append(moves, path)
				}
			}
		}
		if len(migrates) > 0 {
			return strings.TrimSuffix("is moved to another node: "+migrates[0], ": ")
		}
		if len(moves) > 0 {
			return "is stopped, while " + strings.Join(moves, ", ") + " changes"
		}
		if len(restarts) > 0 {
			return "restarts, for " + strings.Join(slices.Compact(restarts), ", ")
		}
	}
	return ""
}

// alike groups the changes to instances of one block that differ in nothing
// but their key and ID. Lasting things are left away.
func alike(changes []plan.DocumentChange) [][]plan.DocumentChange {
	var groups [][]plan.DocumentChange
	for _, c := range changes {
		last := len(groups) - 1
		switch {
		case c.Lasting:
		case last >= 0 && sameButKey(groups[last][0], c):
			groups[last] = append(groups[last], c)
		default:
			groups = append(groups, []plan.DocumentChange{c})
		}
	}
	return groups
}

func sameButKey(a, b plan.DocumentChange) bool {
	if a.Addr.Block() != b.Addr.Block() || a.Addr.Part != b.Addr.Part {
		return false
	}
	a.Addr, a.ID, b.Addr, b.ID = addr.Addr{}, "", addr.Addr{}, ""
	return reflect.DeepEqual(a, b)
}

// writeChange writes a change, and the names of others that are like it.
func writeChange(b *strings.Builder, group []plan.DocumentChange, st Style) {
	c := group[0]
	where := c.Host
	if c.ID != "" {
		where = c.ID + " on " + c.Host
	}
	b.WriteString(st.paint(actionLook(c.Action), symbol(c.Action)+" "+c.Addr.String()) + inBrackets(where) + "\n")
	if c.Reason != "" {
		b.WriteString(wrap("because "+Clean(c.Reason), "    ", st.width()))
	}
	var asked, drifted []plan.DocumentEdit
	for _, e := range c.Edits {
		switch {
		case c.Action == "create" && len(e.Path) == 1 && e.Path[0] == "host":
			// stands in the head already
		case c.Action == "adopt" && e.Effect == "record":
			// it is as the configuration says, which does not have to be told
		case e.Cause == "drift" && e.Effect != "record":
			drifted = append(drifted, e)
		default:
			asked = append(asked, e)
		}
	}
	if c.Action == "adopt" && len(asked) == 0 {
		b.WriteString("    is recorded as it is, with our marker in its notes\n")
	}
	writeEdits(b, asked, c.Action, st)
	if len(drifted) > 0 {
		b.WriteString("    " + st.paint(yellow, "changed outside of proximity, will be put back:") + "\n")
		writeEdits(b, drifted, c.Action, st)
	}
	if len(c.Loses) > 0 {
		b.WriteString(wrap("lost with it, as nobody asks for it: "+Clean(strings.Join(c.Loses, "; ")), "    ", st.width()))
	}
	if len(c.Keeps) > 0 {
		b.WriteString(wrap("left as it is: "+Clean(strings.Join(c.Keeps, "; ")), "    ", st.width()))
	}
	var others []string
	for _, other := range group[1:] {
		others = append(others, other.Addr.String()+inBrackets(other.ID))
	}
	if len(others) > 0 {
		b.WriteString(wrap("the same for "+strings.Join(others, ", "), "    ", st.width()))
	}
	b.WriteByte('\n')
}

// inBrackets returns what follows an address; what lies on no host has nothing.
func inBrackets(where string) string {
	if where == "" {
		return ""
	}
	return " (" + Clean(where) + ")"
}

// writeLasting names the things that are fetched once and then shared.
func writeLasting(b *strings.Builder, doc plan.Document) {
	var names []string
	for _, c := range doc.Changes {
		if c.Lasting {
			names = append(names, fmt.Sprintf("  %s %s on %s", symbol(c.Action), name(c.Addr), Clean(c.Host)))
		}
	}
	if len(names) > 0 {
		b.WriteString("To download:\n" + strings.Join(names, "\n") + "\n\n")
	}
}

// name returns what people call a thing: its address, or for one that nobody
// writes the part of it that tells.
func name(a addr.Addr) string {
	if a.Part != "" {
		return Clean(a.Part)
	}
	return a.String()
}
