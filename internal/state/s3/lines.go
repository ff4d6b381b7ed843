package s3

import (
	"bytes"
	"context"
	"slices"
)

// maxTail is how long a tail may be: the head is written anew with each line,
// so that this bounds what a line costs.
const maxTail = 64 << 10

// fan is how many segments of about one size are joined into one. A text has
// so less than fan of them for each of its sizes, and each of its bytes is
// written again once for each size.
const fan = 8

// maxJoined is the size from which on a segment stays as it is.
const maxJoined = maxTail * fan * fan * fan

// grow returns the lines with more of them. It may write objects, and changes
// nothing that was there.
func (s *Store) grow(ctx context.Context, kind string, l lines, more []byte) (lines, error) {
	if len(l.Tail)+len(more) <= maxTail {
		return lines{l.Segments, slices.Concat(l.Tail, more)}, nil
	}
	stays := lastLine(more)
	if len(stays) > maxTail {
		stays = nil
	}
	moves := slices.Concat(l.Tail, more[:len(more)-len(stays)])
	segment, err := s.keep(ctx, kind, moves)
	if err != nil {
		return lines{}, err
	}
	segments := append(slices.Clone(l.Segments), segment)
	return lines{s.join(ctx, kind, segments), bytes.Clone(stays)}, nil
}

// lastLine returns the last of whole lines.
func lastLine(text []byte) []byte {
	return text[bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n')+1:]
}

// join makes one segment of the last ones, while there are enough of about
// one size. Where it cannot, they stay as they are: nothing depends on it.
func (s *Store) join(ctx context.Context, kind string, segments []object) []object {
	for len(segments) >= fan {
		rest, last := segments[:len(segments)-fan], segments[len(segments)-fan:]
		if size := magnitude(last[0]); size >= maxJoined || slices.ContainsFunc(last, func(o object) bool { return magnitude(o) != size }) {
			break
		}
		text, err := s.text(ctx, lines{Segments: last}, kind)
		if err != nil {
			break
		}
		joined, err := s.keep(ctx, kind, text)
		if err != nil {
			break
		}
		segments = append(slices.Clone(rest), joined)
	}
	return segments
}

// magnitude is the size of an object, rounded down to a power of fan.
func magnitude(o object) int64 {
	size := int64(maxTail)
	for size < maxJoined && o.Size >= size*fan {
		size *= fan
	}
	return size
}

// text reads all lines, nil when there are none.
func (s *Store) text(ctx context.Context, l lines, what string) ([]byte, error) {
	var all []byte
	for _, segment := range l.Segments {
		part, err := s.fetch(ctx, segment, what)
		if err != nil {
			return nil, err
		}
		all = append(all, part...)
	}
	return append(all, l.Tail...), nil
}

// lastLine reads the last line, without its line break; nil when there is none.
func (s *Store) lastLine(ctx context.Context, l lines, what string) ([]byte, error) {
	text := l.Tail
	if len(text) == 0 && len(l.Segments) > 0 {
		var err error
		if text, err = s.fetch(ctx, l.Segments[len(l.Segments)-1], what); err != nil {
			return nil, err
		}
	}
	if len(text) == 0 {
		return nil, nil
	}
	return bytes.Clone(bytes.TrimSuffix(lastLine(text), []byte("\n"))), nil
}
