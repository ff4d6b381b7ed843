package httpstore

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"slices"
)

// segment is bytes, compressed and as text.
type segment string

// segments are bytes in pieces. Each is of whole lines.
type segments []segment

const (
	// segmentSize is how long a segment grows before the next one begins: what is
	// added costs the compression of so much and not of everything there is.
	segmentSize = 64 << 10
	// unpackedSize is the most that a segment may become, lest a small answer
	// fills the memory.
	unpackedSize = 1 << 30
)

var errSegment = errors.New("a part of it cannot be unpacked")

func pack(data []byte) (segment, error) {
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	if err := w.Close(); err != nil {
		return "", err
	}
	return segment(base64.StdEncoding.EncodeToString(out.Bytes())), nil
}

// open never returns nil without an error.
func (s segment) open() ([]byte, error) {
	packed, err := base64.StdEncoding.DecodeString(string(s))
	if err != nil {
		return nil, errSegment
	}
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, errSegment
	}
	data, err := io.ReadAll(io.LimitReader(r, unpackedSize+1))
	switch {
	case err != nil:
		return nil, errSegment
	case len(data) > unpackedSize:
		return nil, fmt.Errorf("a part of it has more than %d MiB", unpackedSize>>20)
	}
	return data, nil
}

// open returns all the bytes, nil when there are no segments. With an error they
// are those that can be read.
func (s segments) open() ([]byte, error) {
	var all []byte
	var unreadable error
	for _, one := range s {
		data, err := one.open()
		all, unreadable = append(all, data...), cmp.Or(unreadable, err)
	}
	return all, unreadable
}

// last returns the last line, nil when there is none.
func (s segments) last() ([]byte, error) {
	if len(s) == 0 {
		return nil, nil
	}
	data, err := s[len(s)-1].open()
	if err != nil {
		return nil, err
	}
	return []byte(lastLine(string(data))), nil
}

// with returns the segments and more lines. It leaves s as it is, and a segment
// that cannot be read as well.
func (s segments) with(lines []byte) (segments, error) {
	s = slices.Clone(s)
	if n := len(s); n > 0 {
		last, err := s[n-1].open()
		if err == nil && len(last)+len(lines) <= segmentSize {
			s, lines = s[:n-1], append(last, lines...)
		}
	}
	packed, err := pack(lines)
	return append(s, packed), err
}
