package ui

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/charmbracelet/x/ansi"
)

// Clean returns foreign text on one line: without escape sequences, control
// characters and marks that change the direction of writing.
func Clean(text string) string {
	return strings.Join(strings.Fields(CleanLines(text)), " ")
}

// CleanLines is Clean for text of several lines, whose white space it keeps;
// a tab becomes two spaces.
func CleanLines(text string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' {
			return r
		}
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ReplaceAll(ansi.Strip(text), "\t", "  "))
}

// width returns how many cells text takes up.
func width(text string) int { return ansi.StringWidth(text) }

// cut returns text in at most n cells, with "…" where something was left out.
func cut(text string, n int) string { return ansi.Truncate(text, max(n, 1), "…") }

// pad returns text with spaces after it up to n cells.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-width(text)))
}

// Wrap breaks text at spaces to the width of an output, with an indent before
// each line.
func Wrap(text, indent string, st Style) string { return wrap(text, indent, st.width()) }

// wrap breaks text at spaces so that each line, with its indent, fits into n
// cells. Words that are longer stand on a line of their own, whole: they are
// often paths and commands to copy. Line ends and indents of the text are kept.
func wrap(text, indent string, n int) string {
	var out strings.Builder
	for line := range strings.SplitSeq(strings.TrimRight(text, "\n"), "\n") {
		own := indent + line[:len(line)-len(strings.TrimLeft(line, " "))]
		at := 0
		for _, word := range strings.Fields(line) {
			switch {
			case at == 0:
				out.WriteString(own)
				at = width(own)
			case at+1+width(word) > n:
				out.WriteString("\n" + own)
				at = width(own)
			default:
				out.WriteByte(' ')
				at++
			}
			out.WriteString(word)
			at += width(word)
		}
		out.WriteByte('\n')
	}
	return out.String()
}

// Plural returns "1 change" or "2 changes".
func Plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	if stem, found := strings.CutSuffix(noun, "y"); found {
		return fmt.Sprintf("%d %sies", n, stem)
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// elapsed writes a time as a person would say it: "0.4s", "41s", "2m05s".
func elapsed(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}
