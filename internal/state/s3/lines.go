package s3

import (
	"bytes"
	"context"
	"errors"
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
	segments, err := s.pack(ctx, kind, l.Segments, moves)
	return lines{segments, bytes.Clone(stays)}, err
}

// lastLine returns the last of whole lines.
func lastLine(text []byte) []byte {
	return text[bytes.LastIndexByte(bytes.TrimSuffix(text, []byte("\n")), '\n')+1:]
}

// pack writes a text as the last segment, joined with those before it when
// that makes enough of about one size. Where these cannot be read they stay as
// they are: nothing depends on it.
func (s *Store) pack(ctx context.Context, kind string, segments []object, text []byte) ([]object, error) {
	for len(segments) >= fan-1 {
		rest, last := segments[:len(segments)-fan+1], segments[len(segments)-fan+1:]
		size := magnitude(int64(len(text)))
		if size >= maxJoined || slices.ContainsFunc(last, func(o object) bool { return magnitude(o.Size) != size }) {
			break
		}
		before, err := s.text(ctx, lines{Segments: last}, kind)
		if err != nil {
			break
		}
		segments, text = rest, append(before, text...)
	}
	written, err := s.keep(ctx, kind, text)
	return append(slices.Clone(segments), written), err
}

// magnitude is a size, rounded down to a power of fan.
func magnitude(size int64) int64 {
	power := int64(maxTail)
	for power < maxJoined && size >= power*fan {
		power *= fan
	}
	return power
}

// text reads all lines, nil when there are none. With *state.ErrDamaged it
// returns those of the segments that can be read.
func (s *Store) text(ctx context.Context, l lines, what string) (all []byte, damage error) {
	for _, segment := range l.Segments {
		part, err := s.fetch(ctx, segment, what)
		if err != nil && !damaged(err) {
			return nil, err
		}
		all, damage = append(all, part...), errors.Join(damage, err)
	}
	return append(all, l.Tail...), damage
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
