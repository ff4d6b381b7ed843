package schema

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	missing   = "property is missing and it is not optional"
	undefined = "property is not defined in schema and the schema does not allow additional properties"
)

// Check holds raw parameters against the method and returns them in normal form, or the errors map of Proxmox's answer
// with status 400, never both. Raw values are string (a form), []any (a key given twice, or a JSON array) or what
// encoding/json makes of a JSON body; null counts as absent. Raw holds the path's parameters too.
func (m *Method) Check(raw map[string]any) (Values, map[string]string) {
	given := make(map[string]*Param, len(raw))
	found := problems{}
	values := make(Values, len(raw))
	for name, value := range raw {
		if value == nil {
			continue
		}
		p := m.Param(name)
		if p == nil {
			found.add(name, undefined)
			continue
		}
		given[name] = p
		if normal, ok := p.normalise(name, value, found); ok {
			values[name] = normal
		}
	}
	for name, p := range m.Params {
		if !p.Optional && given[name] == nil {
			found.add(name, missing)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if other := given[name].Requires; other != "" && given[other] == nil {
			found.add(other, fmt.Sprintf("missing property required by '%s'", name))
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	return values, nil
}

// problems are error texts by parameter.
type problems map[string]string

// add joins several texts of one parameter as Proxmox does: with a backslash and an n.
func (p problems) add(name, text string) {
	if earlier, ok := p[name]; ok {
		text = earlier + `\n` + text
	}
	p[name] = text
}

// normalise checks one raw value; false when a problem was added.
func (p *Param) normalise(name string, raw any, found problems) (string, bool) {
	if p.Kind == Array {
		return p.normaliseArray(name, raw, found)
	}
	value, bad := p.scalar(raw)
	if bad == "" {
		value, bad = p.verify(name, value)
	}
	if bad != "" {
		found.add(name, bad)
		return "", false
	}
	return value, true
}

// normaliseArray checks an array. A form sends a single element as a plain value.
func (p *Param) normaliseArray(name string, raw any, found problems) (string, bool) {
	elements, ok := raw.([]any)
	if !ok {
		elements = []any{raw}
	}
	values := make([]string, len(elements))
	good := true
	for i, element := range elements {
		normal, ok := p.Items.normalise(fmt.Sprintf("%s[%d]", name, i), element, found)
		values[i], good = normal, good && ok
	}
	return strings.Join(values, arraySeparator), good
}

// scalar turns a raw value into text. The second result is the problem, "" for none.
func (p *Param) scalar(raw any) (value, problem string) {
	switch raw := raw.(type) {
	case string:
		return raw, ""
	case bool:
		if p.Kind != Boolean {
			return "", fmt.Sprintf("type check ('%s') failed - got JSON::PP::Boolean", p.Kind)
		}
		if raw {
			return "1", ""
		}
		return "0", ""
	case json.Number:
		return raw.String(), ""
	case float64:
		return strconv.FormatFloat(raw, 'f', -1, 64), ""
	case int:
		return strconv.Itoa(raw), ""
	case []any:
		if strings.HasSuffix(p.Format, "-list") {
			return p.join(raw)
		}
		return "", fmt.Sprintf("type check ('%s') failed - got ARRAY", p.Kind)
	default:
		return "", fmt.Sprintf("type check ('%s') failed - got HASH", p.Kind)
	}
}

// join makes a list text of a JSON array.
func (p *Param) join(elements []any) (value, problem string) {
	parts := make([]string, len(elements))
	for i, e := range elements {
		if parts[i], problem = p.scalar(e); problem != "" {
			return "", problem
		}
	}
	return strings.Join(parts, ","), ""
}

// verify holds a text against type, format, pattern, length, range and enumeration, in this order, and returns it in
// normal form or else the first problem.
func (p *Param) verify(name, value string) (normal, problem string) {
	if !p.Kind.accepts(value) {
		return "", fmt.Sprintf("type check ('%s') failed - got '%s'", p.Kind, value)
	}
	if err := p.wellFormed(name, value); err != nil {
		return "", "invalid format - " + err.Error()
	}
	if p.regexp != nil && !p.regexp().MatchString(value) {
		return "", "value does not match the regex pattern"
	}
	if length := utf8.RuneCountInString(value); p.MaxLen > 0 && length > p.MaxLen {
		return "", fmt.Sprintf("value may only be %d characters long", p.MaxLen)
	} else if length < p.MinLen {
		return "", fmt.Sprintf("value must be at least %d characters long", p.MinLen)
	}
	if problem := p.outOfRange(value); problem != "" {
		return "", problem
	}
	if p.Enum != nil && !slices.Contains(p.Enum, value) {
		return "", fmt.Sprintf("value '%s' does not have a value in the enumeration '%s'", value, strings.Join(p.Enum, ", "))
	}
	if p.Kind == Integer {
		value = plainInteger(value)
	}
	return value, ""
}

// wellFormed holds a value against the format or the keys of a property string. Its error is Proxmox's text, with the
// newline at its end.
func (p *Param) wellFormed(name, value string) error {
	if p.Props != nil {
		_, err := p.Props.parse(name, value)
		return err
	}
	if p.Format == "" {
		return nil
	}
	return checkFormat(p.Format, name, value, p.release)
}

func (p *Param) outOfRange(value string) string {
	if p.Min == nil && p.Max == nil || !isNumber(value) {
		return ""
	}
	n, err := strconv.ParseFloat(strings.TrimSpace(value), 64)
	switch {
	case err != nil:
		return ""
	case p.Max != nil && n > *p.Max:
		return "value must have a maximum value of " + strconv.FormatFloat(*p.Max, 'f', -1, 64)
	case p.Min != nil && n < *p.Min:
		return "value must have a minimum value of " + strconv.FormatFloat(*p.Min, 'f', -1, 64)
	}
	return ""
}

// accepts reports whether the text is a value of the kind. Booleans are 0 and 1 only.
func (k Kind) accepts(value string) bool {
	switch k {
	case Boolean:
		return value == "0" || value == "1"
	case Integer:
		return isInteger(value)
	case Number:
		return isNumber(value)
	default:
		return true
	}
}

var integerText = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[+-]?\d+\n?$`) })

var numberText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\n?$`)
})

func isInteger(value string) bool { return integerText().MatchString(value) }
func isNumber(value string) bool  { return numberText().MatchString(value) }

// plainInteger drops a plus sign, leading zeros and a final newline: Proxmox stores integers as numbers.
func plainInteger(value string) string {
	n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64)
	if err != nil {
		return value
	}
	return strconv.FormatInt(n, 10)
}
