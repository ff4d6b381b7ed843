package state

import (
	"cmp"
	"context"
	"fmt"
	"time"
)

// Store keeps a state file, its journal, its last versions and its trail, and
// lets one process at a time write them. The contract, which one suite of
// tests holds for all stores:
//
//   - Load without the lock never sees half of a Save, and never an older
//     state file with the journal of a newer one. Of a line that is just being
//     appended it may see the beginning.
//   - At most one Lock is held at any time. The context that Lock returns ends
//     when the lock is lost or given back; nothing can be written from then on.
//     When somebody else holds it the error is *ErrLocked, at once.
//   - What Save or Append was given is durable when it returns without error.
//     After an error of Save the old state file is still there, whole, or the
//     new one is; after an error of Append the journal is as before.
//   - A holder that lost its lock without knowing cannot write: what it tries
//     is *ErrLost.
type Store interface {
	// Load returns what is kept. With *ErrDamaged it returns what of it can be read
	// all the same.
	Load(ctx context.Context) (Files, error)
	Lock(ctx context.Context, who Who) (context.Context, Lock, error)
	// Versions returns the last states that were saved, the newest first and
	// KeptVersions at most. The newest is a copy of the state file.
	Versions(ctx context.Context) ([]Version, error)
	// Trail returns the whole trail: all lines that saves have added, in order.
	Trail(ctx context.Context) ([]byte, error)
	// Break takes the lock away from a holder that will not give it back,
	// named by the ID in its Who. *ErrHeld when the store knows that the holder
	// lives and cannot be parted from it; *ErrOther when somebody else, or
	// nobody, holds the lock.
	Break(ctx context.Context, id string) error
	// String names the place for people: a path, a bucket and key. It holds no
	// secret.
	String() string
}

// KeptVersions is how many states a store keeps, the present one included.
const KeptVersions = 10

// Files is what a store keeps for the next run.
type Files struct {
	State   []byte // nil when there is none, which differs from being empty
	Journal []byte // nil when it has no line
	Last    []byte // the last whole line of the trail; nil when it has none
}

// Version is a state as it was once saved.
type Version struct {
	Serial uint64
	At     time.Time // when it was saved, by the clock of the store or its writer
	State  []byte
}

// Snapshot is what one Save writes.
type Snapshot struct {
	Serial uint64 // of State: higher than all that were saved before
	State  []byte
	Trail  []byte // whole lines that the trail gains; often none
}

// Lock is the right to write, until Unlock. Its methods are not safe for
// concurrent use.
type Lock interface {
	// Save replaces the state file, keeps a copy as a version, adds to the trail
	// and empties the journal. When a process dies in it, what the next Load
	// returns is the state before with its journal, or the new one, with no
	// journal or the old one. The trail may have gained its lines in either case.
	Save(ctx context.Context, s Snapshot) error
	Append(ctx context.Context, line []byte) error // adds to the journal
	Unlock() error
	// Note tells what a person should know about how the lock was got, such as
	// that its last holder died. Empty: nothing.
	Note() string
}

// Who is the process that holds a lock.
type Who struct {
	// ID names this holding of the lock, for Break. The store gives one where
	// there is none.
	ID      string    `json:"id,omitempty"`
	User    string    `json:"user"`
	Host    string    `json:"host"`
	PID     int       `json:"pid"`
	Boot    string    `json:"boot,omitempty"` // tells equal PIDs of different boots apart
	Command string    `json:"command"`
	Since   time.Time `json:"since"`
}

// String names the holder for people. The zero Who is one that left no name.
func (w Who) String() string {
	if w.User == "" && w.Command == "" {
		return "a process that left no name"
	}
	return fmt.Sprintf("%s@%s (pid %d, %q, since %s)", w.User, w.Host, w.PID, w.Command, w.Since.Format(time.DateTime))
}

// ErrLocked is the error when somebody else may write.
type ErrLocked struct {
	Store  string
	Holder Who
	// Stays says that the lock outlives its holder: of one that died only Break
	// frees it.
	Stays bool
}

func (e *ErrLocked) Error() string { return fmt.Sprintf("%s: locked by %s", e.Store, e.Holder) }

// ErrLost is the error of a write when the lock is not held any more: somebody
// broke it, or the connection that it lived on is gone.
type ErrLost struct {
	Store string
	Why   string
}

func (e *ErrLost) Error() string {
	return fmt.Sprintf("%s: the lock was lost: %s", e.Store, cmp.Or(e.Why, "somebody else has taken it"))
}

// ErrHeld is the error of Break when the holder lives.
type ErrHeld struct {
	Store  string
	Holder Who
}

func (e *ErrHeld) Error() string {
	return fmt.Sprintf("%s: %s holds the lock and is alive", e.Store, e.Holder)
}

// ErrOther is the error of Break when the lock is not held under that ID. The
// zero Holder is nobody.
type ErrOther struct {
	Store, ID string
	Holder    Who
}

func (e *ErrOther) Error() string {
	if e.Holder == (Who{}) {
		return fmt.Sprintf("%s: nobody holds the lock", e.Store)
	}
	return fmt.Sprintf("%s: the lock has not the ID %q: it is held by %s under the ID %q", e.Store, e.ID, e.Holder, e.Holder.ID)
}

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

// ErrSealed is the error when a state is encrypted and cannot be read: no key
// was given, or none that opens it.
type ErrSealed struct {
	Store string // or another file that is sealed; empty: who wraps the error says
	Why   string
}

func (e *ErrSealed) Error() string {
	if e.Store == "" {
		return "it is encrypted: " + e.Why
	}
	return fmt.Sprintf("%s: it is encrypted: %s", e.Store, e.Why)
}

// Vault encrypts what a state keeps. It is safe for concurrent use.
type Vault interface {
	New() (Box, error)               // a box with a key of its own
	Open(header []byte) (Box, error) // the box of that header; *ErrSealed when no key at hand opens it
}

// Box seals under one key. Its header holds that key, itself encrypted for
// those who may read, and is kept in clear beside what the box has sealed. It
// is safe for concurrent use.
type Box interface {
	Header() []byte
	Seal(plain []byte) ([]byte, error)
	Unseal(sealed []byte) ([]byte, error) // refuses what was altered
}

// Named returns the holder with an ID, a new one unless it has one.
func (w Who) Named() Who {
	if w.ID == "" {
		w.ID = randomHex(8)
	}
	return w
}
