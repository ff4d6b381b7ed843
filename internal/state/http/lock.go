package httpstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// lock is the right to write. Who has it keeps the document as it stands on the
// server, so that a write needs no read before it.
type lock struct {
	store *Store
	who   state.Who
	info  lockInfo
	own   string // stands in what was written under this lock

	is     document // as it is there
	damage error    // *state.ErrDamaged: what is there was altered
	base   string   // checksum of the document that was there first; empty: there was none
	etag   string   // of the document, where the server said so for certain
	serial uint64   // the highest that was sent, or seen

	cancel  context.CancelCauseFunc
	stop    context.CancelFunc // of the watch
	watched chan struct{}      // closed when the watch has ended

	mu   sync.Mutex
	gone error // why nothing can be written any more
}

var errEnded = errors.New("the lock was given back")

// Lock implements state.Store. A server on which nothing was written yet has to
// show that its lock keeps a second one out. What is no document of ours cannot
// be locked, so that it is never written over; one that was altered can, but
// only a Save writes there.
func (s *Store) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	who = who.Named()
	info, err := newLockInfo(who)
	if err != nil {
		return nil, nil, err
	}
	held, err := s.take(ctx, info)
	switch {
	case err != nil:
		return nil, nil, err
	case held != nil:
		return nil, nil, &state.ErrLocked{Store: s.name, Holder: held.holder(), Stays: true}
	}
	is, err := s.read(ctx)
	var damage error
	switch {
	case err == nil && is.text == nil:
		err = s.excludes(ctx, who)
	case err != nil && is.document.isOurs():
		damage, err = err, nil
	}
	if err != nil {
		return nil, nil, errors.Join(err, s.release(context.WithoutCancel(ctx), info))
	}
	l := &lock{
		store: s, who: who, info: info, own: info.nonce(), watched: make(chan struct{}),
		is: is.document, base: is.document.Proximity.Checksum, damage: damage, etag: is.strongETag(), serial: is.document.Serial,
	}
	watch, stop := context.WithCancel(context.WithoutCancel(ctx))
	ctx, l.cancel = context.WithCancelCause(ctx)
	l.stop = stop
	go l.watch(watch)
	return ctx, l, nil
}

// excludes asks for the lock while it is held: to get it again is an error.
func (s *Store) excludes(ctx context.Context, who state.Who) error {
	held, err := s.ask(ctx, who)
	if err == nil && held == nil {
		err = s.lockless("the server gave the lock to two at the same time")
	}
	return err
}

// lockless is the error of a server that cannot keep two runs apart.
func (s *Store) lockless(why string) error {
	return advise("set lock_address, lock_method, unlock_address and unlock_method as the server has them; or use a store that locks",
		"%s: lock: %s: without a lock two runs would write at the same time", s.name, why)
}

// locking sends one try to get the lock. It is brief, and never cut short: what
// becomes of it has to be known, and a look that arrives when the lock was given
// back would take it.
func (s *Store) locking(ctx context.Context, body []byte) (answer, error) {
	if err := ctx.Err(); err != nil {
		return answer{}, s.client.unanswered("lock", err)
	}
	var a answer
	err := failpoint.Around("state/http: ask for the lock", func() (err error) {
		a, err = s.client.once(context.WithoutCancel(ctx), request{what: "lock", to: s.lock, body: body, limit: s.client.limits.lock})
		return err
	})
	return a, err
}

// take tries to get the lock, and returns who holds it when it is somebody
// else: one without an ID when the server does not say who. Try and answer may
// be lost and repeated: a lock under our own ID is ours.
func (s *Store) take(ctx context.Context, info lockInfo) (*lockInfo, error) {
	body, err := json.Marshal(info)
	if err != nil {
		return nil, err
	}
	waits, isUnclear := s.client.waits(), false
	for {
		a, err := s.locking(ctx, body)
		held, isNamed := refusal(a)
		isHeld := a.status == http.StatusConflict || a.status == http.StatusLocked
		switch {
		case a.isGood(), isNamed && held.ID == info.ID:
			return nil, nil
		case isNamed, isHeld && !s.isGitLab:
			return &held, nil
		case isHeld:
			// GitLab always says who; what it says otherwise is that two asked at once.
		case err == nil && !a.mayPass():
			return nil, s.notLocked(a)
		default:
			isUnclear = isUnclear || !isUnsent(err)
		}
		if !isFinal(err) && waits.next(ctx, a.wait) == nil {
			continue
		}
		if err == nil {
			err = s.refused("lock", a)
		}
		if isUnclear {
			s.forget(ctx, info)
		}
		return nil, err
	}
}

func (s *Store) notLocked(a answer) error {
	switch a.status {
	case http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusNotImplemented:
		if !s.isGitLab {
			return s.lockless(fmt.Sprintf("the server has none (%d to %s)", a.status, s.lock.method))
		}
	}
	return s.refused("lock", a)
}

// forget gives back what may have been got without an answer. It does not
// matter whether that works: a lock that stays names its holder. A server that
// does not look at the ID might free the lock of somebody else.
func (s *Store) forget(ctx context.Context, info lockInfo) {
	if body, err := json.Marshal(info); err == nil && s.isGitLab {
		_, _ = s.client.once(context.WithoutCancel(ctx), s.unlocking(info.ID, body))
	}
}

// ask returns who holds the lock, nil when nobody does. The protocol has no
// question for that: so the lock is tried under an ID of its own, and given back
// at once should it be free.
func (s *Store) ask(ctx context.Context, who state.Who) (*lockInfo, error) {
	probe, err := newLockInfo(who)
	if err != nil {
		return nil, err
	}
	held, err := s.take(ctx, probe)
	if held != nil || err != nil {
		return held, err
	}
	return nil, s.release(context.WithoutCancel(ctx), probe)
}

// unlocking has the ID in the query too for GitLab, which frees the lock of
// anybody when it sees none.
func (s *Store) unlocking(id string, body []byte) request {
	r := request{what: "unlock", to: s.unlock, body: body, limit: s.client.limits.lock}
	if s.isGitLab {
		r.id = id
	}
	return r
}

// release gives a lock back: *state.ErrLost when the server says that it is not
// held under that ID. After a try without an answer the lock is taken again
// first, under the same ID: should the try have worked, and somebody else have
// got the lock since, it stays with them.
func (s *Store) release(ctx context.Context, info lockInfo) error {
	body, err := json.Marshal(info)
	if err != nil {
		return err
	}
	waits := s.client.waits()
	for {
		var a answer
		err := failpoint.Around("state/http: give the lock back", func() (err error) {
			a, err = s.client.once(ctx, s.unlocking(info.ID, body))
			return err
		})
		switch {
		case a.isGood():
			return nil
		case a.status == http.StatusLocked, a.status == http.StatusConflict && (a.message == "" || !s.isGitLab):
			return &state.ErrLost{Store: s.name}
		case err == nil && !a.mayPass() && a.status != http.StatusConflict:
			return s.refused("unlock", a)
		case err == nil:
			err = s.refused("unlock", a)
		}
		if isFinal(err) || waits.next(ctx, a.wait) != nil {
			return err
		}
		switch held, unknown := s.take(ctx, info); {
		case unknown != nil:
			return err
		case held != nil:
			return nil
		}
	}
}

// Break implements state.Store. It cannot know whether a holder lives. A lock
// that changes hands in between is looked at anew.
func (s *Store) Break(ctx context.Context, id string) error {
	for range 3 {
		held, err := s.ask(ctx, state.Who{Command: "proximity state unlock", Since: time.Now()}.Named())
		switch {
		case err != nil:
			return err
		case held == nil:
			return &state.ErrOther{Store: s.name, ID: id}
		case held.ID == "":
			return advise(atServer, "%s: unlock: the server does not say who holds the lock", s.name)
		case held.holder().ID != id:
			return &state.ErrOther{Store: s.name, ID: id, Holder: held.holder()}
		}
		err = s.release(ctx, *held)
		if _, isOther := errors.AsType[*state.ErrLost](err); !isOther {
			return err
		}
	}
	return advise(atServer, "%s: unlock: the server does not free the lock, though it says that it is held under that ID", s.name)
}

const atServer = "free the lock at the server"

// watch looks from time to time whether the lock is still held, until ctx ends.
// A server that does not answer has not taken it away.
func (l *lock) watch(ctx context.Context) {
	defer close(l.watched)
	for pause(ctx, l.store.poll) == nil {
		err := l.confirm(ctx)
		if _, isLost := errors.AsType[*state.ErrLost](err); isLost {
			l.end(err)
			return
		}
	}
}

// confirm is *state.ErrLost when somebody else or nobody holds the lock.
func (l *lock) confirm(ctx context.Context) error {
	held, err := l.store.ask(ctx, l.who)
	switch {
	case err != nil:
		return err
	case held == nil:
		return &state.ErrLost{Store: l.store.name, Why: "somebody has broken it"}
	case held.ID != "" && held.ID != l.info.ID:
		return &state.ErrLost{Store: l.store.name, Why: fmt.Sprintf("it is held by %s", held.holder())}
	}
	return nil
}

// end says why the lock is over, once.
func (l *lock) end(why error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone != nil {
		return l.gone
	}
	l.gone = why
	l.cancel(why)
	return nil
}

func (l *lock) over() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gone
}

// Note implements state.Lock. A lock outlives its holder, so that nobody is
// ever taken over from.
func (l *lock) Note() string { return "" }

// Unlock implements state.Lock. The watch has ended before the lock is given
// back. A lock that stays, since the server does not answer, has to be broken.
func (l *lock) Unlock() error {
	l.stop()
	<-l.watched
	if err := l.end(errEnded); err != nil {
		return err
	}
	var err error
	if !l.store.isGitLab {
		err = l.confirm(context.Background())
	}
	if err == nil {
		err = l.store.release(context.Background(), l.info)
	}
	if _, isLost := errors.AsType[*state.ErrLost](err); err == nil || isLost {
		return err
	}
	return advised{err, "the lock stays at the server; once that answers again: proximity state unlock " + l.who.ID}
}
