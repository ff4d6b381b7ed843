package config

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// fileFunctions read the configuration's directory and nothing else. Names
// are relative to it.
func fileFunctions(dir *directory, others map[string]function.Function) map[string]function.Function {
	return map[string]function.Function{
		"basename":     pathFunction(path.Base),
		"dirname":      pathFunction(path.Dir),
		"file":         fileFunction(dir),
		"fileexists":   fileExistsFunction(dir),
		"fileset":      fileSetFunction(dir),
		"templatefile": templateFunction(dir, others),
	}
}

func pathFunction(f func(string) string) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.StringVal(f(args[0].AsString())), nil
		},
	})
}

// inside returns a name as package fs wants it. Names that lead out of the
// directory stay wrong, and are refused when they are used.
func inside(name string) string {
	if path.IsAbs(name) {
		return name
	}
	return path.Clean(name)
}

func readText(dir *directory, name string) (string, error) {
	content, err := dir.readFile(inside(name))
	if err != nil {
		return "", err
	}
	if !utf8.Valid(content) {
		return "", fmt.Errorf("read %q: it is not text in UTF-8", name)
	}
	return string(content), nil
}

func fileFunction(dir *directory) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			content, err := readText(dir, args[0].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			return cty.StringVal(content), nil
		},
	})
}

func fileExistsFunction(dir *directory) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(dir.exists(inside(args[0].AsString()))), nil
		},
	})
}

func fileSetFunction(dir *directory) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "folder", Type: cty.String}, {Name: "pattern", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Set(cty.String)),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			folder := inside(args[0].AsString())
			names, err := dir.below(folder)
			if err != nil {
				return cty.NilVal, err
			}
			pattern, err := glob(args[1].AsString())
			if err != nil {
				return cty.NilVal, err
			}
			var found []cty.Value
			for _, name := range names {
				relative := strings.TrimPrefix(name, folder+"/")
				if pattern.MatchString(relative) {
					dir.note(name)
					found = append(found, cty.StringVal(relative))
				}
			}
			if len(found) == 0 {
				return cty.SetValEmpty(cty.String), nil
			}
			return cty.SetVal(found), nil
		},
	})
}

// glob turns a pattern into a regular expression: * and ? stop at slashes,
// ** does not, and {a,b} is either.
func glob(pattern string) (*regexp.Regexp, error) {
	words := strings.NewReplacer("**/", "(?:.*/)?", "**", ".*", "*", "[^/]*", "?", "[^/]",
		"{", "(?:", ",", "|", "}", ")", ".", `\.`, "+", `\+`, "(", `\(`, ")", `\)`, "^", `\^`, "$", `\$`, "|", `\|`)
	compiled, err := regexp.Compile("^" + words.Replace(pattern) + "$")
	if err != nil {
		return nil, fmt.Errorf("the pattern %q is not closed", pattern)
	}
	return compiled, nil
}

// templateFunction fills in a template file. The template sees the given
// values and all functions but itself, so that files cannot call each other
// without end.
func templateFunction(dir *directory, others map[string]function.Function) function.Function {
	callable := maps.Clone(others)
	render := func(args []cty.Value) (cty.Value, error) {
		name := args[0].AsString()
		source, err := readText(dir, name)
		if err != nil {
			return cty.NilVal, err
		}
		tokens, _ := hclsyntax.LexTemplate([]byte(source), name, hcl.InitialPos)
		if tooDeepTokens(tokens) != nil {
			return cty.NilVal, fmt.Errorf("template %q: nested deeper than %d", name, maxDepth)
		}
		template, problems := hclsyntax.ParseTemplate([]byte(source), name, hcl.InitialPos)
		if problems.HasErrors() {
			return cty.NilVal, fmt.Errorf("template %s", problems.Errs()[0])
		}
		values, err := templateValues(args[1])
		if err != nil {
			return cty.NilVal, err
		}
		for _, used := range template.Variables() {
			if _, ok := values[used.RootName()]; !ok {
				return cty.NilVal, fmt.Errorf("template %q needs a value for %q: %s", name, used.RootName(), givenNames(values))
			}
		}
		v, problems := template.Value(&hcl.EvalContext{Variables: values, Functions: callable})
		if problems.HasErrors() {
			return cty.NilVal, fmt.Errorf("template %s", problems.Errs()[0])
		}
		return v, nil
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "path", Type: cty.String}, {Name: "values", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() || !args[1].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			v, err := render(args)
			if err != nil {
				return cty.DynamicPseudoType, err
			}
			return v.Type(), nil
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) { return render(args) },
	})
}

func templateValues(v cty.Value) (map[string]cty.Value, error) {
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		return nil, function.NewArgErrorf(1, "must be an object such as { name = \"web\" }")
	}
	return v.AsValueMap(), nil
}

func givenNames(values map[string]cty.Value) string {
	if len(values) == 0 {
		return "none are given"
	}
	return "given are " + strings.Join(slices.Sorted(maps.Keys(values)), ", ")
}
