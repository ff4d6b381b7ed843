package proxmox

import (
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/proximity-cli/proximity/internal/resource"
)

// unasked lists what of a container's attributes is neither wanted nor was
// applied, and differs from what Proxmox does by itself, as "path: value".
// These are somebody else's settings: they are kept, and people should know.
type unasked struct {
	kind    *resource.Kind
	settled map[string]cty.Value // what a container has that was given nothing
	lines   []string
}

// unaskedOf returns the lines for attributes as they were read. Of names that
// hold secrets at times only the parts are listed.
func unaskedOf(kind *resource.Kind, live map[string]cty.Value, want, prior cty.Value) []string {
	u := unasked{kind: kind, settled: natural(kind).AsValueMap()}
	for _, name := range slices.Sorted(maps.Keys(live)) {
		switch n := kind.Schema.Blocks[name]; {
		case n != nil && n.Labelled:
			u.labels(name, live[name], want, prior)
		case n != nil:
			w, p := resource.Attribute(want, name), resource.Attribute(prior, name)
			for _, part := range n.AttrNames() {
				if !isAskedFor(part, w) && !isAskedFor(part, p) {
					u.line(name+"."+part, n.Attrs[part], resource.Attribute(live[name], part), resource.Attribute(u.settled[name], part))
				}
			}
		case !isFact(name) && !isAskedFor(name, want) && !isAskedFor(name, prior):
			u.line(name, kind.Schema.Attrs[name], live[name], u.settled[name])
		}
	}
	return u.lines
}

// naturalConfig is what Proxmox gives a container that was asked for nothing.
var naturalConfig = map[string]string{"memory": "512", "swap": "512", "rootfs": "-:-,size=4G"}

// natural is what a container has that was asked for nothing, as it is read.
func natural(kind *resource.Kind) cty.Value {
	return attrsOf(kind, naturalConfig, cty.NilVal, cty.NilVal)
}

// isFact reports whether an attribute tells what the container is rather than
// what anybody chose.
func isFact(name string) bool {
	return name == "hostname" || name == "unprivileged" || isDetected(name)
}

// isDetected reports whether Proxmox finds an attribute out by itself when it
// makes a container.
func isDetected(name string) bool { return name == "os_type" || name == "arch" }

func isAskedFor(name string, source cty.Value) bool {
	return !resource.Attribute(source, name).IsNull()
}

// labels lists the elements of a labelled block that nobody named.
func (u *unasked) labels(name string, live, want, prior cty.Value) {
	object := cty.ObjectVal(map[string]cty.Value{name: live})
	for _, label := range sortedLabels(object, name) {
		if element(want, name, label).IsNull() && element(prior, name, label).IsNull() {
			u.lines = append(u.lines, name+"."+label+": "+fieldsOf(element(object, name, label)))
		}
	}
}

func (u *unasked) line(path string, a *resource.Attr, v, settled cty.Value) {
	if a == nil || a.Role == resource.Computed || a.AtCreate || a.Ours || isEmpty(v) {
		return
	}
	if !settled.IsNull() && settled.RawEquals(v) {
		return
	}
	text := plain(v)
	switch {
	case path == "env": // often holds secrets
		text = strings.Join(slices.Sorted(maps.Keys(v.AsValueMap())), ", ")
	case a.Unit == resource.Size:
		text = resource.SizeText(bytesOf(v))
	}
	u.lines = append(u.lines, path+": "+text)
}

func isEmpty(v cty.Value) bool {
	return v == cty.NilVal || v.IsNull() || v.Type().IsCollectionType() && v.LengthInt() == 0 ||
		v.Type() == cty.String && v.AsString() == ""
}

// fieldsOf writes what is said in an object and is no default of Proxmox.
func fieldsOf(object cty.Value) string {
	var fields []string
	set := object.AsValueMap()
	for _, name := range slices.Sorted(maps.Keys(set)) {
		if v := set[name]; !isEmpty(v) && name != "slot" && !(v.Type() == cty.Bool && v.False()) {
			fields = append(fields, name+"="+plain(v))
		}
	}
	return strings.Join(fields, ",")
}

// plain writes a value as JSON, texts without quotes.
func plain(v cty.Value) string {
	if v.Type() == cty.String {
		return v.AsString()
	}
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return "" // cannot happen: what was read is known
	}
	return string(text)
}
