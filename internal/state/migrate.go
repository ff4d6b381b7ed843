package state

import (
	"bytes"
	"context"
	"errors"
	"fmt"
)

// Migration brings a state from one store to another, with its trail and the
// steps that are open. Its versions stay where they are.
type Migration struct {
	From, To Store
	Who      Who
	Options  Options
	Force    bool // also over an older state of the same lineage
	// Agree is asked under both locks with what is about to be moved; nil: yes.
	Agree func(*State) error
}

// Run migrates. First the state is marked as moved where it was, so that nobody
// goes on with it there; then it is written where it is to be, and read back. A
// process that dies in between leaves the mark, and Run again finishes. It
// returns the state as it is now at its new place.
func (m Migration) Run(ctx context.Context) (*State, error) {
	if m.From.String() == m.To.String() {
		return nil, fmt.Errorf("%s: it is there already", m.To)
	}
	locked, from, there, err := Repair(ctx, m.From, m.Who, m.Options)
	if err != nil {
		return nil, err
	}
	st, err := m.into(locked, from, there)
	return st, errors.Join(err, from.Close(context.WithoutCancel(ctx)))
}

func (m Migration) into(ctx context.Context, from *Session, there *Salvage) (*State, error) {
	switch {
	case there.IsEmpty():
		return nil, fmt.Errorf("%s: there is no state to be moved", m.From)
	case there.StateErr != nil || there.JournalErr != nil:
		return nil, errors.Join(there.StateErr, there.JournalErr)
	case there.State.Moved != "" && there.State.Moved != m.To.String():
		return nil, &ErrMoved{m.From.String(), there.State.Moved}
	}
	_, lock, err := m.To.Lock(ctx, m.Who)
	if err != nil {
		return nil, err
	}
	st, err := m.write(ctx, from, there, lock)
	return st, errors.Join(err, lock.Unlock())
}

func (m Migration) write(ctx context.Context, from *Session, there *Salvage, lock Lock) (*State, error) {
	target, err := Salvaged(ctx, m.To, m.Options)
	if err != nil {
		return nil, err
	}
	if there.State.Moved != "" && isAhead(target, there.State) { // an earlier try came so far
		return target.State, nil
	}
	if err := m.mayWrite(there.State, target); err != nil {
		return nil, err
	}
	if m.Agree != nil {
		if err := m.Agree(there.State); err != nil {
			return nil, err
		}
	}
	ctx = context.WithoutCancel(ctx)
	if there.State.Moved == "" {
		entry := Entry{Action: "migrate", Result: Succeeded, Text: "to " + m.To.String()}
		if err := from.Edit(ctx, entry, func(st *State) error { st.Moved = m.To.String(); return nil }); err != nil {
			return nil, err
		}
	}
	next, err := m.copy(ctx, from, lock)
	if err == nil {
		return next, nil
	}
	return nil, m.takeBack(ctx, from, err)
}

// isAhead reports whether a store has a state that follows another one.
func isAhead(target *Salvage, st *State) bool {
	return target.IsSound() && target.State != nil && target.State.Lineage == st.Lineage && target.State.Serial > st.Serial
}

// mayWrite refuses with *ErrFork to write over what would be lost by it.
func (m Migration) mayWrite(st *State, target *Salvage) error {
	fork := func(why string, args ...any) error { return &ErrFork{m.To.String() + ": " + fmt.Sprintf(why, args...)} }
	there := target.State
	switch {
	case target.IsEmpty():
		return nil
	case there == nil:
		return errors.Join(target.StateErr, target.JournalErr)
	case there.Lineage != st.Lineage:
		return fork("another state is there, of the lineage %s", there.Lineage)
	case there.Serial > st.Serial:
		return fork("a newer state is there: its serial is %d, and that at %s %d", there.Serial, m.From, st.Serial)
	case there.Moved == m.From.String() || m.Force:
		return nil
	}
	return fork("an older state is there, with serial %d; with --force it is replaced", there.Serial)
}

// copy writes the state and all of its trail, and reads both back.
func (m Migration) copy(ctx context.Context, from *Session, lock Lock) (*State, error) {
	lines, last, err := m.trail(ctx)
	if err != nil {
		return nil, err
	}
	next := from.State()
	next.Moved = ""
	next.Serial++
	entry := Entry{At: from.now(), By: from.by, Action: "migrate", Result: Succeeded, Text: "from " + m.From.String()}
	known := from.known
	if m.Force {
		known = trailEnd{} // the trail may be another one
	}
	more, end, err := from.codec.trailLines(last, known, []placed{{next.Serial, 0, entry}})
	if err != nil {
		return nil, err
	}
	next.trail = end
	data, err := from.codec.encode(next)
	if err != nil {
		return nil, err
	}
	if err := lock.Save(ctx, Snapshot{next.Serial, data, append(lines, more...)}); err != nil {
		return nil, fmt.Errorf("%s: %w", m.To, err)
	}
	return next, m.verify(ctx, data, end)
}

// trail returns the lines that the target lacks, and the last line before those
// that are to come.
func (m Migration) trail(ctx context.Context) (lines, last []byte, err error) {
	source, err := m.From.Trail(ctx)
	if err != nil {
		return nil, nil, err
	}
	target, err := m.To.Trail(ctx)
	if err != nil {
		return nil, nil, err
	}
	whole := source
	switch {
	case bytes.HasPrefix(source, target):
		lines = bytes.Clone(source[len(target):])
	case bytes.HasPrefix(target, source): // an earlier try wrote it, and no state
		whole = target
	case m.Force:
		whole = target
	default:
		return nil, nil, &ErrFork{fmt.Sprintf("%s: it has a trail of its own, which is not the beginning of that at %s; with --force that one goes on", m.To, m.From)}
	}
	if len(whole) > 0 {
		last = lastLine(whole)
	}
	return lines, last, nil
}

func (m Migration) verify(ctx context.Context, data []byte, end trailEnd) error {
	files, err := m.To.Load(ctx)
	if err != nil {
		return err
	}
	var last trailLine
	if !bytes.Equal(files.State, data) || strict(files.Last, &last) != nil || last.Hash != end.Hash {
		return fmt.Errorf("%s: it does not return what was written", m.To)
	}
	return nil
}

// takeBack takes the mark off the source when the target has certainly not got
// the state. Else the mark stays: two states that go on would be worse.
func (m Migration) takeBack(ctx context.Context, from *Session, cause error) error {
	target, err := Salvaged(ctx, m.To, m.Options)
	if err != nil || isAhead(target, from.State()) || target.State == nil && !target.IsEmpty() {
		return fmt.Errorf("%w; what %s has is not known: %s is marked as moved until the migration was run again", cause, m.To, m.From)
	}
	entry := Entry{Action: "migrate", Result: FailedRun, Text: cause.Error()}
	return errors.Join(cause, from.Edit(ctx, entry, func(st *State) error { st.Moved = ""; return nil }))
}
