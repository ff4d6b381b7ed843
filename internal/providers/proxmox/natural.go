package proxmox

import (
	"cmp"
	"strings"
)

// naturalLess compares names with the numbers in them by value: 12.2 comes
// before 12.10.
func naturalLess(a, b string) bool {
	for a != "" && b != "" {
		partA, partB := leadingRun(a), leadingRun(b)
		if c := compareRuns(partA, partB); c != 0 {
			return c < 0
		}
		a, b = a[len(partA):], b[len(partB):]
	}
	return a == "" && b != ""
}

func compareRuns(a, b string) int {
	if isDigit(a[0]) && isDigit(b[0]) {
		a, b = strings.TrimLeft(a, "0"), strings.TrimLeft(b, "0")
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	}
	return cmp.Compare(a, b)
}

func isDigit(c byte) bool { return c >= '0' && c <= '9' }

// leadingRun returns the digits, or the other characters, that a name begins
// with.
func leadingRun(text string) string {
	n := 1
	for n < len(text) && isDigit(text[n]) == isDigit(text[0]) {
		n++
	}
	return text[:n]
}
