package proxmox

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// A Proxmox calendar event is a keyword, or weekdays, a date and a time, each of
// which may be left out: mon..fri 22:30, sat *-1..7 15:00, */15. Each part is a
// list of values, ranges and steps.
const (
	eventKeyword = `minutely|hourly|daily|weekly|monthly|quarterly|semi-?annually|yearly|annually`
	eventDay     = `(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)`
	eventDays    = eventDay + `(?:\.\.` + eventDay + `)?(?:,` + eventDay + `(?:\.\.` + eventDay + `)?)*`
	eventValue   = `(?:\*|\d+(?:\.\.\d+)?)(?:/\d+)?`
	eventValues  = eventValue + `(?:,` + eventValue + `)*`
	eventDate    = `(?:` + eventValues + `-)?` + eventValues + `-` + eventValues
	eventTime    = eventValues + `(?::` + eventValues + `(?::` + eventValues + `)?)?`
)

var isEvent = matching(
	`^(?i:`+eventKeyword+`|`+
		eventDays+`(?: +`+eventDate+`)?(?: +`+eventTime+`)?|`+
		eventDate+`(?: +`+eventTime+`)?|`+
		eventTime+`)$`,
	"is no calendar event; write it like 02:30, mon..fri 22:30 or sat *-1..7 15:00")

// clockValue is a number of a time that is no step.
var clockValue = regexp.MustCompile(`(/?)(\d+)`)

// isSchedule checks a calendar event. Hours are below 24, minutes and seconds
// below 60; a single value is minutes.
func isSchedule(v cty.Value) string {
	if wrong := isEvent(v); wrong != "" {
		return wrong
	}
	words := strings.Fields(v.AsString())
	last := words[len(words)-1]
	if strings.Contains(last, "-") {
		return "" // a date alone
	}
	parts := strings.Split(last, ":")
	for i, part := range parts {
		limit := 59
		if i == 0 && len(parts) > 1 {
			limit = 23
		}
		for _, found := range clockValue.FindAllStringSubmatch(part, -1) {
			if n, err := strconv.Atoi(found[2]); found[1] == "" && (err != nil || n > limit) {
				return fmt.Sprintf("is no calendar event: %s is more than %d", found[2], limit)
			}
		}
	}
	return ""
}
