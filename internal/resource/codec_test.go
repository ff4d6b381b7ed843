package resource_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/resource"
)

func drawThing(t *rapid.T) set {
	s := set{}
	words := rapid.StringMatching(`[a-z<>&"é]{0,6}`)
	for _, name := range []string{"name", "origin", "policy", "secret"} {
		if rapid.Bool().Draw(t, "has "+name) {
			s[name] = text(words.Draw(t, name))
		}
	}
	if rapid.Bool().Draw(t, "has env") {
		env := set{"NONE": cty.NullVal(cty.String), "A": text(words.Draw(t, "env"))}
		s["env"] = cty.MapVal(env)
	}
	if rapid.Bool().Draw(t, "has tags") {
		s["tags"] = tags(rapid.SliceOf(words).Draw(t, "tags")...)
	}
	if rapid.Bool().Draw(t, "has disk") {
		s["disk"] = disk(rapid.Int64().Draw(t, "disk"))
	}
	switch rapid.IntRange(0, 2).Draw(t, "parts") {
	case 1:
		s["part"] = part(words.Draw(t, "label"), rapid.Int64().Draw(t, "size"))
	case 2:
		s["part"] = cty.MapValEmpty(disk(1).Type())
	}
	return s
}

func TestDecodeReadsWhatEncodeWrote(t *testing.T) {
	schema := testKind().Schema
	rapid.Check(t, func(t *rapid.T) {
		v := schema.Value(drawThing(t))
		data, err := schema.Encode(v)
		require.NoError(t, err)
		back, err := schema.Decode(data)
		require.NoError(t, err)
		require.True(t, v.RawEquals(back), "%#v came back as %#v", v, back)
	})
}

func TestEncodeRefusesWhatHasNoPlaceInAFile(t *testing.T) {
	schema := testKind().Schema
	for _, v := range []cty.Value{cty.UnknownVal(cty.String), text("a").Mark(resource.Sensitive)} {
		_, err := schema.Encode(schema.Value(set{"name": v}))
		require.ErrorContains(t, err, "cannot be stored")
	}
	_, err := schema.Decode([]byte(`{"colour":"red"}`))
	require.ErrorContains(t, err, "colour")
}

func TestSealedValuesCannotBeRead(t *testing.T) {
	schema := testKind().Schema
	const canary = "canary-7hF2"
	mark := func(v cty.Value) cty.Value { return v.Mark(resource.Sensitive) }
	stored := seal.Object(&schema, schema.Value(set{
		"name":   mark(text(canary)),
		"list":   cty.ListVal([]cty.Value{mark(text(canary)), text("open")}),
		"env":    mark(cty.MapVal(set{"A": text(canary)})),
		"tags":   mark(tags(canary)),
		"secret": text(canary),
		"login":  text("sealed:" + canary), // looks sealed, and is not
	}))
	data, err := schema.Encode(stored)
	require.NoError(t, err)
	require.NotContains(t, string(data), canary)
	require.Contains(t, string(data), "open")
}

func TestSealsCompare(t *testing.T) {
	other := resource.Sealer{Key: []byte("other")}
	require.Equal(t, seal.Text("a"), seal.Text("a"))
	require.NotEqual(t, seal.Text("a"), seal.Text("b"))
	require.NotEqual(t, seal.Text("a"), other.Text("a"))
	require.True(t, resource.IsSealed(text(seal.Text("a"))))
}

func TestRevealBringsBackWhatWasSealed(t *testing.T) {
	schema := testKind().Schema
	rapid.Check(t, func(t *rapid.T) {
		values := drawThing(t)
		for _, name := range []string{"name", "env"} {
			if v, ok := values[name]; ok && rapid.Bool().Draw(t, "marked "+name) {
				values[name] = v.Mark(resource.Sensitive)
			}
		}
		want := schema.Value(values)
		sealed := resource.Sealer{Key: []byte("k")}.Object(&schema, want)
		_, hasSecret := values["secret"]
		require.Equal(t, hasSecret || want.ContainsMarked(), resource.HasSealed(sealed))
		back := schema.Reveal(sealed, want)
		require.True(t, values["name"] == cty.NilVal || back.GetAttr("name").RawEquals(values["name"]), "marks are kept")
		plain, _ := want.UnmarkDeep()
		back, _ = back.UnmarkDeep()
		require.True(t, plain.RawEquals(back), "%#v came back as %#v", plain, back)
	})
}
