package proxmox

import (
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// The functions of this file turn Proxmox's texts into values; what is empty
// or no such thing becomes null, unless there is a default.

func textOrNull(text string) cty.Value {
	if text == "" {
		return cty.NullVal(cty.String)
	}
	return cty.StringVal(text)
}

func numberOrNull(text string) cty.Value {
	v, err := cty.ParseNumberVal(text)
	if err != nil {
		return cty.NullVal(cty.Number)
	}
	return v
}

func boolean(text string, otherwise bool) cty.Value {
	if text == "" {
		return cty.BoolVal(otherwise)
	}
	return cty.BoolVal(pve.IsOn(text))
}

// mebibyteValue returns bytes of a number of MiB.
func mebibyteValue(text string, otherwise int64) cty.Value {
	n, err := strconv.ParseInt(text, 10, 43)
	if err != nil {
		n = otherwise
	}
	return cty.NumberIntVal(n << 20)
}

func sizeValue(text string) cty.Value {
	if n := parseSize(text); n > 0 {
		return cty.NumberIntVal(n)
	}
	return cty.NullVal(cty.Number)
}

func textSet(all []string) cty.Value {
	if len(all) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	values := make([]cty.Value, len(all))
	for i, s := range all {
		values[i] = cty.StringVal(s)
	}
	return cty.SetVal(values)
}

func numberSet(text string) cty.Value {
	var values []cty.Value
	for _, word := range words(text) {
		if v := numberOrNull(word); !v.IsNull() {
			values = append(values, v)
		}
	}
	if len(values) == 0 {
		return cty.SetValEmpty(cty.Number)
	}
	return cty.SetVal(values)
}

// textsOf returns the known texts of a list or set attribute, sorted.
func textsOf(object cty.Value, name string) []string {
	v, _ := resource.Attribute(object, name).UnmarkDeep()
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	var all []string
	for _, element := range v.AsValueSlice() {
		if !element.IsNull() && element.IsKnown() && element.Type() == cty.String {
			all = append(all, element.AsString())
		}
	}
	slices.Sort(all)
	return all
}

// valueMap returns the elements of a map attribute; none when it is null.
func valueMap(object cty.Value, name string) map[string]cty.Value {
	v, _ := resource.Attribute(object, name).UnmarkDeep()
	if v.IsNull() || !v.IsKnown() || v.LengthInt() == 0 {
		return nil
	}
	return v.AsValueMap()
}
