package resource

import (
	"strconv"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/zclconf/go-cty/cty"
)

// Presence is what a look at the host found. "Could not look" and "is not
// there" are different values, and only the second ever plans a create.
type Presence int

// The zero Presence is Unknown: nothing may be concluded from it. A Stranger
// has the expected ID but not our marker, so it is not ours to touch.
const (
	Unknown Presence = iota
	Gone
	Present
	Stranger
)

// String returns the presence in lower case.
func (p Presence) String() string {
	return [...]string{"unknown", "gone", "present", "stranger"}[p]
}

// Seen is one thing as a look at the host found it.
type Seen struct {
	Presence Presence
	Object   Object // Attrs and ID as they are there; only when Present
	Digest   string // the version of what was read, for optimistic locking; may be empty
	// Unmanaged lists settings that are there and that nobody asked for, as
	// "key: value". They are kept.
	Unmanaged []string
	Pending   []string // what waits for a restart: paths of attributes, or the host's own names
	// InForce holds the attributes as they are until that restart. NilVal: nothing
	// waits.
	InForce cty.Value
	Locked  string // what the host says it is busy with: "backup", "migrate"; empty: nothing
	Why     string // the reason, when Unknown or a Stranger
	Hint    string // what can be done about it; may be empty
	// Unmarked says that it carries no marker yet: it is there because a person
	// asked to take it over, and whatever comes next has to mark it.
	Unmarked bool
	// Renamed says that its marker, though ours, names it by another address:
	// whatever comes next has to write it anew.
	Renamed bool
	// Leave holds what the host changes by itself and with our consent: no
	// difference there is drift.
	Leave []Path
	Notes diag.List // what a person should know of it, whatever is planned
}

// Survey is what a host has, as far as it matters before a plan is shown.
// Sizes are bytes.
type Survey struct {
	Host     string
	Version  string
	Nodes    []Node
	Storages []Storage
	Guests   []Guest
	Range    IDRange
	Notes    diag.List // what a person should know of the host
}

// Node is one node of a cluster.
type Node struct {
	Name      string
	Online    bool
	Memory    uint64
	MemoryUse uint64
	CPUs      int
}

// Storage is one storage as one node sees it.
type Storage struct {
	Node, Name, Type string
	Content          []string
	Shared           bool
	Active           bool
	Size, Used       uint64
}

// Guest is one container or virtual machine of anybody.
type Guest struct {
	ID       int
	Node     string
	Name     string
	Type     string // "lxc" or "qemu"
	Running  bool
	Template bool
	Pool     string
	Disk     uint64  // bytes of its root disk; 0: not known
	Ours     *Object // what was seen of it when it is ours; nil: somebody else's, or not looked at
}

// IDRange is the range from which new VMIDs are taken, both ends included.
type IDRange struct{ Low, High int }

// FreeIDs returns a function that returns another ID of the range each time it
// is called, lowest first: one that no guest has and that taken does not hold
// at that moment. It returns false when there is none left.
func (s *Survey) FreeIDs(taken map[string]bool) func() (string, bool) {
	used := make(map[int]bool, len(s.Guests))
	for _, g := range s.Guests {
		used[g.ID] = true
	}
	next, last := s.Range.Low, s.Range.High
	return func() (string, bool) {
		for ; next <= last; next++ {
			if id := strconv.Itoa(next); !used[next] && !taken[id] {
				next++
				return id, true
			}
		}
		return "", false
	}
}

// Node returns the node of that name, or nil.
func (s *Survey) Node(name string) *Node {
	for i := range s.Nodes {
		if s.Nodes[i].Name == name {
			return &s.Nodes[i]
		}
	}
	return nil
}

// Storage returns a storage as a node sees it, or nil.
func (s *Survey) Storage(node, name string) *Storage {
	for i := range s.Storages {
		if s.Storages[i].Node == node && s.Storages[i].Name == name {
			return &s.Storages[i]
		}
	}
	return nil
}
