package httpstore

import (
	"net/http"
	"time"

	"github.com/proximity-cli/proximity/internal/state"
)

// SetPoll says how often a holder looks whether it still is one.
func (s *Store) SetPoll(d time.Duration) { s.poll = d }

// LockID and ReadLockID are the two directions of the ID of a lock.
func LockID(nonce string, who state.Who) string { return lockID(nonce, who) }

// ReadLockID is the other direction.
func ReadLockID(id string) (state.Who, bool) { return readLockID(id) }

// SetLimits says what each request may take.
func (s *Store) SetLimits(d time.Duration) { s.client.limits = limits{d, d, d} }

// SetLargest says how many bytes are read and sent at most.
func (s *Store) SetLargest(bytes int) { s.client.largest = bytes }

// SetTransport sends requests another way.
func (s *Store) SetTransport(way http.RoundTripper) { s.client.http.Transport = way }
