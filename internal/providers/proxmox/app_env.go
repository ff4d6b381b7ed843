package proxmox

import (
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// environment is the variables of a container's first process as Proxmox keeps
// them: NAME=value, separated by NUL, in an order of their own. What nobody
// names keeps its place and every byte.
type environment []string

func parseEnv(text string) environment {
	if text == "" {
		return nil
	}
	return strings.Split(text, "\x00")
}

func (e environment) String() string { return strings.Join(e, "\x00") }

// names returns the names of the variables, in their order.
func (e environment) names() []string {
	names := make([]string, len(e))
	for i, pair := range e {
		names[i], _, _ = strings.Cut(pair, "=")
	}
	return names
}

// value returns the variable of a name; of several the last counts.
func (e environment) value(name string) (value string, found bool) {
	for _, pair := range e {
		if n, v, assigned := strings.Cut(pair, "="); assigned && n == name {
			value, found = v, true
		}
	}
	return value, found
}

// without returns the variables that have none of the names.
func (e environment) without(names ...string) environment {
	return slices.DeleteFunc(slices.Clone(e), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(names, name)
	})
}

// with returns the variables with those of a map: in their places, or else at
// the end in the order of their names.
func (e environment) with(values map[string]string) environment {
	all, left := slices.Clone(e), maps.Clone(values)
	for i, name := range e.names() {
		if value, named := values[name]; named {
			all[i] = name + "=" + value
			delete(left, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(left)) {
		all = append(all, name+"="+left[name])
	}
	return all
}

// env returns the variables that people named, or all when they named none:
// an image brings more of its own.
func (r *reading) env() cty.Value {
	named := map[string]bool{}
	for _, source := range []cty.Value{r.want, r.prior} {
		for name := range valueMap(source, "env") {
			named[name] = true
		}
	}
	environment := parseEnv(r.take("env"))
	all, others := map[string]cty.Value{}, []string{}
	for _, name := range environment.names() {
		value, _ := environment.value(name)
		v := cty.StringVal(value)
		isSayable := isEnv(cty.MapVal(map[string]cty.Value{name: v})) == ""
		if named[name] || len(named) == 0 && isSayable {
			all[name] = v
		} else {
			others = append(others, name)
		}
	}
	if len(others) > 0 { // their values may be secrets
		r.unmanaged = append(r.unmanaged, "env: "+strings.Join(others, ", "))
	}
	if len(all) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(all)
}
