package state

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Salvage is what can be read of a store whatever state it is in. Nothing in
// it is guessed: what cannot be read is missing, and its error says why.
type Salvage struct {
	Files   Files
	Past    []Past
	PastErr error // why Past is not known
	// State is what is recorded now, journal included: of the state file, or
	// of the version that is a copy of it. Nil when neither can be read, or when
	// there is no state.
	State *State
	// Open are the steps that began and of which no end is known, also where
	// State is nil.
	Open []Intent
	// Serial is the highest that anything here speaks of.
	Serial  uint64
	Lineage string // as far as anything tells; may be empty
	// StateErr, JournalErr and LastErr, of the last line of the trail, are
	// *ErrDamaged or nil. While one of them is there nothing can be saved but by
	// Replace.
	StateErr, JournalErr, LastErr error
	Lost                          int // lines of the journal that cannot be read

	box   Box
	ended []placed
	lines int // events in the journal
}

// IsEmpty reports whether nothing was ever kept there.
func (s *Salvage) IsEmpty() bool {
	return s.Files.State == nil && s.Files.Journal == nil && s.IsSound() && !s.wasSaved()
}

// IsSound reports whether nothing is damaged, and the state goes on here.
func (s *Salvage) IsSound() bool {
	return s.StateErr == nil && s.JournalErr == nil && s.LastErr == nil && (s.State == nil || s.State.Moved == "")
}

// Salvaged reads what can be read, without locking. The error is of a store
// that does not answer, of damage to what the store itself is made of, and of
// what is not damaged but cannot be judged here: *ErrNewer and *ErrSealed.
func Salvaged(ctx context.Context, store Store, o Options) (*Salvage, error) {
	c := codec{store: store.String(), kinds: o.Kinds}
	files, err := store.Load(ctx)
	s := &Salvage{Files: files}
	if err := s.blame(err); err != nil {
		return nil, err
	}
	s.Past, s.PastErr = Versions(ctx, store, o)
	if files.State != nil && s.StateErr == nil {
		in, err := c.decode(files.State, o.Vault)
		s.State, s.box, s.StateErr = in.state, in.box, err
	}
	if files.State == nil && s.StateErr == nil && (files.Journal != nil || s.wasSaved()) {
		s.StateErr = c.damaged("state file", "it is missing, but %s", s.left())
	}
	if !isDamage(s.StateErr) {
		return nil, s.StateErr
	}
	if s.StateErr != nil {
		s.State = nil
	}
	if c.box = s.box; c.box == nil {
		s.lookBack(&c)
	}
	s.readJournal(c)
	s.sum()
	if end, err := c.lastOf(files.Last); err != nil {
		s.LastErr, s.Files.Last = err, nil // what comes now begins a trail of its own
	} else {
		s.Serial = max(s.Serial, end.Serial)
	}
	return s, nil
}

// blame notes which part a store calls damaged, or which ones. An error of another
// sort is returned.
func (s *Salvage) blame(err error) error {
	if several, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range several.Unwrap() {
			if err := s.blame(one); err != nil {
				return err
			}
		}
		return nil
	}
	var damage *ErrDamaged
	switch errors.As(err, &damage); {
	case damage != nil && damage.What == "trail":
		s.LastErr = err
	case damage != nil && damage.What == "journal":
		s.JournalErr = err
	case damage != nil && damage.What == "state file":
		s.StateErr = err
	default:
		return err
	}
	return nil
}

// isDamage reports whether an error is none, or one that can be repaired.
func isDamage(err error) bool {
	var damaged *ErrDamaged
	return err == nil || errors.As(err, &damaged)
}

// wasSaved reports whether there were states: see refuseLost.
func (s *Salvage) wasSaved() bool { return len(s.Past) > 0 && s.Past[0].Serial > 1 }

func (s *Salvage) left() string {
	if s.Files.Journal != nil {
		return "its journal is there"
	}
	return "versions of it are there"
}

// lookBack takes the box of the newest version that can be read.
func (s *Salvage) lookBack(c *codec) {
	for _, p := range s.Past {
		if s.State == nil && p.Err == nil {
			c.box, s.box = p.box, p.box
			return
		}
	}
}

// readJournal brings what is recorded up to date with the lines that can be
// read. Where the state file cannot, the version of the same serial stands in
// for it: it is a copy.
func (s *Salvage) readJournal(c codec) {
	events, lost := c.readable(s.Files.Journal)
	s.lines = len(events)
	if _, err := c.decodeLines(s.Files.Journal); err != nil { // else the last line is torn at most
		s.Lost = lost
		if s.JournalErr == nil {
			s.JournalErr = err
		}
	}
	serial, base := uint64(0), s.State
	for _, e := range events {
		serial = max(serial, e.Serial)
		s.Lineage = cmp.Or(s.Lineage, e.Lineage)
	}
	if base == nil {
		if base = s.copyOf(serial); base != nil {
			s.State = base
		} else {
			base = &State{Serial: serial, Objects: map[addr.Addr]resource.Object{}}
		}
	}
	if s.JournalErr == nil && base.Lineage != "" && s.Lineage != "" && s.Lineage != base.Lineage {
		s.JournalErr = c.damaged("journal", "it belongs to another state, of the lineage %s", s.Lineage)
	}
	if s.JournalErr == nil && serial > base.Serial {
		s.JournalErr = c.damaged("journal", "it follows serial %d, but the state file has serial %d", serial, base.Serial)
	}
	s.ended = c.replayReadable(base, events)
	s.Open, s.Serial = base.Open, max(serial, base.Serial)
}

// copyOf returns the newest version when that is what stood in the state file:
// of the serial that the journal follows, or, without a journal, simply the
// newest.
func (s *Salvage) copyOf(serial uint64) *State {
	if s.StateErr == nil {
		return nil
	}
	for _, p := range s.Past {
		if p.Err == nil && (p.Serial == serial || serial == 0 && p.Serial == s.Past[0].Serial) {
			return p.Content.Clone()
		}
	}
	return nil
}

func (s *Salvage) sum() {
	for _, p := range s.Past {
		s.Serial = max(s.Serial, p.Serial)
		if p.Err == nil {
			s.Lineage = cmp.Or(s.Lineage, p.Content.Lineage)
		}
	}
	if s.State != nil {
		s.Lineage = s.State.Lineage
	}
}

// readable returns the events of all lines that are as they were written, and
// how many lines are not.
func (c codec) readable(data []byte) (events []event, lost int) {
	for line := range bytes.Lines(data) {
		told, err := c.decodeLine(bytes.TrimSuffix(line, []byte("\n")))
		if err != nil {
			lost++
			continue
		}
		events = append(events, told...)
	}
	return events, lost
}

// replayReadable is replay where lines may be missing: the end of a step whose
// beginning is lost still tells what is there.
func (c codec) replayReadable(s *State, events []event) []placed {
	var ended []placed
	for i, e := range events {
		if e.Serial != s.Serial || e.Lineage != "" && s.Lineage != "" && e.Lineage != s.Lineage {
			continue
		}
		if entry, ok := e.entry(s); ok {
			ended = append(ended, placed{e.Serial, i + 1, entry})
		}
		if c.apply(s, e) == nil || e.End == nil || e.End.Object == nil {
			continue
		}
		if o, err := c.decodeObject(*e.End.Object); err == nil {
			s.Objects[o.Addr] = o
		}
	}
	return ended
}

// Repair is Open for a state that may be damaged. It writes nothing by itself,
// and Close writes nothing either unless Replace did. The Salvage is what is
// there, read under the lock.
func Repair(ctx context.Context, store Store, who Who, o Options) (context.Context, *Session, *Salvage, error) {
	locked, lock, err := store.Lock(ctx, who)
	if err != nil {
		return nil, nil, nil, err
	}
	s := newSession(store, lock, who, o)
	there, err := Salvaged(ctx, store, o)
	if err == nil {
		err = s.takeSalvage(there, o)
	}
	if err != nil {
		return nil, nil, nil, errors.Join(err, lock.Unlock())
	}
	return locked, s, there, nil
}

func (s *Session) takeSalvage(there *Salvage, o Options) error {
	s.ended, s.line, s.last = there.ended, there.lines, there.Files.Last
	s.state = &State{Serial: there.Serial, Objects: map[addr.Addr]resource.Object{}}
	if there.State != nil {
		s.state = there.State.Clone()
		s.state.Serial = there.Serial
		if there.LastErr == nil {
			s.known = there.State.trail
		}
	}
	if s.codec.box = there.box; s.codec.box != nil || o.Vault == nil {
		return nil
	}
	var err error
	if s.codec.box, err = o.Vault.New(); err != nil {
		return fmt.Errorf("%s: %w", s.codec.store, err)
	}
	return nil
}

// Replace writes another state in the place of the present one, under a serial
// that is higher than both. The trail says so with the entry.
func (s *Session) Replace(ctx context.Context, e Entry, next *State) error {
	return s.Edit(ctx, e, func(st *State) error {
		serial := max(st.Serial, next.Serial-min(next.Serial, 1))
		*st = *next.Clone()
		st.Serial = serial
		return nil
	})
}
