package config

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// variable is one input of the configuration.
type variable struct {
	name        string
	at          hcl.Range
	source      *hcl.Block
	typ         cty.Type
	defaults    *typeexpr.Defaults // of optional attributes
	standard    cty.Value          // its default; NilVal: a value is required
	sensitive   bool
	nullable    bool
	validations hcl.Blocks
	value       cty.Value // marked when sensitive; unknown after problems
}

var variableSchema = &hcl.BodySchema{
	Attributes: []hcl.AttributeSchema{{Name: "type"}, {Name: "default"}, {Name: "description"}, {Name: "sensitive"}, {Name: "nullable"}},
	Blocks:     []hcl.BlockHeaderSchema{{Type: "validation"}},
}

// declareVariable reads a variable block but for its validations.
func (w *world) declareVariable(v *variable) {
	content, problems := v.source.Body.Content(variableSchema)
	w.say(fromHCL(problems)...)
	v.typ, v.standard, v.nullable, v.validations = cty.DynamicPseudoType, cty.NilVal, true, content.Blocks
	v.value = cty.DynamicVal
	if attr := content.Attributes["type"]; attr != nil {
		t, defaults, problems := typeexpr.TypeConstraintWithDefaults(attr.Expr)
		w.say(fromHCL(problems)...)
		v.typ, v.defaults = t, defaults
	}
	v.sensitive = w.constantBool(content.Attributes["sensitive"], false)
	v.nullable = w.constantBool(content.Attributes["nullable"], true)
	if attr := content.Attributes["default"]; attr != nil {
		e := w.compile(attr.Expr, names{where: "the default of a variable", onlyVars: true})
		if len(e.uses) > 0 {
			w.say(diag.Errorf(&e.at, "default is not constant", "the default of a variable cannot refer to others").
				WithHint("locals { %s = … }", v.name))
			return
		}
		value, problems := w.now.value(e, nil)
		w.say(problems...)
		v.standard = value
		if !problems.HasErrors() && !e.broken {
			w.assign(v, value, &e.at, "its default")
		}
	}
}

func (w *world) constantBool(attr *hcl.Attribute, otherwise bool) bool {
	if attr == nil {
		return otherwise
	}
	v, problems := attr.Expr.Value(nil)
	w.say(fromHCL(problems)...)
	if v, ok := w.as(cty.Bool, v, attr.Name, attr.Expr.Range()); ok && v.IsKnown() && !v.IsNull() {
		return v.True()
	}
	return otherwise
}

// assign gives a variable its value, converted to its type. From says where
// the value is from, for people.
func (w *world) assign(v *variable, value cty.Value, at *hcl.Range, from string) {
	unknown := cty.UnknownVal(v.typ)
	if value.IsNull() && !v.nullable {
		if v.standard == cty.NilVal || v.standard.IsNull() {
			v.value = unknown
			w.say(diag.Errorf(at, "variable is null", "%s cannot be null, but is so by %s", v.name, from))
			return
		}
		value = v.standard
	}
	if v.defaults != nil && !value.IsNull() && value.IsKnown() {
		value = v.defaults.Apply(value)
	}
	converted, err := convert.Convert(value, v.typ)
	if err != nil {
		is := err.Error()
		switch {
		case v.sensitive:
			is = "it is sensitive and not shown"
		case value.Type() == cty.String:
			is = fmt.Sprintf("it is %q", value.AsString())
		}
		v.value = unknown
		d := diag.Errorf(at, "wrong type", "variable %q has to be %s, and %s does not fit: %s", v.name, inWords(v.typ), from, is)
		d.Private = v.sensitive
		w.say(d)
		return
	}
	if v.sensitive {
		converted = converted.Mark(resource.Sensitive)
	}
	v.value = converted
}

// given is a value for a variable, and where it is from.
type given struct {
	value cty.Value // NilVal: text
	text  string
	at    *hcl.Range
	from  string
}

// setVariables finds a value for every variable. When sources were saved,
// only sensitive variables are asked for again.
func (w *world) setVariables(saved *Sources) {
	for _, name := range slices.Sorted(maps.Keys(w.variables)) {
		w.declareVariable(w.variables[name])
	}
	values := w.givenValues(saved)
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, g := w.variables[name], values[name]
		if v == nil {
			d := diag.Errorf(g.at, "no such variable", "%s sets %q, which is not declared", g.from, name)
			if near := nearest(name, w.declared("var")); near != "" {
				d.Hint = fmt.Sprintf("did you mean %s?", near)
			} else {
				d.Hint = fmt.Sprintf("variable %q {}", name)
			}
			w.say(d)
			continue
		}
		if g.value == cty.NilVal {
			g.value = w.fromText(v, g)
		}
		w.assign(v, g.value, g.at, g.from)
	}
	for _, name := range slices.Sorted(maps.Keys(w.variables)) {
		v := w.variables[name]
		if _, ok := values[name]; ok || v.standard != cty.NilVal {
			continue
		}
		v.value = cty.UnknownVal(v.typ)
		w.say(diag.Errorf(&v.at, "variable has no value", "%s has no default and is not set", name).
			WithHint("--var '%s=…'   or   export PROXIMITY_VAR_%s=…", name, name))
	}
}

// givenValues collects what sets variables, weakest first.
func (w *world) givenValues(saved *Sources) map[string]given {
	values := map[string]given{}
	if saved == nil {
		w.autoFiles(values)
	}
	for name := range w.variables {
		if text, ok := w.o.LookupEnv("PROXIMITY_VAR_" + name); ok {
			values[name] = given{text: text, from: "PROXIMITY_VAR_" + name}
		}
	}
	for _, name := range w.o.VarFiles {
		content, err := w.o.ReadFile(name)
		if err != nil {
			w.say(diag.Errorf(nil, "cannot read the file of --var-file", "%q: %s", name, plainCause(err)))
			continue
		}
		w.valuesOf(name, content, values)
	}
	for name, text := range w.o.Vars {
		values[name] = given{text: text, from: "--var " + name}
	}
	if saved == nil {
		return values
	}
	maps.DeleteFunc(values, func(name string, _ given) bool { return !slices.Contains(saved.Sensitive, name) })
	for name, text := range saved.Vars {
		var v ctyjson.SimpleJSONValue
		if err := json.Unmarshal(text, &v); err != nil {
			w.say(diag.Errorf(nil, "saved variable is damaged", "%s: %s", name, err))
			continue
		}
		values[name] = given{value: v.Value, from: "the saved plan"}
	}
	return values
}

// autoFiles reads the files of values that lie beside the configuration.
func (w *world) autoFiles(values map[string]given) {
	names, err := w.dir.top()
	if err != nil {
		return // reading the configuration said so
	}
	slices.SortStableFunc(names, func(a, b string) int { return rank(a) - rank(b) })
	for _, name := range names {
		if !isVariables(name) {
			continue
		}
		content, err := w.dir.content(name) // not kept: it may hold secrets
		if err != nil {
			w.say(diag.Errorf(fileStart(name), "cannot read the file", "%s", err))
			continue
		}
		w.valuesOf(name, content, values)
	}
}

// rank puts proximity.vars.hcl before all others.
func rank(name string) int {
	if name == "proximity.vars.hcl" || name == "proximity.vars.hcl.json" {
		return 0
	}
	return 1
}

// valuesOf reads one file of values: attributes with constant expressions.
func (w *world) valuesOf(name string, content []byte, values map[string]given) {
	file, problems := parseFile(name, content)
	w.say(problems...)
	if file == nil || problems.HasErrors() {
		return
	}
	attrs, found := file.Body.JustAttributes()
	w.say(fromHCL(found)...)
	for _, attr := range attrs {
		v, found := attr.Expr.Value(nil)
		w.say(fromHCL(found)...)
		if !found.HasErrors() {
			values[attr.Name] = given{value: v, at: attr.Expr.Range().Ptr(), from: name}
		}
	}
}

// fromText reads a value from the environment or the command line: text as it
// is for what holds text, else an expression.
func (w *world) fromText(v *variable, g given) cty.Value {
	if v.typ == cty.DynamicPseudoType || v.typ.IsPrimitiveType() {
		return cty.StringVal(g.text)
	}
	source := []byte(g.text)
	if len(source) > maxFile || tooDeep(g.from, source) != nil {
		w.say(diag.Errorf(nil, "value too large", "%s", g.from))
		return cty.UnknownVal(v.typ)
	}
	expr, problems := hclsyntax.ParseExpression(source, g.from, hcl.InitialPos)
	value := cty.UnknownVal(v.typ)
	if !problems.HasErrors() {
		value, problems = expr.Value(nil)
	}
	if problems.HasErrors() {
		w.say(diag.Errorf(nil, "value cannot be read", "%s: variable %q has to be %s", g.from, v.name, inWords(v.typ)).
			WithHint("%s", example(v)))
		return cty.UnknownVal(v.typ)
	}
	return value
}

func example(v *variable) string {
	if v.typ.IsMapType() || v.typ.IsObjectType() {
		return fmt.Sprintf(`--var '%s={ key = "value" }'`, v.name)
	}
	return fmt.Sprintf(`--var '%s=["one", "two"]'`, v.name)
}

// validate checks the conditions that variables have to meet.
func (w *world) validate() {
	for _, name := range slices.Sorted(maps.Keys(w.variables)) {
		for _, b := range w.variables[name].validations {
			w.validateOne(w.variables[name], b)
		}
	}
}

func (w *world) validateOne(v *variable, b *hcl.Block) {
	content, problems := b.Body.Content(&hcl.BodySchema{Attributes: []hcl.AttributeSchema{
		{Name: "condition", Required: true}, {Name: "error_message", Required: true}}})
	w.say(fromHCL(problems)...)
	if problems.HasErrors() {
		return
	}
	condition := w.compile(content.Attributes["condition"].Expr, names{where: "a validation"})
	text := w.compile(content.Attributes["error_message"].Expr, names{where: "a validation"})
	ok, found := w.now.value(condition, nil)
	w.say(found...)
	if found.HasErrors() {
		return
	}
	ok, isBool := w.as(cty.Bool, ok, "condition", condition.at)
	if !isBool || !ok.IsKnown() || ok.IsNull() || ok.True() {
		return
	}
	message, found := w.now.value(text, nil)
	w.say(found...)
	detail := "the value is not allowed"
	if message.Type() == cty.String && message.IsKnown() && !message.IsNull() && !message.IsMarked() {
		detail = message.AsString()
	}
	d := diag.Errorf(&condition.at, fmt.Sprintf("variable %q is not valid", v.name), "%s", detail)
	d.Trail = []diag.Place{{Text: fmt.Sprintf("variable %q", v.name), Range: v.at}}
	w.say(d)
}

// sources returns everything that this configuration was made from.
func (w *world) sources() Sources {
	s := Sources{Files: map[string][]byte{}, Vars: map[string]json.RawMessage{}}
	w.dir.mu.Lock()
	defer w.dir.mu.Unlock()
	maps.Copy(s.Files, w.dir.read)
	s.Listed = slices.Sorted(maps.Keys(w.dir.seen))
	for name, v := range w.variables {
		if v.sensitive {
			s.Sensitive = append(s.Sensitive, name)
			continue
		}
		plain, _ := v.value.UnmarkDeep()
		if !plain.IsWhollyKnown() {
			continue // a problem was reported
		}
		if text, err := json.Marshal(ctyjson.SimpleJSONValue{Value: plain}); err == nil && !v.value.ContainsMarked() {
			s.Vars[name] = text
		}
	}
	slices.Sort(s.Sensitive)
	return s
}
