package pvesim_test

import (
	"encoding/json"
	"fmt"
	"path"
	"regexp"
	"sort"
	"strings"
)

// remove deletes the keys that a path of segments leads to, where all named siblings match.
func remove(v any, segments []string, where map[string]string) {
	if list, ok := v.([]any); ok {
		for _, element := range list {
			if segments[0] == "*" || segments[0] == "**" {
				remove(element, segments[1:], where)
			}
			if segments[0] == "**" {
				remove(element, segments, where)
			}
		}
		return
	}
	object, ok := v.(map[string]any)
	if !ok {
		return
	}
	if segments[0] == "**" {
		remove(v, segments[1:], where)
	}
	for key, inner := range object {
		switch {
		case segments[0] == "**":
			remove(inner, segments, where)
		case !globMatch(segments[0], key):
		case len(segments) == 1 && siblings(object, where):
			delete(object, key)
		case len(segments) > 1:
			remove(inner, segments[1:], where)
		}
	}
}

func siblings(object map[string]any, where map[string]string) bool {
	for key, pattern := range where {
		if !regexp.MustCompile(pattern).MatchString(fmt.Sprint(object[key])) {
			return false
		}
	}
	return true
}

func globMatch(pattern, key string) bool {
	ok, err := path.Match(pattern, key)
	return ok && err == nil
}

// walk replaces the values that a path leads to.
func walk(v any, segments []string, change func(any) any) {
	switch v := v.(type) {
	case []any:
		for i := range v {
			switch {
			case segments[0] == "**":
				walk(v[i], segments, change)
				walk(v[i], segments[1:], change)
			case segments[0] == "*" && len(segments) == 1:
				v[i] = change(v[i])
			case segments[0] == "*":
				walk(v[i], segments[1:], change)
			}
		}
	case map[string]any:
		if segments[0] == "**" {
			walk(v, segments[1:], change)
		}
		for key := range v {
			switch {
			case segments[0] == "**":
				walk(v[key], segments, change)
			case !globMatch(segments[0], key):
			case len(segments) == 1:
				v[key] = change(v[key])
			default:
				walk(v[key], segments[1:], change)
			}
		}
	}
}

func sortedCSV(v any) any {
	text, ok := v.(string)
	if !ok {
		return v
	}
	parts := strings.Split(text, ",")
	sort.Strings(parts)
	return strings.Join(parts, ",")
}

func sortedList(v any) any {
	list, ok := v.([]any)
	if !ok {
		return v
	}
	sort.SliceStable(list, func(a, b int) bool { return marshal(list[a]) < marshal(list[b]) })
	return list
}

func marshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func sameJSON(a, b any) bool { return marshal(a) == marshal(b) }

// lookup follows a path of keys, indexes and {"where": {key: value}}; nil when it leads nowhere.
func lookup(v any, steps []any) any {
	for _, step := range steps {
		switch step := step.(type) {
		case string:
			object, _ := v.(map[string]any)
			v = object[step]
		case float64:
			list, _ := v.([]any)
			if int(step) >= len(list) {
				return nil
			}
			v = list[int(step)]
		case map[string]any:
			v = firstWhere(v, step["where"].(map[string]any))
		}
	}
	return v
}

func firstWhere(v any, where map[string]any) any {
	list, _ := v.([]any)
	for _, element := range list {
		object, _ := element.(map[string]any)
		all := object != nil
		for key, value := range where {
			all = all && sameJSON(object[key], value)
		}
		if all {
			return element
		}
	}
	return nil
}

// cut shortens the list at a path. The real node's lists of tasks go back to scenarios before this one: ours is compared
// as far as it goes.
func cut(v, recorded any, steps []any, elements int) {
	parent := lookup(v, steps[:len(steps)-1])
	object, _ := parent.(map[string]any)
	key, _ := steps[len(steps)-1].(string)
	list, ok := object[key].([]any)
	if ok && len(list) > elements {
		object[key] = list[:elements]
	}
	other, _ := lookup(recorded, steps[:len(steps)-1]).(map[string]any)
	if longer, isList := other[key].([]any); ok && isList && len(longer) > len(list) && len(list) > 0 {
		other[key] = longer[:len(list)]
	}
}
