package schema

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Props describes a property string: parts joined by commas, each key=value, or a bare value of the default key.
type Props struct {
	Keys    map[string]*Param
	Default string                               // the default key, "" for none
	Verify  func(values map[string]string) error // what concerns several keys; may be nil
}

// keys makes Props and finds the default key.
func keys(table params) *Props {
	p := &Props{Keys: table}
	for name, key := range table {
		if key.DefaultKey {
			p.Default = name
		}
	}
	return p
}

// ParseProps parses a property string. The format is the name of the option, with or without its index (net0, mp, rootfs,
// dev, unused, features, startup, bwlimit), or of a format: prune-backups, backup-fleecing, backup-performance; any other
// panics. Booleans come back as "0" and "1". The error is Proxmox's text, with the newline at its end.
func ParseProps(format, text string) (map[string]string, error) {
	return propsOf(format).parse(format, text)
}

// PrintProps prints a property string as Proxmox does: the default key first and bare, then required keys, then the
// others, each group by name. It knows the same formats as ParseProps and prints what ParseProps would refuse.
func PrintProps(format string, values map[string]string) string {
	p := propsOf(format)
	names := slices.Collect(maps.Keys(values))
	slices.SortFunc(names, func(a, b string) int {
		return cmp.Or(cmp.Compare(p.rank(a), p.rank(b)), cmp.Compare(a, b))
	})
	parts := make([]string, len(names))
	for i, name := range names {
		parts[i] = name + "=" + values[name]
		if name == p.Default {
			parts[i] = values[name]
		}
	}
	return strings.Join(parts, ",")
}

func (p *Props) rank(name string) int {
	switch key := p.Keys[name]; {
	case name == p.Default:
		return 0
	case key != nil && !key.Optional:
		return 1
	default:
		return 2
	}
}

// parse splits and checks a text. Path is the parameter's name: it leads each error.
func (p *Props) parse(path, text string) (map[string]string, error) {
	values, err := p.split(text)
	if err != nil {
		return nil, err
	}
	found := problems{}
	for name, value := range values {
		at := path + "." + name
		key := p.Keys[name]
		if key == nil {
			found.add(at, undefined)
			continue
		}
		if _, problem := key.verify(at, value); problem != "" {
			found.add(at, problem)
		}
		if _, ok := values[key.Requires]; key.Requires != "" && !ok {
			found.add(path+"."+key.Requires, fmt.Sprintf("missing property required by '%s'", at))
		}
	}
	for name, key := range p.Keys {
		if _, ok := values[name]; !ok && !key.Optional {
			found.add(path+"."+name, missing)
		}
	}
	if len(found) > 0 {
		return nil, found
	}
	if p.Verify != nil {
		return values, p.Verify(values)
	}
	return values, nil
}

// Error makes problems the error of a property string.
func (p problems) Error() string {
	var b strings.Builder
	b.WriteString("format error\n")
	for _, name := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s: %s\n", name, p[name])
	}
	return b.String()
}

// split cuts a text into values without looking at them, but for booleans, which become 0 and 1.
func (p *Props) split(text string) (map[string]string, error) {
	values := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, assigned := strings.Cut(part, "=")
		switch {
		case assigned && (name == "" || value == ""):
			return nil, refuse("missing key in comma-separated list property")
		case !assigned && p.Default == "":
			return nil, refuse("value without key, but schema does not define a default key")
		case !assigned:
			name, value = p.Default, part
		}
		if _, twice := values[name]; twice {
			return nil, refuse("duplicate key in comma-separated list property: %s", name)
		}
		if key := p.Keys[name]; key != nil && key.Kind == Boolean {
			value = looseBoolean(value)
		}
		values[name] = value
	}
	return values, nil
}

// looseBoolean knows the words that property strings take for a boolean; any other text stays.
func looseBoolean(value string) string {
	switch strings.ToLower(value) {
	case "1", "on", "yes", "true":
		return "1"
	case "0", "off", "no", "false":
		return "0"
	default:
		return value
	}
}
