package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/graph"
)

// declared is the name of a local or a block.
type declared string

func (d declared) String() string { return string(d) }

// edge is one reference between declared things.
type edge struct{ from, to declared }

// refuseCycles reports every cycle of references with the place of each, and
// takes the references of what is part of one out of the evaluation.
func (w *world) refuseCycles() {
	edges := w.edges()
	spoilt := map[declared]bool{}
	for {
		var g graph.Graph[declared]
		for e := range edges {
			if !spoilt[e.from] && !spoilt[e.to] {
				g.Add(e.from)
				g.Add(e.to)
				g.Wait(e.from, e.to)
			}
		}
		_, cycle := g.Order()
		if cycle == nil {
			return
		}
		w.say(describe(cycle, edges))
		for _, name := range cycle {
			spoilt[name] = true
			w.spoil(name)
		}
	}
}

func (w *world) spoil(name declared) {
	if l := w.locals[strings.TrimPrefix(string(name), "local.")]; l != nil && strings.HasPrefix(string(name), "local.") {
		l.spoil()
		return
	}
	for a, b := range w.blocks {
		if a.String() == string(name) {
			w.cut(b)
		}
	}
}

// cut leaves every expression of a block unevaluated that refers to something
// declared. The others are evaluated: what is wrong beside a cycle is found too.
func (w *world) cut(b *block) {
	cutOne := func(e *expression) {
		if slices.ContainsFunc(e.uses, func(u use) bool { return u.root == "local" || w.blocks[u.block()] != nil }) {
			e.broken = true
		}
	}
	for _, e := range []*expression{b.forEach, b.count, b.host} {
		if e != nil {
			cutOne(e)
		}
	}
	b.body.expressions(cutOne)
}

// describe names a cycle and every edge of it, beginning at the first place.
func describe(cycle []declared, edges map[edge]hcl.Range) diag.Diagnostic {
	var trail []diag.Place
	for i, from := range cycle {
		to := cycle[(i+1)%len(cycle)]
		trail = append(trail, diag.Place{Text: fmt.Sprintf("%s refers to %s", from, to), Range: edges[edge{from, to}]})
	}
	first := slices.Index(trail, slices.MinFunc(trail, func(a, b diag.Place) int {
		return cmp.Or(cmp.Compare(a.Range.Filename, b.Range.Filename), cmp.Compare(a.Range.Start.Byte, b.Range.Start.Byte))
	}))
	trail = slices.Concat(trail[first:], trail[:first])
	cycle = slices.Concat(cycle[first:], cycle[:first])
	at := trail[0].Range
	var d diag.Diagnostic
	if len(cycle) == 1 {
		d = diag.Errorf(&at, "refers to itself", "%s needs its own value", cycle[0])
	} else {
		steps := make([]string, 0, len(cycle)+1)
		for _, name := range append(cycle, cycle[0]) {
			steps = append(steps, string(name))
		}
		d = diag.Errorf(&at, "references in a circle", "%s", strings.Join(steps, " → "))
	}
	d.Trail = trail
	return d
}

// edges returns all references between locals and blocks, with the first
// place of each.
func (w *world) edges() map[edge]hcl.Range {
	found := map[edge]hcl.Range{}
	add := func(from, to declared, at hcl.Range) {
		if old, ok := found[edge{from, to}]; !ok || at.Start.Byte < old.Start.Byte && at.Filename == old.Filename {
			found[edge{from, to}] = at
		}
	}
	uses := func(from declared, list []use) {
		for _, u := range list {
			if u.root == "local" || w.blocks[u.block()] != nil {
				add(from, declared(u.root+"."+u.name), u.at)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.locals)) {
		uses(declared("local."+name), w.locals[name].uses)
	}
	for _, a := range slices.SortedFunc(maps.Keys(w.blocks), addr.Compare) {
		b, from := w.blocks[a], declared(a.String())
		for _, e := range []*expression{b.forEach, b.count, b.host} {
			if e != nil {
				uses(from, e.uses)
			}
		}
		b.body.expressions(func(e *expression) { uses(from, e.uses) })
		uses(from, b.dependsOn)
		if b.mirror == nil {
			continue
		}
		for _, u := range b.mirror.uses { // the other side waits for this one
			if w.blocks[u.block()] != nil {
				add(declared(u.block().String()), from, u.at)
			} else if u.root == "local" {
				add(from, declared("local."+u.name), u.at)
			}
		}
	}
	return found
}
