package calendar

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // which zones exist must not depend on the machine

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "rewrite the tables of docs/calendar.md")

const document = "../../docs/calendar.md"

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	require.NoError(t, err)
	return loc
}

// The tables of docs/calendar.md are what the code says: the next runs after
// the time that the head of the table names, and what is said of mistakes.
func TestDocument(t *testing.T) {
	raw, err := os.ReadFile(document)
	require.NoError(t, err)
	after := time.Date(2026, time.March, 27, 12, 0, 0, 0, zone(t, "Europe/Berlin"))
	require.Contains(t, string(raw), "after "+after.Format("Mon 2006-01-02 15:04")+" in Berlin")
	row := regexp.MustCompile("(?m)^\\| `([^`]*)` \\|.*$")
	seen := map[string]bool{}
	text := row.ReplaceAllStringFunc(string(raw), func(line string) string {
		text := row.FindStringSubmatch(line)[1]
		require.False(t, seen[text], "%q is there twice", text)
		seen[text] = true
		return documented(text, after)
	})
	require.Greater(t, len(seen), 35)
	if *update {
		require.NoError(t, os.WriteFile(document, []byte(text), 0o644))
		raw = []byte(text)
	}
	require.Equal(t, text, string(raw), "docs/calendar.md says something else than the code: run make golden")
}

func documented(text string, after time.Time) string {
	e, err := Parse(text)
	var wrong *Error
	if errors.As(err, &wrong) {
		return fmt.Sprintf("| `%s` | %s |", text, wrong.Reason())
	}
	var runs []string
	for len(runs) < 3 {
		next, more := e.Next(after)
		if !more {
			runs = append(runs, "none")
			break
		}
		runs = append(runs, next.Format("Mon 2006-01-02 15:04:05 MST"))
		after = next
	}
	return fmt.Sprintf("| `%s` | `%s` | %s |", text, e, strings.Join(runs, ", "))
}

// What a real node takes (recordings job-schedules and job-crud) is taken.
func TestParseTakesWhatANodeTakes(t *testing.T) {
	for _, text := range []string{"*-*-* 02:00", "02:30", "daily", "hourly", "weekly", "mon,wed 4:05", "*/15", "sun 01:00:30",
		"2030-01-01 00:00", "mon,fri 03:15", "mon..fri 02:30", "sat 03:00"} {
		_, err := Parse(text)
		require.NoError(t, err)
	}
}

// An error names the text, the part and the reason.
func TestParseTellsWhatIsWrong(t *testing.T) {
	_, err := Parse("mon 25:00")
	require.EqualError(t, err, `calendar event "mon 25:00": hours: 25 is more than 23`)
	_, err = Parse("")
	require.EqualError(t, err, `calendar event "": it is empty`)
}

// The usual form is read back as the same event, whatever the first was.
func TestStringIsReadBack(t *testing.T) {
	for _, text := range []string{"daily", "hourly", "minutely", "weekly", "monthly", "quarterly", "semi-annually", "annually",
		"Monday,tue..THU 5/2:0", "fri..mon", "*:*:*/7", "2030..2040/2-02-28", "*-1..7,20 10,5:8,4", "02:30 UTC", "7"} {
		first, err := Parse(text)
		require.NoError(t, err)
		second, err := Parse(first.String())
		require.NoError(t, err, first.String())
		require.Equal(t, first, second, text)
	}
}

// Next is what walking through all seconds would find, also where clocks are
// changed: at night, at midnight, by half an hour.
func TestNextIsTheFirstSecondThatMatches(t *testing.T) {
	for _, c := range []struct{ zone, from string }{
		{"UTC", "2027-12-31 22:00"},
		{"Europe/Berlin", "2026-03-28 23:00"},       // 02:00 to 03:00 is left out
		{"Europe/Berlin", "2026-10-24 23:00"},       // and shown twice
		{"Australia/Lord_Howe", "2026-04-04 20:00"}, // by half an hour
		{"Australia/Lord_Howe", "2026-10-03 20:00"},
		{"America/Sao_Paulo", "2018-11-03 20:00"}, // midnight is left out
		{"Atlantic/Azores", "2026-10-24 20:00"},   // midnight is shown twice
		{"America/Havana", "2026-10-31 20:00"},
		{"Asia/Amman", "2021-10-28 20:00"},
	} {
		loc := zone(t, c.zone)
		from, err := time.ParseInLocation("2006-01-02 15:04", c.from, loc)
		require.NoError(t, err)
		for _, text := range []string{"02:30", "*:0/20", "0", "daily", "sun 2:*/15:30", "0:30", "fri,sun *:0/30", "01:59:59", "*:*:0/30"} {
			e, err := Parse(text)
			require.NoError(t, err)
			at := from
			for at.Before(from.Add(9 * time.Hour)) {
				want := at.Add(time.Second)
				for !matches(e, want) {
					want = want.Add(time.Second)
				}
				next, more := e.Next(at)
				require.True(t, more)
				require.Equal(t, want, next, "%s in %s after %s", text, c.zone, at)
				at = next
			}
		}
	}
}

func matches(e Event, t time.Time) bool {
	year, month, day := t.Date()
	return e.days.has(t.Weekday()) && e.year.has(year) && e.month.has(int(month)) && e.day.has(day) &&
		e.hour.has(t.Hour()) && e.minute.has(t.Minute()) && e.second.has(t.Second())
}

// What is over never happens again, and what is rare is found all the same.
func TestNextFarAway(t *testing.T) {
	now := time.Date(2026, time.July, 1, 0, 0, 0, 0, time.UTC)
	over, err := Parse("2026-06-30 23:59:59")
	require.NoError(t, err)
	_, more := over.Next(now)
	require.False(t, more)
	rare, err := Parse("sun 02-29 04:00")
	require.NoError(t, err)
	next, more := rare.Next(now)
	require.True(t, more)
	require.Equal(t, time.Date(2032, time.February, 29, 4, 0, 0, 0, time.UTC), next)
}

// Whatever is read is read back alike, and its next run is one of its own.
func FuzzEvent(f *testing.F) {
	for _, text := range []string{"02:30", "mon..fri 22:30", "sat *-1..7 15:00", "*/15", "semi-annually", "2030-02-29", "fri..mon 5/2:0 UTC",
		"0..59/7", "*-*-* *:*:*", "-", ":", ",..,/"} {
		f.Add(text)
	}
	after := time.Date(2026, time.March, 28, 23, 0, 0, 0, zone(f, "Europe/Berlin"))
	f.Fuzz(func(t *testing.T, text string) {
		e, err := Parse(text)
		if err != nil {
			var wrong *Error
			require.ErrorAs(t, err, &wrong)
			require.NotEmpty(t, wrong.Why)
			return
		}
		again, err := Parse(e.String())
		require.NoError(t, err, e.String())
		require.Equal(t, e, again)
		if next, more := e.Next(after); more {
			require.True(t, next.After(after))
			require.True(t, matches(e, next), "%s at %s", e, next)
		}
	})
}
