// Package local keeps state in a directory on this machine: the file
// proximity.state.json, its journal and its lock beside it, all 0600.
package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"
	"github.com/google/renameio/v2"

	"github.com/proximity-cli/proximity/internal/state"
)

// Store is a directory. It implements state.Store. File locks work between
// the processes of one machine, and over network file systems as far as these
// support them.
type Store struct{ dir string }

// New returns the store of a directory, which need not exist yet.
func New(dir string) *Store { return &Store{dir} }

func (s *Store) file() string    { return filepath.Join(s.dir, "proximity.state.json") }
func (s *Store) journal() string { return filepath.Join(s.dir, "proximity.state.journal") }
func (s *Store) locking() string { return filepath.Join(s.dir, "proximity.state.lock") }

// String returns the path of the state file.
func (s *Store) String() string { return s.file() }

// Load reads both files. The journal comes first: a fold in between then
// leaves a journal that is known to be older than the state file.
func (s *Store) Load(context.Context) (state.Files, error) {
	journal, err := readIfThere(s.journal())
	if err != nil {
		return state.Files{}, err
	}
	data, err := readIfThere(s.file())
	return state.Files{State: data, Journal: journal}, err
}

// readIfThere returns nil without error for a file that is not there, and for
// one that is there never nil.
func readIfThere(path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("state: %w", err)
	case data == nil:
		return []byte{}, nil
	}
	return data, nil
}

// Lock takes the file lock, which the kernel frees when its holder dies, and
// writes who has it beside it.
func (s *Store) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	if err := os.MkdirAll(s.dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("state: %w", err)
	}
	file := flock.New(s.locking(), flock.SetPermissions(0o600))
	got, err := file.TryLock()
	if err != nil {
		return nil, nil, fmt.Errorf("state: lock: %w", err)
	}
	last, written := s.holder()
	if !got {
		return nil, nil, &state.ErrLocked{Store: s.String(), Holder: last}
	}
	l := &lock{store: s, file: file}
	if written {
		l.note = fmt.Sprintf("took over the lock of %s, which ended without giving it back", last)
	}
	// The journal comes before the holder's name: when it cannot be opened, the
	// name of the last holder, or none, still stands there for the next one.
	l.journal, err = os.OpenFile(s.journal(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("state: lock: %w", err), file.Unlock())
	}
	ctx, l.cancel = context.WithCancel(ctx)
	if err := s.setHolder(who); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("state: lock: %w", err), l.Unlock())
	}
	s.sweep()
	return ctx, l, nil
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
	return os.WriteFile(s.locking(), text, 0o600)
}

// sweep removes what a Save that was killed left behind. Only the holder of
// the lock may call it.
func (s *Store) sweep() {
	left, _ := filepath.Glob(filepath.Join(s.dir, "."+filepath.Base(s.file())+"*")) // the pattern is well formed
	for _, path := range left {
		_ = os.Remove(path) // what stays is swept the next time
	}
}

type lock struct {
	store   *Store
	file    *flock.Flock
	journal *os.File
	cancel  context.CancelFunc
	note    string
	ended   bool  // it was given back
	broken  error // an append left something behind that could not be taken back
}

var errEnded = errors.New("the lock was given back")

// Note implements state.Lock.
func (l *lock) Note() string { return l.note }

// Save replaces the state file by rename, so that a reader and a crash see
// either the old or the new one, and makes the rename itself durable.
func (l *lock) Save(_ context.Context, data []byte) error {
	if l.ended {
		return errEnded
	}
	if err := renameio.WriteFile(l.store.file(), data, 0o600,
		renameio.IgnoreUmask(), renameio.WithTempDir(l.store.dir)); err != nil {
		return err
	}
	return syncDir(l.store.dir)
}

// Append writes one line and waits until it is on disk. When that fails, as
// on a full disk, the part that was written is taken back.
func (l *lock) Append(_ context.Context, line []byte) error {
	switch {
	case l.ended:
		return errEnded
	case l.broken != nil:
		return l.broken
	}
	info, err := l.journal.Stat()
	if err != nil {
		return err
	}
	_, err = l.journal.Write(line)
	if err == nil {
		err = l.journal.Sync()
	}
	if err == nil && info.Size() == 0 {
		err = syncDir(l.store.dir)
	}
	if err != nil {
		if undo := l.journal.Truncate(info.Size()); undo != nil {
			l.broken = errors.Join(err, undo)
		}
	}
	return err
}

// Clear empties the journal.
func (l *lock) Clear(context.Context) error {
	if l.ended {
		return errEnded
	}
	if err := l.journal.Truncate(0); err != nil {
		return err
	}
	return l.journal.Sync()
}

// Unlock gives the lock back. The lock file stays, empty: to remove it would
// let two processes lock two files of one name.
func (l *lock) Unlock() error {
	if l.ended {
		return errEnded
	}
	l.ended = true
	l.cancel()
	info, err := l.journal.Stat()
	if err == nil && info.Size() == 0 {
		err = os.Remove(l.store.journal())
	}
	return errors.Join(err, l.journal.Close(), os.Truncate(l.store.locking(), 0), l.file.Unlock())
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
