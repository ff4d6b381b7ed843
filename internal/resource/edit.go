package resource

import (
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Path leads to a part of a resource's value: names of attributes and blocks,
// and labels of blocks, such as network, eth0, ip.
type Path []string

// String returns the path with its parts joined by dots.
func (p Path) String() string { return strings.Join(p, ".") }

// Under reports whether p is at or below other.
func (p Path) Under(other Path) bool {
	return len(p) >= len(other) && slices.Equal(p[:len(other)], other)
}

// With returns the path to a part of what p leads to.
func (p Path) With(part string) Path { return append(p[:len(p):len(p)], part) }

// Effect is what it takes to make an edit, ordered by weight.
type Effect int

// A Record edit changes only what state says. A Live edit is felt at once, a
// Pending one when people restart the guest; for a Restart edit we do. Resize
// grows a volume, Move copies one to another storage, Migrate takes the guest to
// another node, InGuest runs something inside. Replace destroys and creates anew.
// A Refused edit cannot be made at all.
const (
	Record Effect = iota
	Live
	Pending
	Restart
	Resize
	Move
	Migrate
	InGuest
	Replace
	Refused
)

var effectNames = [...]string{"record", "live", "pending", "restart", "resize", "move", "migrate", "in guest", "replace", "refused"}

// String returns the effect's name, in lower case.
func (e Effect) String() string { return effectNames[e] }

// Interrupts reports whether a running guest stops for it, if only for a while.
func (e Effect) Interrupts() bool { return e == Restart || e == Move || e == Migrate }

// MarshalText and UnmarshalText write an effect by its name.
func (e Effect) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

// UnmarshalText reads what MarshalText writes; an unknown name is Refused.
func (e *Effect) UnmarshalText(text []byte) error {
	*e = Refused
	if i := slices.Index(effectNames[:], string(text)); i >= 0 {
		*e = Effect(i)
	}
	return nil
}

// Verdict is what a kind says about an edit. Reason tells people why it is
// replaced or refused, Hint what they can do instead.
type Verdict struct {
	Effect Effect
	Reason string
	Hint   string
}

// Cause says who made the difference that an edit removes.
type Cause string

// Config: the configuration asks for something else than before. Drift: the
// thing was changed behind our back.
const (
	Config Cause = "config"
	Drift  Cause = "drift"
)

// Edit is one difference between what is there and what is wanted. Old is
// null for what is added, New for what is taken away, and New is unknown when
// only a step will tell. Old and New carry no marks; Sensitive says that
// neither may be shown.
type Edit struct {
	Path      Path
	Old, New  cty.Value
	Cause     Cause
	Sensitive bool
	Verdict
}
