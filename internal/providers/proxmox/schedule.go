package proxmox

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/calendar"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// isSchedule checks a calendar event. Proxmox takes 128 characters.
func isSchedule(v cty.Value) string {
	text := v.AsString()
	if len(text) > 128 {
		return "must not be longer than 128 bytes"
	}
	_, err := calendar.Parse(text)
	var wrong *calendar.Error
	if errors.As(err, &wrong) {
		return fmt.Sprintf("is no calendar event: %s; write it like 02:30, mon..fri 22:30 or sat *-1..7 15:00", wrong.Reason())
	}
	return ""
}

// schedule tells when a policy that is new, or whose schedule changes, runs
// next. The node's time zone is not known here, so that the times are those of
// its clock, counted from ours.
func (c *checker) schedule(proposal providers.Proposal) {
	want := proposal.Want
	event, err := calendar.Parse(resource.Text(want.Want, "schedule"))
	if err != nil || isFalse(want.Want, "enabled") || !proposal.Create && !changes(proposal, "schedule", "enabled") {
		return
	}
	at := want.Where(resource.Path{"schedule"})
	var runs []string
	for next, more := event.Next(c.now); more && len(runs) < 3; next, more = event.Next(next) {
		runs = append(runs, next.Format(runFormat(next)))
	}
	if len(runs) == 0 {
		c.warn(at, want.Addr.String()+" never runs", "write a date that is still to come, or enabled = false",
			"%s is over", event)
		return
	}
	then := ""
	if len(runs) > 1 {
		then = "then " + strings.Join(runs[1:], " and ") + "; "
	}
	c.note(at, want.Addr.String()+" runs next at "+runs[0], "%s%s in the node's time zone", then, event)
}

func runFormat(t time.Time) string {
	if t.Second() != 0 {
		return "Mon 2006-01-02 15:04:05"
	}
	return "Mon 2006-01-02 15:04"
}

// changes reports whether a proposal edits one of these attributes.
func changes(proposal providers.Proposal, names ...string) bool {
	for _, e := range proposal.Edits {
		for _, name := range names {
			if e.Path[0] == name && e.Effect != resource.Record {
				return true
			}
		}
	}
	return false
}

// keep tells what a retention that keeps everything means: with all counts at
// zero Proxmox keeps all archives (recording prune), and with no count at all
// it goes by what the storage says, which is to keep all unless somebody set it.
func (c *checker) keep(proposal providers.Proposal) {
	keep := resource.Attribute(proposal.Want.Want, "keep")
	if keep.IsNull() || !keep.IsWhollyKnown() || !proposal.Create && !changes(proposal, "keep") {
		return
	}
	counts := 0
	for _, v := range keep.AsValueMap() {
		if bytesOf(unmarked(v)) > 0 {
			return
		}
		if !v.IsNull() {
			counts++
		}
	}
	detail := "all its counts are 0, and then Proxmox removes nothing"
	if counts == 0 {
		detail = "it has no counts; then the retention of the storage counts, and without one nothing is removed"
	}
	c.warn(proposal.Want.Where(resource.Path{"keep"}), proposal.Want.Addr.String()+" keeps every archive",
		"keep { daily = 7 }, or leave the block out when that is meant", "%s", detail)
}
