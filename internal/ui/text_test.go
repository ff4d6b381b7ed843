package ui

import (
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/stretchr/testify/require"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                     "plain",
		"two\nlines":                "two lines",
		"\x1b]0;title\x07bell":      "bell",
		"\x1b[2J\x1b[31mred\x1b[0m": "red",
		"carriage\rreturn":          "carriagereturn",
		"right \u202eto left":       "right to left",
		"broken \xff utf-8":         "broken utf-8",
		"tab\tbed":                  "tab bed",
		"\u009b31m one-byte CSI":    "31m one-byte CSI",
		"unfinished \x1b[31":        "unfinished",
	} {
		require.Equal(t, want, Clean(in), "%q", in)
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mx\u202e\xff\x9b")
	f.Fuzz(func(t *testing.T, text string) {
		for _, r := range Clean(text) {
			require.False(t, unicode.IsControl(r), "%q leaves %q", text, r)
		}
	})
}

func TestWrap(t *testing.T) {
	require.Equal(t, "  one two\n  three\n", wrap("one two three", "  ", 10))
	require.Equal(t, "  a\n  /a/path/longer/than/the/line\n", wrap("a /a/path/longer/than/the/line", "  ", 10))
	require.Equal(t, "a\n  b\n", wrap("a\n  b\n", "", 10), "line ends and indents are kept")
}

func TestArrowShowsWhereLongValuesDiffer(t *testing.T) {
	same := strings.Repeat("same ", 40)
	text := arrow(same+"left", same+"right", 40)
	require.Contains(t, text, "left")
	require.Contains(t, text, "right")
	require.LessOrEqual(t, width(text), 40+40+3)
}

func TestElapsed(t *testing.T) {
	for d, want := range map[time.Duration]string{
		400 * time.Millisecond: "0.4s", 41 * time.Second: "41s", 125 * time.Second: "2m05s", 3661 * time.Second: "1h01m",
	} {
		require.Equal(t, want, elapsed(d))
	}
}

func TestColourOnlyWhereItIsWanted(t *testing.T) {
	for _, c := range []struct {
		name    string
		env     map[string]string
		capable bool
		want    bool
	}{
		{"terminal", nil, true, true},
		{"pipe", nil, false, false},
		{"NO_COLOR", map[string]string{"NO_COLOR": "1"}, true, false},
		{"NO_COLOR empty", map[string]string{"NO_COLOR": ""}, true, true},
		{"forced on a pipe", map[string]string{"CLICOLOR_FORCE": "1"}, false, true},
		{"forced with 0", map[string]string{"CLICOLOR_FORCE": "0"}, false, false},
		{"NO_COLOR beats force", map[string]string{"NO_COLOR": "1", "CLICOLOR_FORCE": "1"}, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			lookup := func(name string) (string, bool) { v, ok := c.env[name]; return v, ok }
			require.Equal(t, c.want, wantsColour(lookup, c.capable))
		})
	}
	forced := func(string) (string, bool) { return "1", true }
	require.False(t, NewStream(&strings.Builder{}, forced, true).Style().Colour, "--no-color beats everything")
}
