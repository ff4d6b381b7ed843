package config

import (
	"fmt"
	"maps"
	"math/big"
	"strings"

	"github.com/hashicorp/go-cty-funcs/cidr"
	"github.com/hashicorp/go-cty-funcs/crypto"
	"github.com/hashicorp/go-cty-funcs/encoding"
	"github.com/hashicorp/hcl/v2/ext/tryfunc"
	yaml "github.com/zclconf/go-cty-yaml"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
	"github.com/zclconf/go-cty/cty/function"
	"github.com/zclconf/go-cty/cty/function/stdlib"

	"github.com/proximity-cli/proximity/internal/resource"
)

// functions returns what expressions may call: Terraform's names, as far as
// they are pure, and what reads the directory and the environment.
func functions(dir *directory, lookup func(string) (string, bool)) map[string]function.Function {
	all := plainFunctions()
	maps.Copy(all, ownFunctions())
	maps.Copy(all, fileFunctions(dir, all))
	all["env"] = envFunction(lookup)
	for name, f := range all {
		if name != "try" && name != "can" { // these take expressions, not values
			all[name] = bounded(name, f)
		}
	}
	return all
}

func plainFunctions() map[string]function.Function {
	return map[string]function.Function{
		"abs":             stdlib.AbsoluteFunc,
		"base64decode":    encoding.Base64DecodeFunc,
		"base64encode":    encoding.Base64EncodeFunc,
		"can":             tryfunc.CanFunc,
		"ceil":            stdlib.CeilFunc,
		"chomp":           stdlib.ChompFunc,
		"chunklist":       stdlib.ChunklistFunc,
		"cidrhost":        cidr.HostFunc,
		"cidrnetmask":     cidr.NetmaskFunc,
		"cidrsubnet":      cidr.SubnetFunc,
		"cidrsubnets":     cidr.SubnetsFunc,
		"coalesce":        stdlib.CoalesceFunc,
		"coalescelist":    stdlib.CoalesceListFunc,
		"compact":         stdlib.CompactFunc,
		"concat":          stdlib.ConcatFunc,
		"contains":        stdlib.ContainsFunc,
		"csvdecode":       stdlib.CSVDecodeFunc,
		"distinct":        stdlib.DistinctFunc,
		"element":         stdlib.ElementFunc,
		"flatten":         stdlib.FlattenFunc,
		"floor":           stdlib.FloorFunc,
		"format":          stdlib.FormatFunc,
		"formatdate":      stdlib.FormatDateFunc,
		"formatlist":      stdlib.FormatListFunc,
		"indent":          stdlib.IndentFunc,
		"index":           stdlib.IndexFunc,
		"join":            stdlib.JoinFunc,
		"jsondecode":      stdlib.JSONDecodeFunc,
		"jsonencode":      stdlib.JSONEncodeFunc,
		"keys":            stdlib.KeysFunc,
		"length":          stdlib.LengthFunc,
		"log":             stdlib.LogFunc,
		"lookup":          stdlib.LookupFunc,
		"lower":           stdlib.LowerFunc,
		"max":             stdlib.MaxFunc,
		"md5":             crypto.Md5Func,
		"merge":           stdlib.MergeFunc,
		"min":             stdlib.MinFunc,
		"parseint":        stdlib.ParseIntFunc,
		"pow":             stdlib.PowFunc,
		"range":           stdlib.RangeFunc,
		"regex":           stdlib.RegexFunc,
		"regexall":        stdlib.RegexAllFunc,
		"regexreplace":    stdlib.RegexReplaceFunc,
		"replace":         stdlib.ReplaceFunc,
		"reverse":         stdlib.ReverseListFunc,
		"setintersection": stdlib.SetIntersectionFunc,
		"setproduct":      stdlib.SetProductFunc,
		"setsubtract":     stdlib.SetSubtractFunc,
		"setunion":        stdlib.SetUnionFunc,
		"sha1":            crypto.Sha1Func,
		"sha256":          crypto.Sha256Func,
		"sha512":          crypto.Sha512Func,
		"signum":          stdlib.SignumFunc,
		"slice":           stdlib.SliceFunc,
		"sort":            stdlib.SortFunc,
		"split":           stdlib.SplitFunc,
		"strlen":          stdlib.StrlenFunc,
		"strrev":          stdlib.ReverseFunc,
		"substr":          stdlib.SubstrFunc,
		"timeadd":         stdlib.TimeAddFunc,
		"title":           stdlib.TitleFunc,
		"trim":            stdlib.TrimFunc,
		"trimprefix":      stdlib.TrimPrefixFunc,
		"trimspace":       stdlib.TrimSpaceFunc,
		"trimsuffix":      stdlib.TrimSuffixFunc,
		"try":             tryfunc.TryFunc,
		"upper":           stdlib.UpperFunc,
		"urlencode":       encoding.URLEncodeFunc,
		"values":          stdlib.ValuesFunc,
		"yamldecode":      yaml.YAMLDecodeFunc,
		"yamlencode":      yaml.YAMLEncodeFunc,
		"zipmap":          stdlib.ZipmapFunc,
	}
}

// ownFunctions are those of Terraform's that no library has.
func ownFunctions() map[string]function.Function {
	return map[string]function.Function{
		"alltrue":      everyFunction(false),
		"anytrue":      everyFunction(true),
		"endswith":     textTest(strings.HasSuffix),
		"nonsensitive": sensitiveFunction(false),
		"one":          oneFunction(),
		"sensitive":    sensitiveFunction(true),
		"startswith":   textTest(strings.HasPrefix),
		"strcontains":  textTest(strings.Contains),
		"sum":          sumFunction(),
		"tobool":       conversion(cty.Bool),
		"tolist":       conversion(cty.List(cty.DynamicPseudoType)),
		"tomap":        conversion(cty.Map(cty.DynamicPseudoType)),
		"tonumber":     conversion(cty.Number),
		"toset":        conversion(cty.Set(cty.DynamicPseudoType)),
		"tostring":     conversion(cty.String),
		"transpose":    transposeFunction(),
	}
}

func textTest(test func(s, part string) bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "text", Type: cty.String}, {Name: "part", Type: cty.String}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return cty.BoolVal(test(args[0].AsString(), args[1].AsString())), nil
		},
	})
}

// everyFunction looks for one value in a list of booleans: with false it is
// whether none is there, with true whether one is.
func everyFunction(sought bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Bool)}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			result := cty.BoolVal(!sought)
			for _, v := range args[0].AsValueSlice() {
				switch {
				case !v.IsKnown():
					result = cty.UnknownVal(cty.Bool)
				case v.IsNull() && !sought, !v.IsNull() && v.True() == sought:
					return cty.BoolVal(sought), nil
				}
			}
			return result, nil
		},
	})
}

func sumFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.List(cty.Number)}},
		Type:   function.StaticReturnType(cty.Number),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			total := new(big.Float).SetPrec(512)
			for _, v := range args[0].AsValueSlice() {
				switch {
				case !v.IsKnown():
					return cty.UnknownVal(cty.Number), nil
				case v.IsNull():
					return cty.NilVal, function.NewArgErrorf(0, "a part of the list is null")
				}
				total.Add(total, v.AsBigFloat())
			}
			return cty.NumberVal(total), nil
		},
	})
}

func oneFunction() function.Function {
	elements := func(v cty.Value) ([]cty.Value, error) {
		t := v.Type()
		if !t.IsListType() && !t.IsSetType() && !t.IsTupleType() {
			return nil, function.NewArgErrorf(0, "must be a list or a set")
		}
		if v.LengthInt() > 1 {
			return nil, function.NewArgErrorf(0, "has %d elements, at most one is allowed", v.LengthInt())
		}
		return v.AsValueSlice(), nil
	}
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "list", Type: cty.DynamicPseudoType}},
		Type: func(args []cty.Value) (cty.Type, error) {
			if !args[0].IsKnown() {
				return cty.DynamicPseudoType, nil
			}
			list, err := elements(args[0])
			if err != nil || len(list) == 0 {
				return cty.DynamicPseudoType, err
			}
			return list[0].Type(), nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) {
			list, err := elements(args[0])
			if err != nil || len(list) == 0 {
				return cty.NullVal(t), err
			}
			return list[0], nil
		},
	})
}

func transposeFunction() function.Function {
	lists := cty.Map(cty.List(cty.String))
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "map", Type: lists}},
		Type:   function.StaticReturnType(lists),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if !args[0].IsWhollyKnown() {
				return cty.UnknownVal(lists), nil
			}
			turned := map[string][]cty.Value{}
			for it := args[0].ElementIterator(); it.Next(); {
				key, list := it.Element()
				for _, v := range list.AsValueSlice() {
					turned[v.AsString()] = append(turned[v.AsString()], key)
				}
			}
			if len(turned) == 0 {
				return cty.MapValEmpty(cty.List(cty.String)), nil
			}
			result := make(map[string]cty.Value, len(turned))
			for name, keys := range turned {
				result[name] = cty.ListVal(keys)
			}
			return cty.MapVal(result), nil
		},
	})
}

func conversion(to cty.Type) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
		Type: func(args []cty.Value) (cty.Type, error) {
			v, err := convert.Convert(args[0], to)
			if err != nil {
				return cty.DynamicPseudoType, function.NewArgErrorf(0, "cannot be made %s", inWords(to))
			}
			return v.Type(), nil
		},
		Impl: func(args []cty.Value, t cty.Type) (cty.Value, error) { return convert.Convert(args[0], t) },
	})
}

func sensitiveFunction(hide bool) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "value", Type: cty.DynamicPseudoType,
			AllowNull: true, AllowUnknown: true, AllowMarked: true, AllowDynamicType: true}},
		Type: func(args []cty.Value) (cty.Type, error) { return args[0].Type(), nil },
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			if hide {
				return args[0].Mark(resource.Sensitive), nil
			}
			v, _ := args[0].UnmarkDeep()
			return v, nil
		},
	})
}

// envFunction reads the environment. What lies there is often a secret, so
// the result is treated as one.
func envFunction(lookup func(string) (string, bool)) function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "name", Type: cty.String}},
		Type:   function.StaticReturnType(cty.String),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			name := args[0].AsString()
			text, ok := lookup(name)
			if !ok {
				return cty.NilVal, &fault{fmt.Sprintf("the environment variable %s is not set", name), "export " + name + "=…"}
			}
			return cty.StringVal(text).Mark(resource.Sensitive), nil
		},
	})
}
