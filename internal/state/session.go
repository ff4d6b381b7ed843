package state

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Options are what reading and writing a state takes beside its store.
type Options struct {
	Kinds map[string]*resource.Kind // of all that may be recorded
	Vault Vault                     // nil: states are in clear, and one that is not cannot be read
	Now   func() time.Time          // the clock of the trail; nil: time.Now
}

// Read returns the state as it is now, journal included, without locking. When
// there is none it returns a new one.
func Read(ctx context.Context, store Store, o Options) (*State, error) {
	l, err := load(ctx, store, o)
	return l.state, err
}

// loaded is what a store had, understood.
type loaded struct {
	content
	ended     []placed // steps that ended in the journal
	line      int      // events in the journal
	last      []byte   // line of the trail
	journaled bool
}

func load(ctx context.Context, store Store, o Options) (l loaded, err error) {
	c := codec{store: store.String(), kinds: o.Kinds}
	files, err := store.Load(ctx)
	if err != nil {
		return l, err
	}
	l.last, l.journaled = files.Last, len(files.Journal) > 0
	if files.State == nil {
		if l.journaled {
			return l, c.damaged("state file", "it is missing, but its journal is there")
		}
		l.state = New()
		return l, c.refuseLost(ctx, store)
	}
	if l.content, err = c.decode(files.State, o.Vault); err != nil {
		return l, err
	}
	if l.state.Moved != "" {
		return l, &ErrMoved{c.store, l.state.Moved}
	}
	c.box = l.box
	events, err := c.decodeLines(files.Journal)
	if err != nil {
		return l, err
	}
	l.line = len(events)
	l.ended, err = c.replay(l.state, events)
	return l, err
}

// Session is the right to write one state, from Open to Close. Its methods
// are safe for concurrent use. What they were told is durable when they
// return without error. Callers give them a context that outlives an interrupt:
// what has happened must be written down.
type Session struct {
	codec codec
	lock  Lock
	by    By
	now   func() time.Time

	writing turn // held while the store is written; taken before mu

	mu        sync.Mutex // guards what is below
	state     *State
	seq       uint64
	journaled bool     // the journal has lines that the state file does not
	ended     []placed // what the trail is to gain with the next save
	line      int      // events in the journal
	last      []byte   // line of the trail
	known     trailEnd // of the trail, as the state file has it
	waiting   *batch   // events that the next write of the journal takes along
	refused   []event  // what the store did not take
	// ending are the steps whose end waits to be written or is being so: what
	// came behind it could not be replayed.
	ending map[uint64]bool
}

// Open locks a store and reads its state. The returned context ends with ctx
// and when the lock is lost. What an earlier run left in the journal is folded
// into the state file first, and a state that is to be encrypted, and is not,
// is written anew.
func Open(ctx context.Context, store Store, who Who, o Options) (context.Context, *Session, error) {
	locked, lock, err := store.Lock(ctx, who)
	if err != nil {
		return nil, nil, err
	}
	s := newSession(store, lock, who, o)
	if err := s.take(ctx, store, o); err != nil {
		return nil, nil, errors.Join(err, lock.Unlock())
	}
	return locked, s, nil
}

func newSession(store Store, lock Lock, who Who, o Options) *Session {
	s := &Session{
		codec: codec{store: store.String(), kinds: o.Kinds}, lock: lock,
		writing: make(turn, 1), by: By{User: who.User, Host: who.Host, Command: who.Command}, now: o.Now,
		ending: map[uint64]bool{},
	}
	if s.now == nil {
		s.now = time.Now
	}
	return s
}

func (s *Session) take(ctx context.Context, store Store, o Options) error {
	l, err := load(ctx, store, o)
	if err != nil {
		return err
	}
	if _, err := s.codec.lastOf(l.last); err != nil {
		return err // nothing could be saved
	}
	s.state, s.journaled, s.ended, s.line, s.last = l.state, l.journaled, l.ended, l.line, l.last
	s.known = l.state.trail
	for _, i := range s.state.Open {
		s.seq = max(s.seq, i.Seq)
	}
	if s.codec.box = l.box; l.box == nil && o.Vault != nil {
		if s.codec.box, err = o.Vault.New(); err != nil {
			return fmt.Errorf("%s: %w", s.codec.store, err)
		}
	}
	if entry, ok := s.codec.untold(l); ok {
		entry.At, entry.By = s.now(), s.by
		s.ended = append(s.ended, placed{s.state.Serial, 0, entry})
	}
	isSealedAsAsked := s.codec.box == nil || string(s.codec.box.Header()) == l.header
	if s.journaled || s.state.Serial > 0 && !isSealedAsAsked {
		return s.save(ctx)
	}
	return nil
}

// Note tells what a person should know about how the lock was got, or "".
func (s *Session) Note() string { return s.lock.Note() }

// State returns a copy of what is known now.
func (s *Session) State() *State {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Clone()
}

// Sealer returns what seals sensitive values for this state.
func (s *Session) Sealer() resource.Sealer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.Sealer()
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
	isThere := s.state.Serial > 0
	s.mu.Unlock()
	if isThere {
		return nil
	}
	s.writing.take()
	defer s.writing.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state.Serial > 0 { // another one did it just now
		return nil
	}
	return s.save(ctx)
}

// Begin records that a step is about to be carried out, and returns the
// number under which its progress and its end are to be told.
func (s *Session) Begin(ctx context.Context, i Intent) (uint64, error) {
	if err := s.Init(ctx); err != nil {
		return 0, err
	}
	i.By = s.by
	s.mu.Lock()
	s.seq++
	i.Seq = s.seq
	s.mu.Unlock()
	file, err := s.codec.encodeIntent(i)
	if err != nil {
		return 0, err
	}
	return i.Seq, s.append(ctx, event{Seq: i.Seq, Begin: &file})
}

// Task records the host's name for the work of a step.
func (s *Session) Task(ctx context.Context, seq uint64, task string) error {
	return s.append(ctx, event{Seq: seq, Task: task})
}

// Done records what is there after a step has ended well; nil: nothing is.
func (s *Session) Done(ctx context.Context, seq uint64, a addr.Addr, o *resource.Object) error {
	return s.end(ctx, seq, end{Addr: a, Removed: o == nil}, o)
}

// Settled is Done for a step of an earlier run, with what was found out.
func (s *Session) Settled(ctx context.Context, seq uint64, a addr.Addr, o *resource.Object, found string) error {
	return s.end(ctx, seq, end{Addr: a, Removed: o == nil, Found: found}, o)
}

// Failed closes a step that ended with an error, and records what is there if
// o is given; else the record stays as it was. A step whose effect is not
// clear is not to be closed: the next run looks and settles it.
func (s *Session) Failed(ctx context.Context, seq uint64, a addr.Addr, o *resource.Object, cause error) error {
	return s.end(ctx, seq, end{Addr: a, Error: cause.Error()}, o)
}

func (s *Session) end(ctx context.Context, seq uint64, e end, o *resource.Object) error {
	e.At = s.now()
	if o != nil {
		file, err := s.codec.encodeObject(*o)
		if err != nil {
			return err
		}
		e.Object = &file
	}
	return s.append(ctx, event{Seq: seq, End: &e})
}

// Close folds the journal into the state file and gives the lock back. After
// an error nothing is lost: the journal has it, and the next run folds it.
func (s *Session) Close(ctx context.Context) error {
	s.writing.take()
	defer s.writing.give()
	s.mu.Lock()
	defer s.mu.Unlock()
	var err error
	if s.journaled {
		err = s.save(ctx)
	}
	unlocked := s.lock.Unlock()
	if lost := (*ErrLost)(nil); err != nil && errors.As(unlocked, &lost) {
		return err // it tells already
	}
	return errors.Join(err, unlocked)
}
