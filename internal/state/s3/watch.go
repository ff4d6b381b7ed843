package s3

import (
	"context"
	"time"
)

// watch looks at the head from time to time and ends a lock that is not in it
// any more, until the lock's context has ended. A store that does not answer
// takes no lock away.
func (s *Store) watch(held context.Context, token string, end context.CancelCauseFunc) {
	tick := time.NewTicker(s.tuning.poll)
	go func() {
		defer tick.Stop()
		for {
			select {
			case <-held.Done():
				return
			case <-tick.C:
			}
			if at, err := s.read(held); err == nil && !at.head.heldBy(token) {
				end(s.lost())
				return
			}
		}
	}()
}
