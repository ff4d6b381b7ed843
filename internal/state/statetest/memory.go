// Package statetest holds what tests of state and of the engine share: a store
// kept in memory whose holder can be killed at any moment.
package statetest

import (
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
	return m.files, nil
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
		m.files.Journal = append(m.files.Journal[:len(m.files.Journal):len(m.files.Journal)], "0123456789abcdef {\"ser"...)
	}
	m.holder.dead = true
	m.holder.cancel()
	m.holder = nil
}

type lock struct {
	store  *Memory
	who    state.Who
	cancel context.CancelFunc
	dead   bool
}

// ErrDead is the error of every write after Kill.
var ErrDead = errors.New("the process is dead")

func (l *lock) write(name string, do func()) error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.dead {
		return ErrDead
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
	return l.write("save", func() { l.store.files.State = data })
}

func (l *lock) Append(_ context.Context, line []byte) error {
	return l.write("append", func() {
		have := l.store.files.Journal
		l.store.files.Journal = append(have[:len(have):len(have)], line...)
	})
}

func (l *lock) Clear(context.Context) error {
	return l.write("clear", func() { l.store.files.Journal = nil })
}

func (l *lock) Note() string { return "" }

func (l *lock) Unlock() error {
	l.store.mu.Lock()
	defer l.store.mu.Unlock()
	if l.dead {
		return ErrDead
	}
	l.cancel()
	l.store.holder = nil
	return nil
}
