package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
)

// expression is one expression of the files, with what it refers to.
type expression struct {
	expr   hcl.Expression
	at     hcl.Range
	uses   []use
	broken bool // a problem with it was reported already; its value is unknown
}

// use is one reference that an expression makes.
type use struct {
	root    string         // "var", "local", "host", a kind, "each", …
	name    string         // what follows the root; empty for each, count and path
	key     string         // the key of an instance, as in addr.Addr; empty: all of them
	keyExpr hcl.Expression // a key that depends on each, count, variables; or nil
	at      hcl.Range
}

// block returns the address of the block that a reference to a resource means.
func (u use) block() addr.Addr { return addr.New(u.root, u.name) }

// names says what an expression may refer to, apart from variables and
// locals. Where names the place in messages.
type names struct {
	where     string
	each      bool
	count     bool
	resources bool
	hosts     bool
	onlyVars  bool     // no locals either
	iterators []string // of dynamic blocks
}

// compile checks what an expression refers to. Everything must have been
// declared before.
func (w *world) compile(expr hcl.Expression, n names) *expression {
	e := &expression{expr: expr, at: expr.Range()}
	keys := computedKeys(expr)
	for _, t := range expr.Variables() {
		u, problem := w.reference(t, n)
		if problem != nil {
			w.say(*problem)
			e.broken = true
			continue
		}
		if u.key == "" {
			u.keyExpr = keys[t.SourceRange().Start.Byte]
		}
		e.uses = append(e.uses, u)
	}
	return e
}

// reference checks one traversal such as app.web["blue"].ip.
func (w *world) reference(t hcl.Traversal, n names) (use, *diag.Diagnostic) {
	at := t.SourceRange()
	u := use{root: t.RootName(), at: at}
	fail := func(summary, detail string, args ...any) (use, *diag.Diagnostic) {
		d := diag.Errorf(&at, summary, detail, args...)
		return u, &d
	}
	switch kind := w.o.Kinds[u.root]; {
	case slices.Contains(n.iterators, u.root):
		return u, nil
	case u.root == "each" && n.each, u.root == "count" && n.count:
		return u, nil
	case u.root == "each":
		return fail("each is not available in "+n.where, "only blocks with for_each have each.key and each.value")
	case u.root == "count":
		return fail("count.index is not available in "+n.where, "only blocks with count have it")
	case u.root == "self":
		return fail("self is not available in "+n.where, "it names the app inside checks of its health only")
	case u.root == "path":
		return w.pathReference(t, u)
	case u.root == "local" && n.onlyVars, u.root == "host" && !n.hosts, kind != nil && !n.resources:
		return fail(fmt.Sprintf("%s cannot be referred to here", u.root), "%s may not depend on it", n.where)
	case u.root == "var" || u.root == "local" || u.root == "host" || kind != nil && !kind.Lasting:
		return w.named(t, u)
	case unavailable[""][u.root] != (notYet{}):
		return fail(u.root+" is not available in this version", "")
	}
	d := diag.Errorf(&at, "unknown name", "there is nothing called %q here", u.root)
	d.Hint = w.hintFor(t)
	return u, &d
}

func (w *world) pathReference(t hcl.Traversal, u use) (use, *diag.Diagnostic) {
	if step, ok := stepName(t, 1); ok && step == "module" {
		return u, nil
	}
	d := diag.Errorf(&u.at, "unknown name", "path has only path.module, the configuration's directory").WithHint("path.module")
	return u, &d
}

// named checks references whose second step is a name.
func (w *world) named(t hcl.Traversal, u use) (use, *diag.Diagnostic) {
	name, ok := stepName(t, 1)
	if !ok {
		d := diag.Errorf(&u.at, "incomplete reference", "a name is missing after %q", u.root).
			WithHint("%s.NAME", u.root)
		return u, &d
	}
	u.name = name
	known := w.declared(u.root)
	if !slices.Contains(known, name) {
		d := diag.Errorf(&u.at, "no such "+rootWord(u.root), "%s.%s is not declared", u.root, name)
		switch near := nearest(name, known); {
		case near != "":
			d.Hint = fmt.Sprintf("did you mean %s.%s?", u.root, near)
		case u.root == "var":
			d.Hint = fmt.Sprintf("variable %q {}", name)
		case u.root == "local":
			d.Hint = fmt.Sprintf("locals { %s = … }", name)
		}
		return u, &d
	}
	if kind := w.o.Kinds[u.root]; kind != nil {
		return w.instanceOf(t, u)
	}
	return u, nil
}

func rootWord(root string) string {
	if root == "var" {
		return "variable"
	}
	return strings.ReplaceAll(root, "_", " ")
}

// declared returns the names that may follow a root, sorted.
func (w *world) declared(root string) []string {
	switch root {
	case "var":
		return slices.Sorted(maps.Keys(w.variables))
	case "local":
		return slices.Sorted(maps.Keys(w.locals))
	case "host":
		return slices.Sorted(maps.Keys(w.hosts))
	}
	var found []string
	for a := range w.blocks {
		if a.Kind == root {
			found = append(found, a.Name)
		}
	}
	slices.Sort(found)
	return found
}

// instanceOf checks what follows app.web: a key when the block has instances,
// then an attribute.
func (w *world) instanceOf(t hcl.Traversal, u use) (use, *diag.Diagnostic) {
	b, next := w.blocks[u.block()], 2
	if b.repeated {
		if len(t) == 2 {
			return u, nil
		}
		key, ok := stepKey(t[2])
		if !ok {
			return u, nil
		}
		u.key, next = key, 3
	} else if len(t) > 2 {
		if _, isIndex := t[2].(hcl.TraverseIndex); isIndex {
			d := diag.Errorf(&u.at, fmt.Sprintf("%s has no instances", b.addr), "it has neither for_each nor count").
				WithHint("%s", b.addr)
			return u, &d
		}
	}
	name, ok := stepName(t, next)
	if !ok {
		return u, nil
	}
	schema := &b.kind.Schema
	if schema.Attrs[name] != nil || schema.Blocks[name] != nil || name == "address" {
		return u, nil
	}
	offered := append(schema.AttrNames(), schema.BlockNames()...)
	d := diag.Errorf(&u.at, "no such attribute", "%s has no %q", b.kind.Name, name)
	if near := nearest(name, offered); near != "" {
		d.Hint = fmt.Sprintf("did you mean %s?", near)
	}
	return u, &d
}

// hintFor guesses what an unknown word means: the name of a block without its
// kind, or a text without quotes.
func (w *world) hintFor(t hcl.Traversal) string {
	word := t.RootName()
	for _, root := range w.roots() {
		for _, name := range w.declared(root) {
			if name == word {
				return fmt.Sprintf("did you mean %s.%s?", root, name)
			}
		}
	}
	if near := nearest(word, w.roots()); near != "" {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if len(t) == 1 {
		return strconv.Quote(word)
	}
	return ""
}

func (w *world) roots() []string {
	roots := []string{"var", "local", "host", "each", "count"}
	for name, kind := range w.o.Kinds {
		if !kind.Lasting {
			roots = append(roots, name)
		}
	}
	slices.Sort(roots[5:])
	return roots
}

func stepName(t hcl.Traversal, i int) (string, bool) {
	if i >= len(t) {
		return "", false
	}
	step, ok := t[i].(hcl.TraverseAttr)
	return step.Name, ok
}

// stepKey reads one step as the key of an instance; a splat is none.
func stepKey(step hcl.Traverser) (string, bool) {
	switch step := step.(type) {
	case hcl.TraverseAttr:
		return strconv.Quote(step.Name), true
	case hcl.TraverseIndex:
		return keyText(step.Key)
	}
	return "", false
}

// keyText writes a value as addr.Addr has it in Key.
func keyText(v cty.Value) (string, bool) {
	v, _ = v.Unmark()
	switch {
	case !v.IsKnown() || v.IsNull():
	case v.Type() == cty.String:
		return strconv.Quote(v.AsString()), true
	case v.Type() == cty.Number && v.AsBigFloat().IsInt():
		return v.AsBigFloat().Text('f', 0), true
	}
	return "", false
}

// computedKeys finds references such as app.db[each.key], by where they
// begin. Inside of for expressions each could mean something else.
func computedKeys(expr hcl.Expression) map[int]hcl.Expression {
	node, ok := expr.(hclsyntax.Expression)
	if !ok {
		return nil
	}
	finder := keyFinder{found: map[int]hcl.Expression{}}
	hclsyntax.Walk(node, &finder) // reports nothing: the finder never does
	return finder.found
}

type keyFinder struct {
	loops int
	found map[int]hcl.Expression
}

func (f *keyFinder) Enter(node hclsyntax.Node) hcl.Diagnostics {
	switch node := node.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
		f.loops++
	case *hclsyntax.IndexExpr:
		if list, ok := node.Collection.(*hclsyntax.ScopeTraversalExpr); ok && f.loops == 0 && computable(node.Key) {
			f.found[list.SrcRange.Start.Byte] = node.Key
		}
	}
	return nil
}

func (f *keyFinder) Exit(node hclsyntax.Node) hcl.Diagnostics {
	switch node.(type) {
	case *hclsyntax.ForExpr, *hclsyntax.SplatExpr:
		f.loops--
	}
	return nil
}

// computable reports whether a key depends on nothing that others tell.
func computable(key hclsyntax.Expression) bool {
	for _, t := range key.Variables() {
		if root := t.RootName(); root != "each" && root != "count" && root != "var" {
			return false
		}
	}
	return true
}
