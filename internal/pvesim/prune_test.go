package pvesim

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Each rule keeps the newest backup of so many periods and leaves out periods that rules before it have covered.
func TestRetentionMarks(t *testing.T) {
	// A backup each day at noon, and one more on the newest day, newest first.
	times := []time.Time{time.Date(2026, 3, 10, 18, 0, 0, 0, time.UTC)}
	for day := range 70 {
		times = append(times, time.Date(2026, 3, 10-day, 12, 0, 0, 0, time.UTC))
	}
	for _, test := range []struct {
		name, keep string
		want       []string // what is kept, as month-day hour
	}{
		{"the last ones", "keep-last=2", []string{"03-10 18", "03-10 12"}},
		{"one an hour", "keep-hourly=2", []string{"03-10 18", "03-10 12"}},
		{"one a day", "keep-daily=2", []string{"03-10 18", "03-09 12"}},
		{"one a week, which ends on Sunday", "keep-weekly=3", []string{"03-10 18", "03-08 12", "03-01 12"}},
		{"one a month", "keep-monthly=3", []string{"03-10 18", "02-28 12", "01-31 12"}},
		{"one a year", "keep-yearly=5", []string{"03-10 18", "12-31 12"}},
		{"days behind the last ones", "keep-last=2,keep-daily=1", []string{"03-10 18", "03-10 12", "03-09 12"}},
		{"weeks behind days", "keep-daily=2,keep-weekly=1", []string{"03-10 18", "03-09 12", "03-08 12"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			var kept []string
			for i, mark := range parseRetention(test.keep).mark(times) {
				if mark == markKeep {
					kept = append(kept, times[i].Format("01-02 15"))
				}
			}
			require.Equal(t, test.want, kept)
		})
	}
}

func TestRetentionWithoutNumbersKeepsAll(t *testing.T) {
	for _, keep := range []string{"", "keep-all=1", "keep-last=0"} {
		require.Equal(t, []string{markKeep}, parseRetention(keep).mark([]time.Time{time.Unix(0, 0)}), keep)
	}
}

func TestCalendarNext(t *testing.T) {
	from := time.Date(2026, 11, 24, 15, 20, 30, 0, time.UTC) // a Tuesday
	for event, want := range map[string]string{
		"minutely":           "2026-11-24 15:21:00",
		"hourly":             "2026-11-24 16:00:00",
		"daily":              "2026-11-25 00:00:00",
		"weekly":             "2026-11-30 00:00:00",
		"monthly":            "2026-12-01 00:00:00",
		"yearly":             "2027-01-01 00:00:00",
		"15:20":              "2026-11-25 15:20:00",
		"15:20:31":           "2026-11-24 15:20:31",
		"*/15":               "2026-11-24 15:30:00",
		"25":                 "2026-11-24 15:25:00",
		"2/2:30":             "2026-11-24 16:30:00",
		"sat":                "2026-11-28 00:00:00",
		"mon..fri 02:30":     "2026-11-25 02:30:00",
		"sat,sun 03:00":      "2026-11-28 03:00:00",
		"sat *-1..7 15:00":   "2026-12-05 15:00:00",
		"mon,wed 8..17:0/30": "2026-11-25 08:00:00",
		"2030-01-01 00:00":   "2030-01-01 00:00:00",
		"*-02-29":            "2028-02-29 00:00:00",
	} {
		t.Run(event, func(t *testing.T) {
			c, err := parseCalendar(event)
			require.NoError(t, err)
			require.Equal(t, want, c.next(from).Format(time.DateTime))
		})
	}
}

func TestCalendarNever(t *testing.T) {
	c, err := parseCalendar("2020-01-01 00:00")
	require.NoError(t, err)
	require.True(t, c.next(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero())
}

func TestNotesTemplates(t *testing.T) {
	vars := map[string]string{"guestname": "web", "vmid": "100"}
	for _, test := range []struct{ template, want, err string }{
		{"{{guestname}} ({{vmid}})", "web (100)", ""},
		{`two\nlines \\o/`, "two\nlines \\o/", ""},
		{"{{nonsense}}", "", "found unknown: variable 'nonsense' at char 4"},
		{"a\nb", "", "contains a line feed"},
	} {
		got, err := expandNotes(test.template, vars)
		if test.err != "" {
			require.EqualError(t, err, test.err)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, test.want, got)
	}
}
