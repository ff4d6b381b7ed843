package config

import (
	"fmt"
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// block is one app, backup policy or whatever kinds there are, as it is
// declared. Its instances are known once it was expanded.
type block struct {
	addr      addr.Addr
	kind      *resource.Kind
	at        hcl.Range // its head
	source    *hcl.Block
	body      *body
	host      *expression
	mirror    *expression // see mirrors; nil: not written
	forEach   *expression
	count     *expression
	dependsOn []use
	life      resource.Lifecycle
	written   map[string]hcl.Range // by path: what Resource.At will be

	repeated   bool // it has for_each or count, and instances by key
	needy      bool // something in it refers to other resources
	madeAnyhow bool // from something that this version cannot do, which was reported

	expanding, expanded, broken bool
	instances                   []instance
	index                       map[string]int // of instances, by addr.Addr's Key
}

// instance is one of what for_each or count make of a block, or the only one.
type instance struct {
	addr       addr.Addr
	key, value cty.Value // each.key and each.value, or count.index and nothing
}

// metaArguments are what every block of a kind may have beside its schema; what
// lies on no host cannot say which.
func metaArguments(kind *resource.Kind) []hcl.AttributeSchema {
	all := []hcl.AttributeSchema{{Name: "for_each"}, {Name: "count"}, {Name: "depends_on"}}
	if !kind.Hostless {
		all = append(all, hcl.AttributeSchema{Name: "host"})
	}
	return all
}

// compileBlock checks a block and what it refers to.
func (w *world) compileBlock(b *block) {
	content := w.content(b.source.Body, &b.kind.Schema, b.kind.Name, metaArguments(b.kind), []hcl.BlockHeaderSchema{{Type: "lifecycle"}})
	before := names{where: "for_each", resources: true, hosts: true}
	if attr := content.Attributes["for_each"]; attr != nil {
		b.forEach = w.compile(attr.Expr, before)
	}
	if attr := content.Attributes["count"]; attr != nil {
		before.where = "count"
		b.count = w.compile(attr.Expr, before)
		if b.forEach != nil {
			w.say(diag.Errorf(&attr.NameRange, "for_each and count together", "%s can have only one of them", b.addr))
		}
	}
	inside := names{where: b.addr.String(), each: b.forEach != nil, count: b.count != nil, resources: true, hosts: true}
	if attr := content.Attributes["host"]; attr != nil {
		onHost := inside
		onHost.resources, onHost.where = false, "host"
		b.host = w.compile(attr.Expr, onHost)
	}
	if m, ok := mirrors[b.kind.Name]; ok && content.Attributes[m.attr] != nil {
		b.mirror = w.compile(content.Attributes[m.attr].Expr, inside)
	}
	if attr := content.Attributes["depends_on"]; attr != nil {
		b.dependsOn = w.dependencies(attr.Expr)
	}
	skip := map[string]bool{"host": true, "for_each": true, "count": true, "depends_on": true, mirrors[b.kind.Name].attr: true}
	b.body = w.compileBody(content, &b.kind.Schema, inside, skip)
	for _, name := range []string{"catalog", "restore_from"} {
		b.madeAnyhow = b.madeAnyhow || content.Attributes[name] != nil && b.kind.Schema.Attrs[name] == nil
	}
	for _, inner := range content.Blocks.OfType("lifecycle") {
		w.lifecycle(b, inner)
	}
	b.written = map[string]hcl.Range{}
	for name := range skip {
		if attr := content.Attributes[name]; attr != nil {
			b.written[name] = attr.Range
		}
	}
	b.body.places(nil, b.written)
}

// dependencies reads depends_on: a list of references, which are not
// evaluated.
func (w *world) dependencies(expr hcl.Expression) []use {
	list, problems := hcl.ExprList(expr)
	w.say(fromHCL(problems)...)
	var uses []use
	for _, item := range list {
		t, problems := hcl.AbsTraversalForExpr(item)
		if problems.HasErrors() {
			at := item.Range()
			w.say(diag.Errorf(&at, "not a reference", "depends_on lists names as they are, without quotes and calculations").
				WithHint("depends_on = [app.NAME]"))
			continue
		}
		at := t.SourceRange()
		if kind := w.o.Kinds[t.RootName()]; kind == nil || kind.Lasting {
			w.say(diag.Errorf(&at, "cannot depend on this", "depends_on lists apps, backup policies and secrets").
				WithHint("depends_on = [app.NAME]"))
			continue
		}
		u, problem := w.reference(t, names{where: "depends_on", resources: true})
		if problem != nil {
			w.say(*problem)
			continue
		}
		uses = append(uses, u)
	}
	return uses
}

// lifecycle reads the block of that name.
func (w *world) lifecycle(b *block, inner *hcl.Block) {
	schema := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "prevent_destroy"}, {Name: "ignore_changes"}}}
	withUnavailable(schema, "lifecycle")
	content, problems := inner.Body.Content(schema)
	w.say(fromHCL(problems)...)
	w.say(reportUnavailable(content, "lifecycle", nil)...)
	if attr := content.Attributes["prevent_destroy"]; attr != nil {
		e := w.compile(attr.Expr, names{where: "lifecycle", onlyVars: true})
		v, problems := w.now.value(e, nil)
		w.say(problems...)
		if v, ok := w.as(cty.Bool, v, "prevent_destroy", e.at); ok && v.IsKnown() && !v.IsNull() {
			b.life.PreventDestroy = v.True()
		}
	}
	if attr := content.Attributes["ignore_changes"]; attr != nil {
		b.life.IgnoreChanges = w.ignored(b, attr.Expr)
	}
}

// ignored reads ignore_changes: attributes of the block, or all.
func (w *world) ignored(b *block, expr hcl.Expression) []resource.Path {
	if hcl.ExprAsKeyword(expr) == "all" {
		return []resource.Path{{}}
	}
	list, problems := hcl.ExprList(expr)
	w.say(fromHCL(problems)...)
	var paths []resource.Path
	for _, item := range list {
		t, problems := hcl.AbsTraversalForExpr(item)
		at := item.Range()
		if problems.HasErrors() {
			w.say(diag.Errorf(&at, "not a name", "ignore_changes lists attributes as they are, without quotes").
				WithHint("ignore_changes = [tags]"))
			continue
		}
		path := pathOf(t)
		if schema := &b.kind.Schema; !leads(schema, path) {
			d := diag.Errorf(&at, "no such attribute", "%s has no %q", b.kind.Name, path)
			if near := nearest(path[0], append(schema.AttrNames(), schema.BlockNames()...)); near != "" && near != path[0] {
				d.Hint = fmt.Sprintf("did you mean %s?", near)
			}
			w.say(d)
			continue
		}
		paths = append(paths, path)
	}
	return paths
}

func pathOf(t hcl.Traversal) resource.Path {
	path := resource.Path{t.RootName()}
	for _, step := range t[1:] {
		switch step := step.(type) {
		case hcl.TraverseAttr:
			path = append(path, step.Name)
		case hcl.TraverseIndex:
			if key, ok := keyText(step.Key); ok {
				if plain, err := strconv.Unquote(key); err == nil {
					key = plain
				}
				path = append(path, key)
			}
		}
	}
	return path
}

// leads reports whether there is something at path; a labelled block may be
// meant with or without a label.
func leads(schema *resource.Block, path resource.Path) bool {
	if schema.At(path) != nil || schema.BlockAt(path) != nil {
		return true
	}
	last := len(path) - 1
	parent := schema.BlockAt(path[:last])
	if parent != nil && parent.Blocks[path[last]] != nil {
		return true
	}
	// into the value of an attribute, such as env["PATH"]
	return len(path) > 1 && schema.At(path[:last]) != nil
}

// expand finds out a block's instances, once. References to other blocks in
// for_each expand those first; a cycle was refused before.
func (w *world) expand(b *block) {
	if b.expanded || b.expanding {
		return
	}
	b.expanding = true
	switch {
	case b.forEach != nil:
		w.expandEach(b)
	case b.count != nil:
		w.expandCount(b)
	default:
		b.instances = []instance{{addr: b.addr}}
	}
	b.index = make(map[string]int, len(b.instances))
	for i, inst := range b.instances {
		b.index[inst.addr.Key] = i
	}
	b.expanding, b.expanded = false, true
}

func (w *world) expandEach(b *block) {
	b.broken = true
	v, problems := w.now.value(b.forEach, nil)
	w.say(problems...)
	if problems.HasErrors() || b.forEach.broken {
		return
	}
	if d := badForEach(b, v); d != nil {
		w.say(*d)
		return
	}
	b.broken = false
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		key, _ = key.Unmark()
		if v.Type().IsSetType() {
			key = value
		}
		b.instances = append(b.instances, instance{b.addr.Each(key.AsString()), key, value})
	}
	slices.SortFunc(b.instances, func(x, y instance) int { return addr.Compare(x.addr, y.addr) })
}

// badForEach says why a value cannot be what for_each goes over, or nil.
func badForEach(b *block, v cty.Value) *diag.Diagnostic {
	fail := func(detail, hint string, args ...any) *diag.Diagnostic {
		d := diag.Errorf(&b.forEach.at, "invalid for_each", detail, args...)
		d.Hint = hint
		return &d
	}
	t := v.Type()
	switch {
	case v.IsMarked() || t.IsSetType() && v.ContainsMarked():
		return fail("it is sensitive, and its keys would be shown in every address", "for_each = nonsensitive(…)")
	case v.IsNull():
		return fail("it is null", "for_each = {}")
	case !v.IsKnown():
		return fail("%s has to be known before anything is made, but this is told only by an apply", "", b.addr)
	case t.IsMapType() || t.IsObjectType():
	case t.IsListType() || t.IsTupleType():
		return fail("it is a list; a map or a set of strings is needed", "for_each = toset(…)")
	case !t.IsSetType() || t.ElementType() != cty.String && v.LengthInt() > 0:
		return fail("a map or a set of strings is needed, this is %s", "", inWords(t))
	case !v.IsWhollyKnown():
		return fail("%s has to be known before anything is made, but this is told only by an apply", "", b.addr)
	}
	if v.LengthInt() > maxInstances {
		return fail("it has %d elements, at most %d are allowed", "", v.LengthInt(), maxInstances)
	}
	return nil
}

func (w *world) expandCount(b *block) {
	b.broken = true
	v, problems := w.now.value(b.count, nil)
	w.say(problems...)
	if problems.HasErrors() || b.count.broken {
		return
	}
	if v.IsMarked() {
		w.say(diag.Errorf(&b.count.at, "invalid count", "it is sensitive").WithHint("count = nonsensitive(…)"))
		return
	}
	v, ok := w.as(cty.Number, v, "count", b.count.at)
	if !ok {
		return
	}
	if v.IsNull() || !v.IsKnown() {
		w.say(diag.Errorf(&b.count.at, "invalid count", "%s has to be known before anything is made", b.addr))
		return
	}
	n, _ := v.AsBigFloat().Int64()
	if !v.AsBigFloat().IsInt() || n < 0 || n > maxInstances {
		w.say(diag.Errorf(&b.count.at, "invalid count", "%s is not a whole number from 0 to %d", v.AsBigFloat().Text('f', -1), maxInstances))
		return
	}
	b.broken = false
	for i := range int(n) {
		b.instances = append(b.instances, instance{addr: b.addr.At(i), key: cty.NumberIntVal(int64(i))})
	}
}

// variablesOf returns what only the expressions of one instance see. When
// for_each depends on other resources it is evaluated again, with what is
// known of them now.
func (s *session) variablesOf(b *block, inst instance) (variables, diag.List) {
	switch {
	case b.count != nil:
		return variables{"count": cty.ObjectVal(map[string]cty.Value{"index": inst.key})}, nil
	case b.forEach == nil:
		return nil, nil
	}
	value := inst.value
	if len(s.known) > 0 && s.w.depends(b.forEach) {
		v, problems := s.value(b.forEach, nil)
		if problems.HasErrors() {
			return nil, problems
		}
		if t := v.Type(); t.IsMapType() || t.IsObjectType() {
			if part, ok := v.AsValueMap()[inst.key.AsString()]; ok {
				value = part
			}
		}
	}
	return variables{"each": cty.ObjectVal(map[string]cty.Value{"key": inst.key, "value": value})}, nil
}

// depends reports whether an expression refers to resources, also through
// locals.
func (w *world) depends(e *expression) bool {
	return slices.ContainsFunc(e.uses, func(u use) bool {
		return u.root == "local" && !w.locals[u.name].fixed || w.blocks[u.block()] != nil
	})
}
