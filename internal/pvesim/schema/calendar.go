package schema

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// A calendar event is "[weekdays] [date] [time]", or one keyword. Each part is a list of values, ranges a..b and steps
// v/n; a time without a colon is minutes. The grammar is Proxmox's; its error texts are only near to it.

var weekdays = sync.OnceValue(func() *regexp.Regexp {
	const day = `(?:mon(?:day)?|tue(?:sday)?|wed(?:nesday)?|thu(?:rsday)?|fri(?:day)?|sat(?:urday)?|sun(?:day)?)`
	const span = day + `(?:\.\.` + day + `)?`
	return regexp.MustCompile(`^(?i:` + span + `(?:,` + span + `)*)$`)
})

func verifyCalendarEvent(value string) error {
	if err := parseCalendarEvent(value); err != nil {
		return refuse("invalid calendar event '%s' - unable to parse calendar event %s\n", value, err)
	}
	return nil
}

func parseCalendarEvent(event string) error {
	parts := strings.Fields(event)
	if len(parts) == 0 {
		return fmt.Errorf("- event is empty")
	}
	keywords := []string{"minutely", "hourly", "daily", "weekly", "monthly", "quarterly", "semiannually",
		"semi-annually", "yearly", "annually"}
	if len(parts) == 1 && slices.Contains(keywords, strings.ToLower(parts[0])) {
		return nil
	}
	if weekdays().MatchString(parts[0]) {
		parts = parts[1:]
	}
	if len(parts) > 0 && strings.Contains(strings.ReplaceAll(parts[0], "..", ""), "-") {
		if err := checkDate(parts[0]); err != nil {
			return fmt.Errorf("'%s' - %w", event, err)
		}
		parts = parts[1:]
	}
	if len(parts) > 0 {
		if err := checkTime(parts[0]); err != nil {
			return fmt.Errorf("'%s' - %w", event, err)
		}
		parts = parts[1:]
	}
	if len(parts) > 0 {
		return fmt.Errorf("'%s' - unable to parse '%s'", event, strings.Join(parts, " "))
	}
	return nil
}

// span is the range of values that a part may have.
type span struct{ least, most int }

// checkDate takes [year-]month-day.
func checkDate(date string) error {
	spans := []span{{1970, 2199}, {1, 12}, {1, 31}}
	parts := strings.Split(date, "-")
	if len(parts) < 2 || len(parts) > 3 {
		return fmt.Errorf("unable to parse date '%s'", date)
	}
	return checkParts(parts, spans[3-len(parts):])
}

// checkTime takes minutes, hours:minutes or hours:minutes:seconds.
func checkTime(clock string) error {
	spans := []span{{0, 23}, {0, 59}, {0, 59}}
	parts := strings.Split(clock, ":")
	switch {
	case len(parts) > 3:
		return fmt.Errorf("unable to parse time '%s'", clock)
	case len(parts) == 1 && !strings.ContainsAny(clock[:1], "*0123456789"):
		return fmt.Errorf("unable to parse weekday '%s'", clock)
	case len(parts) == 1:
		return checkParts(parts, spans[1:])
	}
	return checkParts(parts, spans)
}

func checkParts(parts []string, spans []span) error {
	for i, part := range parts {
		for item := range strings.SplitSeq(part, ",") {
			if err := spans[i].check(item); err != nil {
				return err
			}
		}
	}
	return nil
}

// check takes *, n or a..b, each with an optional step /n.
func (s span) check(item string) error {
	values, step, stepped := strings.Cut(item, "/")
	if n, err := strconv.Atoi(step); stepped && (err != nil || n < 1) {
		return fmt.Errorf("invalid step '%s'", step)
	}
	if values == "*" {
		return nil
	}
	first, last, ranged := strings.Cut(values, "..")
	if !ranged {
		last = first
	}
	for _, v := range []string{first, last} {
		n, err := strconv.Atoi(v)
		if err != nil || strings.ContainsAny(v, "+-") {
			return fmt.Errorf("unable to parse value '%s'", v)
		}
		if n < s.least || n > s.most {
			return fmt.Errorf("value '%s' out of range", v)
		}
	}
	return nil
}
