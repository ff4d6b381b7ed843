package config

import "github.com/zclconf/go-cty/cty"

// nearest returns the candidate that a mistyped name most likely means, or ""
// when none is near. The more letters the more mistakes are forgiven.
func nearest(name string, candidates []string) string {
	best, at := "", 1+min(len(name)/3, 3)
	for _, candidate := range candidates {
		if d := distance(name, candidate); d <= at && d < max(len(name), 2) && (best == "" || d < at) {
			best, at = candidate, d
		}
	}
	return best
}

// distance counts how many letters have to be put in, taken out, replaced or
// exchanged with their neighbour to make a of b.
func distance(a, b string) int {
	before, row := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	var twoBefore []int
	for i := 1; i <= len(a); i++ {
		twoBefore, before, row = before, row, make([]int, len(b)+1)
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(before[j]+1, row[j-1]+1, before[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], twoBefore[j-2]+1)
			}
		}
	}
	return row[len(b)]
}

// inWords names a type as people say it: "a list of strings".
func inWords(t cty.Type) string {
	switch {
	case t == cty.String:
		return "a string"
	case t == cty.Number:
		return "a number"
	case t == cty.Bool:
		return "true or false"
	case t.IsListType():
		return "a list of " + plural(t.ElementType())
	case t.IsSetType():
		return "a set of " + plural(t.ElementType())
	case t.IsMapType():
		return "a map of " + plural(t.ElementType())
	case t.IsTupleType():
		return "a list"
	case t.IsObjectType():
		return "an object"
	}
	return "any value"
}

func plural(t cty.Type) string {
	switch {
	case t == cty.String:
		return "strings"
	case t == cty.Number:
		return "numbers"
	case t == cty.Bool:
		return "true or false"
	case t.IsObjectType():
		return "objects"
	case t.IsListType() || t.IsSetType() || t.IsTupleType():
		return "lists"
	case t.IsMapType():
		return "maps"
	}
	return "values"
}
