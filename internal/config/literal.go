package config

import (
	"maps"
	"net/url"
	"regexp"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// ClearSecrets returns where in the files a secret stands as it is: whoever gets
// the files, or the Sources, gets these. The text of a place names it.
func (c *Config) ClearSecrets() []diag.Place {
	w := c.world
	found := slices.Clone(w.clear)
	for _, name := range slices.Sorted(maps.Keys(w.variables)) {
		if v := w.variables[name]; v.sensitive && v.standard != cty.NilVal && says(v.standard) {
			found = append(found, diag.Place{Text: "the default of var." + name, Range: v.at})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(w.hosts)) {
		h := w.hosts[name]
		found = append(found, literalsIn(h.body, h.schema, "host."+name)...)
	}
	for _, b := range w.inOrder() {
		found = append(found, literalsIn(b.body, &b.kind.Schema, b.addr.String())...)
	}
	for _, name := range slices.Sorted(maps.Keys(w.outputs)) {
		if o := w.outputs[name]; o.sensitive && o.value != nil && isLiteral(o.value) {
			found = append(found, diag.Place{Text: "the value of output " + name, Range: o.value.at})
		}
	}
	return append(found, w.literalCalls()...)
}

// opensStore reports whether a setting of a state store is a secret. Stores know
// their settings, and all that have one of these names mean a secret by it.
func opensStore(name string, v cty.Value) bool {
	v, _ = v.UnmarkDeep()
	if v.Type() != cty.String || v.IsNull() || !v.IsKnown() || v.AsString() == "" {
		return false
	}
	if u, err := url.Parse(v.AsString()); err == nil {
		if _, hasPassword := u.User.Password(); hasPassword {
			return true
		}
	}
	return keyInText.MatchString(v.AsString()) || name == "password" || name == "token" || name == "secret_key"
}

// keyInText finds a secret in the words that libpq takes instead of a URL, and in
// the query of an address.
var keyInText = regexp.MustCompile(`(?i)(^|[\s?&])[a-z_]*(password|token|secret)\s*=\s*[^\s&]`)

// says reports whether a default is more than a placeholder.
func says(v cty.Value) bool {
	v, _ = v.UnmarkDeep()
	return !v.IsNull() && (v.Type() != cty.String || v.AsString() != "")
}

// literalsIn returns the attributes of a body that are sensitive and written out.
func literalsIn(b *body, schema *resource.Block, where string) []diag.Place {
	var found []diag.Place
	if b == nil {
		return nil
	}
	for _, name := range slices.Sorted(maps.Keys(b.attrs)) {
		if a := b.attrs[name]; schema.Attrs[name].Sensitive && isLiteral(a.expression) {
			found = append(found, diag.Place{Text: name + " of " + where, Range: a.at})
		}
	}
	for _, s := range b.sections {
		found = append(found, literalsIn(s.body, &schema.Blocks[s.name].Block, where)...)
	}
	return found
}

// literalCalls returns the calls of sensitive() around something written out.
func (w *world) literalCalls() []diag.Place {
	var found []diag.Place
	for _, from := range w.bodies {
		native, ok := from.(*hclsyntax.Body)
		if !ok {
			continue // in JSON a call is text until it is evaluated
		}
		_ = hclsyntax.VisitAll(native, func(node hclsyntax.Node) hcl.Diagnostics { // reports nothing
			call, ok := node.(*hclsyntax.FunctionCallExpr)
			if ok && call.Name == "sensitive" && len(call.Args) == 1 && isWrittenOut(call.Args[0]) {
				found = append(found, diag.Place{Text: "sensitive(…)", Range: call.Range()})
			}
			return nil
		})
	}
	return found
}

// isLiteral reports whether an expression says its value by itself: it refers to
// nothing, and does not ask the environment. What it reads from files of the
// configuration is among the Sources as well.
func isLiteral(e *expression) bool {
	return len(e.uses) == 0 && !e.broken && isWrittenOut(e.expr)
}

func isWrittenOut(expr hcl.Expression) bool {
	native, ok := expr.(hclsyntax.Expression)
	if !ok {
		_, problems := expr.Value(nil)
		return !problems.HasErrors()
	}
	asks := len(native.Variables()) > 0
	_ = hclsyntax.VisitAll(native, func(node hclsyntax.Node) hcl.Diagnostics { // reports nothing
		call, ok := node.(*hclsyntax.FunctionCallExpr)
		asks = asks || ok && call.Name == "env"
		return nil
	})
	return !asks
}
