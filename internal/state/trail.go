package state

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Entry is one line of the trail: a step that was carried out, or what
// somebody did to the state itself. Entries outlive what they are about, and
// the kinds that this program knows: everything in them is plain text.
type Entry struct {
	At      time.Time       `json:"at"`             // when it ended
	Took    float64         `json:"took,omitempty"` // seconds
	By      By              `json:"by"`
	Plan    string          `json:"plan,omitempty"` // fingerprint of the plan that it belongs to
	Address string          `json:"address,omitempty"`
	Action  string          `json:"action"` // create, update, delete, …; for the state itself: the command
	Host    string          `json:"host,omitempty"`
	ID      string          `json:"id,omitempty"`
	Tasks   []string        `json:"tasks,omitempty"` // the host's names for the work
	Edits   json.RawMessage `json:"edits,omitempty"` // as the engine tells them, without sensitive values
	Result  Result          `json:"result"`
	Text    string          `json:"text,omitempty"` // the error, or what was found
}

// Result is how a step ended.
type Result string

// The results. Settled is what a later run found out about a step whose own
// run did not live to record its end.
const (
	Succeeded Result = "done"
	FailedRun Result = "failed"
	Settled   Result = "settled"
)

// By is who did something.
type By struct {
	User    string `json:"user,omitempty"`
	Host    string `json:"host,omitempty"`
	Command string `json:"command,omitempty"`
}

// trailLine is the form of a line. Serial and Line are the place of the step's
// end in the journals. Hash is of all the rest, the entry as it stands here,
// sealed or not.
type trailLine struct {
	N      uint64          `json:"n"` // from 1
	Serial uint64          `json:"serial"`
	Line   int             `json:"line,omitempty"`
	Entry  json.RawMessage `json:"entry,omitempty"`
	Sealed string          `json:"sealed,omitempty"`
	Prev   string          `json:"prev,omitempty"`
	Hash   string          `json:"hash"`
}

func (l trailLine) sum() string {
	h := sha256.New()
	fmt.Fprintf(h, "%d %d %d %s %s %s", l.N, l.Serial, l.Line, l.Prev, l.Entry, l.Sealed)
	return hex.EncodeToString(h.Sum(nil))
}

// trailEnd is how far a trail went: kept in the state file, so that a trail
// that was cut or written anew is known by it.
type trailEnd struct {
	Lines uint64 `json:"lines"`
	Hash  string `json:"hash"`
}

// placed is an entry with its place.
type placed struct {
	serial uint64
	line   int
	entry  Entry
}

// lastOf reads the last line of a trail; the zero line when it has none.
func (c codec) lastOf(last []byte) (line trailLine, err error) {
	if last == nil {
		return line, nil
	}
	if err := strict(last, &line); err != nil || line.Hash != line.sum() {
		return trailLine{}, c.damaged("trail", "its last line is not as it was written")
	}
	return line, nil
}

// trailLines returns the lines that a trail gains, and where it then ends. Its
// last line is last, nil when it has none. When that is one of the entries, an
// earlier try to write them came so far: only the rest is written. A trail that
// does not go as far as is known goes on behind what is known, so that what was
// cut off or put in its place shows for ever.
func (c codec) trailLines(last []byte, known trailEnd, entries []placed) ([]byte, trailEnd, error) {
	before, err := c.lastOf(last)
	if err != nil {
		return nil, trailEnd{}, err
	}
	end := trailEnd{before.N, before.Hash}
	if before.N <= known.Lines {
		end = known
	}
	var out []byte
	for _, p := range c.missing(last, entries) {
		line, err := c.trailLine(end, p)
		if err != nil {
			return nil, end, err
		}
		text, err := json.Marshal(line)
		if err != nil {
			return nil, end, err
		}
		out = append(append(out, text...), '\n')
		end = trailEnd{line.N, line.Hash}
	}
	return out, end, nil
}

// stands reports whether a line is that of an entry.
func (c codec) stands(l trailLine, p placed) bool {
	if l.Serial != p.serial || l.Line != p.line {
		return false
	}
	had, err := c.decodeEntry(l)
	return err == nil && had.At.Equal(p.entry.At) && had.Address == p.entry.Address
}

func (c codec) trailLine(end trailEnd, p placed) (trailLine, error) {
	line := trailLine{N: end.Lines + 1, Serial: p.serial, Line: p.line, Prev: end.Hash}
	text, err := json.Marshal(p.entry)
	if err != nil {
		return line, err
	}
	if line.Entry = text; c.box != nil {
		sealed, err := c.box.Seal(text)
		if err != nil {
			return line, err
		}
		line.Entry, line.Sealed = nil, base64.StdEncoding.EncodeToString(sealed)
	}
	line.Hash = line.sum()
	return line, nil
}

// ErrTampered is the error of a trail whose lines are not those that were
// written, in their order and number.
type ErrTampered struct {
	Store string
	Line  int // the first that is wrong, from 1; when lines are missing at the end, the last; 0: there is none
	Why   string
}

func (e *ErrTampered) Error() string {
	if e.Line == 0 {
		return fmt.Sprintf("%s: trail: %s", e.Store, e.Why)
	}
	return fmt.Sprintf("%s: trail: line %d: %s", e.Store, e.Line, e.Why)
}

// decodeTrail reads a trail that state says went at least as far as end. With
// *ErrTampered it returns what can be read all the same.
func (c codec) decodeTrail(data []byte, end trailEnd) ([]Entry, error) {
	var (
		entries []Entry
		prev    trailLine
		wrong   *ErrTampered
		isMet   = end.Lines == 0
		n       int
	)
	tampered := func(why string) {
		if wrong == nil {
			wrong = &ErrTampered{c.store, n, why}
		}
	}
	for text := range bytes.Lines(data) {
		n++
		l, entry, err := c.decodeTrailLine(text)
		if err != nil {
			tampered(err.Error())
			continue
		}
		if l.Prev != prev.Hash || l.N != prev.N+1 {
			tampered("it does not follow the one before: a line was taken out, put in or moved")
		}
		prev, entries = l, append(entries, entry)
		isMet = isMet || l.N == end.Lines && l.Hash == end.Hash
	}
	if !isMet {
		tampered(fmt.Sprintf("lines were cut off or replaced: the state file says that the trail went as far as line %d", end.Lines))
	}
	if wrong != nil {
		return entries, wrong
	}
	return entries, nil
}

func (c codec) decodeTrailLine(text []byte) (l trailLine, e Entry, err error) {
	if err := strict(text, &l); err != nil {
		return l, e, errors.New("it is not as it was written")
	}
	if l.Hash != l.sum() {
		return l, e, errors.New("it was changed")
	}
	again, err := json.Marshal(l) // the same meaning in other bytes is a change as well
	if err != nil || !bytes.Equal(append(again, '\n'), text) {
		return l, e, errors.New("it was changed")
	}
	e, err = c.decodeEntry(l)
	return l, e, err
}

func (c codec) decodeEntry(l trailLine) (e Entry, err error) {
	text := []byte(l.Entry)
	if l.Sealed != "" {
		if c.box == nil {
			return e, errors.New("it is encrypted, and the state is not")
		}
		sealed, err := base64.StdEncoding.DecodeString(l.Sealed)
		if err != nil {
			return e, errors.New("it is not as it was written")
		}
		if text, err = c.box.Unseal(sealed); err != nil {
			return e, errors.New("it is encrypted for another state")
		}
	}
	if err := json.Unmarshal(text, &e); err != nil {
		return e, errors.New("it is not as it was written")
	}
	return e, nil
}

// untold returns what is to be said where a trail goes on behind what the state
// file and its journal know of: a command that changes the state died just before
// it did, or an older file was put in its place. The lines stay, as all do.
func (c codec) untold(l loaded) (Entry, bool) {
	last, err := c.lastOf(l.last)
	if err != nil || l.last == nil || last.N <= l.state.trail.Lines || len(c.missing(l.last, l.ended)) < len(l.ended) {
		return Entry{}, false
	}
	return Entry{
		Action: "correction", Result: Settled,
		Text: fmt.Sprintf("what lines %d to %d of the trail tell is not in the state: their run died before it was, or an older state file was put back",
			l.state.trail.Lines+1, last.N),
	}, true
}

// lastLine returns the last of whole lines, without its line break.
func lastLine(lines []byte) []byte {
	lines = bytes.TrimSuffix(lines, []byte("\n"))
	return bytes.Clone(lines[bytes.LastIndexByte(lines, '\n')+1:])
}

// Trail returns every step that a state knows to have ended, the oldest first,
// those in its journal included. With *ErrTampered, and with the error of a
// state file that cannot be read, it returns what can be read all the same.
func Trail(ctx context.Context, store Store, o Options) ([]Entry, error) {
	l, err := load(ctx, store, o)
	if errors.As(err, new(*ErrSealed)) {
		return nil, err // the key that is missing opens the trail as well
	}
	var end trailEnd
	if err == nil {
		end = l.state.trail
	}
	c := codec{store: store.String(), kinds: o.Kinds, box: l.box}
	data, readErr := store.Trail(ctx)
	if !isDamage(readErr) {
		return nil, errors.Join(err, readErr)
	}
	entries, trailErr := c.decodeTrail(data, end)
	for _, p := range c.missing(l.last, l.ended) {
		entries = append(entries, p.entry)
	}
	return entries, errors.Join(err, readErr, trailErr)
}

// missing returns the entries that a trail lacks whose last line is last.
func (c codec) missing(last []byte, entries []placed) []placed {
	var before trailLine
	if last == nil || strict(last, &before) != nil {
		return entries
	}
	i := slices.IndexFunc(entries, func(p placed) bool { return c.stands(before, p) })
	return entries[i+1:]
}
