package s3

import (
	"cmp"
	"context"
	"errors"

	"github.com/cenkalti/backoff/v5"
)

// placed is a head as it stands in the bucket. The zero value is none.
type placed struct {
	head head
	tag  string
}

// read returns the head. When there is none it is the zero value; whether
// that is well, present tells.
func (s *Store) read(ctx context.Context) (placed, error) {
	data, tag, err := s.get(ctx, s.config.Key, maxHead)
	if errors.Is(err, errAbsent) {
		return placed{}, nil
	} else if err != nil {
		return placed{}, err
	}
	h, err := s.decode(data)
	return placed{h, tag}, err
}

// present is read, and holds a head that is missing beside states that are
// there to be damage: without it they would be taken for none.
func (s *Store) present(ctx context.Context) (placed, error) {
	at, err := s.read(ctx)
	if err != nil || at.tag != "" {
		return at, err
	}
	states, err := s.names(ctx, stateKind, 1)
	if err != nil || len(states) == 0 {
		return at, err
	}
	if at, err = s.read(ctx); err != nil || at.tag != "" {
		return at, err // it was made just now, and the state after it
	}
	return at, s.beheaded("it is missing, but states are there under %s", s.dir())
}

// errChanged is the error of swap when the head is another one by now.
var errChanged = errors.New("somebody else has changed it")

// swapTries is how often swap looks what has become of a write. The SDK sends
// each of them several times.
const swapTries = 3

// swap puts a head in the place of another, if that is still there. An answer
// that leaves it open whether the write was carried out, such as none, or a
// condition that its own first try has made untrue, is settled by a look: what
// stands there is the new head, or the old one, and then it is tried again, or
// that of somebody else. To the holder of a lock, named by its token, any head
// with that lock is the old one: nobody else writes it, so that it is a write
// that was given up and has come late.
//
// Once begun it goes on when ctx ends, so that its outcome is known.
func (s *Store) swap(ctx context.Context, was placed, next head, token string) (placed, error) {
	if err := ctx.Err(); err != nil {
		return placed{}, err
	}
	ctx = context.WithoutCancel(ctx)
	next.Write = unique()
	data, err := next.encode()
	if err != nil {
		return placed{}, err
	}
	return backoff.Retry(ctx, func() (placed, error) {
		on := cmp.Or(condition(was.tag), absent)
		tag, err := s.put(ctx, s.config.Key, data, on)
		if err == nil {
			return placed{next, tag}, nil
		} else if !isOpen(err) {
			return placed{}, backoff.Permanent(err)
		}
		now, unseen := s.read(ctx)
		switch {
		case damaged(unseen):
			return placed{}, backoff.Permanent(unseen)
		case unseen != nil:
			return placed{}, err
		case now.head.Write == next.Write:
			return now, nil
		case now.head.Write == was.head.Write, now.head.heldBy(token):
			was = now
			return placed{}, err
		}
		return placed{}, backoff.Permanent(errChanged)
	}, s.pauses(), backoff.WithMaxTries(swapTries))
}
