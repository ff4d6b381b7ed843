package resource

import (
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// Diff returns the edits that bring what is there to what is wanted, in the
// order of their paths. It compares three sides:
//
//   - an attribute that is wanted and there is compared with what is there;
//     the cause of a difference is Drift when state says that just this value
//     was applied before, else Config;
//   - one that is not wanted but was applied before is taken away;
//   - one that is neither wanted nor was applied is somebody else's, and left
//     alone;
//   - where only state has to be corrected, the edit's Old equals its New and
//     its effect is Record.
//
// An empty text or collection means the same as none: hosts do not keep them
// apart. What is unknown never forces a replace by itself, and labelled blocks
// that are unknown as a whole are left as they are.
//
// Prior may be nil, and it and seen may be without attributes. Seal is how
// state keeps sensitive values; the Old of a sensitive attribute that cannot be
// read back is sealed. Diff is pure.
func Diff(kind *Kind, prior *Object, want Resource, seen Seen, seal Sealer) []Edit {
	d := differ{ignore: slices.Concat(want.Life.IgnoreChanges, seen.Leave), seal: seal}
	var before cty.Value
	if prior != nil {
		before = prior.Attrs
	}
	d.block(nil, &kind.Schema, before, want.Want, seen.Object.Attrs)
	for i := range d.edits {
		e := &d.edits[i]
		e.Verdict = Verdict{Effect: Live}
		if a := kind.Schema.At(e.Path); a != nil && a.Ours && !a.Judged || e.Old.RawEquals(e.New) {
			e.Verdict = Verdict{Effect: Record}
		} else if kind.Judge != nil {
			e.Verdict = kind.Judge(*e, want, seen)
		}
		if e.Effect >= Replace && !e.New.IsWhollyKnown() {
			e.Verdict = Verdict{Effect: Live}
		}
	}
	return d.edits
}

type differ struct {
	edits  []Edit
	ignore []Path
	seal   Sealer
}

func (d *differ) block(path Path, b *Block, prior, want, live cty.Value) {
	for _, name := range b.AttrNames() {
		d.attr(path.With(name), b.Attrs[name],
			Attribute(prior, name), Attribute(want, name), Attribute(live, name))
	}
	for _, name := range b.BlockNames() {
		nested := b.Blocks[name]
		p, w, l := Attribute(prior, name), Attribute(want, name), Attribute(live, name)
		if nested.Labelled {
			d.labelled(path.With(name), nested, p, w, l)
		} else if !w.IsNull() || !p.IsNull() {
			d.block(path.With(name), &nested.Block, p, w, l)
		}
	}
}

func (d *differ) labelled(path Path, n *Nested, prior, want, live cty.Value) {
	if want, _ := want.Unmark(); !want.IsKnown() {
		return
	}
	p, w, l := elements(prior), elements(want), elements(live)
	labels := maps.Clone(p)
	maps.Copy(labels, w)
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		at := path.With(label)
		was, isWanted, isLive := p[label], has(w, label), has(l, label)
		switch {
		case isWanted && isLive:
			d.block(at, &n.Block, was, w[label], l[label])
		case isWanted:
			d.add(Edit{Path: at, Old: cty.NullVal(n.Block.Type()), New: w[label], Cause: causeOf(has(p, label))})
		case isLive:
			d.add(Edit{Path: at, Old: l[label], New: cty.NullVal(n.Block.Type()), Cause: Config, Sensitive: n.Block.hides(was)})
		default:
			nothing := cty.NullVal(n.Block.Type())
			d.add(Edit{Path: at, Old: nothing, New: nothing, Cause: Config})
		}
	}
}

// hides reports whether recorded attributes were made from something sensitive
// that the block does not say is so by itself.
func (b *Block) hides(recorded cty.Value) bool {
	for name, a := range b.Attrs {
		if !a.Sensitive && HasSealed(Attribute(recorded, name)) {
			return true
		}
	}
	for name := range b.Blocks {
		if HasSealed(Attribute(recorded, name)) {
			return true
		}
	}
	return false
}

func (d *differ) attr(path Path, a *Attr, prior, want, live cty.Value) {
	if a.Role == Computed {
		return
	}
	sealed := d.seal.Leaf(a, want)
	secret := a.Sensitive || isMarked(want) || HasSealed(prior) // also when what is wanted now may be shown
	want, _ = want.UnmarkDeep()
	kept := want // what is comparable with what is there
	if a.AtCreate || a.Ours {
		live, kept = prior, sealed
	}
	if a.Shared {
		want = withOthers(a, prior, want, live)
		kept = want
	}
	e := Edit{Path: path, Old: live, New: want, Sensitive: secret, Cause: Config}
	if live.IsNull() {
		e.Old = cty.NullVal(a.Type)
	}
	switch {
	case want.IsNull() && prior.IsNull():
		return
	case want.IsNull():
		e.New = cty.NullVal(a.Type)
	case !want.IsWhollyKnown():
		e.New = cty.UnknownVal(a.Type)
	case a.same(kept, live):
		if a.same(sealed, prior) {
			return
		}
		e.Old = e.New
	case !prior.IsNull() && !a.AtCreate && !a.Ours && a.same(sealed, prior):
		e.Cause = Drift
	}
	d.add(e)
}

func (d *differ) add(e Edit) {
	if slices.ContainsFunc(d.ignore, e.Path.Under) {
		return
	}
	if !e.Sensitive {
		e.Sensitive = isMarked(e.New)
	}
	e.New, _ = e.New.UnmarkDeep()
	d.edits = append(d.edits, e)
}

// same reports whether two known values mean the same. Sealed values are
// compared as text, whatever the attribute says of its own.
func (a *Attr) same(x, y cty.Value) bool {
	switch {
	case isNothing(x) || isNothing(y):
		return isNothing(x) && isNothing(y)
	case a.Same != nil && !IsSealed(x) && !IsSealed(y):
		return a.Same(x, y)
	}
	return x.RawEquals(y)
}

// isNothing reports whether a value is null, an empty text or an empty
// collection.
func isNothing(v cty.Value) bool {
	switch {
	case v == cty.NilVal || v.IsNull():
		return true
	case !v.IsKnown():
		return false
	case v.Type() == cty.String:
		return v.AsString() == ""
	}
	return v.Type().IsCollectionType() && v.LengthInt() == 0
}

// withOthers returns the set that a shared attribute should have: what is
// there, without what we once put there, and with what is wanted.
func withOthers(a *Attr, prior, want, live cty.Value) cty.Value {
	if !want.IsKnown() || want.IsNull() && prior.IsNull() {
		return want
	}
	members := slices.DeleteFunc(elementsOf(live), func(v cty.Value) bool { return contains(elementsOf(prior), v) })
	members = append(members, elementsOf(want)...)
	switch {
	case len(members) > 0:
		return cty.SetVal(members)
	case want.IsNull():
		return cty.NullVal(a.Type)
	}
	return cty.SetValEmpty(a.Type.ElementType())
}

func elementsOf(v cty.Value) []cty.Value {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return nil
	}
	return v.AsValueSlice()
}

func contains(list []cty.Value, v cty.Value) bool {
	return slices.ContainsFunc(list, v.RawEquals)
}

// elements returns the objects of a labelled block, by label; never nil.
func elements(v cty.Value) map[string]cty.Value {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.LengthInt() == 0 {
		return map[string]cty.Value{}
	}
	return v.AsValueMap()
}

func has(m map[string]cty.Value, key string) bool {
	_, ok := m[key]
	return ok
}

func causeOf(appliedBefore bool) Cause {
	if appliedBefore {
		return Drift
	}
	return Config
}

func isMarked(v cty.Value) bool { return v != cty.NilVal && v.ContainsMarked() }

// At returns the attribute that a path leads to, or nil when the path leads
// to a whole block or nowhere.
func (b *Block) At(path Path) *Attr {
	if len(path) == 0 {
		return nil
	}
	if inner := b.BlockAt(path[:len(path)-1]); inner != nil {
		return inner.Attrs[path[len(path)-1]]
	}
	return nil
}

// BlockAt returns the block that a path leads to: b itself for an empty path,
// and of a labelled block only with the label. Else it returns nil.
func (b *Block) BlockAt(path Path) *Block {
	for len(path) > 0 {
		nested := b.Blocks[path[0]]
		used := 1
		if nested != nil && nested.Labelled {
			used = 2
		}
		if nested == nil || len(path) < used {
			return nil
		}
		b, path = &nested.Block, path[used:]
	}
	return b
}
