package proxmox

import (
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// standing returns the settings of a container that a plan compares with what
// is wanted, what waits for a restart, as people call it, and the attributes
// until then.
//
// Where people restart it themselves, what waits counts as done. Else it is
// still to do, also when an earlier run was cut short: then what is in force
// counts. But a change that waits to undo what is wanted is somebody else's,
// and counts as if it were in force: the next restart would bring it.
func standing(kind *resource.Kind, cfg config, want, prior cty.Value) (values map[string]string, pending []string, inForce cty.Value) {
	if len(cfg.waiting) == 0 {
		return cfg.current, nil, cty.NilVal
	}
	want = unmarked(want)
	isManual := firstText("restart", want, prior) == "manual"
	now := attrsOf(kind, cfg.current, want, prior)
	values = maps.Clone(cfg.current)
	for _, key := range cfg.waiting {
		next := maps.Clone(cfg.current)
		carry(next, cfg.coming, key)
		then := attrsOf(kind, next, want, prior)
		paths := differences(nil, &kind.Schema, now, then)
		if isManual || undoes(kind, paths, want, now) || isLeftOver(kind, paths, want, prior, then) {
			carry(values, cfg.coming, key)
		}
		if len(paths) == 0 {
			pending = append(pending, key)
		}
		for _, path := range paths {
			pending = append(pending, path.String())
		}
	}
	slices.Sort(pending)
	return values, slices.Compact(pending), now
}

// carry gives a setting the value, or the absence, that it has elsewhere.
func carry(to, from map[string]string, key string) {
	delete(to, key)
	if value, there := from[key]; there {
		to[key] = value
	}
}

func attrsOf(kind *resource.Kind, values map[string]string, want, prior cty.Value) cty.Value {
	return kind.Schema.Value(newReading(kind, values, want, prior).attrs())
}

// undoes reports whether what is wanted is in force at some of the paths, and
// nothing that is wanted is still to come at the others.
func undoes(kind *resource.Kind, paths []resource.Path, want, now cty.Value) bool {
	some := false
	for _, path := range paths {
		wanted, have := unmarked(valueAt(want, path)), valueAt(now, path)
		switch a := kind.Schema.At(path); {
		case wanted.IsNull() || !wanted.IsWhollyKnown():
		case a == nil && have.IsNull(), a != nil && !means(a, wanted, have):
			return false
		default:
			some = true
		}
	}
	return some
}

// isLeftOver reports whether all that waits is what an earlier run of ours set,
// and that nobody wants any more: it counts as if it were in force, so that it is
// taken back.
func isLeftOver(kind *resource.Kind, paths []resource.Path, want, prior, then cty.Value) bool {
	for _, path := range paths {
		applied, comes, a := valueAt(prior, path), valueAt(then, path), kind.Schema.At(path)
		isOurs := !applied.IsNull() && !comes.IsNull() && (a == nil || means(a, applied, comes))
		if !isOurs || !valueAt(want, path).IsNull() {
			return false
		}
	}
	return len(paths) > 0
}

// means reports whether two values of an attribute mean the same.
func means(a *resource.Attr, x, y cty.Value) bool {
	if a.Same != nil && !x.IsNull() && !y.IsNull() {
		return a.Same(x, y)
	}
	return same(x, y)
}

// differences returns the paths at which two values of a block's type differ:
// to attributes, and of labelled blocks that only one of them has to the block.
func differences(path resource.Path, b *resource.Block, x, y cty.Value) []resource.Path {
	var all []resource.Path
	for _, name := range b.AttrNames() {
		a := b.Attrs[name]
		if a.Role != resource.Computed && !means(a, resource.Attribute(x, name), resource.Attribute(y, name)) {
			all = append(all, path.With(name))
		}
	}
	for _, name := range b.BlockNames() {
		n := b.Blocks[name]
		if !n.Labelled {
			all = append(all, differences(path.With(name), &n.Block, resource.Attribute(x, name), resource.Attribute(y, name))...)
			continue
		}
		labels := slices.Concat(sortedLabels(x, name), sortedLabels(y, name))
		slices.Sort(labels)
		for _, label := range slices.Compact(labels) {
			at, inX, inY := path.With(name).With(label), element(x, name, label), element(y, name, label)
			if inX.IsNull() || inY.IsNull() {
				all = append(all, at)
			} else {
				all = append(all, differences(at, &n.Block, inX, inY)...)
			}
		}
	}
	return all
}
