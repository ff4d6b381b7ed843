package state

import (
	"context"
	"fmt"
	"time"
)

// Store keeps the state file and its journal, and lets one process at a time
// write them. The contract, which one suite of tests holds for all stores:
//
//   - Load without the lock never sees half of a Save, and never an older
//     state file with the journal of a newer one. Of a line that is just being
//     appended it may see the beginning.
//   - At most one Lock is held at any time. The context that Lock returns ends
//     when the lock is lost or given back; nothing can be written from then on.
//     When somebody else holds it the error is *ErrLocked, at once.
//   - What Save or Append was given is durable when it returns without error.
//     After an error of Save the old state file is still there, whole; after
//     an error of Append the journal is as before.
type Store interface {
	Load(ctx context.Context) (Files, error)
	Lock(ctx context.Context, who Who) (context.Context, Lock, error)
	// String names the place for people: a path, a bucket and key.
	String() string
}

// Files is what a store keeps. Both are nil when there is none, which differs
// from being empty.
type Files struct{ State, Journal []byte }

// Lock is the right to write, until Unlock.
type Lock interface {
	Save(ctx context.Context, state []byte) error  // replaces the state file
	Append(ctx context.Context, line []byte) error // adds to the journal
	Clear(ctx context.Context) error               // empties the journal
	Unlock() error
	// Note tells what a person should know about how the lock was got, such as
	// that its last holder died. Empty: nothing.
	Note() string
}

// Who is the process that holds a lock.
type Who struct {
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Boot    string    `json:"boot,omitempty"` // tells equal PIDs of different boots apart
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// String names the holder for people. The zero Who is one that left no name.
func (w Who) String() string {
	if w == (Who{}) {
		return "a process that left no name"
	}
	return fmt.Sprintf("%s@%s (pid %d, %q, since %s)", w.User, w.Host, w.PID, w.Command, w.Since.Format(time.DateTime))
}

// ErrLocked is the error when somebody else may write.
type ErrLocked struct {
	Store  string
	Holder Who
}

func (e *ErrLocked) Error() string { return fmt.Sprintf("%s: locked by %s", e.Store, e.Holder) }

// ErrDamaged is the error when a file is not what was written to it: torn,
// empty, changed by hand, or not ours at all. It is never taken for "no state".
type ErrDamaged struct {
	Store string
	What  string // "state file" or "journal"
	Why   string
}

func (e *ErrDamaged) Error() string { return fmt.Sprintf("%s: %s: %s", e.Store, e.What, e.Why) }

// ErrNewer is the error when a file was written by a newer version of the
// program. It is left as it is.
type ErrNewer struct {
	Store         string
	Version, Have int
}

func (e *ErrNewer) Error() string {
	return fmt.Sprintf("%s: its format has version %d, and this program knows up to %d", e.Store, e.Version, e.Have)
}
