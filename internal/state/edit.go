package state

import (
	"fmt"
	"maps"
	"slices"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// ErrUnknown is the error for an address that nothing is recorded under.
type ErrUnknown struct{ Addr addr.Addr }

func (e *ErrUnknown) Error() string { return fmt.Sprintf("nothing has the address %s", e.Addr) }

// ErrOpen is the error of an edit of what an earlier run left half-done: only a
// look at the host tells what it is.
type ErrOpen struct{ Addr addr.Addr }

func (e *ErrOpen) Error() string {
	return fmt.Sprintf("%s: an earlier run was cut short while it worked on it, and what became of that is not known yet", e.Addr)
}

// Rename gives what is recorded another address, also where others need it. The
// address of a block means all its instances, which keep their keys. It returns
// what has now which address, in order; with an error nothing was changed.
func (s *State) Rename(from, to addr.Addr) ([][2]addr.Addr, error) {
	switch {
	case from == to:
		return nil, fmt.Errorf("%s has that address already", from)
	case from.Kind != to.Kind:
		return nil, fmt.Errorf("%s cannot become %s: what is of the kind %q stays so", from, to, from.Kind)
	case from.Part != "" || to.Part != "":
		return nil, fmt.Errorf("an address with @ is not one that a state records")
	}
	var moves [][2]addr.Addr
	for _, a := range s.matching(from) {
		target := to
		if a != from {
			if to.Key != "" {
				return nil, fmt.Errorf("%s has instances, and %s is only one address", from, to)
			}
			target.Key = a.Key
		}
		moves = append(moves, [2]addr.Addr{a, target})
	}
	if len(moves) == 0 {
		return nil, &ErrUnknown{from}
	}
	for _, m := range moves {
		if _, taken := s.Objects[m[1]]; taken {
			return nil, fmt.Errorf("%s is taken: something else is recorded under it", m[1])
		}
	}
	if err := s.refuseOpen(append(sources(moves), targets(moves)...)); err != nil {
		return nil, err
	}
	s.rename(moves)
	return moves, nil
}

func (s *State) rename(moves [][2]addr.Addr) {
	names := map[addr.Addr]addr.Addr{}
	for _, m := range moves {
		o := s.Objects[m[0]]
		o.Addr = m[1]
		delete(s.Objects, m[0])
		s.Objects[m[1]], names[m[0]] = o, m[1]
	}
	renamed := func(needs []addr.Addr) []addr.Addr {
		needs = slices.Clone(needs)
		for i, need := range needs {
			if now, isMoved := names[need]; isMoved {
				needs[i] = now
			}
		}
		addr.Sort(needs)
		return needs
	}
	for a, o := range s.Objects {
		o.Needs = renamed(o.Needs)
		s.Objects[a] = o
	}
	for i := range s.Open {
		s.Open[i].Needs = renamed(s.Open[i].Needs)
	}
}

// Forget takes records away, and returns them in order. The address of a block
// means all its instances. With an error nothing was changed.
func (s *State) Forget(list []addr.Addr) ([]resource.Object, error) {
	gone := map[addr.Addr]resource.Object{}
	for _, a := range list {
		found := s.matching(a)
		if len(found) == 0 {
			return nil, &ErrUnknown{a}
		}
		for _, f := range found {
			gone[f] = s.Objects[f]
		}
	}
	order := slices.SortedFunc(maps.Keys(gone), addr.Compare)
	if err := s.refuseOpen(order); err != nil {
		return nil, err
	}
	var objects []resource.Object
	for _, a := range order {
		objects = append(objects, gone[a])
		delete(s.Objects, a)
	}
	for a, o := range s.Objects {
		o.Needs = slices.DeleteFunc(slices.Clone(o.Needs), func(need addr.Addr) bool { _, isGone := gone[need]; return isGone })
		s.Objects[a] = o
	}
	return objects, nil
}

// matching returns what an address means: itself, else the instances of its
// block. What was about to be made counts too, so that refuseOpen sees it.
func (s *State) matching(a addr.Addr) []addr.Addr {
	known := slices.Collect(maps.Keys(s.Objects))
	for _, i := range s.Open {
		if _, isRecorded := s.Objects[i.Addr]; !isRecorded {
			known = append(known, i.Addr)
		}
	}
	if slices.Contains(known, a) {
		return []addr.Addr{a}
	}
	all := slices.DeleteFunc(known, func(other addr.Addr) bool {
		return a.Key != "" || a.Part != "" || other.Part != "" || other.Block() != a
	})
	addr.Sort(all)
	return slices.Compact(all)
}

func (s *State) refuseOpen(list []addr.Addr) error {
	for _, i := range s.Open {
		if slices.Contains(list, i.Addr) {
			return &ErrOpen{i.Addr}
		}
	}
	return nil
}

func sources(moves [][2]addr.Addr) []addr.Addr {
	var all []addr.Addr
	for _, m := range moves {
		all = append(all, m[0])
	}
	return all
}

func targets(moves [][2]addr.Addr) []addr.Addr {
	var all []addr.Addr
	for _, m := range moves {
		all = append(all, m[1])
	}
	return all
}
