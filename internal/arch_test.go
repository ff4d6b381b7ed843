// Package internal_test holds what is true of the code base as a whole.
package internal_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"go/ast"
	"go/parser"
	"go/token"
	"io"
	"io/fs"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/proximity-cli/proximity/"

// layers lists the packages from the bottom up: one may import those of lower
// layers, and of its own layer only what rules allow.
var layers = [][]string{
	{"internal/addr", "internal/calendar", "internal/diag", "internal/failpoint", "internal/graph"},
	{"internal/resource"},
	{"internal/providers", "internal/providers/proxmox/pve", "internal/state"},
	{"internal/plan", "internal/providers/providertest", "internal/providers/proxmox", "internal/providers/secret", "internal/state/http", "internal/state/local", "internal/state/postgres", "internal/state/s3", "internal/state/statetest", "internal/state/statetest/gitlabserver", "internal/state/statetest/pgserver", "internal/state/statetest/s3server", "internal/state/vault"},
	{"internal/config", "internal/inventory", "internal/apply"},
	{"internal/ui"},
	{"internal/cli"},
	{"cmd/proximity", "internal/testreport", "internal/faultschedule"},
}

// bans are what the layers alone would allow.
var bans = []struct{ from, to, reason string }{
	{"internal/plan", "internal/providers", "planning is pure: it takes what providers found as values"},
	{"internal/plan", "internal/state", "planning is pure: it takes what was recorded as values"},
	{"internal/providers/", "internal/state", "a provider knows one host and nothing of what is remembered"},
	{"internal/providers/", "internal/plan", "a provider carries out jobs and decides nothing"},
	{"internal/providers/proxmox/pve", "internal/resource", "the API client knows nothing of resources"},
	{"internal/providers/proxmox/pve", "internal/addr", "the API client knows nothing of resources"},
	{"internal/config", "internal/providers", "the language is generic: kinds are handed to it"},
	{"internal/config", "internal/state", "what is wanted does not depend on what was done"},
	{"internal/config", "internal/plan", "what is wanted does not depend on what will be done"},
	{"internal/apply", "internal/config", "apply carries out a plan, whatever it was made from"},
}

type pkg struct {
	ImportPath string
	Imports    []string
	Standard   bool
	DepOnly    bool
}

func list(t *testing.T, args ...string) []pkg {
	out, err := exec.Command("go", append([]string{"list", "-json=ImportPath,Imports,Standard,DepOnly"}, args...)...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("go list: %s", exit.Stderr)
	}
	require.NoError(t, err)
	var all []pkg
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p pkg
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

func layerOf(path string) int {
	for i, layer := range layers {
		if slices.Contains(layer, path) {
			return i
		}
	}
	return -1
}

func TestImportsPointDownwards(t *testing.T) {
	for _, p := range list(t, "../...") {
		from := strings.TrimPrefix(p.ImportPath, module)
		if from == "internal" || isSimulator(from) {
			continue
		}
		require.GreaterOrEqual(t, layerOf(from), 0, "%s stands in no layer of arch_test.go: give it one", from)
		for _, to := range ours(p) {
			if isSimulator(to) {
				if from != "internal/cli" {
					t.Errorf("%s imports %s: only cli may start the simulator, so that it and the client share no misunderstanding", from, to)
				}
				continue
			}
			if layerOf(to) > layerOf(from) || layerOf(to) == layerOf(from) && !strings.HasPrefix(to, from+"/") {
				t.Errorf("%s imports %s: imports point downwards (see layers in arch_test.go)", from, to)
			}
			for _, ban := range bans {
				if matches(from, ban.from) && matches(to, ban.to) {
					t.Errorf("%s imports %s: %s", from, to, ban.reason)
				}
			}
		}
	}
}

func isSimulator(path string) bool { return matches(path, "internal/pvesim") }

// matches reports whether path is pattern or lies below it; a pattern with a
// final slash means only what lies below.
func matches(path, pattern string) bool {
	if below, onlyBelow := strings.CutSuffix(pattern, "/"); onlyBelow {
		return strings.HasPrefix(path, below+"/")
	}
	return path == pattern || strings.HasPrefix(path, pattern+"/")
}

func ours(p pkg) []string {
	var paths []string
	for _, path := range p.Imports {
		if to, isOurs := strings.CutPrefix(path, module); isOurs {
			paths = append(paths, to)
		}
	}
	return paths
}

func TestTheSimulatorImportsNothingOfOurs(t *testing.T) {
	for _, p := range list(t, "../internal/pvesim/...") {
		for _, to := range ours(p) {
			require.True(t, isSimulator(to), "%s imports %s: the simulator and the client must not share a misunderstanding", p.ImportPath, to)
		}
	}
}

func TestPlanningDoesNoInputOrOutput(t *testing.T) {
	for _, p := range list(t, "../internal/plan", "../internal/resource", "../internal/graph", "../internal/addr", "../internal/diag") {
		for _, path := range p.Imports {
			require.NotContains(t, []string{"os", "net", "net/http", "time", "math/rand", "log", "log/slog"}, without(path, p), "%s imports %s, but planning is a pure function", p.ImportPath, path)
		}
	}
}

// without exempts the one import that is only a type: when an object changed.
func without(path string, p pkg) string {
	if path == "time" && strings.HasSuffix(p.ImportPath, "internal/resource") {
		return ""
	}
	return path
}

func TestOnlyTheEdgesTouchTheTerminal(t *testing.T) {
	edges := regexp.MustCompile(`^(cmd|internal/(cli|ui|testreport))/`)
	forbidden := regexp.MustCompile(`^(os\.(Stdout|Stderr|Stdin|Args|Exit)|fmt\.Print(f|ln)?|log\.(Print|Fatal|Panic)\w*)$`)
	for path, file := range sources(t) {
		if edges.MatchString(path) {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if sel, ok := n.(*ast.SelectorExpr); ok {
				if x, ok := sel.X.(*ast.Ident); ok && x.Obj == nil && forbidden.MatchString(x.Name+"."+sel.Sel.Name) {
					t.Errorf("%s uses %s.%s: only cli, ui and cmd touch the terminal, the arguments and the exit code", path, x.Name, sel.Sel.Name)
				}
			}
			return true
		})
	}
}

// TestGoroutinesStartInFewPlaces names every place, so that a new one is a
// decision.
func TestGoroutinesStartInFewPlaces(t *testing.T) {
	allowed := map[string]bool{
		"internal/graph/graph.go":               true, // one for each step
		"internal/inventory/inventory.go":       true, // one for each host
		"internal/providers/proxmox/observe.go": true, // overlap: reads of the host, as many as its client sends at once
		"internal/cli/engine.go":                true, // one context ends with either of two
		"internal/cli/signals.go":               true, // the second interrupt
		"internal/cli/prompt.go":                true, // reading an answer cannot be interrupted
		"internal/config/limits.go":             true, // nor can evaluation: the one that takes too long is left behind
		"internal/state/s3/watch.go":            true, // whether the lock is still ours
		"internal/state/http/lock.go":           true, // looks from time to time whether the lock is still held
		"internal/ui/live.go":                   true, // the clock of the progress lines
		"internal/state/postgres/lock.go":       true, // the lock ends with a connection: one looks whether it lives
	}
	for path, file := range sources(t) {
		if isSimulator(path) || strings.Contains(path, "test/") {
			continue
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if startsGoroutine(n) && !allowed[path] {
				t.Errorf("%s starts a goroutine: add it to the list with its reason, or do without", path)
			}
			return true
		})
	}
}

func startsGoroutine(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.GoStmt:
		return true
	case *ast.CallExpr:
		sel, ok := n.Fun.(*ast.SelectorExpr)
		return ok && (sel.Sel.Name == "Go" || sel.Sel.Name == "AfterFunc")
	}
	return false
}

func TestErrorsSayWhatNotThatTheyFailed(t *testing.T) {
	bad := regexp.MustCompile(`(?i)^(failed to|error|unable to|could not)\b`)
	makers := []string{"fmt.Errorf", "errors.New"}
	for path, file := range sources(t) {
		if isSimulator(path) {
			continue // it speaks as Proxmox does
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) == 0 {
				return true
			}
			lit, ok := call.Args[0].(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING || !slices.Contains(makers, exprName(call.Fun)) {
				return true
			}
			text, _ := strconv.Unquote(lit.Value)
			if bad.MatchString(text) {
				t.Errorf("%s: %q says that it failed, not what was wrong", path, text)
			}
			return true
		})
	}
}

func exprName(e ast.Expr) string {
	if sel, ok := e.(*ast.SelectorExpr); ok {
		if x, ok := sel.X.(*ast.Ident); ok {
			return x.Name + "." + sel.Sel.Name
		}
	}
	return ""
}

func TestEveryPackageSaysWhatItOwns(t *testing.T) {
	documented := map[string]bool{}
	for path, file := range sources(t) {
		dir := filepath.Dir(path)
		documented[dir] = documented[dir] || file.Doc != nil && len(file.Doc.Text()) > 60
	}
	for dir, ok := range documented {
		require.True(t, ok, "%s has no package comment", dir)
	}
}

func TestNoInitAndNoGetters(t *testing.T) {
	for path, file := range sources(t) {
		for _, decl := range file.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if f.Recv == nil && f.Name.Name == "init" {
				t.Errorf("%s: init hides work from the reader: wire things in cmd", path)
			}
			if strings.HasPrefix(f.Name.Name, "Get") {
				t.Errorf("%s: %s: name it after what it returns", path, f.Name.Name)
			}
		}
	}
}

// sources parses every Go file that is no test, by its path in the module.
func sources(t *testing.T) map[string]*ast.File {
	files := map[string]*ast.File{}
	for _, root := range []string{"../cmd", "."} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments)
			name := strings.TrimPrefix(filepath.ToSlash(path), "../")
			if root == "." {
				name = "internal/" + name
			}
			files[name] = file
			return err
		})
		require.NoError(t, err)
	}
	require.Greater(t, len(files), 20, "found too few sources")
	return files
}
