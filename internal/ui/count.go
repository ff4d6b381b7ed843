package ui

import (
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/plan"
)

// Count returns what a plan does, in one sentence.
func Count(doc plan.Document) string {
	n, effects, downloads := map[string]int{}, map[string]int{}, 0
	for _, c := range doc.Changes {
		if c.Lasting {
			downloads++
			continue
		}
		n[c.Action]++
		for _, e := range c.Edits {
			if c.Action == "update" {
				effects[e.Effect]++
			}
		}
	}
	if len(doc.Changes) == 0 {
		return nothing(doc)
	}
	text := fmt.Sprintf("Plan: %d to create, %d to change%s, %d to replace, %d to delete",
		n["create"], n["update"], effectCount(effects), n["replace"], n["delete"])
	for _, extra := range []struct {
		n    int
		text string
	}{{n["adopt"], "to adopt"}, {n["forget"], "to forget"}, {downloads, "to download"}} {
		if extra.n > 0 {
			text += fmt.Sprintf(", %d %s", extra.n, extra.text)
		}
	}
	return text + "."
}

// effectCount returns " (2 live, 1 needs a restart)", counting edits.
func effectCount(effects map[string]int) string {
	var parts []string
	for _, e := range []struct{ name, one, many string }{
		{"live", "live", "live"}, {"in guest", "in the guest", "in the guest"}, {"resize", "resized", "resized"},
		{"move", "moved", "moved"},
		{"pending", "waits for your restart", "wait for your restart"}, {"restart", "needs a restart", "need a restart"},
		{"migrate", "needs a migration", "need a migration"}, {"record", "only recorded", "only recorded"},
		{"refused", "refused", "refused"},
	} {
		switch n := effects[e.name]; {
		case n == 1:
			parts = append(parts, "1 "+e.one)
		case n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", n, e.many))
		}
	}
	if len(parts) == 0 {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func nothing(doc plan.Document) string {
	switch {
	case doc.Destroy && len(doc.Diagnostics) > 0:
		return "No changes. Nothing is deleted, for the reasons below."
	case doc.Kept == 0 && len(doc.Diagnostics) > 0:
		return "No changes, for the reasons below."
	case doc.Destroy:
		return "No changes. There is nothing to delete."
	case doc.Kept == 0:
		return "No changes. Nothing is configured."
	case doc.Kept == 1:
		return "No changes. 1 resource is as configured."
	}
	return fmt.Sprintf("No changes. %d resources are as configured.", doc.Kept)
}
