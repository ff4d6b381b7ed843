package pvesim

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"

	"github.com/gofrs/flock"
)

// journal is the log of an estate in a directory: one line per transaction, "<crc32> <json>". Several processes share
// it: each holds the lock for as long as a transaction takes and first reads what the others appended. A process killed
// while it writes leaves a torn last line, which the next holder cuts off: that transaction did not happen.
type journal struct {
	path   string
	lock   *flock.Flock
	file   *os.File
	offset int64 // how far it was read
}

// entry is one line: changed rows by table and key, null for those dropped.
type entry map[string]map[string]json.RawMessage

// compactAbove is the size in bytes from which Open writes the log anew.
const compactAbove = 4 << 20

func openJournal(dir string) (*journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	return &journal{path: filepath.Join(dir, "log"), lock: flock.New(filepath.Join(dir, "lock"))}, nil
}

// hold takes the lock of all processes and applies what they appended. Reset is called first when the log was written anew.
func (j *journal) hold(reset func(), apply func(entry) error) error {
	if err := j.lock.Lock(); err != nil {
		return fmt.Errorf("lock the estate: %w", err)
	}
	if err := j.catchUp(reset, apply); err != nil {
		return errors.Join(err, j.lock.Unlock())
	}
	return nil
}

func (j *journal) release() error { return j.lock.Unlock() }

func (j *journal) catchUp(reset func(), apply func(entry) error) error {
	if err := j.reopen(reset); err != nil {
		return err
	}
	stat, err := j.file.Stat()
	if err != nil || stat.Size() == j.offset {
		return err
	}
	tail := make([]byte, stat.Size()-j.offset)
	if _, err := j.file.ReadAt(tail, j.offset); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("read the estate: %w", err)
	}
	for len(tail) > 0 {
		line, rest, whole := bytes.Cut(tail, []byte{'\n'})
		record, ok := parseLine(line)
		if !whole || !ok {
			return j.file.Truncate(j.offset)
		}
		if err := apply(record); err != nil {
			return fmt.Errorf("read the estate: at byte %d: %w", j.offset, err)
		}
		j.offset += int64(len(line)) + 1
		tail = rest
	}
	return nil
}

// reopen opens the log when it is not open yet or was replaced by another process.
func (j *journal) reopen(reset func()) error {
	if j.file != nil {
		there, err := os.Stat(j.path)
		if err != nil {
			return err
		}
		mine, err := j.file.Stat()
		if err != nil {
			return err
		}
		if os.SameFile(there, mine) {
			return nil
		}
		if err := j.file.Close(); err != nil {
			return err
		}
		reset()
	}
	file, err := os.OpenFile(j.path, os.O_RDWR|os.O_CREATE, 0o600)
	j.file, j.offset = file, 0
	return err
}

func (j *journal) append(e entry) error {
	line, err := formatLine(e)
	if err != nil {
		return err
	}
	n, err := j.file.WriteAt(line, j.offset)
	if err != nil {
		return fmt.Errorf("write the estate: %w", err)
	}
	j.offset += int64(n)
	return nil
}

// compact replaces the log with one that holds only the given entry. The lock must be held.
func (j *journal) compact(e entry) error {
	line, err := formatLine(e)
	if err != nil {
		return err
	}
	fresh := j.path + ".new"
	if err := os.WriteFile(fresh, line, 0o600); err != nil {
		return err
	}
	if err := os.Rename(fresh, j.path); err != nil {
		return err
	}
	if err := j.file.Close(); err != nil {
		return err
	}
	j.file, err = os.OpenFile(j.path, os.O_RDWR, 0o600)
	j.offset = int64(len(line))
	return err
}

func (j *journal) close() error {
	if j.file == nil {
		return nil
	}
	return j.file.Close()
}

func formatLine(e entry) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, err
	}
	return fmt.Appendf(nil, "%08x %s\n", crc32.ChecksumIEEE(body), body), nil
}

func parseLine(line []byte) (entry, bool) {
	sum, body, ok := bytes.Cut(line, []byte{' '})
	want, err := strconv.ParseUint(string(sum), 16, 32)
	if !ok || err != nil || crc32.ChecksumIEEE(body) != uint32(want) {
		return nil, false
	}
	var e entry
	return e, json.Unmarshal(body, &e) == nil
}
