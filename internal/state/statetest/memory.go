// Package statetest holds what tests of state and of the engine share: a store
// kept in memory whose holder can be killed at any moment.
package statetest

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/state"
)

// Memory is a state.Store that survives its processes, as a disk does.
type Memory struct {
	mu       sync.Mutex
	files    state.Files
	versions []state.Version
	trail    []byte
	holder   *lock
	Name     string // what String returns; empty: memory
	// Fail, when set, is asked before every write with its name (save, append);
	// an error is that write's.
	Fail func(write string) error
}

// Load implements state.Store.
func (m *Memory) Load(context.Context) (state.Files, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return state.Files{
		State: bytes.Clone(m.files.State), Journal: bytes.Clone(m.files.Journal), Last: bytes.Clone(m.files.Last),
	}, nil
}

// Versions implements state.Store.
func (m *Memory) Versions(context.Context) ([]state.Version, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	all := slices.Clone(m.versions)
	for i := range all {
		all[i].State = bytes.Clone(all[i].State)
	}
	return all, nil
}

// Trail implements state.Store.
func (m *Memory) Trail(context.Context) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return bytes.Clone(m.trail), nil
}

// Break implements state.Store.
func (m *Memory) Break(_ context.Context, id string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.holder == nil:
		return &state.ErrOther{Store: m.String(), ID: id}
	case m.holder.who.ID != id:
		return &state.ErrOther{Store: m.String(), ID: id, Holder: m.holder.who}
	}
	m.holder.end(&state.ErrLost{Store: m.String()})
	return nil
}

// String implements state.Store.
func (m *Memory) String() string { return cmp.Or(m.Name, "memory") }

// Lock implements state.Store.
func (m *Memory) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.holder != nil {
		return nil, nil, &state.ErrLocked{Store: m.String(), Holder: m.holder.who, Stays: true}
	}
	ctx, cancel := context.WithCancel(ctx)
	m.holder = &lock{store: m, who: who.Named(), cancel: cancel}
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

func (l *lock) Save(_ context.Context, snap state.Snapshot) error {
	return l.write("save", func() {
		m := l.store
		m.files.State, m.files.Journal = append([]byte{}, snap.State...), nil
		m.versions = slices.Insert(m.versions, 0, state.Version{Serial: snap.Serial, At: time.Now(), State: m.files.State})
		m.versions = m.versions[:min(len(m.versions), state.KeptVersions)]
		if len(snap.Trail) > 0 {
			m.trail = append(m.trail, snap.Trail...)
			lines := bytes.Split(m.trail, []byte("\n"))
			m.files.Last = lines[len(lines)-2]
		}
	})
}

func (l *lock) Append(_ context.Context, line []byte) error {
	return l.write("append", func() { l.store.files.Journal = append(l.store.files.Journal, line...) })
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
