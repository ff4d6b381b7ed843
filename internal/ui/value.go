package ui

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/aymanbagabas/go-udiff"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

const (
	sensitiveText = "(sensitive)"
	unknownText   = "(known after apply)"
)

// value is one side of an edit, decoded: a string, a json.Number, a bool, a
// []any, a map[string]any, or nil when there is none.
type value struct {
	plain any
	fixed string // what stands instead of a value that cannot be shown
	unit  string
}

func valueOf(v *plan.DocumentValue, unit string) value {
	switch {
	case v == nil:
		return value{}
	case v.Unknown:
		return value{fixed: unknownText}
	case v.Sensitive:
		return value{fixed: sensitiveText}
	}
	decoder := json.NewDecoder(bytes.NewReader(v.JSON))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return value{fixed: "(unreadable)"}
	}
	return value{plain: plain, unit: unit}
}

// lines returns the text of a string of several lines, else nil.
func (v value) lines() []string {
	text, isText := v.plain.(string)
	text = strings.TrimSuffix(text, "\n")
	if !isText || !strings.Contains(text, "\n") {
		return nil
	}
	return strings.Split(CleanLines(text), "\n")
}

// inline returns the value on one line.
func (v value) inline() string {
	if v.fixed != "" {
		return v.fixed
	}
	if lines := v.lines(); lines != nil {
		return fmt.Sprintf("%s … (%d lines)", literal(lines[0]), len(lines))
	}
	if n, isNumber := v.plain.(json.Number); isNumber && v.unit != "" {
		return quantity(n, v.unit)
	}
	return literal(v.plain)
}

// literal returns a decoded JSON value as it would stand in a configuration.
func literal(v any) string {
	switch v := v.(type) {
	case nil:
		return "(none)"
	case string:
		return strconv.Quote(CleanLines(v))
	case []any:
		parts := make([]string, len(v))
		for i, element := range v {
			parts[i] = literal(element)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case map[string]any:
		var parts []string
		for _, key := range slices.Sorted(maps.Keys(v)) {
			parts = append(parts, keyText(key)+" = "+literal(v[key]))
		}
		if len(parts) == 0 {
			return "{}"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	}
	return fmt.Sprint(v)
}

// keyText returns the key of a map, in quotes where a configuration needs them.
func keyText(key string) string {
	if hclsyntax.ValidIdentifier(key) {
		return key
	}
	return strconv.Quote(Clean(key))
}

// quantity writes a number of bytes or seconds with the unit in which people
// write it: the largest in which it is whole.
func quantity(n json.Number, unit string) string {
	whole, err := strconv.ParseInt(n.String(), 10, 64)
	if err != nil {
		return n.String() + " " + unit
	}
	if unit == "seconds" {
		return duration(whole)
	}
	return resource.SizeText(whole)
}

// duration writes seconds without the zero parts: "26h", "1h30m", "90s" as "1m30s".
func duration(seconds int64) string {
	text := (time.Duration(seconds) * time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// parts returns a collection or a text of several lines in parts that can be
// compared one by one, or false for any other value. No value has no parts.
func (v value) parts() ([]string, bool) {
	var out []string
	switch plain := v.plain.(type) {
	case nil:
		return nil, v.fixed == ""
	case []any:
		for _, element := range plain {
			out = append(out, literal(element))
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(plain)) {
			out = append(out, keyText(key)+" = "+literal(plain[key]))
		}
	default:
		out = v.lines()
		return out, out != nil
	}
	return out, true
}

// differences returns what is taken away and added between two lists of parts,
// each with its sign, in order.
func differences(before, after []string) []string {
	text := func(parts []string) string {
		var b strings.Builder
		for _, p := range parts {
			b.WriteString(p + "\n")
		}
		return b.String()
	}
	was := text(before)
	unified, err := udiff.ToUnifiedDiff("", "", was, udiff.Lines(was, text(after)), 0)
	if err != nil {
		return nil // cannot happen: the edits were made from these texts
	}
	signs := map[udiff.OpKind]string{udiff.Delete: "- ", udiff.Insert: "+ ", udiff.Equal: "  "}
	var out []string
	for _, hunk := range unified.Hunks {
		for _, line := range hunk.Lines {
			out = append(out, signs[line.Kind]+strings.TrimSuffix(line.Content, "\n"))
		}
	}
	return out
}

// arrow returns "old → new" with both cut to n cells. Where long values begin
// alike, the beginning is left out so that the difference can be seen.
func arrow(before, after string, n int) string {
	if width(before) > n || width(after) > n {
		b, a := []rune(before), []rune(after)
		same := 0
		for same < len(b) && same < len(a) && b[same] == a[same] {
			same++
		}
		if skip := same - n/3; skip > 1 {
			before, after = "…"+string(b[skip:]), "…"+string(a[skip:])
		}
	}
	return cut(before, n) + " → " + cut(after, n)
}
