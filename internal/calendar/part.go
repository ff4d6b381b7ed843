package calendar

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// part is one part of a date or time: the values it matches, in the order of
// their beginning. Without spans it matches everything.
type part struct {
	spans []span
	least int // the lowest value there is
}

// span is every step-th value from first to last, both included. A single value
// is a span of one.
type span struct{ first, last, step int }

func (p part) isAny() bool { return len(p.spans) == 0 }

func (p part) has(n int) bool {
	return p.isAny() || slices.ContainsFunc(p.spans, func(s span) bool {
		return n >= s.first && n <= s.last && (n-s.first)%s.step == 0
	})
}

// text writes the part, with numbers of at least so many digits.
func (p part) text(digits int) string {
	if p.isAny() {
		return "*"
	}
	var all []string
	for _, s := range p.spans {
		text := fmt.Sprintf("%0*d", digits, s.first)
		switch {
		case s.first == p.least && s.last == unbounded && len(p.spans) == 1:
			text = "*"
		case s.last != s.first && s.last != unbounded:
			text += fmt.Sprintf("..%0*d", digits, s.last)
		}
		if s.step > 1 || s.last == unbounded {
			text += fmt.Sprintf("/%d", s.step)
		}
		all = append(all, text)
	}
	return strings.Join(all, ",")
}

// unbounded is the end of a span that goes on as far as there are values.
const unbounded = 1 << 30

// newPart returns the part with its spans in order and without repetition.
func newPart(least int, spans []span) part {
	for i, s := range spans {
		if s.first == s.last {
			spans[i].step = 1
		}
	}
	slices.SortFunc(spans, func(a, b span) int {
		return cmp.Or(a.first-b.first, a.last-b.last, a.step-b.step)
	})
	return part{slices.Compact(spans), least}
}

// only returns the part that matches just these values.
func only(least int, values ...int) part {
	var spans []span
	for _, n := range values {
		spans = append(spans, span{n, n, 1})
	}
	return newPart(least, spans)
}

// weekdays has a bit for each day, Monday first.
type weekdays uint8

const everyDay weekdays = 1<<7 - 1

var dayNames = [7]string{"mon", "tue", "wed", "thu", "fri", "sat", "sun"}

func (w weekdays) has(day time.Weekday) bool { return w&(1<<((day+6)%7)) != 0 }

// between returns the days from one to another; sat..mon goes over the weekend.
func between(first, last int) weekdays {
	days := weekdays(0)
	for d := first; ; d = (d + 1) % 7 {
		days |= 1 << d
		if d == last {
			return days
		}
	}
}

// String lists the days, three and more in a row as a range.
func (w weekdays) String() string {
	var all []string
	for first := 0; first < 7; first++ {
		last := first
		for last < 7 && w&(1<<last) != 0 {
			last++
		}
		switch n := last - first; {
		case n > 2:
			all = append(all, dayNames[first]+".."+dayNames[last-1])
		default:
			all = append(all, dayNames[first:last]...)
		}
		first = last
	}
	return strings.Join(all, ",")
}
