package state

import (
	"context"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Past is a version that a store keeps, with what it says.
type Past struct {
	Version
	Content *State // nil when it cannot be read
	Err     error  // why
	box     Box
}

// Versions returns the versions of a store, the newest first. One that cannot
// be read stands among them with its reason.
func Versions(ctx context.Context, store Store, o Options) ([]Past, error) {
	kept, err := store.Versions(ctx)
	if err != nil {
		return nil, err
	}
	all := make([]Past, len(kept))
	for i, v := range kept {
		all[i] = readPast(store.String(), v, o)
	}
	return all, nil
}

func readPast(name string, v Version, o Options) Past {
	c := codec{store: name, kinds: o.Kinds}
	p := Past{Version: v}
	in, err := c.decode(v.State, o.Vault)
	p.Content, p.box, p.Err = in.state, in.box, err
	if p.Err == nil && p.Content.Serial != v.Serial {
		p.Err = c.damaged("version", "it is kept as serial %d, and says of itself that it is %d", v.Serial, p.Content.Serial)
	}
	if p.Err != nil {
		p.Content = nil
	}
	return p
}

// refuseLost is *ErrDamaged for a state file that is missing where states were
// saved. A first one that is only a version comes of a process that died before
// it had done anything.
func (c codec) refuseLost(ctx context.Context, store Store) error {
	kept, err := store.Versions(ctx)
	if err == nil && len(kept) > 0 && kept[0].Serial > 1 {
		err = c.damaged("state file", "it is missing, but versions of it are there")
	}
	return err
}

// Difference is how one state differs from another, by address, sorted.
type Difference struct{ Added, Removed, Changed []addr.Addr }

// IsEmpty reports whether both record the same.
func (d Difference) IsEmpty() bool { return len(d.Added)+len(d.Removed)+len(d.Changed) == 0 }

// Compare returns what has to happen to the records of before for them to be
// those of after. What is open counts in neither.
func Compare(before, after *State) Difference {
	var d Difference
	for _, a := range slices.SortedFunc(maps.Keys(after.Objects), addr.Compare) {
		switch was, there := before.Objects[a]; {
		case !there:
			d.Added = append(d.Added, a)
		case !isSame(was, after.Objects[a]):
			d.Changed = append(d.Changed, a)
		}
	}
	for _, a := range slices.SortedFunc(maps.Keys(before.Objects), addr.Compare) {
		if _, there := after.Objects[a]; !there {
			d.Removed = append(d.Removed, a)
		}
	}
	return d
}

func isSame(x, y resource.Object) bool {
	isSameAttrs := x.Attrs == cty.NilVal && y.Attrs == cty.NilVal ||
		x.Attrs != cty.NilVal && y.Attrs != cty.NilVal && x.Attrs.RawEquals(y.Attrs)
	return isSameAttrs && x.Addr == y.Addr && x.Host == y.Host && x.ID == y.ID && x.Nonce == y.Nonce &&
		x.Damaged == y.Damaged && x.Unfinished == y.Unfinished && x.PreventDestroy == y.PreventDestroy &&
		slices.Equal(x.Needs, y.Needs) && slices.Equal(x.Kept, y.Kept) && x.Changed.Equal(y.Changed)
}

// missing returns the open steps of one state that another does not have open.
func missing(open, in []Intent) []Intent {
	var out []Intent
	for _, i := range open {
		if !slices.ContainsFunc(in, func(j Intent) bool { return j.Seq == i.Seq && j.Addr == i.Addr && j.Nonce == i.Nonce }) {
			out = append(out, i)
		}
	}
	return out
}
