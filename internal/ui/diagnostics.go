package ui

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/charmbracelet/x/ansi"
	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/diag"
)

// Sources returns the content of a file that a range names, or nil when it is
// not known. A nil Sources knows none.
type Sources func(filename string) []byte

// Diagnostics returns the list as text, one paragraph each: summary, the lines
// that it is about with the words underlined, detail, further places, hint.
func Diagnostics(list diag.List, sources Sources, st Style) string {
	var b strings.Builder
	for i, d := range list {
		if i > 0 {
			b.WriteByte('\n')
		}
		writeDiagnostic(&b, d, sources, st)
	}
	return b.String()
}

func writeDiagnostic(b *strings.Builder, d diag.Diagnostic, sources Sources, st Style) {
	l := [...]look{diag.Error: danger, diag.Warning: yellow, diag.Note: blue}[d.Severity]
	n := min(st.width(), 100)
	if d.Private {
		sources = nil
	}
	b.WriteString(st.paint(l, d.Severity.String()+":") + " " + st.paint(bold, Clean(d.Summary)) + "\n") // one line, for grep
	if d.Subject != nil {
		writePlace(b, "", *d.Subject, l, sources, st)
	}
	if detail := CleanLines(d.Detail); strings.TrimSpace(detail) != "" {
		b.WriteString(wrap(detail, "  ", n))
	}
	for _, p := range d.Trail {
		writePlace(b, Clean(p.Text), p.Range, l, sources, st)
	}
	if d.Hint != "" {
		hint := strings.TrimRight(CleanLines(d.Hint), "\n")
		b.WriteString("  " + st.paint(green, "hint:") + " " + strings.ReplaceAll(hint, "\n", "\n        ") + "\n")
	}
}

// writePlace writes where something is, and the line itself.
func writePlace(b *strings.Builder, text string, r hcl.Range, l look, sources Sources, st Style) {
	if text != "" {
		text += ", "
	}
	fmt.Fprintf(b, "  %sat %s:%d:%d\n", text, Clean(r.Filename), r.Start.Line, r.Start.Column)
	if sources == nil {
		return
	}
	before, marked, after, ok := split(sources(r.Filename), r)
	if !ok {
		return
	}
	number := strconv.Itoa(r.Start.Line)
	blank := strings.Repeat(" ", len(number))
	before, marked, after = window(before, marked, after, max(st.width()-len(number)-5, 20))
	carets := strings.Repeat("^", max(1, width(marked)))
	fmt.Fprintf(b, "  %s %s%s%s\n", st.paint(dim, number+" │"), before, st.paint(bold, marked), after)
	fmt.Fprintf(b, "  %s %s%s\n", st.paint(dim, blank+" │"), strings.Repeat(" ", width(before)), st.paint(l, carets))
}

// split divides the line that a range begins in into what stands before the
// range, in it and after it. A range that goes on in later lines ends, for
// this purpose, with its first one.
func split(src []byte, r hcl.Range) (before, marked, after string, ok bool) {
	if src == nil || r.Start.Byte > len(src) || r.End.Byte < r.Start.Byte {
		return "", "", "", false
	}
	start := bytes.LastIndexByte(src[:r.Start.Byte], '\n') + 1
	end := len(src)
	if n := bytes.IndexByte(src[r.Start.Byte:], '\n'); n >= 0 {
		end = r.Start.Byte + n
	}
	markEnd := min(r.End.Byte, end)
	line := masked(src[start:end])
	text := func(from, to int) string { return CleanLines(string(line[from-start : to-start])) }
	return text(start, r.Start.Byte), text(r.Start.Byte, markEnd), text(markEnd, end), true
}

// secretText finds the text that is assigned to a name that tells of a secret,
// and openName the names of that kind that tell of none.
var (
	secretText = regexp.MustCompile(`(?i)((?:secret|password|passphrase|token|key)\w*)"?\s*[=:]\s*"([^"]+)"`)
	openName   = regexp.MustCompile(`(?i)_(?:id|file)$`)
)

// masked returns a line of a file with secrets that somebody wrote into it
// made unreadable, byte by byte. Names of variables go as well.
func masked(line []byte) []byte {
	line = bytes.Clone(line)
	for _, found := range secretText.FindAllSubmatchIndex(line, -1) {
		if openName.Match(line[found[2]:found[3]]) {
			continue
		}
		for i := found[4]; i < found[5]; i++ {
			line[i] = '*'
		}
	}
	return line
}

// window cuts a long line so that its marked part can be seen in room cells.
func window(before, marked, after string, room int) (string, string, string) {
	if width(before)+width(marked)+width(after) <= room {
		return before, marked, after
	}
	marked = cut(marked, room/2)
	if lead := room / 4; width(before) > lead {
		before = "…" + ansi.TruncateLeft(before, width(before)-lead, "")
	}
	if left := room - width(before) - width(marked); width(after) > left {
		after = cut(after, left)
	}
	return before, marked, after
}
