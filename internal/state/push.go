package state

import (
	"fmt"

	"github.com/proximity-cli/proximity/internal/resource"
)

// Parse reads a state file that lies outside of any store. Name is what errors
// call it.
func Parse(name string, data []byte, o Options) (*State, error) {
	in, err := codec{store: name, kinds: o.Kinds}.decode(data, o.Vault)
	return in.state, err
}

// ErrFork is the error of a push that would lose something that the store has.
type ErrFork struct{ Why string }

func (e *ErrFork) Error() string { return e.Why }

// MayPush reports with *ErrFork why a state must not take the place of what
// there is. It returns false without error when that is the same already.
func (s *Salvage) MayPush(next *State) (bool, error) {
	fork := func(why string, args ...any) (bool, error) { return false, &ErrFork{fmt.Sprintf(why, args...)} }
	switch {
	case next.Moved != "":
		return fork("it was moved to %s, and goes on there", next.Moved)
	case s.IsEmpty():
		return true, nil
	case s.State != nil && s.State.Moved != "":
		return fork("the one in the store was moved to %s, and goes on there", s.State.Moved)
	case s.Lineage != "" && next.Lineage != s.Lineage:
		return fork("it is another state: its lineage is %s, and that in the store %s", next.Lineage, s.Lineage)
	case next.Serial < s.Serial:
		return fork("it is older: its serial is %d, and that in the store %d", next.Serial, s.Serial)
	}
	lost := missing(s.Open, next.Open)
	if next.Serial == s.Serial && s.State != nil {
		if Compare(s.State, next).IsEmpty() && len(lost) == 0 && len(missing(next.Open, s.Open)) == 0 {
			return false, nil
		}
		return fork("it has the same serial as the one in the store (%d) and other content", next.Serial)
	}
	if lost = s.unsettled(lost, next); len(lost) > 0 {
		return fork("a run was cut short in the store while it worked on %s, and the file does not know of it", lost[0].Addr)
	}
	return true, nil
}

// unsettled returns the open steps of which the other state does not tell the
// end: it records neither what they made, nor, of a removal, that it is gone.
func (s *Salvage) unsettled(open []Intent, next *State) []Intent {
	var left []Intent
	for _, i := range open {
		o, isThere := next.Objects[i.Addr]
		isMade := i.Op == Put && isThere && o.Nonce == i.Nonce && !s.had(o)
		if !isMade && (i.Op != Drop || isThere) {
			left = append(left, i)
		}
	}
	return left
}

// had reports whether the store's state records just this already: it is then
// from before the step.
func (s *Salvage) had(o resource.Object) bool {
	if s.State == nil {
		return false
	}
	was, ok := s.State.Objects[o.Addr]
	return ok && isSame(was, o)
}
