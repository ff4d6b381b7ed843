package plan

import (
	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Drift is what happened to one recorded thing since it was last applied, as
// plain data. Of an edit Old is what was applied and New what is there now.
type Drift struct {
	Addr      addr.Addr      `json:"address"`
	Host      string         `json:"host"`
	ID        string         `json:"id"`
	Presence  string         `json:"presence"` // present, gone, stranger or unknown
	Why       string         `json:"why,omitempty"`
	Edits     []DocumentEdit `json:"edits,omitempty"`
	Added     []string       `json:"added,omitempty"`     // settings that nobody asked for and that came since
	Unmanaged []string       `json:"unmanaged,omitempty"` // all settings that nobody asked for
}

// Any reports whether anything is not as it was applied, for certain.
func (d *Drift) Any() bool {
	return len(d.Edits)+len(d.Added) > 0 || d.Presence == resource.Gone.String() || d.Presence == resource.Stranger.String()
}

// Drifts compares everything that is recorded with what is there, in the order
// of addresses. What is wanted now plays no part in it, but for the differences
// that it ignores. It is pure.
func Drifts(in Input) []Drift {
	ignored := map[addr.Addr][]resource.Path{}
	for _, r := range in.Desired {
		ignored[r.Addr] = r.Life.IgnoreChanges
	}
	var all []Drift
	for _, a := range sorted(in.Prior.Objects) {
		prior, seen, kind := in.Prior.Objects[a], in.Seen[a], in.Kinds[a.Kind]
		d := Drift{Addr: a, Host: prior.Host, ID: prior.ID, Presence: seen.Presence.String(), Why: seen.Why}
		if seen.Presence == resource.Present && kind != nil {
			for _, e := range resource.Drifted(kind, prior, seen, in.Prior.Seal, ignored[a]) {
				d.Edits = append(d.Edits, documentEdits(kind, e, in.Prior.Seal)...)
			}
			if prior.Unfinished && len(d.Edits) > 0 {
				d.Why = "its last step failed or was cut short, and may never have made this"
			}
			d.Added, d.Unmanaged = resource.Added(prior, seen, in.Prior.Seal), seen.Unmanaged
		}
		all = append(all, d)
	}
	return all
}
