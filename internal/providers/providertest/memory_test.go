package providertest

import (
	"maps"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestTheHostInMemoryConforms(t *testing.T) {
	Run(t, func(*testing.T) Harness {
		w := NewWorld()
		kind := Kinds()["thing"]
		with := func(want resource.Resource, name string, v cty.Value) resource.Resource {
			attrs := want.Want.AsValueMap()
			attrs[name] = v
			want.Want = cty.ObjectVal(attrs)
			return want
		}
		return Harness{
			Provider: NewMemory(w, "pve"),
			Kind:     kind,
			IDs:      []string{"100", "101", "102", "103", "104", "105"},
			Want: func(name string) resource.Resource {
				return resource.Resource{Addr: addr.New("thing", name), Host: "pve", Want: kind.Schema.Value(map[string]cty.Value{
					"label":  cty.StringVal(name),
					"secret": cty.StringVal(Secret),
					"size":   cty.NumberIntVal(1),
				})}
			},
			Changed: func(want resource.Resource) resource.Resource { return with(want, "size", cty.NumberIntVal(2)) },
			Occupy:  func(id string) { w.Put(Thing{ID: id}) },
			Remove:  w.Remove,
			Tamper: func(id string) {
				thing := w.Things()[id]
				thing.Attrs, thing.Edits = maps.Clone(thing.Attrs), thing.Edits+1
				thing.Attrs["size"] = cty.NumberIntVal(7)
				w.Put(thing)
			},
		}
	})
}
