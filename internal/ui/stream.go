// Package ui shows things to people: diagnostics with the lines they are
// about, plans as text, JSON and Markdown, and the progress of an apply. It
// decides nothing and asks nothing. Rendering is pure, from a value and a
// Style to text; only Stream knows of terminals.
//
// Whatever comes from files, hosts and guests is foreign text: it is stripped
// of control and escape characters before it is shown.
package ui

import (
	"io"
	"os"

	"golang.org/x/term"
)

// defaultWidth is taken where no terminal tells its own.
const defaultWidth = 80

// Style says what text may look like. The zero Style has no colour and the
// default width.
type Style struct {
	Colour bool
	Width  int // cells in a line; 0: the default
}

// Stream is one of the program's outputs.
type Stream struct {
	io.Writer
	file   *os.File // nil when it is no terminal
	colour bool
}

// NewStream finds out what can be shown on w. The environment, which lookup
// reads, may forbid colour (NO_COLOR, TERM=dumb) or ask for it where there is
// no terminal (CLICOLOR_FORCE); plain forbids it whatever that says.
func NewStream(w io.Writer, lookup func(string) (string, bool), plain bool) *Stream {
	s := &Stream{Writer: w}
	kind, _ := lookup("TERM")
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		s.file = f
	}
	s.colour = !plain && wantsColour(lookup, s.file != nil && kind != "dumb")
	if kind == "dumb" {
		s.file = nil
	}
	return s
}

// wantsColour follows no-color.org and bixense.com/clicolors: a variable counts
// when it is not empty.
func wantsColour(lookup func(string) (string, bool), capable bool) bool {
	if v, _ := lookup("NO_COLOR"); v != "" {
		return false
	}
	if v, _ := lookup("CLICOLOR_FORCE"); v != "" && v != "0" {
		return true
	}
	return capable
}

// Terminal reports whether lines can be redrawn on the stream.
func (s *Stream) Terminal() bool { return s.file != nil }

// Style returns what text for the stream may look like, at this moment.
func (s *Stream) Style() Style {
	width, _ := s.size()
	return Style{Colour: s.colour, Width: width}
}

// size returns the cells in a line and the lines on the screen, at this moment.
func (s *Stream) size() (width, height int) {
	if s.file != nil {
		if w, h, err := term.GetSize(int(s.file.Fd())); err == nil && w > 0 && h > 0 {
			return w, h
		}
	}
	return defaultWidth, 24
}

func (st Style) width() int {
	if st.Width <= 0 {
		return defaultWidth
	}
	return st.Width
}

// look is how a piece of text looks: the parameters of an SGR sequence.
type look string

const (
	bold    look = "1"
	dim     look = "2"
	red     look = "31"
	green   look = "32"
	yellow  look = "33"
	magenta look = "35"
	blue    look = "34"
	danger  look = "1;31"
)

// paint returns text in a look, or as it is when there is no colour.
func (st Style) paint(l look, text string) string {
	if !st.Colour || text == "" {
		return text
	}
	return "\x1b[" + string(l) + "m" + text + "\x1b[0m"
}
