// Package local keeps state in a directory on this machine: the file
// proximity.state.json, and beside it its journal, its lock, its trail and its
// last versions. All files are 0600, directories that it makes 0700.
package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/gofrs/flock"

	"github.com/proximity-cli/proximity/internal/state"
)

// Store is a directory. It implements state.Store. File locks work between
// the processes of one machine, and over network file systems as far as these
// support them.
type Store struct{ dir string }

// New returns the store of a directory, which need not exist yet.
func New(dir string) *Store { return &Store{dir} }

func (s *Store) file() string     { return filepath.Join(s.dir, "proximity.state.json") }
func (s *Store) journal() string  { return filepath.Join(s.dir, "proximity.state.journal") }
func (s *Store) locking() string  { return filepath.Join(s.dir, "proximity.state.lock") }
func (s *Store) trail() string    { return filepath.Join(s.dir, "proximity.state.trail") }
func (s *Store) versions() string { return filepath.Join(s.dir, "proximity.state.versions") }

// String returns the path of the state file.
func (s *Store) String() string { return s.file() }

// Load reads the files. The journal comes first: a Save in between then leaves
// a journal that is known to be older than the state file. With *ErrDamaged, of a
// journal that was cut short, it returns what is there all the same.
func (s *Store) Load(context.Context) (state.Files, error) {
	journal, damage := s.readJournal()
	if damage != nil && !errors.As(damage, new(*state.ErrDamaged)) {
		return state.Files{}, damage
	}
	data, err := readIfThere(s.file())
	if err != nil {
		return state.Files{}, err
	}
	last, err := s.lastLine()
	if err == nil {
		err = damage
	}
	return state.Files{State: data, Journal: journal, Last: last}, err
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
// writes who has it into it.
func (s *Store) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	if err := makeDir(s.dir); err != nil {
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
	if err := os.Chmod(s.locking(), 0o600); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("state: lock: %w", err), file.Unlock())
	}
	l := &lock{store: s, file: file}
	if written {
		l.note = fmt.Sprintf("took over the lock of %s, which ended without giving it back", last)
	}
	// The journal comes before the holder's name: when it cannot be opened, the
	// name of the last holder, or none, still stands there for the next one.
	if l.journal, err = openJournal(s.journal()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("state: lock: %w", err), file.Unlock())
	}
	ctx, l.cancel = context.WithCancelCause(ctx)
	if err := s.setHolder(who.Named()); err != nil {
		return nil, nil, errors.Join(fmt.Errorf("state: lock: %w", err), l.Unlock())
	}
	s.sweep()
	return ctx, l, nil
}

// sweep removes what a Save that was killed left behind. Only the holder of
// the lock may call it.
func (s *Store) sweep() {
	for _, path := range s.leftOver() {
		_ = os.Remove(path) // what stays is swept the next time
	}
}

// leftOver returns the files that a Save that was killed left behind.
func (s *Store) leftOver() []string {
	var all []string
	for _, dir := range []string{s.dir, s.versions()} {
		left, _ := filepath.Glob(filepath.Join(dir, ".*.j*[0-9]")) // the pattern is well formed
		all = append(all, left...)
	}
	return all
}

// makeDir makes a directory that only its owner can enter, whatever the umask.
// One that is there stays as it is.
func makeDir(dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return os.Chmod(dir, 0o700)
}

// openPrivate opens a file that only its owner can read, whatever the umask.
func openPrivate(path string, flag int) (*os.File, error) {
	file, err := os.OpenFile(path, flag, 0o600)
	if err != nil {
		return nil, err
	}
	if err := file.Chmod(0o600); err != nil {
		return nil, errors.Join(err, file.Close())
	}
	return file, nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
