package state

import "fmt"

// Restored returns what a version comes to in the place of what there is: its
// records, and the steps that are open now or were then. A version that is a
// copy of a state file that cannot be read, or whose journal is damaged, comes
// with what the journal tells.
func (s *Salvage) Restored(p Past) (*State, error) {
	if p.Err != nil {
		return nil, p.Err
	}
	if s.Lineage != "" && p.Content.Lineage != s.Lineage {
		return nil, fmt.Errorf("serial %d is of another state: its lineage is %s, and now it is %s", p.Serial, p.Content.Lineage, s.Lineage)
	}
	next := p.Content.Clone()
	next.Open = together(s.Open, next.Open)
	if isHurt := s.StateErr != nil || s.JournalErr != nil || s.LastErr != nil; isHurt && s.State != nil && s.State.Serial == p.Serial {
		next = s.State.Clone()
	}
	next.Moved = ""
	return next, nil
}

// together returns the open steps of now, and those of an earlier state with
// numbers of their own: numbers come again once what had them has ended.
func together(now, then []Intent) []Intent {
	all := append([]Intent(nil), now...)
	var last uint64
	for _, i := range now {
		last = max(last, i.Seq)
	}
	for _, i := range missing(then, now) {
		last++
		i.Seq = last
		all = append(all, i)
	}
	return all
}

// Find returns the version of a serial, or nil.
func (s *Salvage) Find(serial uint64) *Past {
	for i := range s.Past {
		if s.Past[i].Serial == serial {
			return &s.Past[i]
		}
	}
	return nil
}
