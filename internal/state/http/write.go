package httpstore

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// seen is the document as it was read. The zero seen is none.
type seen struct {
	document document
	text     []byte
	etag     string
}

// strongETag returns a tag that stands for these very bytes, or "".
func (s seen) strongETag() string { return strong(s.etag) }

func strong(etag string) string {
	if !strings.HasPrefix(etag, `"`) {
		return ""
	}
	return etag
}

// read returns what is on the server. "Nothing" is only what says so.
func (s *Store) read(ctx context.Context) (seen, error) {
	a, err := s.client.repeat(ctx, request{what: "read", to: s.document, limit: s.client.limits.read})
	switch {
	case err != nil:
		return seen{}, err
	case a.status == http.StatusNoContent, a.status == http.StatusNotFound && s.isNone(a):
		return seen{}, nil
	case a.status != http.StatusOK:
		return seen{}, s.refused("read", a)
	}
	d, err := decode(s.name, a.body)
	if _, isDamaged := errors.AsType[*state.ErrDamaged](err); isDamaged && !d.isOurs() {
		err = advised{err, s.wayOut()}
	}
	return seen{d, a.body, a.etag}, err
}

// wayOut is what helps when nothing can be read of what is there.
func (s *Store) wayOut() string {
	if s.isGitLab {
		return "use another name in address for proximity alone; where it was proximity's, delete the newest version in GitLab, which keeps those before: glab opentofu state delete NAME SERIAL"
	}
	return "use another address for proximity alone; where it was proximity's, put back a copy from the server's backups"
}

// isNone tells the two things apart that GitLab says with the same status: that
// there is no state of that name, and that there is no such project for us.
func (s *Store) isNone(a answer) bool {
	var said struct{ Message string }
	return !s.isGitLab || json.Unmarshal(a.body, &said) == nil && strings.EqualFold(said.Message, "404 Not found")
}

// Save implements state.Lock.
func (l *lock) Save(ctx context.Context, s state.Snapshot) error {
	return failpoint.Around("state/http: save", func() error {
		return l.write(ctx, func(d document) (document, error) { return d.saved(s, time.Now()) })
	})
}

// Append implements state.Lock. To add to a document that was altered would
// make it look as if it were not.
func (l *lock) Append(ctx context.Context, line []byte) error {
	if l.damage != nil {
		return l.damage
	}
	return failpoint.Around("state/http: append to the journal", func() error {
		return l.write(ctx, func(d document) (document, error) { return d.appended(line) })
	})
}

// write changes the document. Each try has a serial of its own: one whose
// outcome never became known is not on top of the next.
func (l *lock) write(ctx context.Context, change func(document) (document, error)) error {
	if err := l.over(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	next, err := change(l.is)
	if err != nil {
		return l.store.inside(err)
	}
	l.serial++
	next.Serial, next.Proximity.By = l.serial, l.own
	text, err := next.encode()
	if err != nil {
		return err
	}
	if most := l.store.client.largest; len(text) > most {
		return advise("use another store, such as postgres or s3", "%s: write: the state has grown to %d bytes, %d can be written",
			l.store.name, len(text), most)
	}
	err = l.send(ctx, text)
	_, isLost := errors.AsType[*state.ErrLost](err)
	_, isDamaged := errors.AsType[*state.ErrDamaged](err)
	switch {
	case isLost, isDamaged:
		_ = l.end(err) // the watch may have said so before
	case err == nil:
		l.is, l.damage = next, nil
	}
	return err
}

// send writes a document. Where the answer leaves open whether it is there, or
// why it is not, that is looked at before the next try.
func (l *lock) send(ctx context.Context, text []byte) error {
	s, waits := l.store, l.store.client.waits()
	for {
		if !s.isGitLab {
			if err := l.confirm(ctx); err != nil {
				return err
			}
		}
		a, err := s.client.once(ctx, request{
			what: "write", to: target{s.update, s.document.url}, id: l.info.ID, body: text, ifMatch: l.etag, limit: s.client.limits.write,
		})
		switch {
		case a.isGood():
			if l.etag = ""; s.update == http.MethodPut {
				l.etag = strong(a.etag) // to another method it need not be that of what was written
			}
			return nil
		case err == nil && isClear(a):
			return s.refused("write", a)
		case err == nil:
			err = s.refused("write", a)
		case isCertificate(err):
			return err
		}
		isThere, look := l.look(ctx, text)
		if isThere || look != nil {
			return look
		}
		if isFinal(err) || waits.next(ctx, a.wait) != nil {
			return err
		}
	}
}

// isClear reports whether an answer says for certain that nothing was written,
// for a reason that is not the lock and not another write.
func isClear(a answer) bool {
	switch a.status {
	case http.StatusConflict, http.StatusLocked, http.StatusPreconditionFailed, http.StatusUnprocessableEntity:
		return false
	}
	return a.status < 500 && !a.mayPass()
}

// look reports whether what was to be written is there. It is an error when
// nothing can be written any more: GitLab answers 500 to who has lost the lock.
func (l *lock) look(ctx context.Context, text []byte) (isThere bool, err error) {
	const enough = time.Minute
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), enough)
	defer cancel()
	is, err := l.store.read(ctx)
	_, isDamaged := errors.AsType[*state.ErrDamaged](err)
	switch {
	case isDamaged:
		return false, err
	case err != nil:
		return false, nil // not even that can be known: the next try may tell
	case bytes.Equal(is.text, text):
		l.etag = is.strongETag()
		return true, nil
	case is.document.Proximity.By != l.own && is.document.Proximity.Checksum != l.base:
		return false, &state.ErrLost{Store: l.store.name, Why: "somebody else has written or deleted the state"}
	}
	l.etag = is.strongETag()
	err = l.confirm(ctx)
	if _, isLost := errors.AsType[*state.ErrLost](err); isLost {
		return false, err
	}
	return false, nil
}
