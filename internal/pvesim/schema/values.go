package schema

import (
	"strconv"
	"strings"
)

// Values are checked parameters in normal form: booleans are "0" or "1", integers plain decimals, arrays joined by NUL;
// everything else stands as it was sent. Absent parameters have no key: defaults are the handlers' business.
type Values map[string]string

// Has reports whether the parameter was sent.
func (v Values) Has(name string) bool { _, ok := v[name]; return ok }

// Str returns the value, "" when absent.
func (v Values) Str(name string) string { return v[name] }

// Bool reports whether the value is "1".
func (v Values) Bool(name string) bool { return v[name] == "1" }

// Int returns the value of an integer, or otherwise when absent.
func (v Values) Int(name string, otherwise int) int {
	n, err := strconv.Atoi(v[name])
	if err != nil {
		return otherwise
	}
	return n
}

// Float returns the value of a number, or otherwise when absent.
func (v Values) Float(name string, otherwise float64) float64 {
	n, err := strconv.ParseFloat(v[name], 64)
	if err != nil {
		return otherwise
	}
	return n
}

// List splits the value of a "-list" format, nil when absent or empty.
func (v Values) List(name string) []string { return SplitList(v[name]) }

// Array returns the elements of an array, nil when absent.
func (v Values) Array(name string) []string {
	if !v.Has(name) {
		return nil
	}
	return strings.Split(v[name], arraySeparator)
}

const arraySeparator = "\x00"

// SplitList splits a list as Proxmox does: at NUL when there is one, otherwise at commas, semicolons and white space,
// any number of them in a row.
func SplitList(list string) []string {
	if strings.Contains(list, "\x00") {
		return strings.Split(strings.TrimRight(list, "\x00"), "\x00")
	}
	return strings.FieldsFunc(list, func(r rune) bool {
		return strings.ContainsRune(",; \t\n\r\f\v", r)
	})
}
