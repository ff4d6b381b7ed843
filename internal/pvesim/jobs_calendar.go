package pvesim

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// calendar is a calendar event: the times at which all of its sets match. A nil set matches everything.
type calendar struct {
	weekdays               map[time.Weekday]bool
	years, months, days    map[int]bool
	hours, minutes, second map[int]bool
}

// calendarWords are the events that have a name.
func calendarWords() map[string]string {
	return map[string]string{
		"minutely": "*:*", "hourly": "*:00", "daily": "00:00", "weekly": "mon 00:00", "monthly": "*-*-01 00:00",
		"quarterly": "*-01,04,07,10-01 00:00", "semiannually": "*-01,07-01 00:00", "semi-annually": "*-01,07-01 00:00",
		"yearly": "*-01-01 00:00", "annually": "*-01-01 00:00",
	}
}

// parseCalendar reads "[weekdays] [[year-]month-day] [time]", or a word. The schema has checked it; what is wrong all the
// same is an error.
func parseCalendar(text string) (calendar, error) {
	if plain, ok := calendarWords()[strings.ToLower(strings.TrimSpace(text))]; ok {
		text = plain
	}
	var c calendar
	var err error
	parts := strings.Fields(text)
	if len(parts) > 0 && parts[0][0] != '*' && (parts[0][0] < '0' || parts[0][0] > '9') {
		if c.weekdays, err = parseWeekdays(parts[0]); err != nil {
			return c, fmt.Errorf("calendar event %q: %w", text, err)
		}
		parts = parts[1:]
	}
	if len(parts) > 0 && strings.Contains(parts[0], "-") {
		if err := c.parseDate(parts[0]); err != nil {
			return c, fmt.Errorf("calendar event %q: %w", text, err)
		}
		parts = parts[1:]
	}
	clock := "00:00"
	if len(parts) > 0 {
		clock = parts[0]
	}
	if err := c.parseClock(clock); err != nil {
		return c, fmt.Errorf("calendar event %q: %w", text, err)
	}
	return c, nil
}

func parseWeekdays(text string) (map[time.Weekday]bool, error) {
	days := []string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}
	number := func(name string) int { return slices.Index(days, strings.ToLower(name[:min(3, len(name))])) }
	set := map[time.Weekday]bool{}
	for item := range strings.SplitSeq(text, ",") {
		first, last, ranged := strings.Cut(item, "..")
		if !ranged {
			last = first
		}
		from, to := number(first), number(last)
		if from < 0 || to < from {
			return nil, fmt.Errorf("weekday %q", item)
		}
		for d := from; d <= to; d++ {
			set[time.Weekday((d+1)%7)] = true
		}
	}
	return set, nil
}

func (c *calendar) parseDate(text string) error {
	parts := strings.Split(text, "-")
	if len(parts) == 2 {
		parts = append([]string{"*"}, parts...)
	}
	if len(parts) != 3 {
		return fmt.Errorf("date %q", text)
	}
	return parseSets(parts, []span{{1970, 2199}, {1, 12}, {1, 31}}, &c.years, &c.months, &c.days)
}

// parseClock reads hours:minutes[:seconds]. A time without a colon is minutes of every hour.
func (c *calendar) parseClock(text string) error {
	parts := strings.Split(text, ":")
	if len(parts) == 1 {
		parts = []string{"*", parts[0]}
	}
	if len(parts) == 2 {
		parts = append(parts, "0")
	}
	if len(parts) != 3 {
		return fmt.Errorf("time %q", text)
	}
	return parseSets(parts, []span{{0, 23}, {0, 59}, {0, 59}}, &c.hours, &c.minutes, &c.second)
}

// span is the range of a part of a date or time.
type span struct{ least, most int }

func parseSets(parts []string, spans []span, sets ...*map[int]bool) error {
	for i, part := range parts {
		set, err := spans[i].parse(part)
		if err != nil {
			return err
		}
		*sets[i] = set
	}
	return nil
}

// parse reads a list of values, ranges a..b and steps a/n; nil when it is "*".
func (s span) parse(text string) (map[int]bool, error) {
	if text == "*" {
		return nil, nil
	}
	set := map[int]bool{}
	for item := range strings.SplitSeq(text, ",") {
		values, stepText, stepped := strings.Cut(item, "/")
		first, lastText, ranged := strings.Cut(values, "..")
		from, err := strconv.Atoi(first)
		if first == "*" {
			from, err = s.least, nil
		}
		last, step := from, 1
		if err == nil && ranged {
			last, err = strconv.Atoi(lastText)
		}
		if err == nil && stepped {
			step, err = strconv.Atoi(stepText)
			if !ranged {
				last = s.most
			}
		} else if first == "*" {
			last = s.most
		}
		if err != nil || step < 1 || from < s.least || last > s.most {
			return nil, fmt.Errorf("value %q", item)
		}
		for n := from; n <= last; n += step {
			set[n] = true
		}
	}
	return set, nil
}

func has(set map[int]bool, n int) bool { return set == nil || set[n] }

// next is the first time after another at which the event happens, zero when there is none within ten years.
func (c calendar) next(after time.Time) time.Time {
	from := after.UTC().Truncate(time.Second).Add(time.Second)
	day := time.Date(from.Year(), from.Month(), from.Day(), 0, 0, 0, 0, time.UTC)
	for range 3660 {
		if c.onDay(day) {
			if at, ok := c.within(day, from); ok {
				return at
			}
		}
		day = day.AddDate(0, 0, 1)
	}
	return time.Time{}
}

func (c calendar) onDay(day time.Time) bool {
	return (c.weekdays == nil || c.weekdays[day.Weekday()]) && has(c.years, day.Year()) && has(c.months, int(day.Month())) &&
		has(c.days, day.Day())
}

// within finds the first matching time of a day that is not before a time.
func (c calendar) within(day, from time.Time) (time.Time, bool) {
	for h := range 24 {
		if !has(c.hours, h) || day.Add(time.Duration(h+1)*time.Hour).Before(from) {
			continue
		}
		for m := range 60 {
			if !has(c.minutes, m) {
				continue
			}
			for s := range 60 {
				at := day.Add(time.Duration(h)*time.Hour + time.Duration(m)*time.Minute + time.Duration(s)*time.Second)
				if has(c.second, s) && !at.Before(from) {
					return at, true
				}
			}
		}
	}
	return time.Time{}, false
}
