package proxmox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

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
	if err != nil || strings.ContainsAny(text, "iInN") { // neither infinite nor not a number
		return cty.NullVal(cty.Number)
	}
	return v
}

// mebibyteValue returns bytes of a number of MiB.
func mebibyteValue(text string) cty.Value {
	n, err := strconv.ParseInt(text, 10, 43)
	if err != nil {
		return cty.NullVal(cty.Number)
	}
	return cty.NumberIntVal(n << 20)
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

// decode reads the text of a key or field as an attribute's value. What is not
// there or blank is what Proxmox assumes, or nothing. It is not sayable when it
// is of another form than Proxmox writes or the attribute's check refuses it:
// people could not write it, and then it reads as if it were not there.
func decode(a *resource.Attr, key, text string) (v cty.Value, isSayable bool) {
	nothing := nothingOf(a.Type, key)
	if strings.TrimSpace(text) == "" {
		return nothing, true
	}
	switch {
	case a.Type == cty.Bool:
		v = truth(text)
	case a.Unit == resource.Size:
		v = mebibyteValue(text)
	case a.Type == cty.Number:
		v = numberOrNull(text)
	case a.Type == cty.String:
		v = cty.StringVal(text)
	case a.Type.IsListType():
		v = texts(fields(text))
	case a.Type == cty.Set(cty.Number):
		if v = numberSet(text); v.LengthInt() == 0 || slices.ContainsFunc(words(text), isNoNumber) {
			v = cty.NullVal(a.Type)
		}
	default:
		v = textSet(words(text))
	}
	if v.IsNull() || a.Check != nil && a.Check(v) != "" {
		return nothing, false
	}
	return v, true
}

func isNoNumber(text string) bool { return numberOrNull(text).IsNull() }

func nothingOf(t cty.Type, key string) cty.Value {
	switch v, ok := assumed[key]; {
	case ok:
		return v
	case t == cty.Bool:
		return cty.False
	case t.IsSetType():
		return cty.SetValEmpty(t.ElementType())
	case t.IsListType():
		return cty.ListValEmpty(t.ElementType())
	case t.IsMapType():
		return cty.MapValEmpty(t.ElementType())
	}
	return cty.NullVal(t)
}

// truth reads a truth value as it stands inside property strings; null when it
// is none.
func truth(text string) cty.Value {
	switch strings.ToLower(text) {
	case "1", "on", "yes", "true":
		return cty.True
	case "0", "off", "no", "false":
		return cty.False
	}
	return cty.NullVal(cty.Bool)
}

// fields splits the lists of Proxmox, which knows several separators, and keeps
// their order.
func fields(text string) []string {
	return strings.FieldsFunc(text, func(r rune) bool { return strings.ContainsRune(",; \t\x00", r) })
}

// parseSize reads 8G, 512M or a plain number of bytes; 0 when it is none.
func parseSize(text string) int64 {
	shift := map[byte]uint{'K': 10, 'M': 20, 'G': 30, 'T': 40}
	digits, by := text, uint(0)
	if n := len(text); n > 0 && shift[text[n-1]] > 0 {
		digits, by = text[:n-1], shift[text[n-1]]
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return 0
	}
	return int64(n * float64(int64(1)<<by))
}

// same compares values whose types may differ when they are null.
func same(a, b cty.Value) bool {
	if a.IsNull() || b.IsNull() {
		return a.IsNull() && b.IsNull()
	}
	return a.RawEquals(b)
}

// valueAt returns the part of an object that a path leads to.
func valueAt(v cty.Value, path resource.Path) cty.Value {
	for _, part := range path {
		switch {
		case v.IsNull() || !v.IsKnown():
			return cty.NullVal(cty.DynamicPseudoType)
		case v.Type().IsMapType():
			v = valueMapAt(v, part)
		default:
			v = resource.Attribute(v, part)
		}
	}
	return v
}

func valueMapAt(v cty.Value, key string) cty.Value {
	if found, ok := v.AsValueMap()[key]; ok {
		return found
	}
	return cty.NullVal(v.Type().ElementType())
}
