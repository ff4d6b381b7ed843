package s3

import (
	"context"
	"fmt"
)

// prove makes sure, once, that the store refuses a write whose condition is
// not met: some that speak S3 ignore conditions, and two runs could write at
// the same time. The holder writes the head as it stands, so that a store that
// lets it pass has lost nothing by it.
func (s *Store) prove(ctx context.Context, at placed) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.proven {
		return nil
	}
	data, err := at.head.encode()
	if err != nil {
		return err
	}
	untrue := map[string]condition{
		"If-None-Match": absent,
		"If-Match":      `"00000000000000000000000000000000"`,
	}
	for header, on := range untrue {
		switch _, err := s.put(ctx, s.config.Key, data, on); {
		case err == nil:
			return s.careless(header)
		case code(err) != "PreconditionFailed":
			return fmt.Errorf("%s: %w", header, err)
		}
	}
	s.proven = true
	return nil
}
