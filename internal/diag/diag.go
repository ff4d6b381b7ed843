// Package diag describes problems to people: what is wrong, where in their
// files, and what they can type or paste to go on. It formats nothing; that is
// the user interface's work.
package diag

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Severity tells how grave a diagnostic is.
type Severity int

// An Error stops the command, a Warning does not, a Note only informs.
const (
	Error Severity = iota
	Warning
	Note
)

// String returns the severity in lower case.
func (s Severity) String() string {
	return [...]string{"error", "warning", "note"}[s]
}

// Diagnostic is one problem. Summary is one short line without a period;
// Detail and Hint may be empty. Hint is a command or an edit that can be
// pasted as it stands.
type Diagnostic struct {
	Severity Severity
	Summary  string
	Detail   string
	Hint     string
	Subject  *hcl.Range // the words that are wrong; nil when no file is to blame
	Context  *hcl.Range // the lines around them, when more than Subject's help
	// Trail lists further places that belong to the problem, in order, such as
	// every edge of a cycle.
	Trail []Place
	// Private is set when the lines of Subject hold a secret: they are named, and
	// not shown.
	Private bool
}

// Place is one further position with what there is to say about it.
type Place struct {
	Text  string
	Range hcl.Range
}

// String returns the diagnostic in one line, with its position.
func (d Diagnostic) String() string {
	text := d.Summary
	if d.Detail != "" {
		text += ": " + d.Detail
	}
	if d.Subject != nil {
		text = fmt.Sprintf("%s:%d,%d: %s", d.Subject.Filename, d.Subject.Start.Line, d.Subject.Start.Column, text)
	}
	return text
}

// List is any number of diagnostics. A nil List is none.
type List []Diagnostic

// Errorf makes an error at subject, which may be nil.
func Errorf(subject *hcl.Range, summary, detail string, args ...any) Diagnostic {
	return Diagnostic{Severity: Error, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: subject}
}

// Warningf makes a warning at subject, which may be nil.
func Warningf(subject *hcl.Range, summary, detail string, args ...any) Diagnostic {
	return Diagnostic{Severity: Warning, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: subject}
}

// Notef makes a note at subject, which may be nil.
func Notef(subject *hcl.Range, summary, detail string, args ...any) Diagnostic {
	return Diagnostic{Severity: Note, Summary: summary, Detail: fmt.Sprintf(detail, args...), Subject: subject}
}

// WithHint returns d with its hint set.
func (d Diagnostic) WithHint(format string, args ...any) Diagnostic {
	d.Hint = fmt.Sprintf(format, args...)
	return d
}

// HasErrors reports whether any diagnostic is an Error.
func (l List) HasErrors() bool {
	return slices.ContainsFunc(l, func(d Diagnostic) bool { return d.Severity == Error })
}

// Err returns nil when the list has no errors, else an error that carries the
// whole list; From gets it back.
func (l List) Err() error {
	if !l.HasErrors() {
		return nil
	}
	return listError(l)
}

type listError List

func (l listError) Error() string {
	var lines []string
	for _, d := range l {
		if d.Severity == Error {
			lines = append(lines, d.String())
		}
	}
	return strings.Join(lines, "\n")
}

// From returns the diagnostics that an error carries, or false when it
// carries none.
func From(err error) (List, bool) {
	var l listError
	ok := errors.As(err, &l)
	return List(l), ok
}

// FromHCL turns the HCL library's diagnostics into ours. Its details often end
// in a suggestion ("Did you mean …?"), which becomes the hint.
func FromHCL(list hcl.Diagnostics) List {
	var out List
	for _, d := range list {
		ours := Diagnostic{Summary: d.Summary, Detail: d.Detail, Subject: d.Subject, Context: d.Context}
		if d.Severity == hcl.DiagWarning {
			ours.Severity = Warning
		}
		if detail, hint, found := strings.Cut(d.Detail, " Did you mean "); found {
			ours.Detail, ours.Hint = detail, "did you mean "+hint
		}
		out = append(out, ours)
	}
	return out
}

// Sort orders the list by severity, then file, then position, and drops exact
// repetitions. It returns the sorted list.
func (l List) Sort() List {
	slices.SortStableFunc(l, func(a, b Diagnostic) int {
		if a.Severity != b.Severity {
			return int(a.Severity) - int(b.Severity)
		}
		return comparePositions(a.Subject, b.Subject)
	})
	return slices.CompactFunc(l, func(a, b Diagnostic) bool {
		return a.String() == b.String() && a.Severity == b.Severity
	})
}

func comparePositions(a, b *hcl.Range) int {
	switch {
	case a == nil && b == nil:
		return 0
	case a == nil:
		return 1
	case b == nil:
		return -1
	case a.Filename != b.Filename:
		return strings.Compare(a.Filename, b.Filename)
	}
	return a.Start.Byte - b.Start.Byte
}
