// Package statetest holds what tests of state and of the engine share: a store
// kept in memory whose holder can be killed at any moment.
package statetest

import (
	"bytes"
	"context"
	"errors"
	"sync"

	"github.com/proximity-cli/proximity/internal/state"
)

// Memory is a state.Store that survives its processes, as a disk does.
type Memory struct {
	mu     sync.Mutex
	files  state.Files
	holder *lock
	// Fail, when set, is asked before every write with its name (save, append,
	// clear); an error is that write's.
	Fail func(write string) error
}

// Load implements state.Store.
func (m *Memory) Load(context.Context) (state.Files, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state.Files{State: bytes.Clone(m.files.State), Journal: bytes.Clone(m.files.Journal)}, nil
}

// String implements state.Store.
func (m *Memory) String() string { return "memory" }

// Lock implements state.Store.
func (m *Memory) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder != nil {
		return nil, nil, &state.ErrLocked{Store: m.String(), Holder: m.holder.who}
	}
	ctx, cancel := context.WithCancel(ctx)
	m.holder = &lock{store: m, who: who, cancel: cancel}
	return ctx, m.holder, nil
}

// Kill is the death of the process that holds the lock: its context ends and
// nothing that it writes from now on has any effect. When torn, the last line
// it wrote is only half there.
func (m *Memory) Kill(torn bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder == nil {
		return
	}
	if torn && len(m.files.Journal) > 0 {
		m.files.Journal = append(m.files.Journal, "0123456789abcdef {\"ser"...)
	}
	m.holder.end(ErrDead)
}

type lock struct {
	store  *Memory
	who    state.Who
	cancel context.CancelFunc
	ended  error // why nothing can be written any more
}

// ErrDead is the error of every write after Kill.
var ErrDead = errors.New("the process is dead")

var errUnlocked = errors.New("the lock was given back")

func (l *lock) end(why error) {
	l.ended = why
	l.cancel()
	l.store.holder = nil
}

func (l *lock) write(name string, do func()) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.ended != nil {
		return l.ended
	}
	if l.store.Fail != nil {
		if err := l.store.Fail(name); err != nil {
			return err
		}
	}
	do()
	return nil
}

func (l *lock) Save(_ context.Context, data []byte) error {
	return l.write("save", func() { l.store.files.State = append([]byte{}, data...) })
}

func (l *lock) Append(_ context.Context, line []byte) error {
	return l.write("append", func() { l.store.files.Journal = append(l.store.files.Journal, line...) })
}

func (l *lock) Clear(context.Context) error {
	return l.write("clear", func() { l.store.files.Journal = nil })
}

func (l *lock) Note() string { return "" }

func (l *lock) Unlock() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.ended != nil {
		return l.ended
	}
	l.end(errUnlocked)
	return nil
}
