package s3

import (
	"context"
	"errors"

	"github.com/proximity-cli/proximity/internal/state"
)

// Load implements state.Store. With *state.ErrDamaged it returns what can be
// read all the same.
func (s *Store) Load(ctx context.Context) (state.Files, error) {
	return view(ctx, s, func(h head) (files state.Files, err error) {
		var stateErr, journalErr, lastErr error
		if len(h.Versions) > 0 {
			files.State, stateErr = s.fetch(ctx, h.Versions[0].object, "state file")
		}
		files.Journal, journalErr = s.text(ctx, h.Journal, "journal")
		files.Last, lastErr = s.lastLine(ctx, h.Trail, "trail")
		return files, errors.Join(stateErr, journalErr, lastErr)
	})
}

// Versions implements state.Store. A version whose object is gone or altered
// has no State.
func (s *Store) Versions(ctx context.Context) ([]state.Version, error) {
	return view(ctx, s, func(h head) (all []state.Version, err error) {
		for _, v := range h.Versions {
			data, err := s.fetch(ctx, v.object, "version")
			if err != nil && !damaged(err) {
				return nil, err
			}
			all = append(all, state.Version{Serial: v.Serial, At: v.At, State: data})
		}
		return all, nil
	})
}

// Trail implements state.Store. With *state.ErrDamaged it returns what can be
// read all the same.
func (s *Store) Trail(ctx context.Context) ([]byte, error) {
	return view(ctx, s, func(h head) ([]byte, error) { return s.text(ctx, h.Trail, "trail") })
}

// view lets read take what it needs from what the head names. When an object
// is gone because a holder has replaced it meanwhile, read is called again
// with the next head.
func view[T any](ctx context.Context, s *Store, read func(head) (T, error)) (T, error) {
	var seen T
	at, err := s.present(ctx)
	for err == nil {
		var failed error
		seen, failed = read(at.head)
		if _, isGone := errors.AsType[missing](failed); !isGone {
			return seen, s.named(failed)
		}
		var now placed
		if now, err = s.present(ctx); err == nil && now.tag == at.tag {
			return seen, failed
		}
		at = now
	}
	return seen, s.named(err)
}
