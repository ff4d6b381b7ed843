package state

// Rescue returns the state file that could not be written: all that is known
// now, under the next serial. Steps whose result the journal refused have it
// there; the others are open. Nil when the store has everything.
func (s *Session) Rescue() ([]byte, error) {
	s.writing.take()
	defer s.writing.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.journaled && len(s.refused) == 0 {
		return nil, nil
	}
	next := s.state.Clone()
	next.Serial++
	for _, e := range s.refused {
		if isResult := e.End != nil && (e.End.Object != nil || e.End.Removed); isResult && next.isOpen(e.Seq) {
			if err := s.codec.apply(next, e); err != nil {
				return nil, err
			}
		}
	}
	return s.codec.encode(next)
}
