package ui

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Drift returns what happened behind the program's back as text: each thing
// with both values of what changed, what came to it and what else is there that
// nobody asked for, and a count.
func Drift(all []plan.Drift, st Style) string {
	var b strings.Builder
	drifted, unclear := 0, 0
	for _, d := range all {
		if d.Any() {
			drifted++
		}
		if d.Presence == resource.Unknown.String() {
			unclear++
		}
		if d.Any() || len(d.Unmanaged) > 0 || d.Presence == resource.Unknown.String() {
			writeDrift(&b, d, st)
		}
	}
	count := fmt.Sprintf("No drift. %s as applied.", be(len(all)-unclear, "resource"))
	if drifted > 0 {
		count = fmt.Sprintf("Drift: %d of %s not as applied.", drifted, be(len(all), "resource"))
	}
	if unclear > 0 {
		count += fmt.Sprintf(" %d could not be looked at.", unclear)
	}
	b.WriteString(st.paint(bold, count) + "\n")
	return b.String()
}

// be returns "1 resource is" or "2 resources are".
func be(n int, noun string) string {
	if n == 1 {
		return "1 " + noun + " is"
	}
	return Plural(n, noun) + " are"
}

func writeDrift(b *strings.Builder, d plan.Drift, st Style) {
	sign := "~ "
	if !d.Any() {
		sign = "  "
	}
	fmt.Fprintf(b, "%s (%s on %s)\n", st.paint(signLook(sign), sign+d.Addr.String()), Clean(d.ID), Clean(d.Host))
	switch d.Presence {
	case resource.Gone.String():
		b.WriteString("    it is gone from the host\n")
	case resource.Stranger.String():
		b.WriteString(wrap("what is there is not ours: "+Clean(d.Why), "    ", st.width()))
	case resource.Unknown.String():
		b.WriteString(wrap("it could not be looked at: "+Clean(d.Why), "    ", st.width()))
	case resource.Present.String():
		if d.Why != "" {
			b.WriteString(wrap(Clean(d.Why), "    ", st.width()))
		}
	}
	edits := slices.Clone(d.Edits)
	for i := range edits { // an effect is of a change to be made, and here there is none
		edits[i].Effect, edits[i].Default = "", false
	}
	writeEdits(b, edits, plan.Update.Word(), st)
	for _, line := range d.Added {
		b.WriteString(wrap(st.paint(green, "+ ")+Clean(line), "    ", st.width()))
	}
	if kept := slices.DeleteFunc(slices.Clone(d.Unmanaged), func(line string) bool { return slices.Contains(d.Added, line) }); len(kept) > 0 {
		b.WriteString("    " + st.paint(dim, "not managed, and left as it is:") + "\n")
		for _, line := range kept {
			b.WriteString(wrap(Clean(line), "      ", st.width()))
		}
	}
	b.WriteByte('\n')
}

// Strangers lists the guests of a host that are none of ours.
func Strangers(host string, guests []resource.Guest, st Style) string {
	if len(guests) == 0 {
		return ""
	}
	var names []string
	for _, g := range guests {
		name := fmt.Sprint(g.ID)
		if g.Name != "" {
			name += " " + Clean(g.Name)
		}
		if g.Type == "qemu" {
			name += " (virtual machine)"
		}
		names = append(names, name)
	}
	return wrap(fmt.Sprintf("Not managed on host %q: %s", Clean(host), strings.Join(names, ", ")), "", st.width())
}
