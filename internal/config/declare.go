package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
)

// fileSchema returns what may stand in a file.
func (w *world) fileSchema() *hcl.BodySchema {
	schema := &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
		{Type: "proximity"}, {Type: "locals"},
		{Type: "variable", LabelNames: []string{"name"}},
		{Type: "output", LabelNames: []string{"name"}},
		{Type: "host", LabelNames: []string{"name"}},
	}}
	for _, name := range slices.Sorted(maps.Keys(w.o.Kinds)) {
		if !w.o.Kinds[name].Lasting { // nobody writes what is only implied
			schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: name, LabelNames: []string{"name"}})
		}
	}
	withUnavailable(schema, "")
	return schema
}

// declare notes everything that has a name, and refuses names that are taken
// or that nobody could write.
func (w *world) declare() {
	schema := w.fileSchema()
	first := map[string]hcl.Range{}
	for _, body := range w.bodies {
		content, problems := body.Content(schema)
		w.say(fromHCL(problems)...)
		w.say(reportUnavailable(content, "", nil)...)
		for _, b := range content.Blocks {
			name := b.Type
			if len(b.Labels) > 0 {
				name = fmt.Sprintf("%s %q", b.Type, b.Labels[0])
				if !hclsyntax.ValidIdentifier(b.Labels[0]) {
					w.say(diag.Errorf(&b.LabelRanges[0], "invalid name", "%q is not a name: letters, digits, _ and -, with a letter first", b.Labels[0]))
					continue
				}
			}
			if at, again := first[name]; again && b.Type != "locals" {
				w.say(declaredTwice(b.DefRange, at, name))
				continue
			}
			first[name] = b.DefRange
			w.declareBlock(b)
		}
	}
}

func (w *world) declareBlock(b *hcl.Block) {
	switch kind := w.o.Kinds[b.Type]; {
	case b.Type == "proximity":
		w.settings = b
	case b.Type == "variable":
		w.variables[b.Labels[0]] = &variable{name: b.Labels[0], at: b.DefRange, source: b}
	case b.Type == "locals":
		w.declareLocals(b)
	case b.Type == "output":
		w.outputs[b.Labels[0]] = &output{name: b.Labels[0], at: b.DefRange, source: b}
	case b.Type == "host":
		w.hosts[b.Labels[0]] = &hostBlock{name: b.Labels[0], at: b.DefRange, source: b}
	case kind != nil && !kind.Lasting:
		a := addr.New(b.Type, b.Labels[0])
		w.blocks[a] = &block{addr: a, kind: kind, at: b.DefRange, source: b, repeated: repeats(b.Body)}
	}
}

// repeats reports whether a body says for_each or count, before anything in it is
// looked at: what stands before it may refer to its instances.
func repeats(from hcl.Body) bool {
	content, _, _ := from.PartialContent(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "for_each"}, {Name: "count"}}})
	return len(content.Attributes) > 0 // what is wrong with it is said when it is compiled
}

func (w *world) declareLocals(b *hcl.Block) {
	attrs, problems := b.Body.JustAttributes()
	w.say(fromHCL(problems)...)
	for name, attr := range attrs {
		if earlier, again := w.locals[name]; again {
			w.say(declaredTwice(attr.NameRange, earlier.at, "local."+name))
			continue
		}
		w.locals[name] = &local{at: attr.NameRange, source: attr.Expr}
	}
}

// compileAll checks every expression, now that all names are declared.
func (w *world) compileAll() {
	for _, name := range slices.Sorted(maps.Keys(w.locals)) {
		l := w.locals[name]
		l.expression = w.compile(l.source, names{where: "local." + name, resources: true, hosts: true})
	}
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		w.compileHost(w.hosts[name])
	}
	for _, b := range w.inOrder() {
		w.compileBlock(b)
	}
	for _, name := range slices.Sorted(maps.Keys(w.outputs)) {
		w.compileOutput(w.outputs[name])
	}
}

// settleLocals evaluates the locals that depend on no resource.
func (w *world) settleLocals() {
	for _, name := range slices.Sorted(maps.Keys(w.locals)) {
		w.settle(w.locals[name])
	}
	for _, b := range w.blocks {
		if b.body == nil {
			continue
		}
		b.needy = len(b.dependsOn) > 0 || b.forEach != nil && w.depends(b.forEach) || b.count != nil && w.depends(b.count)
		b.body.expressions(func(e *expression) { b.needy = b.needy || w.depends(e) })
	}
}

func (w *world) settle(l *local) {
	if l.settled {
		return
	}
	l.settled = true
	for _, u := range l.uses {
		if u.root == "local" {
			w.settle(w.locals[u.name])
		}
	}
	if w.depends(l.expression) {
		return
	}
	v, problems := w.now.value(l.expression, nil)
	w.say(problems...)
	l.value, l.fixed = v, true
}

// spoil makes a local that cannot be evaluated unknown, so that what refers
// to it says nothing more.
func (l *local) spoil() { l.settled, l.fixed, l.value = true, true, cty.DynamicVal }
