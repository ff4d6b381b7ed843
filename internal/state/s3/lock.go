package s3

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// The kinds of objects beside the head: their names begin with them.
const (
	stateKind   = "state-"
	journalKind = "journal"
	trailKind   = "trail"
)

// lock is what a holder has.
type lock struct {
	store  *Store
	at     placed // the head as it was written last, or an older one if that was given up
	cancel context.CancelCauseFunc
	ended  error // why nothing can be written any more
}

var errEnded = errors.New("the lock was given back")

// Lock implements state.Store. The first time it also finds out whether the
// store honours conditions, without which nothing here holds.
func (s *Store) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	at, err := s.acquire(ctx, holding{unique(), who.Named()})
	if err != nil {
		return nil, nil, s.named(err)
	}
	held, cancel := context.WithCancelCause(ctx)
	l := &lock{store: s, at: at, cancel: cancel}
	if err := s.prove(ctx, at); err != nil {
		return nil, nil, errors.Join(s.named(err), l.Unlock())
	}
	s.sweep(ctx, at.head)
	s.watch(held, at.head.Lock.Token, cancel)
	return held, l, nil
}

// acquire writes a lock into a head that has none.
func (s *Store) acquire(ctx context.Context, by holding) (placed, error) {
	for {
		at, err := s.present(ctx)
		if err != nil {
			return placed{}, err
		}
		if held := at.head.Lock; held != nil {
			return placed{}, &state.ErrLocked{Store: s.String(), Holder: held.Holder, Stays: true}
		}
		next := at.head
		next.Lock = &by
		err = failpoint.Around("state/s3: take the lock", func() (err error) {
			at, err = s.swap(ctx, at, next, nobody)
			return err
		})
		if !errors.Is(err, errChanged) {
			return at, err
		}
	}
}

// Note implements state.Lock. A lock is only ever got from one who gave it
// back, or had it broken by somebody who knows.
func (l *lock) Note() string { return "" }

// Append implements state.Lock.
func (l *lock) Append(ctx context.Context, line []byte) error {
	return failpoint.Around("state/s3: append to the journal", func() error {
		return l.write(ctx, func(h *head) (err error) {
			h.Journal, err = l.store.grow(ctx, journalKind, h.Journal, line)
			return err
		})
	})
}

// Save implements state.Lock.
func (l *lock) Save(ctx context.Context, snap state.Snapshot) error {
	return failpoint.Around("state/s3: save", func() error { return l.write(ctx, l.saving(ctx, snap)) })
}

// saving changes a head as a Save has to.
func (l *lock) saving(ctx context.Context, snap state.Snapshot) func(*head) error {
	return func(h *head) error {
		file, err := l.store.keep(ctx, fmt.Sprintf("%s%020d", stateKind, snap.Serial), snap.State)
		if err != nil {
			return err
		}
		h.Versions = slices.Insert(slices.Clone(h.Versions), 0, version{snap.Serial, time.Now().UTC(), file})
		h.Versions = h.Versions[:min(len(h.Versions), state.KeptVersions)]
		h.Journal = lines{}
		h.Trail, err = l.store.grow(ctx, trailKind, h.Trail, snap.Trail)
		return err
	}
}

// write replaces the head by one that change has changed, and removes what it
// does not name any more.
func (l *lock) write(ctx context.Context, change func(*head) error) error {
	if l.ended != nil {
		return l.ended
	}
	next := l.at.head
	if err := change(&next); err != nil {
		return err
	}
	at, err := l.store.swap(ctx, l.at, next, l.at.head.Lock.Token)
	if errors.Is(err, errChanged) {
		l.end(l.store.lost())
		return l.ended
	} else if err != nil {
		return err
	}
	dropped := without(l.at.head, at.head)
	err = failpoint.Around("state/s3: drop what the head no longer names", func() error {
		l.store.drop(ctx, dropped)
		return nil
	})
	l.at = at
	return err
}

// without lists the objects that one head names and another does not.
func without(one, other head) []string {
	var names []string
	for _, o := range one.objects() {
		if !slices.Contains(other.objects(), o) {
			names = append(names, o.Name)
		}
	}
	return names
}

// lost is the error of a holder who finds another head than its own.
func (s *Store) lost() *state.ErrLost { return &state.ErrLost{Store: s.String()} }

func (l *lock) end(why error) {
	l.ended = why
	l.cancel(why)
}

// Unlock implements state.Lock. Where the network leaves it open whether it
// was given back, and somebody else has it by then, it counts as lost.
func (l *lock) Unlock() error {
	if l.ended != nil {
		return l.ended
	}
	free := l.at.head
	free.Lock = nil
	err := failpoint.Around("state/s3: give the lock back", func() error {
		_, err := l.store.swap(context.Background(), l.at, free, l.at.head.Lock.Token)
		return err
	})
	l.end(errEnded)
	if errors.Is(err, errChanged) {
		return l.store.lost()
	} else if err != nil {
		id := l.at.head.Lock.Holder.ID
		return &problem{fmt.Sprintf("%s: the lock was not given back: %v", l.store, err), "proximity state unlock " + id, err}
	}
	return nil
}

// Break implements state.Store.
func (s *Store) Break(ctx context.Context, id string) error {
	for {
		at, err := s.present(ctx)
		switch {
		case err != nil:
			return s.named(err)
		case at.head.Lock == nil:
			return &state.ErrOther{Store: s.String(), ID: id}
		case at.head.Lock.Holder.ID != id:
			return &state.ErrOther{Store: s.String(), ID: id, Holder: at.head.Lock.Holder}
		}
		free := at.head
		free.Lock = nil
		err = failpoint.Around("state/s3: break the lock", func() error {
			_, err := s.swap(ctx, at, free, nobody)
			return err
		})
		if !errors.Is(err, errChanged) {
			return s.named(err)
		}
	}
}
