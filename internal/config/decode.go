package config

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// decoder evaluates one body for one instance. It reports through problems
// and goes on, so that all are found at once.
type decoder struct {
	*session
	what     string // for messages: the resource or host
	host     *Host  // whose defaults apply; nil: none
	top      *body
	fixed    map[string]cty.Value // attributes of top that are not taken from it
	problems diag.List
	met      []meeting // whole resources that attributes were set to
}

// meeting is one whole resource that an attribute refers to.
type meeting struct {
	addr addr.Addr
	at   hcl.Range
}

// block returns the value of a body: an object of the schema's type.
func (d *decoder) block(schema *resource.Block, b *body, vars variables) cty.Value {
	values := make(map[string]cty.Value, len(schema.Attrs)+len(schema.Blocks))
	for name, a := range schema.Attrs {
		values[name] = d.attr(name, a, b, vars)
	}
	for name, n := range schema.Blocks {
		values[name] = d.nested(name, n, b, vars)
	}
	return cty.ObjectVal(values)
}

// attr returns the value of one attribute: what is written, else the host's
// default, else its own. Sets of the host are joined with what is written.
func (d *decoder) attr(name string, a *resource.Attr, b *body, vars variables) cty.Value {
	if v, ok := d.fixed[name]; ok && b == d.top {
		return v
	}
	v := cty.NullVal(a.Type)
	if a.Role == resource.Computed {
		return v
	}
	written := b.attrs[name]
	if written != nil {
		raw, problems := d.value(written.expression, vars)
		d.problems = append(d.problems, problems...)
		v = d.conform(name, a, raw, written)
	}
	if standard, ok := d.defaultOf(a); ok {
		switch {
		case v.IsNull():
			v = standard
		case a.HostDefault != "" && a.Type.IsSetType() && v.IsKnown() && standard.IsKnown():
			v = union(v, standard)
		}
	}
	if v.IsNull() && a.Role == resource.Required {
		at := b.at
		if written != nil {
			at = written.at
		}
		d.problems = append(d.problems, diag.Errorf(&at, fmt.Sprintf("%s is required", name), "%s does not say it", d.what).
			WithHint("%s = %s", name, placeholder(a)))
		return cty.UnknownVal(a.Type)
	}
	if a.Sensitive && !v.IsNull() {
		v = v.Mark(resource.Sensitive)
	}
	return v
}

func placeholder(a *resource.Attr) string {
	switch {
	case a.Unit == resource.Size:
		return `"4GiB"`
	case a.Unit == resource.Duration:
		return `"5m"`
	case a.Type == cty.String:
		return `"…"`
	}
	return "…"
}

func (d *decoder) defaultOf(a *resource.Attr) (cty.Value, bool) {
	if d.host != nil && a.HostDefault != "" {
		if v, ok := d.host.Defaults[a.HostDefault]; ok && !v.IsNull() {
			return v, true
		}
	}
	return a.Default, a.Default != cty.NilVal
}

func union(a, b cty.Value) cty.Value {
	a, marksA := a.Unmark()
	b, marksB := b.Unmark()
	members := append(a.AsValueSlice(), b.AsValueSlice()...)
	if len(members) == 0 {
		return a.WithMarks(marksA, marksB)
	}
	return cty.SetVal(members).WithMarks(marksA, marksB)
}

// conform turns a written value into one of the attribute's type, and checks
// it.
func (d *decoder) conform(name string, a *resource.Attr, v cty.Value, written *attribute) cty.Value {
	if v.IsNull() {
		return cty.NullVal(a.Type)
	}
	if a.Refers != "" {
		v = d.identities(a, v, written)
	}
	plain, marks := v.Unmark()
	if a.Unit != resource.Plain && plain.IsKnown() {
		n, err := inUnit(a.Unit, plain)
		if err != nil {
			d.problems = append(d.problems, d.blame(name, a, plain, err, written))
			return cty.UnknownVal(a.Type)
		}
		v = n.WithMarks(marks)
	}
	if a.Unit != resource.Plain && !plain.IsKnown() {
		return cty.UnknownVal(a.Type).WithMarks(marks)
	}
	converted, err := convert.Convert(v, a.Type)
	if err != nil {
		d.problems = append(d.problems, wrongType(name, a.Type, v, err, written.at))
		return cty.UnknownVal(a.Type)
	}
	d.check(name, a, converted, written)
	return converted
}

// blame says what is wrong with a number that has a unit.
func (d *decoder) blame(name string, a *resource.Attr, v cty.Value, err error, written *attribute) diag.Diagnostic {
	unit := "size"
	if a.Unit == resource.Duration {
		unit = "duration"
	}
	text := err.Error()
	if a.Sensitive || isSensitive(v) {
		text = "the value cannot be read"
	}
	p := diag.Errorf(&written.at, fmt.Sprintf("%s is not a %s", name, unit), "%s", text)
	var f *fault
	if errors.As(err, &f) && f.hint != "" {
		p.Hint = f.hint
		if f.hint[0] == '"' {
			p.Hint = name + " = " + f.hint
		}
	}
	return p
}

// check asks the attribute whether a value is allowed.
func (d *decoder) check(name string, a *resource.Attr, v cty.Value, written *attribute) {
	plain, _ := v.UnmarkDeep()
	if a.Check == nil || plain.IsNull() || !plain.IsWhollyKnown() {
		return
	}
	why := a.Check(plain)
	if why == "" {
		return
	}
	switch {
	case a.Sensitive || isSensitive(v):
		why = "the value is not allowed (it is sensitive and not shown)"
	case strings.HasPrefix(why, "must "):
		why = name + " " + why
	case strings.HasPrefix(why, "is ") && plain.Type() == cty.String:
		why = strconv.Quote(plain.AsString()) + " " + why
	}
	d.problems = append(d.problems, diag.Errorf(&written.at, fmt.Sprintf("%s is not valid", name), "%s", why))
}

func isSensitive(v cty.Value) bool { return v.ContainsMarked() }

func wrongType(name string, want cty.Type, v cty.Value, err error, at hcl.Range) diag.Diagnostic {
	is := "this is " + inWords(v.Type())
	if v.Type() == want || v.CanIterateElements() && !want.IsPrimitiveType() || inWords(v.Type()) == inWords(want) {
		is = err.Error()
	}
	return diag.Errorf(&at, "wrong type", "%s has to be %s: %s", name, inWords(want), is)
}

// as converts a value outside of any schema and reports what does not fit.
func (w *world) as(t cty.Type, v cty.Value, name string, at hcl.Range) (cty.Value, bool) {
	converted, err := convert.Convert(v, t)
	if err != nil {
		w.say(wrongType(name, t, v, err, at))
		return cty.DynamicVal, false
	}
	converted, _ = converted.Unmark()
	return converted, true
}

// nested returns the value of all blocks of one name.
func (d *decoder) nested(name string, n *resource.Nested, b *body, vars variables) cty.Value {
	if n.Labelled {
		return d.labelled(name, n, b, vars)
	}
	v := cty.NilVal
	for _, s := range b.sections {
		if s.name != name {
			continue
		}
		d.each(s, vars, func(_ string, vars variables) {
			if v != cty.NilVal {
				d.problems = append(d.problems, diag.Errorf(&s.at, "too many blocks", "%s can have only one %s", d.what, name))
			}
			v = d.block(&n.Block, s.body, vars)
		})
	}
	switch {
	case v != cty.NilVal:
		return v
	case requires(&n.Block):
		return cty.NullVal(n.Type())
	}
	// Defaults hold also where the block is left out.
	v = d.block(&n.Block, &body{}, nil)
	if empty(v) {
		return cty.NullVal(n.Type())
	}
	return v
}

func requires(b *resource.Block) bool {
	for _, a := range b.Attrs {
		if a.Role == resource.Required {
			return true
		}
	}
	return false
}

// empty reports whether an object has nothing but nulls and empty maps.
func empty(v cty.Value) bool {
	for _, part := range v.AsValueMap() {
		if !part.IsNull() && (!part.Type().IsMapType() || part.LengthInt() > 0) {
			return false
		}
	}
	return true
}

func (d *decoder) labelled(name string, n *resource.Nested, b *body, vars variables) cty.Value {
	values := map[string]cty.Value{}
	for _, s := range b.sections {
		if s.name != name {
			continue
		}
		d.each(s, vars, func(label string, vars variables) {
			if label == "" {
				label = n.DefaultLabel
			}
			if _, again := values[label]; again || label == "" {
				d.problems = append(d.problems, diag.Errorf(&s.at, "invalid label", "%s.%s is declared twice or has no label", name, label).
					WithHint("labels = [%s.key]", name))
				return
			}
			if n.CheckLabel != nil {
				if why := n.CheckLabel(label); why != "" {
					d.problems = append(d.problems, diag.Errorf(&s.at, "invalid label", "%s: %q %s", name, label, why))
				}
			}
			values[label] = d.block(&n.Block, s.body, vars)
		})
	}
	if len(values) == 0 {
		return cty.MapValEmpty(n.Block.Type())
	}
	return cty.MapVal(values)
}

// each calls make for every block that a section makes.
func (d *decoder) each(s *section, vars variables, make func(label string, vars variables)) {
	if s.dynamic == nil {
		make(s.label, vars)
		return
	}
	v, problems := d.value(s.dynamic.forEach, vars)
	d.problems = append(d.problems, problems...)
	plain, _ := v.Unmark()
	if !plain.CanIterateElements() || plain.LengthInt() > maxInstances {
		if !problems.HasErrors() && !s.dynamic.forEach.broken {
			d.problems = append(d.problems, diag.Errorf(&s.dynamic.forEach.at, "invalid for_each",
				"a known list, set or map of at most %d elements is needed", maxInstances))
		}
		return
	}
	for it := plain.ElementIterator(); it.Next(); {
		key, value := it.Element()
		if plain.Type().IsSetType() {
			key = value
		}
		inner := variables{s.dynamic.iterator: cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})}
		for name, outer := range vars {
			if _, hidden := inner[name]; !hidden {
				inner[name] = outer
			}
		}
		label := ""
		if s.dynamic.label != nil {
			v, problems := d.value(s.dynamic.label, inner)
			d.problems = append(d.problems, problems...)
			if text, err := convert.Convert(v, cty.String); err == nil && text.IsKnown() && !text.IsNull() && !text.IsMarked() {
				label = text.AsString()
			}
		}
		make(label, inner)
	}
}
