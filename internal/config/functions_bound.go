package config

import (
	"fmt"
	"math/big"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// bounded returns f, which refuses to make more than a configuration may
// hold. Functions that can make much out of little are asked beforehand.
func bounded(name string, f function.Function) function.Function {
	var variadic *function.Parameter
	params := open(f.Params())
	if last := f.VarParam(); last != nil {
		variadic = &open([]function.Parameter{*last})[0]
	}
	return function.New(&function.Spec{
		Description: f.Description(),
		Params:      params,
		VarParam:    variadic,
		Type: func(args []cty.Value) (cty.Type, error) {
			if why := foreseen(name, args); why != "" {
				return cty.DynamicPseudoType, fmt.Errorf("the result would be too large: %s", why)
			}
			return f.ReturnTypeForValues(args)
		},
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, err := f.Call(args)
			if err == nil {
				if why := tooLarge(v); why != "" {
					return cty.NilVal, fmt.Errorf("the result is too large: %s", why)
				}
			}
			return v, err
		},
	})
}

// open returns parameters that let everything through, since the function
// inside checks again.
func open(params []function.Parameter) []function.Parameter {
	opened := make([]function.Parameter, len(params))
	for i, p := range params {
		p.AllowNull, p.AllowUnknown, p.AllowMarked, p.AllowDynamicType = true, true, true, true
		opened[i] = p
	}
	return opened
}

// wide finds numbers in a format that ask for a result of megabytes.
var wide = regexp.MustCompile(`[1-9][0-9]{6,}`)

// foreseen says why a call would make too much, or "".
func foreseen(name string, args []cty.Value) string {
	plain := make([]cty.Value, len(args))
	for i, arg := range args {
		plain[i], _ = arg.UnmarkDeep()
		if !plain[i].IsWhollyKnown() || plain[i].IsNull() {
			return ""
		}
	}
	size := big.NewFloat(0)
	switch name {
	case "format", "formatlist":
		if wide.MatchString(text(plain, 0)) {
			return "a width has more than six digits"
		}
		return ""
	case "indent":
		if n := number(plain, 0); n != nil {
			size.Mul(n, big.NewFloat(float64(1+strings.Count(text(plain, 1), "\n"))))
		}
	case "replace", "regexreplace":
		found := strings.Count(text(plain, 0), text(plain, 1))
		if name == "regexreplace" || strings.HasPrefix(text(plain, 1), "/") {
			found = len(text(plain, 0)) + 1
		}
		size.SetFloat64(float64(found) * float64(len(text(plain, 2))))
	case "join":
		for _, list := range plain[min(1, len(plain)):] {
			if list.CanIterateElements() {
				size.Add(size, big.NewFloat(float64(list.LengthInt())*float64(len(text(plain, 0)))))
			}
		}
	case "pow":
		base, exponent := number(plain, 0), number(plain, 1)
		if base != nil && exponent != nil && exponent.Cmp(big.NewFloat(1024)) > 0 {
			return "the exponent is above 1024"
		}
		return ""
	case "setproduct":
		size.SetInt64(1)
		for _, list := range plain {
			if list.CanIterateElements() {
				size.Mul(size, big.NewFloat(float64(list.LengthInt())))
			}
		}
		size.Mul(size, big.NewFloat(float64(maxText/maxElements*len(plain))))
	}
	if size.Cmp(big.NewFloat(maxText)) > 0 {
		return "it is made of too many parts"
	}
	return ""
}

func text(args []cty.Value, i int) string {
	if i >= len(args) || args[i].Type() != cty.String {
		return ""
	}
	return args[i].AsString()
}

func number(args []cty.Value, i int) *big.Float {
	if i >= len(args) || args[i].Type() != cty.Number {
		return nil
	}
	return args[i].AsBigFloat()
}
