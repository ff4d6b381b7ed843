package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// body is the inside of a block, checked against its schema once for all
// instances.
type body struct {
	at       hcl.Range
	attrs    map[string]*attribute
	sections []*section // nested blocks, in the order of the file
}

type attribute struct {
	*expression
	named hcl.Range // its name
	whole hcl.Range
}

// section is one nested block, or a dynamic one that makes any number.
type section struct {
	name    string
	label   string // of a labelled block; empty in a dynamic one
	at      hcl.Range
	body    *body
	dynamic *dynamic // nil: an ordinary block
}

type dynamic struct {
	forEach  *expression
	iterator string
	label    *expression // nil: the default label, or a block without
}

// content takes a block apart. It reports what the schema does not know and
// what this version does not carry out; kind names the table of that.
func (w *world) content(from hcl.Body, schema *resource.Block, kind string, attrs []hcl.AttributeSchema, blocks []hcl.BlockHeaderSchema) *hcl.BodyContent {
	full := &hcl.BodySchema{Attributes: slices.Clone(attrs), Blocks: slices.Clone(blocks)}
	for _, name := range schema.AttrNames() {
		if !slices.ContainsFunc(attrs, func(a hcl.AttributeSchema) bool { return a.Name == name }) {
			full.Attributes = append(full.Attributes, hcl.AttributeSchema{Name: name})
		}
	}
	if m, ok := mirrors[kind]; ok && schema.Attrs[m.attr] == nil {
		full.Attributes = append(full.Attributes, hcl.AttributeSchema{Name: m.attr})
	}
	for _, name := range schema.BlockNames() {
		header := hcl.BlockHeaderSchema{Type: name}
		if n := schema.Blocks[name]; n.Labelled {
			header.LabelNames = []string{"name"}
			labelDefault(from, name, n.DefaultLabel)
		}
		full.Blocks = append(full.Blocks, header)
	}
	if len(schema.Blocks) > 0 {
		full.Blocks = append(full.Blocks, hcl.BlockHeaderSchema{Type: "dynamic", LabelNames: []string{"block"}})
	}
	withUnavailable(full, kind)
	content, problems := from.Content(full)
	w.say(fromHCL(problems)...)
	w.say(reportUnavailable(content, kind, schema)...)
	return content
}

// labelDefault writes the label that may be left out into the parsed file,
// since the library wants as many labels as its schema has. In JSON a label
// cannot be left out.
func labelDefault(from hcl.Body, name, label string) {
	native, ok := from.(*hclsyntax.Body)
	if !ok || label == "" {
		return
	}
	for _, b := range native.Blocks {
		if b.Type == name && len(b.Labels) == 0 {
			b.Labels, b.LabelRanges = []string{label}, []hcl.Range{b.TypeRange}
		}
	}
}

// compileBody checks the inside of a block but for the attributes to skip,
// which the caller reads.
func (w *world) compileBody(content *hcl.BodyContent, schema *resource.Block, n names, skip map[string]bool) *body {
	b := &body{at: content.MissingItemRange, attrs: map[string]*attribute{}}
	for _, name := range slices.Sorted(maps.Keys(content.Attributes)) {
		attr := content.Attributes[name]
		a := schema.Attrs[name]
		if skip[name] || a == nil {
			continue
		}
		if a.Role == resource.Computed {
			w.say(diag.Errorf(&attr.NameRange, fmt.Sprintf("%s cannot be set", name), "only an apply tells it; others can refer to it").
				WithHint("remove the line"))
			continue
		}
		b.attrs[name] = &attribute{w.compile(attr.Expr, n), attr.NameRange, attr.Range}
	}
	seen := map[string]hcl.Range{}
	for _, inner := range content.Blocks {
		if inner.Type == "dynamic" {
			w.compileDynamic(b, inner, schema, n)
			continue
		}
		nested := schema.Blocks[inner.Type]
		if nested == nil {
			continue
		}
		s := &section{name: inner.Type, at: inner.DefRange}
		id := inner.Type
		if nested.Labelled {
			s.label = inner.Labels[0]
			id += "." + s.label
		}
		if first, again := seen[id]; again {
			w.say(declaredTwice(inner.DefRange, first, id))
			continue
		}
		seen[id] = inner.DefRange
		s.body = w.compileBody(w.content(inner.Body, &nested.Block, "", nil, nil), &nested.Block, n, nil)
		b.sections = append(b.sections, s)
	}
	return b
}

// declaredTwice names both places of what may stand only once.
func declaredTwice(at, first hcl.Range, what string) diag.Diagnostic {
	d := diag.Errorf(&at, "declared twice", "%s was declared before at %s:%d", what, first.Filename, first.Start.Line).
		WithHint("rename one of the two, or remove it")
	d.Trail = []diag.Place{{Text: "first " + what, Range: first}}
	return d
}

// compileDynamic checks a dynamic block: for_each, iterator, labels and
// content, as in Terraform.
func (w *world) compileDynamic(b *body, block *hcl.Block, schema *resource.Block, n names) {
	name := block.Labels[0]
	nested := schema.Blocks[name]
	if nested == nil {
		d := diag.Errorf(&block.LabelRanges[0], "no such block", "there is no block %q here", name)
		if near := nearest(name, schema.BlockNames()); near != "" {
			d.Hint = fmt.Sprintf("did you mean %s?", near)
		}
		w.say(d)
		return
	}
	content, problems := block.Body.Content(&hcl.BodySchema{
		Attributes: []hcl.AttributeSchema{{Name: "for_each", Required: true}, {Name: "iterator"}, {Name: "labels"}},
		Blocks:     []hcl.BlockHeaderSchema{{Type: "content"}},
	})
	w.say(fromHCL(problems)...)
	if content.Attributes["for_each"] == nil || len(content.Blocks) != 1 {
		w.say(diag.Errorf(&block.DefRange, "incomplete dynamic block", "it needs for_each and one content block").
			WithHint("dynamic %q {\n  for_each = …\n  content {}\n}", name))
		return
	}
	d := &dynamic{forEach: w.compile(content.Attributes["for_each"].Expr, n), iterator: name}
	if attr := content.Attributes["iterator"]; attr != nil {
		d.iterator = hcl.ExprAsKeyword(attr.Expr)
	}
	inside := n
	inside.iterators = append(slices.Clone(n.iterators), d.iterator)
	if attr := content.Attributes["labels"]; attr != nil {
		list, problems := hcl.ExprList(attr.Expr)
		w.say(fromHCL(problems)...)
		if len(list) == 1 && nested.Labelled {
			d.label = w.compile(list[0], inside)
		} else {
			w.say(diag.Errorf(&attr.Range, "wrong number of labels", "a %s has %s", name, labelCount(nested)))
		}
	}
	inner := content.Blocks[0]
	b.sections = append(b.sections, &section{name: name, at: block.DefRange, dynamic: d,
		body: w.compileBody(w.content(inner.Body, &nested.Block, "", nil, nil), &nested.Block, inside, nil)})
}

func labelCount(n *resource.Nested) string {
	if n.Labelled {
		return "one label"
	}
	return "no label"
}

// places notes where everything written stands, by path. What dynamic blocks
// make has no place of its own.
func (b *body) places(path resource.Path, into map[string]hcl.Range) {
	for name, attr := range b.attrs {
		into[path.With(name).String()] = attr.whole
	}
	for _, s := range b.sections {
		if s.dynamic != nil {
			into[path.With(s.name).String()] = s.at
			continue
		}
		at := path.With(s.name)
		if s.label != "" {
			at = at.With(s.label)
		}
		into[at.String()] = s.at
		s.body.places(at, into)
	}
}

// expressions calls visit for every expression of the body.
func (b *body) expressions(visit func(*expression)) {
	for _, name := range slices.Sorted(maps.Keys(b.attrs)) {
		visit(b.attrs[name].expression)
	}
	for _, s := range b.sections {
		if s.dynamic != nil {
			visit(s.dynamic.forEach)
			if s.dynamic.label != nil {
				visit(s.dynamic.label)
			}
		}
		s.body.expressions(visit)
	}
}
