package proxmox

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// reading turns a configuration into an app's attributes. Want and prior tell
// which labels and spellings people use for what Proxmox only numbers.
//
// Nothing is lost: a key, or a field of a line, that the language has no words
// for, or whose value it would not accept, is listed by others, and no change
// of anything else touches it.
type reading struct {
	kind        *resource.Kind
	values      map[string]string
	want, prior cty.Value
	read        map[string]bool // keys that the language has words for
	unmanaged   []string
}

func newReading(kind *resource.Kind, values map[string]string, want, prior cty.Value) *reading {
	want, _ = want.UnmarkDeep()
	return &reading{kind: kind, values: values, want: want, prior: prior, read: map[string]bool{"digest": true}}
}

// attrs returns what can be read back. What Proxmox has defaults for is never
// null, so that writing a default is no difference.
func (r *reading) attrs() map[string]cty.Value {
	notes, _ := resource.Split(strings.TrimRight(r.take("description"), "\n"))
	set := map[string]cty.Value{
		"description":  cty.StringVal(notes),
		"unprivileged": r.key(r.kind.Schema.Attrs["unprivileged"], "unprivileged"),
		"tags":         r.tags(),
		"env":          r.env(),
		"disk":         r.disk(),
		"network":      r.labelled("network", r.networks()),
		"device":       r.labelled("device", r.devices()),
		"dns":          r.keys("dns", dnsKeys),
		"features":     r.line("features", featureKeys, "features", ""),
		"startup":      r.startup(),
		"console":      r.keys("console", consoleKeys),
	}
	for name, key := range scalarKeys {
		if _, done := set[name]; !done {
			set[name] = r.key(r.kind.Schema.Attrs[name], key)
		}
	}
	volumes, binds := r.mounts()
	set["volume"], set["bind"] = r.labelled("volume", volumes), r.labelled("bind", binds)
	return set
}

// others returns the settings that the language has no words for.
func (r *reading) others() []string {
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		if !r.read[key] {
			r.unmanaged = append(r.unmanaged, key+": "+r.values[key])
		}
	}
	slices.Sort(r.unmanaged)
	return r.unmanaged
}

func (r *reading) take(key string) string {
	r.read[key] = true
	return r.values[key]
}

// key reads one attribute that has a key of its own.
func (r *reading) key(a *resource.Attr, key string) cty.Value {
	v, isSayable := decode(a, key, r.values[key])
	r.read[key] = isSayable
	return v
}

// keys reads a block whose attributes have keys of their own.
func (r *reading) keys(block string, keys map[string]string) cty.Value {
	set := map[string]cty.Value{}
	for name, key := range keys {
		set[name] = r.key(r.kind.Schema.Blocks[block].Attrs[name], key)
	}
	return r.value(block, set)
}

// line reads a block that has one line of its own.
func (r *reading) line(block string, keys map[string]string, key, first string) cty.Value {
	set, strange := r.fields(block, keys, key, pve.ParseLine(r.take(key), first))
	r.unmanaged = append(r.unmanaged, strange...)
	return r.value(block, set)
}

// fields reads what a block's attributes say of a line, and what else there is
// in it. Known names the fields that somebody else reads.
func (r *reading) fields(block string, keys map[string]string, slot string, line pve.Line, known ...string) (set map[string]cty.Value, strange []string) {
	set = map[string]cty.Value{}
	for name, key := range keys {
		a := r.kind.Schema.Blocks[block].Attrs[name]
		if a == nil {
			continue
		}
		v, isSayable := decode(a, key, line.Value(key))
		if set[name] = v; isSayable {
			known = append(known, key)
		}
	}
	for _, f := range line.Fields() {
		switch {
		case f.Key == "" && strings.TrimSpace(f.Value) == "", slices.Contains(known, f.Key):
		case f.Key == "":
			strange = append(strange, fmt.Sprintf("%s: %s", slot, f.Value))
		default:
			strange = append(strange, fmt.Sprintf("%s.%s: %s", slot, f.Key, f.Value))
		}
	}
	return set, strange
}

// tags keeps the spelling that people use: Proxmox turns them to lower case.
func (r *reading) tags() cty.Value {
	spelt := map[string]string{}
	for _, source := range []cty.Value{r.prior, r.want} {
		for _, tag := range textsOf(source, "tags") {
			spelt[strings.ToLower(tag)] = tag
		}
	}
	var all []string
	for _, tag := range words(r.take("tags")) {
		if known, ok := spelt[tag]; ok {
			tag = known
		}
		all = append(all, tag)
	}
	return textSet(all)
}

// labelled returns a map of the block's objects; without any it is empty.
func (r *reading) labelled(block string, objects map[string]cty.Value) cty.Value {
	if len(objects) == 0 {
		return cty.MapValEmpty(r.kind.Schema.Blocks[block].Block.Type())
	}
	return cty.MapVal(objects)
}

func (r *reading) value(block string, set map[string]cty.Value) cty.Value {
	return r.kind.Schema.Blocks[block].Value(set)
}

// startup has a line and, for starting with the node, a key beside it.
func (r *reading) startup() cty.Value {
	set := r.line("startup", startupKeys, "startup", "order").AsValueMap()
	set["on_boot"] = r.key(r.kind.Schema.Blocks["startup"].Attrs["on_boot"], "onboot")
	return r.value("startup", set)
}

// networks reads the interfaces by their names. Of several of one name, which a
// container could not start with, the recorded or else the first one counts.
func (r *reading) networks() map[string]cty.Value {
	all := map[string]cty.Value{}
	for _, slot := range r.slots("network", "net") {
		line := pve.ParseLine(r.values[slot], "name")
		name := line.Value("name")
		known := []string{"name"}
		if line.Value("type") == "veth" { // which Proxmox adds, and there is no other
			known = append(known, "type")
		}
		set, strange := r.fields("network", networkKeys, slot, line, known...)
		r.put(all, "network", name, slot, set, strange)
	}
	return all
}

func (r *reading) devices() map[string]cty.Value {
	all := map[string]cty.Value{}
	for _, slot := range r.slots("device", "dev") {
		line := pve.ParseLine(r.values[slot], "path")
		set, strange := r.fields("device", deviceKeys, slot, line, "path")
		r.put(all, "device", line.Value("path"), slot, set, strange)
	}
	return all
}

// slots returns the keys of a block's lines, those that are recorded first.
func (r *reading) slots(block, word string) []string {
	recorded := map[string]bool{}
	for _, label := range sortedLabels(r.prior, block) {
		recorded[resource.Text(element(r.prior, block, label), "slot")] = true
	}
	all := slots(r.values, word)
	slices.SortStableFunc(all, func(a, b string) int {
		switch {
		case recorded[a] == recorded[b]:
			return 0
		case recorded[a]:
			return -1
		}
		return 1
	})
	return all
}

// put adds the object of a line under its label. A line without a label, one
// whose label is taken, and one that nobody names and nobody could write is
// somebody else's as a whole.
func (r *reading) put(all map[string]cty.Value, block, label, slot string, set map[string]cty.Value, strange []string) {
	label = cty.NormalizeString(label)
	_, taken := all[label]
	if label == "" || taken || !r.isNamed(block, label) && !r.isWritable(block, set) {
		return
	}
	set["slot"] = cty.StringVal(slot)
	all[label] = r.value(block, set)
	r.read[slot] = true
	r.unmanaged = append(r.unmanaged, strange...)
}

func (r *reading) isNamed(block, label string) bool {
	return !element(r.want, block, label).IsNull() || !element(r.prior, block, label).IsNull()
}

// isWritable reports whether an object has all that its block requires.
func (r *reading) isWritable(block string, set map[string]cty.Value) bool {
	for name, a := range r.kind.Schema.Blocks[block].Attrs {
		if v, there := set[name]; a.Role == resource.Required && (!there || v.IsNull()) {
			return false
		}
	}
	return true
}
