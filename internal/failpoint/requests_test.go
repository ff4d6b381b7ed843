package failpoint_test

import (
	"go/ast"
	"slices"
	"strings"
)

// reader finds out from the sources which values an expression can have, as
// far as names tell. What depends on data is "*". A value is a list of texts; a
// text is a list of one.
type reader struct {
	*pkg
	in    *ast.FuncDecl         // that the expression stands in
	bound map[string][][]string // its parameters, where the call is known; nil: any call
	depth int
}

var anything = [][]string{{"*"}}

// deepest is how far a value is followed through calls and assignments.
const deepest = 14

// values returns all that an expression can be.
func (r reader) values(e ast.Expr) [][]string {
	if r.depth++; r.depth > deepest {
		return anything
	}
	switch e := e.(type) {
	case *ast.BasicLit:
		if s, ok := text(e); ok {
			return [][]string{{s}}
		}
	case *ast.Ident:
		return r.variable(e.Name)
	case *ast.CompositeLit:
		return r.lists(e.Elts, len(e.Elts))
	case *ast.CallExpr:
		return r.result(e, 0)
	}
	return anything
}

// lists returns the lists that elements can make together. Those from the
// given one on are lists themselves.
func (r reader) lists(elements []ast.Expr, from int) [][]string {
	all := [][]string{nil}
	for i, e := range elements {
		var longer [][]string
		for _, v := range r.values(e) {
			if i < from {
				v = []string{strings.Join(v, "")}
			}
			for _, head := range all {
				longer = append(longer, append(slices.Clone(head), v...))
			}
		}
		all = longer
	}
	return all
}

// variable returns what is assigned to a variable anywhere in the function, and
// what callers in the package give for a parameter.
func (r reader) variable(name string) (all [][]string) {
	ast.Inspect(r.in.Body, func(n ast.Node) bool {
		set, ok := n.(*ast.AssignStmt)
		if !ok {
			return true
		}
		for i, left := range set.Lhs {
			switch id, isName := left.(*ast.Ident); {
			case !isName || id.Name != name:
			case len(set.Rhs) == len(set.Lhs):
				all = append(all, r.values(set.Rhs[i])...)
			default:
				if c, isCall := set.Rhs[0].(*ast.CallExpr); isCall {
					all = append(all, r.result(c, i)...)
				}
			}
		}
		return true
	})
	if r.bound != nil {
		return orAnything(append(all, r.bound[name]...))
	}
	if slices.Contains(parameters(r.in), name) {
		for _, c := range r.callsOf(r.in.Name.Name) {
			caller := reader{r.pkg, c.in, nil, r.depth}
			all = append(all, caller.arguments(r.in, c.CallExpr)[name]...)
		}
	}
	return orAnything(all)
}

// orAnything leaves out what is there twice, and the empty texts that are
// returned beside errors. What nothing is known of can be anything.
func orAnything(all [][]string) (some [][]string) {
	for _, v := range all {
		isEmpty := len(v) == 1 && v[0] == ""
		if !isEmpty && !slices.ContainsFunc(some, func(s []string) bool { return slices.Equal(s, v) }) {
			some = append(some, v)
		}
	}
	if len(some) == 0 {
		return anything
	}
	return some
}

// result returns what the n-th result of a call can be.
func (r reader) result(c *ast.CallExpr, n int) (all [][]string) {
	if r.depth++; r.depth > deepest {
		return anything
	}
	lists := len(c.Args)
	if c.Ellipsis.IsValid() {
		lists--
	}
	switch name := lastName(c); name {
	case "Path":
		for _, parts := range r.lists(c.Args, lists) {
			all = append(all, []string{"/" + strings.Join(parts, "/")})
		}
	case "append":
		for _, head := range r.values(c.Args[0]) {
			for _, tail := range r.lists(c.Args[1:], lists-1) {
				all = append(all, append(slices.Clone(head), tail...))
			}
		}
	default:
		for _, f := range r.funcs[name] {
			all = append(all, reader{r.pkg, f, r.arguments(f, c), r.depth}.returned(n)...)
		}
	}
	return orAnything(all)
}

// returned is what a function can return as its n-th result.
func (r reader) returned(n int) (all [][]string) {
	ast.Inspect(r.in.Body, func(node ast.Node) bool {
		if _, isInner := node.(*ast.FuncLit); isInner {
			return false
		}
		back, ok := node.(*ast.ReturnStmt)
		switch {
		case !ok:
		case len(back.Results) > n:
			all = append(all, r.values(back.Results[n])...)
		case len(back.Results) == 1:
			if passed, isCall := back.Results[0].(*ast.CallExpr); isCall {
				all = append(all, r.result(passed, n)...)
			}
		}
		return true
	})
	return all
}

// arguments are what a call gives for the parameters of a function.
func (r reader) arguments(f *ast.FuncDecl, c *ast.CallExpr) map[string][][]string {
	given, names := map[string][][]string{}, parameters(f)
	for i, name := range names {
		switch isLast := i == len(names)-1; {
		case isLast && isVariadic(f) && c.Ellipsis.IsValid():
			given[name] = r.lists(c.Args[i:], 0)
		case isLast && isVariadic(f):
			given[name] = r.lists(c.Args[min(i, len(c.Args)):], len(c.Args))
		case i < len(c.Args):
			given[name] = r.values(c.Args[i])
		}
	}
	return given
}

func parameters(f *ast.FuncDecl) (names []string) {
	for _, field := range f.Type.Params.List {
		for _, name := range field.Names {
			names = append(names, name.Name)
		}
		if len(field.Names) == 0 {
			names = append(names, "_")
		}
	}
	return names
}

func isVariadic(f *ast.FuncDecl) bool {
	list := f.Type.Params.List
	if len(list) == 0 {
		return false
	}
	_, ok := list[len(list)-1].Type.(*ast.Ellipsis)
	return ok
}

func lastName(c *ast.CallExpr) string {
	name := calledName(c)
	return name[strings.LastIndex(name, ".")+1:]
}

// requests returns the requests that change something on a host, as
// "METHOD /path", from where the packages send them, and what it cannot read.
func (all sources) requests() (names, problems []string) {
	for _, p := range all.inOrder() {
		for _, c := range p.calls {
			if !p.uses["internal/providers/proxmox/pve"] || !isWrite(c.CallExpr) {
				continue
			}
			for _, v := range (reader{pkg: p, in: c.in}).values(c.Args[1]) {
				path := strings.Join(v, "")
				if !strings.HasPrefix(path, "/") {
					problems = append(problems, p.at(c)+": which request this is cannot be read from the source: give its path as pve.Path(…)")
				}
				names = append(names, strings.ToUpper(lastName(c.CallExpr))+" "+path)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names), problems
}

// isWrite reports whether a call is one of Client.Post, Put and Delete of the
// API's client.
func isWrite(c *ast.CallExpr) bool {
	isMethod := !strings.HasPrefix(calledName(c), "slices.")
	return isMethod && len(c.Args) == 3 && slices.Contains([]string{"Post", "Put", "Delete"}, lastName(c))
}
