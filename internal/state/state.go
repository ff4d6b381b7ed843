// Package state remembers what was made. It owns the format of the state file
// and of its journal, the contract of the stores that keep both, and the
// session of the one process that may write.
//
// The words: the state file is the whole memory as of some serial; the journal
// beside it lists what has happened since; an intent is a journaled step whose
// end is not known.
package state

import (
	"crypto/rand"
	"encoding/hex"
	"maps"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// State is what is remembered at one moment.
type State struct {
	Lineage string // made once, the same for ever: tells this state from any other
	Serial  uint64 // grows with every write of the state file
	Key     []byte // of the keyed hash for sensitive values
	Objects map[addr.Addr]resource.Object
	Open    []Intent // steps whose end is not known, oldest first
	Moved   string   // the store that it was moved to; it goes on there, not here

	trail trailEnd // how far the trail went when the state was saved
}

// Op is what an intent was about to do.
type Op string

// Put makes or changes an object, Drop removes it.
const (
	Put  Op = "put"
	Drop Op = "drop"
)

// Intent is a step that was begun. Attrs, Needs and PreventDestroy are what a
// Put was going to record.
type Intent struct {
	Seq            uint64
	Addr           addr.Addr
	Op             Op
	Host           string
	ID             string
	Nonce          string
	Attrs          cty.Value // sealed, without computed attributes; NilVal for a Drop
	Needs          []addr.Addr
	PreventDestroy bool
	Task           string // the host's name for the work, once it is known
	At             time.Time

	// What the trail says of it beside all that.
	Action  string   // create, update, delete, …
	Plan    string   // fingerprint of the plan that it belongs to
	Edits   []byte   // JSON, without sensitive values; nil: none
	By      By       // filled in by the session
	Earlier []string // names of tasks before Task
}

// New returns an empty state with a lineage and a key of its own.
func New() *State {
	return &State{Lineage: randomHex(16), Key: random(32), Objects: map[addr.Addr]resource.Object{}}
}

func random(n int) []byte {
	bytes := make([]byte, n)
	rand.Read(bytes) // never fails: it ends the process instead
	return bytes
}

func randomHex(n int) string { return hex.EncodeToString(random(n)) }

// Sealer returns what seals sensitive values for this state.
func (s *State) Sealer() resource.Sealer { return resource.Sealer{Key: s.Key} }

// isOpen reports whether the step of that number has begun and not ended.
func (s *State) isOpen(seq uint64) bool {
	return slices.ContainsFunc(s.Open, func(i Intent) bool { return i.Seq == seq })
}

// Clone returns a copy that shares no map or slice with s.
func (s *State) Clone() *State {
	c := *s
	c.Objects = maps.Clone(s.Objects)
	c.Open = append([]Intent(nil), s.Open...)
	return &c
}
