package local

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/proximity-cli/proximity/internal/state"
)

var _ state.Inspector = (*Store)(nil)

// Inspect implements state.Inspector: what others may read, and what writers
// that were killed left behind.
func (s *Store) Inspect(context.Context) ([]state.Disorder, error) {
	var all []state.Disorder
	paths := []string{s.file(), s.journal(), s.locking(), s.trail(), s.versions()}
	names, _ := s.versionNames() // that they cannot be listed Versions says
	for _, name := range names {
		paths = append(paths, filepath.Join(s.versions(), name))
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		} else if err != nil {
			return nil, fmt.Errorf("state: %w", err)
		}
		want := fs.FileMode(0o600)
		if info.IsDir() {
			want = 0o700
		}
		if is := info.Mode().Perm(); is&^want != 0 {
			all = append(all, state.Disorder{
				Place: path, What: fmt.Sprintf("it is open to others: its mode is %03o and not %03o", is, want),
				Remedy: fmt.Sprintf("chmod %03o '%s'", want, path),
			})
		}
	}
	for _, path := range s.leftOver() {
		all = append(all, state.Disorder{Place: path, What: "a run that was killed left it behind; the next one removes it", Passes: true})
	}
	return all, nil
}
