// Package calendar reads the calendar events that Proxmox runs jobs by, such
// as "mon..fri 22:30", and tells when they happen. It owns their grammar and
// their meaning, which are those of proxmox-time: systemd.time without
// fractions of seconds, "~" and names of time zones. It knows no clock: whoever
// asks says after which time.
//
// The words: an event is the whole expression, a part of it one of weekdays,
// year, month, day, hours, minutes and seconds.
package calendar

import (
	"strings"
	"time"
)

// Event is a calendar event. Every part matches on its own, and the event
// happens in each second that all of them match. The zero Event is none; Parse
// makes one.
type Event struct {
	days                 weekdays
	year, month, day     part
	hour, minute, second part
	utc                  bool
}

// lastYear is the last one that Proxmox takes.
const lastYear = 2199

// Next returns the first time after another at which the event happens, in the
// other's location or, when the event says UTC, in UTC; false when there is
// none up to the year 2199. It goes by what the clock shows, as Proxmox does:
// what falls into an hour that the clock leaves out does not happen on that
// day, and what falls into one that it shows twice happens twice.
func (e Event) Next(after time.Time) (time.Time, bool) {
	if e.utc {
		after = after.UTC()
	}
	t := after.Truncate(time.Second).Add(time.Second)
	for t.Year() <= lastYear {
		year, month, day := t.Date()
		switch {
		case !e.year.has(year):
			t = startOf(t, year+1, time.January, 1)
		case !e.month.has(int(month)):
			t = startOf(t, year, month+1, 1)
		case !e.day.has(day) || !e.days.has(t.Weekday()):
			t = startOf(t, year, month, day+1)
		case !e.hour.has(t.Hour()):
			t = t.Add(time.Hour - time.Duration(t.Minute())*time.Minute - time.Duration(t.Second())*time.Second)
		case !e.minute.has(t.Minute()):
			t = t.Add(time.Minute - time.Duration(t.Second())*time.Second)
		case !e.second.has(t.Second()):
			t = t.Add(time.Second)
		default:
			return t, true
		}
	}
	return time.Time{}, false
}

// startOf returns the first moment of a day that comes after t, in t's
// location. Where the clock shows midnight twice it is the first of both; where
// it leaves midnight out it may be an hour before the day, but is after t.
func startOf(t time.Time, year int, month time.Month, day int) time.Time {
	wall := time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
	start := time.Date(year, month, day, 0, 0, 0, 0, t.Location())
	_, offset := wall.Add(-26 * time.Hour).In(t.Location()).Zone() // as it was the day before
	if early := wall.Add(-time.Duration(offset) * time.Second).In(t.Location()); early.Before(start) && early.Day() == wall.Day() {
		start = early
	}
	if !start.After(t) {
		start = t.Add(time.Hour).Truncate(time.Minute)
	}
	return start
}

// String returns the event in its usual form: weekdays, date and time, without
// a date that is every day. Parse reads it back as the same event.
func (e Event) String() string {
	var words []string
	if e.days != everyDay {
		words = append(words, e.days.String())
	}
	if !e.year.isAny() || !e.month.isAny() || !e.day.isAny() {
		words = append(words, e.year.text(4)+"-"+e.month.text(2)+"-"+e.day.text(2))
	}
	clock := e.hour.text(2) + ":" + e.minute.text(2)
	if seconds := e.second.text(2); seconds != "00" {
		clock += ":" + seconds
	}
	words = append(words, clock)
	if e.utc {
		words = append(words, "UTC")
	}
	return strings.Join(words, " ")
}

// comes reports whether any day is one of the event's. Without a year only the
// date counts: every date falls on every weekday some time.
func (e Event) comes() bool {
	first, last := 2000, 2000 // a leap year
	if !e.year.isAny() {
		first, last = firstYear, lastYear
	}
	for year := first; year <= last; year++ {
		if !e.year.has(year) {
			continue
		}
		for day := time.Date(year, time.January, 1, 0, 0, 0, 0, time.UTC); day.Year() == year; day = day.AddDate(0, 0, 1) {
			onWeekday := e.year.isAny() || e.days.has(day.Weekday())
			if onWeekday && e.month.has(int(day.Month())) && e.day.has(day.Day()) {
				return true
			}
		}
	}
	return false
}
