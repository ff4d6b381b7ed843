package ui

import (
	"errors"
	"strings"

	"github.com/hashicorp/go-multierror"

	"github.com/proximity-cli/proximity/internal/diag"
)

// Hinter is an error that knows what a person can do about it.
type Hinter interface {
	error
	Hint() string
}

// Error returns an error as text: the diagnostics that it carries with their
// lines, several errors each on its own.
func Error(err error, sources Sources, st Style) string {
	var list diag.List
	for _, one := range each(err) {
		list = append(list, diagnosticsOf(one)...)
	}
	return Diagnostics(list, sources, st)
}

// each returns the errors that travel as one.
func each(err error) []error {
	if several, ok := errors.AsType[*multierror.Error](err); ok {
		return several.Errors
	}
	return []error{err}
}

// diagnosticsOf returns what an error carries, or a diagnostic made of it.
func diagnosticsOf(err error) diag.List {
	if list, ok := diag.From(err); ok {
		return list
	}
	d := diag.Diagnostic{Summary: strings.TrimSpace(err.Error())}
	if hinted, ok := errors.AsType[Hinter](err); ok {
		d.Hint = hinted.Hint()
	}
	return diag.List{d}
}
