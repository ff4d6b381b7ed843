package resource

import (
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Drifted returns what of a recorded object is no longer as it was applied, in
// the order of its paths: Old is what was applied, New what is there. What the
// configuration asks for now plays no part in it, nor does what was never asked
// for: see Added. Sensitive values are compared as sealed. Drifted is pure.
func Drifted(kind *Kind, prior Object, seen Seen, seal Sealer, ignore []Path) []Edit {
	d := drifter{seal: seal, ignore: slices.Concat(ignore, seen.Leave)}
	d.block(nil, &kind.Schema, prior.Attrs, seen.Object.Attrs)
	return d.edits
}

type drifter struct {
	seal   Sealer
	ignore []Path
	edits  []Edit
}

func (d *drifter) block(path Path, b *Block, prior, live cty.Value) {
	for _, name := range b.AttrNames() {
		d.attr(path.With(name), b.Attrs[name], Attribute(prior, name), Attribute(live, name))
	}
	for _, name := range b.BlockNames() {
		n, p, l := b.Blocks[name], Attribute(prior, name), Attribute(live, name)
		if !n.Labelled {
			d.block(path.With(name), &n.Block, p, l)
			continue
		}
		was, is := elements(p), elements(l)
		for _, label := range slices.Sorted(maps.Keys(was)) {
			at := path.With(name).With(label)
			if has(is, label) {
				d.block(at, &n.Block, was[label], is[label])
			} else if !n.isOurs() {
				d.add(Edit{Path: at, Old: was[label], New: cty.NullVal(n.Block.Type())})
			}
		}
	}
}

// isOurs reports whether a block says nothing to the host.
func (n *Nested) isOurs() bool {
	for _, a := range n.Attrs {
		if !a.Ours {
			return false
		}
	}
	return len(n.Blocks) == 0
}

func (d *drifter) attr(path Path, a *Attr, prior, live cty.Value) {
	if a.Role == Computed || a.AtCreate || a.Ours || prior.IsNull() {
		return
	}
	if a.Shared {
		live = onlyOf(prior, live)
	}
	sealed := HasSealed(prior)
	if sealed {
		live = d.seal.like(prior, live)
	}
	if !a.same(prior, live) {
		if live.IsNull() {
			live = cty.NullVal(a.Type)
		}
		d.add(Edit{Path: path, Old: prior, New: live, Sensitive: a.Sensitive || sealed})
	}
}

func (d *drifter) add(e Edit) {
	if !slices.ContainsFunc(d.ignore, e.Path.Under) {
		e.Cause = Drift
		d.edits = append(d.edits, e)
	}
}

// onlyOf returns the members of a set that are also in another.
func onlyOf(prior, live cty.Value) cty.Value {
	members := slices.DeleteFunc(elementsOf(live), func(v cty.Value) bool { return !contains(elementsOf(prior), v) })
	if len(members) == 0 {
		return cty.NullVal(prior.Type())
	}
	return cty.SetVal(members)
}

// like seals those parts of a live value that are sealed in the recorded one.
func (s Sealer) like(recorded, live cty.Value) cty.Value {
	switch {
	case live == cty.NilVal || live.IsNull() || recorded.IsNull():
		return live
	case IsSealed(recorded) && live.Type() == cty.String:
		return cty.StringVal(s.Text(live.AsString()))
	case recorded.Type().IsMapType() && live.Type().IsMapType() && live.LengthInt() > 0:
		parts, was := live.AsValueMap(), elements(recorded)
		for key, v := range parts {
			if old, ok := was[key]; ok {
				parts[key] = s.like(old, v)
			}
		}
		return cty.MapVal(parts)
	case recorded.Type().IsListType() && live.Type().IsListType() && live.LengthInt() > 0:
		parts, was := live.AsValueSlice(), recorded.AsValueSlice()
		for i := range parts[:min(len(parts), len(was))] {
			parts[i] = s.like(was[i], parts[i])
		}
		return cty.ListVal(parts)
	}
	return live
}

// Lines returns settings as state keeps them: what is theirs may be secret, so
// that only the key stays readable, beside a hash of the value.
func (s Sealer) Lines(settings []string) []string {
	var all []string
	for _, line := range settings {
		key, value, _ := strings.Cut(line, ": ")
		all = append(all, key+": "+s.Text(value)[:len(sealedPrefix)+16])
	}
	slices.Sort(all)
	return all
}

// Added returns which of the settings that nobody asked for were not there, or
// were otherwise, after the last step.
func Added(prior Object, seen Seen, seal Sealer) []string {
	var added []string
	for _, line := range seen.Unmanaged {
		if !slices.Contains(prior.Kept, seal.Lines([]string{line})[0]) {
			added = append(added, line)
		}
	}
	return added
}
