package local

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// journal is the open journal file. It is made of whole chunks: lines, then
// zeros, at least one. So one that was cut short is known by its length, also
// where the cut fell between two lines, and a line that is written into zeros
// that are on disk already costs one flush of data and none of the file's
// length.
type journal struct {
	dir, path string
	file      *os.File
	end, size int64
	broken    error // a write left something behind that could not be taken back
}

const chunk = 64 << 10

// openJournal opens the journal of a directory to write, and makes an empty
// one where there is none.
func openJournal(path string) (*journal, error) {
	j := &journal{dir: filepath.Dir(path), path: path}
	if _, err := os.Stat(path); err != nil {
		return j, j.reset()
	}
	var err error
	if j.file, err = openPrivate(path, os.O_RDWR); err != nil {
		return nil, err
	}
	info, err := j.file.Stat()
	if err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	j.size = info.Size()
	text, err := readIfThere(path)
	if err != nil {
		return nil, errors.Join(err, j.file.Close())
	}
	j.end, j.broken = int64(len(bytes.TrimRight(text, "\x00"))), whole(path, text)
	return j, nil
}

// isEmpty reports whether there is nothing in it that somebody has to see.
func (j *journal) isEmpty() bool { return j.end == 0 && j.broken == nil }

// reset puts an empty journal in the place of the present one.
func (j *journal) reset() error {
	err := failpoint.Around("state/local: put an empty journal in place", func() error {
		return replace(j.dir, j.path, make([]byte, chunk))
	})
	var file *os.File
	if err == nil {
		file, err = openPrivate(j.path, os.O_RDWR)
	}
	if err != nil {
		j.broken = err // what is open may have lost its name, and the state beside it is newer
		return err
	}
	if j.file != nil {
		err = j.file.Close()
	}
	j.file, j.end, j.size, j.broken = file, 0, chunk, nil
	return err
}

// add writes one line and waits until it is on disk. When that fails, as on a
// full disk, the part that was written is taken back.
func (j *journal) add(line []byte) error {
	if j.broken != nil {
		return j.broken
	}
	if err := j.grow(j.end + int64(len(line)) + 1); err != nil {
		return err
	}
	written := 0
	err := failpoint.Around("state/local: append to the journal", func() (err error) {
		if written, err = j.file.WriteAt(line, j.end); err != nil {
			return err
		}
		return flush(j.file)
	})
	if err == nil {
		j.end += int64(len(line))
		return nil
	}
	if _, undo := j.file.WriteAt(make([]byte, written), j.end); undo != nil {
		j.broken = errors.Join(err, undo)
	}
	return err
}

// mostChunks is what a journal grows by at the most: to grow is much slower than
// to append, and a long run should not do it for every few steps.
const mostChunks = 16

// grow doubles the file until there is room. The length grows first, at once: a
// process can die in the middle of writing the zeros.
func (j *journal) grow(room int64) error {
	for j.size < room {
		more := min(j.size, mostChunks*chunk)
		err := failpoint.Around("state/local: lengthen the journal", func() error {
			err := j.file.Truncate(j.size + more)
			if err == nil {
				_, err = j.file.WriteAt(make([]byte, more), j.size)
			}
			if err == nil {
				err = j.file.Sync()
			}
			return err
		})
		if err != nil {
			return errors.Join(err, j.file.Truncate(j.size))
		}
		j.size += more
	}
	return nil
}

// readJournal returns the lines of the journal, nil when it has none. A holder
// may be writing at the same time: what does not look whole is read again, and
// taken as it is when it has not changed.
func (s *Store) readJournal() ([]byte, error) {
	var before []byte
	for {
		text, err := readIfThere(s.journal())
		if err != nil || text == nil {
			return nil, err
		}
		lines := bytes.TrimRight(text, "\x00")
		err = whole(s.String(), text)
		if err == nil && bytes.IndexByte(lines, 0) < 0 || bytes.Equal(text, before) {
			if len(lines) == 0 {
				lines = nil
			}
			return lines, err
		}
		before = text
	}
}

// whole is *state.ErrDamaged for a journal that was cut short or added to by
// other means than ours.
func whole(name string, text []byte) error {
	if len(text) > 0 && len(text)%chunk == 0 && text[len(text)-1] == 0 {
		return nil
	}
	return &state.ErrDamaged{Store: name, What: "journal", Why: fmt.Sprintf("it was cut short, or added to by hand: %d bytes are there", len(text))}
}
