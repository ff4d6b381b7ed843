package failpoint_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/proximity-cli/proximity/"

// sources are those parts of the program in which effects can be, by directory.
type sources map[string]*pkg

// pkg is one package, as far as names tell: its functions and methods, and who
// calls what by that name in the package.
type pkg struct {
	dir   string
	files *token.FileSet
	uses  map[string]bool // packages of ours that it imports, by directory
	funcs map[string][]*ast.FuncDecl
	calls []call
	named map[string][]call // by the last part of what is called
}

// call is one call with what it stands in.
type call struct {
	*ast.CallExpr
	in     *ast.FuncDecl
	points string // the name of the failpoint that it lies within, or ""
}

// apart are packages that change nothing of anybody: the simulator, tests' own
// stores and providers, and the points themselves.
var apart = []string{"internal/pvesim", "internal/failpoint", "internal/testreport", "internal/faultschedule"}

func parse(t *testing.T) sources {
	all := sources{}
	for _, root := range []string{"cmd", "internal"} {
		err := filepath.WalkDir(filepath.Join("..", "..", root), func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			dir := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), filepath.Join("..", "..")+string(filepath.Separator)))
			isApart := func(a string) bool { return dir == a || strings.HasPrefix(dir, a+"/") }
			if slices.ContainsFunc(apart, isApart) || strings.HasSuffix(dir, "test") || strings.Contains(dir, "test/") {
				return nil
			}
			if all[dir] == nil {
				all[dir] = &pkg{dir: dir, files: token.NewFileSet(), uses: map[string]bool{}, funcs: map[string][]*ast.FuncDecl{}, named: map[string][]call{}}
			}
			return all[dir].add(path)
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(all), 15, "found too few packages")
	return all
}

func (p *pkg) add(path string) error {
	file, err := parser.ParseFile(p.files, path, nil, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	for _, spec := range file.Imports {
		name, _ := text(spec.Path)
		p.uses[strings.TrimPrefix(name, module)] = true
	}
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok && f.Body != nil {
			p.funcs[f.Name.Name] = append(p.funcs[f.Name.Name], f)
			p.walk(f.Body, f, "")
		}
	}
	return nil
}

// walk notes the calls below a node, and which lie between points.
func (p *pkg) walk(node ast.Node, in *ast.FuncDecl, points string) {
	ast.Inspect(node, func(n ast.Node) bool {
		c, ok := n.(*ast.CallExpr)
		if !ok {
			return true
		}
		p.calls = append(p.calls, call{c, in, points})
		p.named[lastName(c)] = append(p.named[lastName(c)], call{c, in, points})
		if name := calledName(c); name != "failpoint.Around" && name != "failpoint.Request" {
			return true
		}
		inner := "a request"
		if name, isText := text(c.Args[0]); isText {
			inner = name
		}
		for _, arg := range c.Args {
			p.walk(arg, in, inner)
		}
		return false
	})
}

// inOrder returns the packages in the order of their directories.
func (all sources) inOrder() (list []*pkg) {
	for _, dir := range slices.Sorted(maps.Keys(all)) {
		list = append(list, all[dir])
	}
	return list
}

// callsOf returns the calls of what has that name in this package, whatever
// it is called on.
func (p *pkg) callsOf(name string) []call {
	return slices.DeleteFunc(slices.Clone(p.named[name[strings.LastIndex(name, ".")+1:]]), func(c call) bool {
		full := calledName(c.CallExpr)
		return full != name && !strings.HasSuffix(full, "."+name)
	})
}

// at says where a node stands.
func (p *pkg) at(n ast.Node) string {
	return strings.TrimPrefix(p.files.Position(n.Pos()).String(), filepath.Join("..", "..")+string(filepath.Separator))
}

// calledName returns what is called as it is written: "os.Rename", "w.p.Client.Put".
func calledName(c *ast.CallExpr) string { return written(c.Fun) }

func written(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return written(e.X) + "." + e.Sel.Name
	}
	return "…"
}

// text returns what a constant text says.
func text(e ast.Expr) (string, bool) {
	lit, ok := e.(*ast.BasicLit)
	if !ok || lit.Kind != token.STRING {
		return "", false
	}
	s, err := strconv.Unquote(lit.Value)
	return s, err == nil
}
