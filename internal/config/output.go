package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
)

// Output is one value that the configuration offers. Value may be unknown, and
// carries marks when it is sensitive.
type Output struct {
	Name        string
	Value       cty.Value
	Description string
	Sensitive   bool
	Range       hcl.Range
}

type output struct {
	name        string
	at          hcl.Range
	source      *hcl.Block
	value       *expression // nil: missing, which was reported
	description string
	sensitive   bool
}

var outputSchema = &hcl.BodySchema{Attributes: []hcl.AttributeSchema{
	{Name: "value", Required: true}, {Name: "description"}, {Name: "sensitive"}, {Name: "depends_on"}}}

func (w *world) compileOutput(o *output) {
	content, problems := o.source.Body.Content(outputSchema)
	w.say(fromHCL(problems)...)
	if attr := content.Attributes["value"]; attr != nil {
		o.value = w.compile(attr.Expr, names{where: fmt.Sprintf("output %q", o.name), resources: true, hosts: true})
	}
	o.sensitive = w.constantBool(content.Attributes["sensitive"], false)
	if attr := content.Attributes["description"]; attr != nil {
		v, problems := attr.Expr.Value(nil)
		w.say(fromHCL(problems)...)
		if v, ok := w.as(cty.String, v, "description", attr.Expr.Range()); ok && v.IsKnown() && !v.IsNull() {
			o.description = v.AsString()
		}
	}
	if attr := content.Attributes["depends_on"]; attr != nil {
		w.dependencies(attr.Expr) // only checked: outputs are read after everything
	}
}

// checkOutputs evaluates outputs with nothing known, for their problems.
func (w *world) checkOutputs() {
	_, problems := w.now.outputs()
	w.say(problems...)
}

// Outputs returns the values of all outputs, by name, from what is known of
// resources. It is pure and safe for concurrent use.
func (c *Config) Outputs(known map[addr.Addr]cty.Value) ([]Output, diag.List) {
	return c.world.session(known).outputs()
}

func (s *session) outputs() ([]Output, diag.List) {
	var list []Output
	var problems diag.List
	s.problems = nil
	for _, name := range slices.Sorted(maps.Keys(s.w.outputs)) {
		o := s.w.outputs[name]
		if o.value == nil || o.value.broken {
			continue
		}
		v, found := s.value(o.value, nil)
		problems = append(problems, found...)
		if v.ContainsMarked() && !o.sensitive {
			problems = append(problems, diag.Errorf(&o.value.at, "output would show a secret",
				"the value of output %q is sensitive, or made from something that is", name).WithHint("sensitive = true"))
			continue
		}
		list = append(list, Output{Name: name, Value: v, Description: o.description, Sensitive: o.sensitive, Range: o.at})
	}
	return list, append(problems, s.problems...)
}
