package config

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// session evaluates expressions against what is known of other resources. It
// builds only what expressions refer to, once. A session is not safe for
// concurrent use; sessions of one world are independent of each other.
type session struct {
	w      *world
	known  map[addr.Addr]cty.Value
	locals map[string]cty.Value
	made   map[addr.Addr]cty.Value // values of resources that were referred to
	whole  map[addr.Addr]cty.Value // values of all instances of a block
	// problems of locals, which have no caller that asked for them alone
	problems diag.List
}

func (w *world) session(known map[addr.Addr]cty.Value) *session {
	return &session{w: w, known: known, locals: map[string]cty.Value{},
		made: map[addr.Addr]cty.Value{}, whole: map[addr.Addr]cty.Value{}}
}

// variables are the names that only some expressions see: each, count and the
// iterators of dynamic blocks.
type variables map[string]cty.Value

// value evaluates an expression. With problems the value is unknown.
func (s *session) value(e *expression, vars variables) (cty.Value, diag.List) {
	if e.broken {
		return cty.DynamicVal, nil
	}
	ctx, problems := s.context(e, vars)
	if problems.HasErrors() {
		return cty.DynamicVal, problems
	}
	v, found := e.expr.Value(ctx)
	problems = append(problems, fromHCL(found)...)
	if problems.HasErrors() {
		return cty.DynamicVal, problems
	}
	if why := tooLarge(v); why != "" {
		return cty.DynamicVal, append(problems, diag.Errorf(&e.at, "value too large", "%s", why))
	}
	return v, problems
}

// context returns what an expression can see.
func (s *session) context(e *expression, vars variables) (*hcl.EvalContext, diag.List) {
	if len(e.uses) == 0 {
		return s.w.base, nil
	}
	var problems diag.List
	locals := map[string]cty.Value{}
	kinds := map[string]map[addr.Addr][]use{}
	for _, u := range e.uses {
		switch {
		case u.root == "local":
			locals[u.name] = s.local(u.name)
		case u.name != "" && s.w.o.Kinds[u.root] != nil:
			if kinds[u.root] == nil {
				kinds[u.root] = map[addr.Addr][]use{}
			}
			kinds[u.root][u.block()] = append(kinds[u.root][u.block()], u)
		}
	}
	ctx := s.w.base.NewChild()
	ctx.Variables = vars
	if len(locals)+len(kinds) == 0 {
		return ctx, nil
	}
	ctx.Variables = maps.Clone(vars)
	if ctx.Variables == nil {
		ctx.Variables = variables{}
	}
	if len(locals) > 0 {
		ctx.Variables["local"] = cty.ObjectVal(locals)
	}
	for root, blocks := range kinds {
		values := make(map[string]cty.Value, len(blocks))
		for a, uses := range blocks {
			v, found := s.block(a, uses, vars)
			problems = append(problems, found...)
			values[a.Name] = v
		}
		ctx.Variables[root] = cty.ObjectVal(values)
	}
	return ctx, problems
}

// local returns the value of a local, which has no cycle with others.
func (s *session) local(name string) cty.Value {
	l := s.w.locals[name]
	if l.fixed {
		return l.value
	}
	if v, ok := s.locals[name]; ok {
		return v
	}
	v, problems := s.value(l.expression, nil)
	s.problems = append(s.problems, problems...)
	s.locals[name] = v
	return v
}

// block returns what a reference to a block evaluates to: the resource, or an
// object or list of its instances. When only some instances are meant it has
// only those.
func (s *session) block(a addr.Addr, uses []use, vars variables) (cty.Value, diag.List) {
	b := s.w.blocks[a]
	s.w.expand(b)
	if b.broken {
		return cty.DynamicVal, nil
	}
	if !b.repeated {
		return s.object(b, a), nil
	}
	wanted := map[string]bool{}
	for _, u := range uses {
		key, ok := s.key(u, vars)
		if !ok {
			return s.all(b), nil
		}
		if _, exists := b.index[key]; !exists {
			return cty.DynamicVal, diag.List{b.noInstance(u, key)}
		}
		wanted[key] = true
	}
	return s.some(b, func(key string) bool { return wanted[key] }), nil
}

// key returns the key of the one instance that a reference means, or false
// when it means all, or one that is not known.
func (s *session) key(u use, vars variables) (string, bool) {
	if u.key != "" || u.keyExpr == nil {
		return u.key, u.key != ""
	}
	ctx := s.w.base.NewChild()
	ctx.Variables = vars
	v, problems := u.keyExpr.Value(ctx)
	if problems.HasErrors() {
		return "", false // evaluating the whole expression reports them
	}
	return keyText(v)
}

// all returns the values of all instances.
func (s *session) all(b *block) cty.Value {
	v, ok := s.whole[b.addr]
	if !ok {
		v = s.some(b, func(string) bool { return true })
		s.whole[b.addr] = v
	}
	return v
}

// some returns an object or list of instances; in a list those that are not
// wanted are unknown, so that the others keep their places.
func (s *session) some(b *block, wanted func(key string) bool) cty.Value {
	if b.count != nil {
		values := make([]cty.Value, len(b.instances))
		for i, inst := range b.instances {
			values[i] = cty.DynamicVal
			if wanted(inst.addr.Key) {
				values[i] = s.object(b, inst.addr)
			}
		}
		return cty.TupleVal(values)
	}
	values := map[string]cty.Value{}
	for _, inst := range b.instances {
		if wanted(inst.addr.Key) {
			values[inst.key.AsString()] = s.object(b, inst.addr)
		}
	}
	return cty.ObjectVal(values)
}

// object returns the value of one resource: its attributes, as far as they are
// known, and its address.
func (s *session) object(b *block, a addr.Addr) cty.Value {
	if v, ok := s.made[a]; ok {
		return v
	}
	schema := &b.kind.Schema
	known, isKnown := s.known[a]
	if isKnown && resource.HasSealed(known) {
		known = s.revealed(b, a, known)
	}
	values := make(map[string]cty.Value, len(schema.Attrs)+len(schema.Blocks)+1)
	for name, t := range s.w.types[b.kind.Name].AttributeTypes() {
		v := cty.UnknownVal(t)
		if isKnown {
			v = resource.Attribute(known, name)
		}
		if attr := schema.Attrs[name]; attr != nil && attr.Sensitive {
			v = v.Mark(resource.Sensitive)
		}
		values[name] = v
	}
	values["address"] = cty.StringVal(a.String())
	made := cty.ObjectVal(values)
	s.made[a] = made
	return made
}

// revealed returns what is known of a resource with the secrets that it is
// made with, since state keeps only their hashes.
func (s *session) revealed(b *block, a addr.Addr, known cty.Value) cty.Value {
	i, ok := b.index[a.Key]
	if !ok {
		return known
	}
	before := s.problems // resolving begins them anew
	r, _, problems := s.resolve(b, b.instances[i])
	s.problems = before
	if problems.HasErrors() {
		return known
	}
	return b.kind.Schema.Reveal(known, r.Want)
}

// needs adds to found what an expression depends on, as exactly as can be
// told, also through locals.
func (s *session) needs(e *expression, vars variables, found map[addr.Addr]bool) {
	for _, u := range e.uses {
		switch b := s.w.blocks[u.block()]; {
		case u.root == "local":
			if !s.w.locals[u.name].fixed {
				s.needs(s.w.locals[u.name].expression, nil, found)
			}
		case b == nil:
		default:
			s.addInstances(b, u, vars, found)
		}
	}
}

func (s *session) addInstances(b *block, u use, vars variables, found map[addr.Addr]bool) {
	key, one := s.key(u, vars)
	if i, exists := b.index[key]; one && exists {
		found[b.instances[i].addr] = true
		return
	}
	for _, inst := range b.instances {
		found[inst.addr] = true
	}
}

// noInstance says that a key is none of a block's.
func (b *block) noInstance(u use, key string) diag.Diagnostic {
	keys := make([]string, len(b.instances))
	for i, inst := range b.instances {
		keys[i] = inst.addr.Key
	}
	d := diag.Errorf(&u.at, "no such instance", "%s[%s] does not exist; %s", b.addr, key, instancesOf(b.addr, keys))
	if near := nearest(key, keys); near != "" {
		d.Hint = fmt.Sprintf("did you mean %s[%s]?", b.addr, near)
	}
	return d
}

func instancesOf(a addr.Addr, keys []string) string {
	const shown = 5
	switch {
	case len(keys) == 0:
		return fmt.Sprintf("%s has no instances", a)
	case len(keys) > shown:
		return fmt.Sprintf("the keys of %s are %s and %d more", a, strings.Join(keys[:shown], ", "), len(keys)-shown)
	}
	return fmt.Sprintf("the keys of %s are %s", a, strings.Join(keys, ", "))
}

// fromHCL turns the library's diagnostics into ours, with summaries in our
// style.
func fromHCL(list hcl.Diagnostics) diag.List {
	problems := diag.FromHCL(list)
	for i := range problems {
		p := &problems[i]
		p.Summary = strings.ToLower(p.Summary[:min(1, len(p.Summary))]) + p.Summary[min(1, len(p.Summary)):]
		p.Summary, p.Detail = strings.TrimSuffix(p.Summary, "."), strings.TrimSuffix(p.Detail, ".")
		if call, ok := list[i].Extra.(hclsyntax.FunctionCallDiagExtra); ok && call.FunctionCallError() != nil {
			p.Summary, p.Detail = "cannot call "+call.CalledFunctionName(), call.FunctionCallError().Error()
			var f *fault
			if errors.As(call.FunctionCallError(), &f) {
				p.Hint = f.hint
			}
		}
	}
	return problems
}

func sortedAddrs(set map[addr.Addr]bool) []addr.Addr {
	if len(set) == 0 {
		return nil
	}
	return slices.SortedFunc(maps.Keys(set), addr.Compare)
}
