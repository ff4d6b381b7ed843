package proxmox

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// near returns at most five of names, those first that one is most likely to
// have meant by another.
func near(name string, names []string) []string {
	all := slices.Clone(names)
	slices.SortFunc(all, func(a, b string) int {
		return cmp.Or(farness(name, a)-farness(name, b), strings.Compare(a, b))
	})
	all = slices.Compact(all)
	return all[:min(len(all), 5)]
}

// nearest returns the name that one is most likely to have meant, or "".
func nearest(name string, names []string) string {
	if all := near(name, names); len(all) > 0 {
		return all[0]
	}
	return ""
}

// farness is how far a word is from another, or from its beginning: people leave
// out what comes at the end.
func farness(word, other string) int {
	return min(distance(word, other), 1+distance(word, other[:min(len(word), len(other))]))
}

// distance counts the letters to change, add or take away to get from one word
// to another.
func distance(from, to string) int {
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(from) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(to) {
			change := corner
			if from[i] != to[j] {
				change++
			}
			corner = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}

// listed joins names for people.
func listed(names []string) string {
	if len(names) == 0 {
		return "none that can be seen"
	}
	return strings.Join(names, ", ")
}

// choice is what to write instead: the nearest of names.
func choice(attr, name string, names []string) string {
	if other := nearest(name, names); other != "" {
		return fmt.Sprintf("%s = %q", attr, other)
	}
	return "give the token the privileges to see a " + attr + " that fits, or make one"
}
