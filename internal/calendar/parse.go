package calendar

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Error is a text that is no calendar event.
type Error struct {
	Text string // the whole text
	Part string // which part of it is wrong: "weekdays", "date", "hours"; empty: the whole
	Why  string
}

// Error names the text, the part and the reason.
func (e *Error) Error() string { return fmt.Sprintf("calendar event %q: %s", e.Text, e.Reason()) }

// Reason names the part and what is wrong with it, without the text.
func (e *Error) Reason() string {
	if e.Part == "" {
		return e.Why
	}
	return e.Part + ": " + e.Why
}

// bounds are what a part of a date or time may be.
type bounds struct {
	name        string
	least, most int
}

// firstYear is when computers begin to count. Proxmox takes earlier years too,
// in which nothing ever happens.
const firstYear = 1970

var (
	years   = bounds{"year", firstYear, lastYear}
	months  = bounds{"month", 1, 12}
	days    = bounds{"day", 1, 31}
	hours   = bounds{"hours", 0, 23}
	minutes = bounds{"minutes", 0, 59}
	seconds = bounds{"seconds", 0, 59}
)

// Parse reads a calendar event: one of Proxmox's words such as daily, or
//
//	[weekdays] [[year-]month-day] [[hours:]minutes[:seconds]] [UTC]
//
// with at least one of the first three. A number alone is minutes of every
// hour, and without a time it is midnight. The error is an *Error. It is stricter
// than Proxmox where a text can only be a mistake: days that never come, steps
// of 0, months and days of 0.
func Parse(text string) (Event, error) {
	e, wrong := parse(text)
	if wrong != nil {
		wrong.Text = text
		return Event{}, wrong
	}
	return e, nil
}

func parse(text string) (Event, *Error) {
	switch {
	case strings.TrimSpace(text) == "":
		return Event{}, &Error{Why: "it is empty"}
	case strings.TrimSpace(text) != text || strings.ContainsAny(text, "\n\r\v\f"):
		return Event{}, &Error{Why: "it has blanks around it"}
	}
	rest, utc := strings.CutSuffix(text, "UTC")
	words := strings.Fields(rest)
	e, wrong := named(words)
	if wrong == nil && e.days == 0 {
		e, wrong = written(words)
	}
	e.utc = utc
	if wrong == nil && !e.comes() {
		wrong = e.never()
	}
	return e, wrong
}

// named returns the event that has a name of its own, or the zero Event.
func named(words []string) (Event, *Error) {
	if len(words) != 1 {
		return Event{}, nil
	}
	midnight := Event{days: everyDay, hour: only(0, 0), minute: only(0, 0), second: only(0, 0)}
	e := midnight
	switch strings.ToLower(words[0]) {
	case "minutely":
		e.hour, e.minute = part{}, part{}
	case "hourly":
		e.hour = part{}
	case "daily":
	case "weekly":
		e.days = between(0, 0)
	case "monthly":
		e.day = only(1, 1)
	case "quarterly":
		e.month, e.day = only(1, 1, 4, 7, 10), only(1, 1)
	case "semiannually", "semi-annually":
		e.month, e.day = only(1, 1, 7), only(1, 1)
	case "yearly", "annually":
		e.month, e.day = only(1, 1), only(1, 1)
	default:
		return Event{}, nil
	}
	if low := strings.ToLower(words[0]); low != words[0] {
		return Event{}, &Error{Why: fmt.Sprintf("write %s in lower case", low)}
	}
	return e, nil
}

// written reads weekdays, a date and a time, each of which may be missing.
func written(words []string) (Event, *Error) {
	e := Event{days: everyDay, hour: only(0, 0), minute: only(0, 0), second: only(0, 0)}
	var wrong *Error
	if len(words) > 0 && isLetter(words[0][0]) {
		e.days, wrong = parseDays(words[0])
		words = words[1:]
	}
	if wrong == nil && len(words) > 0 && strings.Contains(words[0], "-") {
		wrong = e.parseDate(words[0])
		words = words[1:]
	}
	if wrong == nil && len(words) > 0 {
		wrong = e.parseTime(words[0])
		words = words[1:]
	}
	if wrong == nil && len(words) > 0 {
		wrong = &Error{Why: fmt.Sprintf("%q is too much; the order is weekdays, date, time", words[0])}
	}
	return e, wrong
}

func isLetter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }

func parseDays(text string) (weekdays, *Error) {
	var all weekdays
	for item := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(item, "..")
		if !isRange {
			to = from
		}
		first, last := dayNumber(from), dayNumber(to)
		switch {
		case first < 0:
			return 0, &Error{Part: "weekdays", Why: fmt.Sprintf("%q is none", from)}
		case last < 0:
			return 0, &Error{Part: "weekdays", Why: fmt.Sprintf("%q is none", to)}
		}
		all |= between(first, last)
	}
	return all, nil
}

// dayNumber returns 0 for Monday to 6 for Sunday, or -1.
func dayNumber(name string) int {
	names := [...]string{"monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"}
	return slices.IndexFunc(names[:], func(long string) bool {
		return strings.EqualFold(name, long) || strings.EqualFold(name, long[:3])
	})
}

func (e *Event) parseDate(text string) *Error {
	texts := strings.Split(text, "-")
	if len(texts) == 2 {
		texts = append([]string{"*"}, texts...)
	}
	if len(texts) != 3 {
		return &Error{Part: "date", Why: fmt.Sprintf("%q is not [year-]month-day", text)}
	}
	return parseParts(texts, []bounds{years, months, days}, &e.year, &e.month, &e.day)
}

func (e *Event) parseTime(text string) *Error {
	texts := strings.Split(text, ":")
	switch len(texts) {
	case 1:
		texts = []string{"*", texts[0], "0"}
	case 2:
		texts = append(texts, "0")
	case 3:
	default:
		return &Error{Part: "time", Why: fmt.Sprintf("%q is not hours:minutes:seconds", text)}
	}
	return parseParts(texts, []bounds{hours, minutes, seconds}, &e.hour, &e.minute, &e.second)
}

func parseParts(texts []string, limits []bounds, into ...*part) *Error {
	for i, b := range limits {
		var why string
		if *into[i], why = b.parse(texts[i]); why != "" {
			return &Error{Part: b.name, Why: why}
		}
	}
	return nil
}

// parse reads "*", optionally with a step, or a list of values and ranges.
func (b bounds) parse(text string) (part, string) {
	if text == "*" {
		return part{}, ""
	}
	if step, stepped := strings.CutPrefix(text, "*/"); stepped {
		n, why := b.step(step)
		return newPart(b.least, []span{{b.least, unbounded, n}}), why
	}
	var spans []span
	for item := range strings.SplitSeq(text, ",") {
		s, why := b.span(item)
		if why != "" {
			return part{}, why
		}
		spans = append(spans, s)
	}
	return newPart(b.least, spans), ""
}

// span reads a value, a range, or one of them with a step.
func (b bounds) span(text string) (span, string) {
	values, stepText, stepped := strings.Cut(text, "/")
	from, to, isRange := strings.Cut(values, "..")
	s := span{step: 1}
	var why string
	if s.first, why = b.value(from); why != "" {
		return s, why
	}
	s.last = s.first
	if stepped {
		s.last = unbounded
		if s.step, why = b.step(stepText); why != "" {
			return s, why
		}
	}
	if isRange {
		if s.last, why = b.value(to); why != "" {
			return s, why
		}
	}
	if s.last < s.first {
		return s, fmt.Sprintf("the range %s begins after its end", values)
	}
	return s, ""
}

func (b bounds) value(text string) (int, string) {
	switch n, why := number(text); {
	case text == "*":
		return 0, "* cannot be part of a list or range"
	case why != "":
		return 0, why
	case n > b.most:
		return 0, fmt.Sprintf("%s is more than %d", text, b.most)
	case n < b.least:
		return 0, fmt.Sprintf("%s is less than %d", text, b.least)
	default:
		return n, ""
	}
}

func (b bounds) step(text string) (int, string) {
	switch n, why := number(text); {
	case why != "":
		return 0, "step " + why
	case n == 0:
		return 0, "a step of 0 leads nowhere"
	case n > b.most:
		return 0, fmt.Sprintf("a step of %s is more than %d", text, b.most)
	default:
		return n, ""
	}
}

// number reads digits; what has too many of them is out of every range anyway.
func number(text string) (int, string) {
	if text == "" {
		return 0, "a number is missing"
	}
	if strings.Trim(text, "0123456789") != "" {
		return 0, fmt.Sprintf("%q is no number", text)
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		n = unbounded
	}
	return n, ""
}

// never says why an event has no day.
func (e Event) never() *Error {
	anyDay := e
	anyDay.days = everyDay
	if anyDay.comes() {
		return &Error{Part: "weekdays", Why: fmt.Sprintf("no such day is a %s", e.days)}
	}
	return &Error{Part: "date", Why: "there is no such day"}
}
