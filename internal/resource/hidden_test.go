package resource_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// What was applied from a secret is one still where it is taken away, or where
// something that may be shown takes its place.
func TestWhatWasSecretStaysHidden(t *testing.T) {
	volume := &resource.Nested{Labelled: true, Block: resource.Block{Attrs: map[string]*resource.Attr{"path": {Type: cty.String}}}}
	kind := &resource.Kind{Schema: resource.Block{Attrs: map[string]*resource.Attr{"env": {Type: cty.Map(cty.String)}}, Blocks: map[string]*resource.Nested{"volume": volume}}}
	seal := resource.Sealer{Key: []byte("k")}
	value := func(env, path cty.Value) cty.Value {
		set := map[string]cty.Value{"env": env}
		if path != cty.NilVal {
			set["volume"] = cty.MapVal(map[string]cty.Value{"a": cty.ObjectVal(map[string]cty.Value{"path": path})})
		}
		return kind.Schema.Value(set)
	}
	env := func(v cty.Value) cty.Value { return cty.MapVal(map[string]cty.Value{"A": v}) }
	secret := cty.StringVal("hunter2")
	prior := &resource.Object{Attrs: seal.Object(&kind.Schema, value(env(secret.Mark(resource.Sensitive)), secret.Mark(resource.Sensitive)))}
	seen := resource.Seen{Presence: resource.Present, Object: resource.Object{Attrs: value(env(secret), secret)}}
	for name, want := range map[string]cty.Value{
		"taken away": value(cty.NullVal(cty.Map(cty.String)), cty.NilVal),
		"in clear":   value(env(cty.StringVal("plain")), cty.StringVal("/plain")),
	} {
		t.Run(name, func(t *testing.T) {
			edits := resource.Diff(kind, prior, resource.Resource{Want: want}, seen, seal)
			require.Len(t, edits, 2)
			for _, e := range edits {
				require.True(t, e.Sensitive, e.Path)
			}
		})
	}
}
