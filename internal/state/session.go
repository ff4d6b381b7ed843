package state

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Read returns the state as it is now, journal included, without locking. When
// there is none it returns a new one.
func Read(ctx context.Context, store Store, kinds map[string]*resource.Kind) (*State, error) {
	s, _, err := load(ctx, store, kinds)
	return s, err
}

func load(ctx context.Context, store Store, kinds map[string]*resource.Kind) (s *State, journaled bool, err error) {
	c := codec{store.String(), kinds}
	files, err := store.Load(ctx)
	if err != nil {
		return nil, false, err
	}
	if files.State == nil {
		if len(files.Journal) > 0 {
			return nil, false, c.damaged("state file", "it is missing, but its journal is there")
		}
		return New(), false, nil
	}
	if s, err = c.decode(files.State); err != nil {
		return nil, false, err
	}
	events, err := c.decodeLines(files.Journal)
	if err != nil {
		return nil, false, err
	}
	if _, err = c.replay(s, events); err != nil {
		return nil, false, err
	}
	return s, len(files.Journal) > 0, nil
}

// Session is the right to write one state, from Open to Close. Its methods
// are safe for concurrent use. What they were told is durable when they
// return without error. Callers give them a context that outlives an interrupt:
// what has happened must be written down.
type Session struct {
	codec codec
	lock  Lock

	mu        sync.Mutex
	state     *State
	seq       uint64
	journaled bool // the journal has lines that the state file does not
}

// Open locks a store and reads its state. The returned context ends with ctx
// and when the lock is lost. What an earlier run left in the journal is folded
// into the state file first.
func Open(ctx context.Context, store Store, who Who, kinds map[string]*resource.Kind) (context.Context, *Session, error) {
	locked, lock, err := store.Lock(ctx, who)
	if err != nil {
		return nil, nil, err
	}
	s := &Session{codec: codec{store.String(), kinds}, lock: lock}
	if s.state, s.journaled, err = load(ctx, store, kinds); err == nil {
		for _, i := range s.state.Open {
			s.seq = max(s.seq, i.Seq)
		}
		err = s.fold(ctx)
	}
	if err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	return locked, s, nil
}

// Note tells what a person should know about how the lock was got, or "".
func (s *Session) Note() string { return s.lock.Note() }

// State returns a copy of what is known now.
func (s *Session) State() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Clone()
}

// Object returns what is known now of one object.
func (s *Session) Object(a addr.Addr) (resource.Object, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o, ok := s.state.Objects[a]
	return o, ok
}

// Init writes a first, empty state file when there is none, so that a plan
// file has a base to refer to.
func (s *Session) Init(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Serial > 0 {
		return nil
	}
	return s.save(ctx)
}

// Begin records that a step is about to be carried out, and returns the
// number under which its progress and its end are to be told.
func (s *Session) Begin(ctx context.Context, i Intent) (uint64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Serial == 0 {
		if err := s.save(ctx); err != nil {
			return 0, err
		}
	}
	s.seq++
	i.Seq = s.seq
	file, err := s.codec.encodeIntent(i)
	if err != nil {
		return 0, err
	}
	return i.Seq, s.append(ctx, event{Seq: i.Seq, Begin: &file})
}

// Task records the host's name for the work of a step.
func (s *Session) Task(ctx context.Context, seq uint64, task string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.append(ctx, event{Seq: seq, Task: task})
}

// Done records what is there after a step has ended well; nil: nothing is.
func (s *Session) Done(ctx context.Context, seq uint64, a addr.Addr, o *resource.Object) error {
	return s.end(ctx, seq, end{Addr: a, Removed: o == nil}, o)
}

// Failed closes a step that ended with an error, and records what is there if
// o is given; else the record stays as it was. A step whose effect is not
// clear is not to be closed: the next run looks and settles it.
func (s *Session) Failed(ctx context.Context, seq uint64, a addr.Addr, o *resource.Object, cause error) error {
	return s.end(ctx, seq, end{Addr: a, Error: cause.Error()}, o)
}

func (s *Session) end(ctx context.Context, seq uint64, e end, o *resource.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if o != nil {
		file, err := s.codec.encodeObject(*o)
		if err != nil {
			return err
		}
		e.Object = &file
	}
	return s.append(ctx, event{Seq: seq, End: &e})
}

// append makes an event durable, then known. It refuses what could not be
// replayed, such as a task told after its step has ended.
func (s *Session) append(ctx context.Context, e event) error {
	if e.Begin == nil && !s.state.isOpen(e.Seq) {
		return fmt.Errorf("%s: journal: step %d is not open", s.codec.store, e.Seq)
	}
	e.Serial = s.state.Serial
	if e.Begin != nil {
		e.Lineage = s.state.Lineage
	}
	line, err := encodeLine(e)
	if err != nil {
		return err
	}
	if err := s.lock.Append(ctx, line); err != nil {
		return fmt.Errorf("%s: journal: %w", s.codec.store, err)
	}
	s.journaled = true
	return s.codec.apply(s.state, e)
}

// save writes the state file under the next serial.
func (s *Session) save(ctx context.Context) error {
	next := *s.state
	next.Serial++
	data, err := s.codec.encode(&next)
	if err != nil {
		return err
	}
	if err := s.lock.Save(ctx, data); err != nil {
		return fmt.Errorf("%s: %w", s.codec.store, err)
	}
	s.state.Serial = next.Serial
	return nil
}

// fold brings the state file up to date and empties the journal. Dying between
// the two is harmless: the journal's serial then tells that it was folded.
func (s *Session) fold(ctx context.Context) error {
	if !s.journaled {
		return nil
	}
	if err := s.save(ctx); err != nil {
		return err
	}
	if err := s.lock.Clear(ctx); err != nil {
		return fmt.Errorf("%s: journal: %w", s.codec.store, err)
	}
	s.journaled = false
	return nil
}

// Close folds the journal and gives the lock back. After an error nothing is
// lost: the journal has it, and the next run folds it.
func (s *Session) Close(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return errors.Join(s.fold(ctx), s.lock.Unlock())
}
