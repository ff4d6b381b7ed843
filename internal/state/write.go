package state

import (
	"context"
	"fmt"
	"runtime"
	"slices"
)

// turn is the right to write to the store: one has it at a time, and the
// others wait, in no order.
type turn chan struct{}

func (t turn) take() { t <- struct{}{} }
func (t turn) give() { <-t }

// batch is events that are written together: while one write waits for the
// disk or the network, what comes in the meantime gathers for the next one.
type batch struct {
	events []event
	err    error // of the write, once it is over
}

// append makes an event durable, then known. It refuses what could not be
// replayed, such as a task told after its step has ended.
func (s *Session) append(ctx context.Context, e event) error {
	mine, err := s.gather(e)
	if err != nil {
		return err
	}
	s.writing.take()
	defer s.writing.give()
	runtime.Gosched() // others that are about to tell something come along
	s.mu.Lock()
	isFirst := s.waiting == mine
	if isFirst {
		s.waiting = nil // what comes from now on is not in this write
	}
	s.mu.Unlock()
	if isFirst {
		mine.err = s.write(ctx, mine.events)
	}
	return mine.err
}

// gather adds an event to those that wait to be written.
func (s *Session) gather(e event) (*batch, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Begin == nil && (!s.state.isOpen(e.Seq) || s.ending[e.Seq]) {
		return nil, fmt.Errorf("%s: journal: step %d is not open", s.codec.store, e.Seq)
	}
	if e.End != nil {
		s.ending[e.Seq] = true
	}
	if s.waiting == nil {
		s.waiting = &batch{}
	}
	s.waiting.events = append(s.waiting.events, e)
	return s.waiting, nil
}

// write appends events to the journal as one line. The caller holds writing.
func (s *Session) write(ctx context.Context, events []event) error {
	for i := range events {
		events[i].Serial = s.state.Serial
		if events[i].Begin != nil {
			events[i].Lineage = s.state.Lineage
		}
	}
	line, err := s.codec.encodeLine(events)
	if err == nil {
		err = s.lock.Append(ctx, line)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range events {
		if e.End != nil {
			delete(s.ending, e.Seq)
		}
	}
	if err != nil {
		s.refused = append(s.refused, events...)
		return s.codec.named("journal: ", err)
	}
	s.journaled = true
	for _, e := range events {
		if err := s.learn(e); err != nil {
			return err
		}
	}
	return nil
}

// learn brings what is known up to date with an event in the journal.
func (s *Session) learn(e event) error {
	s.line++
	if entry, ok := e.entry(s.state); ok {
		s.ended = append(s.ended, placed{e.Serial, s.line, entry})
	}
	return s.codec.apply(s.state, e)
}

// save writes the state file under the next serial, and the trail with what
// has ended since the last time. The caller holds both locks.
func (s *Session) save(ctx context.Context) error {
	lines, end, err := s.codec.trailLines(s.last, s.known, s.ended)
	if err != nil {
		return err
	}
	next := *s.state
	next.Serial++
	next.trail = end
	data, err := s.codec.encode(&next)
	if err != nil {
		return err
	}
	if err := s.lock.Save(ctx, Snapshot{next.Serial, data, lines}); err != nil {
		return s.codec.named("", err)
	}
	*s.state = next
	s.journaled, s.ended, s.line, s.known = false, nil, 0, end
	if len(lines) > 0 {
		s.last = lastLine(lines)
	}
	return nil
}

// Edit changes the state otherwise than by a step: do gets what is known and
// changes it. The trail says so with the entry; its time, and who it is by,
// are filled in. An error of do leaves everything as it was.
func (s *Session) Edit(ctx context.Context, e Entry, do func(*State) error) error {
	return s.EditEach(ctx, func(st *State) ([]Entry, error) { return []Entry{e}, do(st) })
}

// EditEach is Edit where do tells what the trail says of it.
func (s *Session) EditEach(ctx context.Context, do func(*State) ([]Entry, error)) error {
	s.writing.take()
	defer s.writing.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	before, ended, line := s.state, s.ended, s.line
	s.state = before.Clone()
	entries, err := do(s.state)
	if err == nil {
		s.ended = slices.Clone(ended)
		for _, e := range entries {
			e.At, e.By = s.now(), s.by
			s.line++
			s.ended = append(s.ended, placed{before.Serial, s.line, e})
		}
		err = s.save(ctx)
	}
	if err != nil {
		s.state, s.ended, s.line = before, ended, line
	}
	return err
}
