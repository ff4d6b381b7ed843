package s3

import (
	"context"
	"errors"

	"github.com/proximity-cli/proximity/internal/state"
)

// Load implements state.Store.
func (s *Store) Load(ctx context.Context) (state.Files, error) {
	return view(ctx, s, func(h head) (files state.Files, err error) {
		if len(h.Versions) > 0 {
			if files.State, err = s.fetch(ctx, h.Versions[0].object, "state file"); err != nil {
				return files, err
			}
		}
		if files.Journal, err = s.text(ctx, h.Journal, "journal"); err != nil {
			return files, err
		}
		files.Last, err = s.lastLine(ctx, h.Trail, "trail")
		return files, err
	})
}

// Versions implements state.Store. A version whose object is gone or altered
// is left out: there is nothing in it to go back to.
func (s *Store) Versions(ctx context.Context) ([]state.Version, error) {
	return view(ctx, s, func(h head) (all []state.Version, err error) {
		for _, v := range h.Versions {
			data, err := s.fetch(ctx, v.object, "version")
			if damaged(err) {
				continue
			} else if err != nil {
				return nil, err
			}
			all = append(all, state.Version{Serial: v.Serial, At: v.At, State: data})
		}
		return all, nil
	})
}

// Trail implements state.Store.
func (s *Store) Trail(ctx context.Context) ([]byte, error) {
	return view(ctx, s, func(h head) ([]byte, error) { return s.text(ctx, h.Trail, "trail") })
}

// view lets read take what it needs from what the head names. When an object
// is gone because a holder has replaced it meanwhile, read is called again
// with the next head.
func view[T any](ctx context.Context, s *Store, read func(head) (T, error)) (T, error) {
	var nothing T
	at, err := s.present(ctx)
	for err == nil {
		seen, failed := read(at.head)
		if failed == nil {
			return seen, nil
		} else if _, isGone := errors.AsType[missing](failed); !isGone {
			return nothing, s.named(failed)
		}
		var now placed
		if now, err = s.present(ctx); err == nil && now.tag == at.tag {
			return nothing, failed
		}
		at = now
	}
	return nothing, s.named(err)
}
