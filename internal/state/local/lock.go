package local

import (
	"context"
	"encoding/json"
	"errors"
	"os"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

type lock struct {
	store   *Store
	file    *flock.Flock
	journal *journal
	cancel  context.CancelCauseFunc
	note    string
	ended   error // why nothing can be written any more
}

var errEnded = errors.New("the lock was given back")

// Note implements state.Lock.
func (l *lock) Note() string { return l.note }

// Save implements state.Lock. The trail comes first: lines that it has twice
// are known by their place in the journal, lines that it lacks are lost. The
// version comes before the state file, so that there is always a good copy of
// what stands in it.
func (l *lock) Save(_ context.Context, s state.Snapshot) error {
	if err := l.check(); err != nil {
		return err
	}
	if err := l.store.addToTrail(s.Trail); err != nil {
		return err
	}
	if err := l.store.keep(s); err != nil {
		return err
	}
	err := failpoint.Around("state/local: replace the state file", func() error {
		return replace(l.store.dir, l.store.file(), s.State)
	})
	if err != nil {
		return err
	}
	if l.journal.isEmpty() {
		return nil
	}
	return l.journal.reset()
}

// replace puts a file in the place of another by rename, so that a reader and
// a crash see either the old or the new one, and makes the rename durable.
func replace(dir, path string, data []byte) error {
	if err := renameio.WriteFile(path, data, 0o600, renameio.IgnoreUmask(), renameio.WithTempDir(dir)); err != nil {
		if at := (*os.PathError)(nil); errors.As(err, &at) {
			err = &os.PathError{Op: "write", Path: path, Err: at.Err} // nobody knows the temporary file
		}
		return err
	}
	return syncDir(dir)
}

// Append implements state.Lock.
func (l *lock) Append(_ context.Context, line []byte) error {
	if err := l.check(); err != nil {
		return err
	}
	return l.journal.add(line)
}

// check is *state.ErrLost when the lock file is not the one that was locked. Who
// removes it lets another process lock another file of that name: from then on
// nothing here is ours.
func (l *lock) check() error {
	if l.ended != nil {
		return l.ended
	}
	locked, err := l.file.Stat()
	if err != nil {
		return err
	}
	there, err := os.Stat(l.store.locking())
	switch {
	case err == nil && os.SameFile(locked, there):
		return nil
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return err
	}
	l.end(&state.ErrLost{Store: l.store.String(), Why: l.store.locking() + " was removed or replaced while it was held"})
	return errors.Join(l.ended, l.journal.file.Close(), l.file.Unlock())
}

func (l *lock) end(why error) {
	l.ended = why
	l.cancel(why)
}

// Unlock gives the lock back. The lock file stays, empty: to remove it would
// let two processes lock two files of one name.
func (l *lock) Unlock() error {
	if err := l.check(); err != nil {
		return err
	}
	l.end(errEnded)
	var err error
	if l.journal.isEmpty() {
		err = failpoint.Around("state/local: remove an empty journal", func() error { return os.Remove(l.journal.path) })
	}
	return errors.Join(err, l.journal.file.Close(), l.store.clearHolder(), l.file.Unlock())
}

// holder returns who wrote the lock file last, and whether somebody did and
// did not give the lock back. What cannot be read is a holder without a name.
func (s *Store) holder() (who state.Who, written bool) {
	text, err := readIfThere(s.locking())
	if err == nil && json.Unmarshal(text, &who) != nil {
		who = state.Who{}
	}
	return who, len(text) > 0
}

func (s *Store) setHolder(who state.Who) error {
	text, err := json.Marshal(who)
	if err != nil {
		return err
	}
	return failpoint.Around("state/local: name the holder of the lock", func() error {
		return os.WriteFile(s.locking(), text, 0o600)
	})
}

func (s *Store) clearHolder() error {
	return failpoint.Around("state/local: forget the holder of the lock", func() error { return os.Truncate(s.locking(), 0) })
}

// Break implements state.Store. The kernel frees the lock of a process that
// died, so that whoever has it lives.
func (s *Store) Break(_ context.Context, id string) error {
	if _, err := os.Stat(s.locking()); errors.Is(err, os.ErrNotExist) {
		return &state.ErrOther{Store: s.String(), ID: id} // to ask makes no file
	}
	file := flock.New(s.locking(), flock.SetPermissions(0o600))
	got, err := file.TryLock()
	switch {
	case err != nil:
		return err
	case got:
		return errors.Join(&state.ErrOther{Store: s.String(), ID: id}, file.Unlock())
	}
	holder, _ := s.holder()
	if holder.ID != id {
		return &state.ErrOther{Store: s.String(), ID: id, Holder: holder}
	}
	return &state.ErrHeld{Store: s.String(), Holder: holder}
}
