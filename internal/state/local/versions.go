package local

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// Versions implements state.Store. A Save that was killed between its version
// and the state file leaves a version newer than that: what the journal's
// folding would have written.
func (s *Store) Versions(context.Context) ([]state.Version, error) {
	names, err := s.versionNames()
	if err != nil {
		return nil, err
	}
	var all []state.Version
	for _, name := range names {
		path := filepath.Join(s.versions(), name)
		v := state.Version{}
		if _, err := fmt.Sscanf(name, versionName, &v.Serial); err != nil {
			continue
		}
		info, err := os.Stat(path)
		if err == nil {
			v.State, err = os.ReadFile(path)
		}
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue // a holder has just dropped it as too old
		case err != nil:
			return nil, fmt.Errorf("state: %w", err)
		}
		v.At = info.ModTime()
		all = append(all, v)
	}
	return all[:min(len(all), state.KeptVersions)], nil
}

// versionName sorts like the serial in it.
const versionName = "%020d.json"

// versionNames lists the version files, the newest first.
func (s *Store) versionNames() ([]string, error) {
	entries, err := os.ReadDir(s.versions())
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("state: %w", err)
	}
	var names []string
	for _, e := range entries {
		if len(e.Name()) == len(fmt.Sprintf(versionName, 0)) && filepath.Ext(e.Name()) == ".json" {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	slices.Reverse(names)
	return names, nil
}

// keep writes a state as a version and drops those that are too old.
func (s *Store) keep(snap state.Snapshot) error {
	if err := makeDir(s.versions()); err != nil {
		return err
	}
	path := filepath.Join(s.versions(), fmt.Sprintf(versionName, snap.Serial))
	err := failpoint.Around("state/local: keep a version", func() error { return replace(s.versions(), path, snap.State) })
	if err != nil {
		return err
	}
	names, err := s.versionNames()
	if err != nil || len(names) <= state.KeptVersions {
		return err
	}
	for _, name := range names[state.KeptVersions:] {
		_ = os.Remove(filepath.Join(s.versions(), name)) // what stays is dropped the next time
	}
	return nil
}

// Trail implements state.Store.
func (s *Store) Trail(context.Context) ([]byte, error) {
	data, err := readIfThere(s.trail())
	return data[:wholeLines(data)], err
}

// wholeLines returns the length of the part of a text that ends with its last
// line break. What follows was being written when its process died.
func wholeLines(text []byte) int { return bytes.LastIndexByte(text, '\n') + 1 }

// lastLine returns the last whole line of the trail, or nil.
func (s *Store) lastLine() ([]byte, error) {
	file, err := os.Open(s.trail())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("state: %w", err)
	}
	defer file.Close()
	end, err := endBefore(file, math.MaxInt64)
	if err != nil || end == 0 {
		return nil, err
	}
	start, err := endBefore(file, end-1)
	if err != nil {
		return nil, err
	}
	line := make([]byte, end-1-start)
	_, err = file.ReadAt(line, start)
	return line, err
}

// addToTrail adds whole lines. The torn rest of an earlier try is taken off.
func (s *Store) addToTrail(lines []byte) error {
	if len(lines) == 0 {
		return nil
	}
	file, err := openPrivate(s.trail(), os.O_CREATE|os.O_RDWR)
	if err != nil {
		return err
	}
	end, err := endBefore(file, math.MaxInt64)
	if err == nil {
		err = failpoint.Around("state/local: add to the trail", func() error { return s.writeTrail(file, end, lines) })
	}
	return errors.Join(err, file.Close())
}

// writeTrail puts lines in the place of all that comes after the end.
func (s *Store) writeTrail(file *os.File, end int64, lines []byte) error {
	if err := file.Truncate(end); err != nil {
		return err
	}
	if _, err := file.WriteAt(lines, end); err != nil {
		return err
	}
	if err := file.Sync(); err != nil || end > 0 {
		return err
	}
	return syncDir(s.dir)
}

// endBefore returns where the last whole line ends among the bytes of a file
// before a limit; 0 when none does.
func endBefore(file *os.File, limit int64) (int64, error) {
	info, err := file.Stat()
	if err != nil {
		return 0, err
	}
	const step = 8 << 10
	for to := min(limit, info.Size()); to > 0; to -= step {
		from := max(0, to-step)
		part := make([]byte, to-from)
		if _, err := file.ReadAt(part, from); err != nil {
			return 0, err
		}
		if end := wholeLines(part); end > 0 {
			return from + int64(end), nil
		}
	}
	return 0, nil
}
