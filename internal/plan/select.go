package plan

import (
	"slices"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// choose returns which addresses a selection takes in. With targets these are
// the targets and all they need; for a destroy, all that needs them. What is
// excluded takes with it all that needs it, or for a destroy all it needs.
func choose(s Selection, desired map[addr.Addr]resource.Resource, prior map[addr.Addr]resource.Object) func(addr.Addr) bool {
	if len(s.Targets) == 0 && len(s.Exclude) == 0 {
		return func(addr.Addr) bool { return true }
	}
	needs, neededBy := map[addr.Addr][]addr.Addr{}, map[addr.Addr][]addr.Addr{}
	link := func(a addr.Addr, on []addr.Addr) {
		needs[a] = append(needs[a], on...)
		for _, n := range on {
			neededBy[n] = append(neededBy[n], a)
		}
	}
	for a, r := range desired {
		link(a, r.Needs)
	}
	for a, o := range prior {
		if _, wanted := desired[a]; !wanted {
			link(a, o.Needs)
		}
	}
	with, without := needs, neededBy
	if s.Destroy {
		with, without = neededBy, needs
	}
	all := append(sorted(desired), sorted(prior)...)
	in := closure(all, s.Targets, with)
	out := closure(all, s.Exclude, without)
	return func(a addr.Addr) bool { return (len(s.Targets) == 0 || in[a]) && !out[a] }
}

// closure returns what of all the patterns mean, and all that next leads to.
func closure(all, patterns []addr.Addr, next map[addr.Addr][]addr.Addr) map[addr.Addr]bool {
	found := map[addr.Addr]bool{}
	var visit func(a addr.Addr)
	visit = func(a addr.Addr) {
		if !found[a] {
			found[a] = true
			for _, n := range next[a] {
				visit(n)
			}
		}
	}
	for _, a := range all {
		if includes(patterns, a) {
			visit(a)
		}
	}
	return found
}

// includes reports whether one of the patterns is a, or the block of which a
// is an instance.
func includes(patterns []addr.Addr, a addr.Addr) bool {
	return slices.Contains(patterns, a) || slices.Contains(patterns, a.Block())
}

// Unmatched returns the patterns of a selection that mean nothing that is
// wanted or recorded.
func (s Selection) Unmatched(desired []resource.Resource, prior map[addr.Addr]resource.Object) []addr.Addr {
	exists := map[addr.Addr]bool{}
	for _, r := range desired {
		exists[r.Addr], exists[r.Addr.Block()] = true, true
	}
	for a := range prior {
		exists[a], exists[a.Block()] = true, true
	}
	var unmatched []addr.Addr
	for _, a := range slices.Concat(s.Targets, s.Exclude, s.Replace) {
		if !exists[a] {
			unmatched = append(unmatched, a)
		}
	}
	return unmatched
}
