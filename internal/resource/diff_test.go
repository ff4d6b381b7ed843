package resource_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

func text(s string) cty.Value { return cty.StringVal(s) }

func tags(all ...string) cty.Value {
	if len(all) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	var members []cty.Value
	for _, s := range all {
		members = append(members, text(s))
	}
	return cty.SetVal(members)
}

type set = map[string]cty.Value

var seal = resource.Sealer{Key: []byte("key")}

func testKind() *resource.Kind {
	inner := resource.Block{Attrs: map[string]*resource.Attr{
		"size": {Type: cty.Number},
		"path": {Type: cty.String},
	}}
	return &resource.Kind{
		Name: "thing", Version: 1,
		Schema: resource.Block{
			Attrs: map[string]*resource.Attr{
				"name":   {Type: cty.String},
				"list":   {Type: cty.List(cty.String)},
				"env":    {Type: cty.Map(cty.String)},
				"tags":   {Type: cty.Set(cty.String), Shared: true},
				"origin": {Type: cty.String, AtCreate: true},
				"login":  {Type: cty.String, AtCreate: true, Sensitive: true},
				"policy": {Type: cty.String, Ours: true},
				"secret": {Type: cty.String, Sensitive: true},
				"model":  {Type: cty.String},
				"id":     {Type: cty.Number, Role: resource.Computed},
			},
			Blocks: map[string]*resource.Nested{
				"disk": {Block: inner},
				"part": {Block: inner, Labelled: true},
			},
		},
		Judge: func(e resource.Edit, _ resource.Resource, _ resource.Seen) resource.Verdict {
			if e.Path[0] == "model" {
				return resource.Verdict{Effect: resource.Replace, Reason: "for life"}
			}
			return resource.Verdict{Effect: resource.Live}
		},
	}
}

func part(label string, size int64) cty.Value {
	return cty.MapVal(set{label: cty.ObjectVal(set{"size": cty.NumberIntVal(size), "path": cty.NullVal(cty.String)})})
}

func disk(size int64) cty.Value {
	return cty.ObjectVal(set{"size": cty.NumberIntVal(size), "path": cty.NullVal(cty.String)})
}

// show writes an edit in one line: path, old, new, effect, cause.
func show(edits []resource.Edit) []string {
	var out []string
	for _, e := range edits {
		line := fmt.Sprintf("%s: %s -> %s, %s, %s", e.Path, plain(e.Old), plain(e.New), e.Effect, e.Cause)
		if e.Sensitive {
			line += ", sensitive"
		}
		out = append(out, line)
	}
	return out
}

func plain(v cty.Value) string {
	switch {
	case v.IsNull():
		return "null"
	case !v.IsKnown():
		return "unknown"
	case resource.IsSealed(v):
		return "sealed"
	case v.Type() == cty.String:
		return v.AsString()
	case v.Type() == cty.Number:
		return v.AsBigFloat().String()
	case v.Type().IsObjectType():
		return "{" + plain(v.GetAttr("size")) + "}"
	}
	out := "["
	for i, e := range v.AsValueSlice() {
		if i > 0 {
			out += " "
		}
		out += plain(e)
	}
	return out + "]"
}

func TestDiffComparesThreeSides(t *testing.T) {
	secret := func(s string) cty.Value { return text(s).Mark(resource.Sensitive) }
	for _, c := range []struct {
		name              string
		prior, want, live set
		edits             []string
	}{
		{"all alike", set{"name": text("a")}, set{"name": text("a")}, set{"name": text("a")}, nil},
		{"asked for otherwise", set{"name": text("a")}, set{"name": text("b")}, set{"name": text("a")},
			[]string{"name: a -> b, live, config"}},
		{"changed by hand", set{"name": text("a")}, set{"name": text("a")}, set{"name": text("x")},
			[]string{"name: x -> a, live, drift"}},
		{"changed by hand and asked for otherwise", set{"name": text("a")}, set{"name": text("b")}, set{"name": text("x")},
			[]string{"name: x -> b, live, config"}},
		{"changed by hand to what is now asked for", set{"name": text("a")}, set{"name": text("b")}, set{"name": text("b")},
			[]string{"name: b -> b, record, config"}},
		{"no longer asked for", set{"name": text("a")}, set{}, set{"name": text("a")},
			[]string{"name: a -> null, live, config"}},
		{"no longer asked for and gone already", set{"name": text("a")}, set{}, set{},
			[]string{"name: null -> null, record, config"}},
		{"somebody else's", set{}, set{}, set{"name": text("x")}, nil},
		{"asked for and not there", set{}, set{"name": text("a")}, set{}, []string{"name: null -> a, live, config"}},
		{"removed by hand", set{"name": text("a")}, set{"name": text("a")}, set{}, []string{"name: null -> a, live, drift"}},
		{"a computed attribute is nobody's", set{"id": cty.NumberIntVal(1)}, set{}, set{"id": cty.NumberIntVal(2)}, nil},

		{"unknown", set{"name": text("a")}, set{"name": cty.UnknownVal(cty.String)}, set{"name": text("a")},
			[]string{"name: a -> unknown, live, config"}},
		{"unknown never replaces", set{"model": text("a")}, set{"model": cty.UnknownVal(cty.String)}, set{"model": text("a")},
			[]string{"model: a -> unknown, live, config"}},
		{"known replaces", set{"model": text("a")}, set{"model": text("b")}, set{"model": text("a")},
			[]string{"model: a -> b, replace, config"}},

		{"empty is none", set{"list": cty.ListValEmpty(cty.String)}, set{"list": cty.ListValEmpty(cty.String)}, set{}, nil},
		{"empty is none, never recorded", set{}, set{"name": text("")}, set{}, nil},
		{"emptied", set{"list": cty.ListVal([]cty.Value{text("a")})}, set{"list": cty.ListValEmpty(cty.String)},
			set{"list": cty.ListVal([]cty.Value{text("a")})}, []string{"list: [a] -> [], live, config"}},

		{"others' tags stay", set{"tags": tags("a")}, set{"tags": tags("a")}, set{"tags": tags("a", "x")}, nil},
		{"a tag more beside others'", set{"tags": tags("a")}, set{"tags": tags("a", "b")}, set{"tags": tags("a", "x")},
			[]string{"tags: [a x] -> [a b x], live, config"}},
		{"a tag less beside others'", set{"tags": tags("a", "b")}, set{"tags": tags("a")}, set{"tags": tags("a", "b", "x")},
			[]string{"tags: [a b x] -> [a x], live, config"}},
		{"no tags of ours any more", set{"tags": tags("a")}, set{}, set{"tags": tags("a", "x")},
			[]string{"tags: [a x] -> [x], live, config"}},
		{"a tag of ours removed by hand", set{"tags": tags("a")}, set{"tags": tags("a")}, set{"tags": tags("x")},
			[]string{"tags: [x] -> [a x], live, drift"}},
		{"empty tags, none there", set{"tags": tags()}, set{"tags": tags()}, set{}, nil},

		{"unreadable and as applied", set{"origin": text("a")}, set{"origin": text("a")}, set{}, nil},
		{"unreadable and changed", set{"origin": text("a")}, set{"origin": text("b")}, set{},
			[]string{"origin: a -> b, live, config"}},
		{"unreadable secret as applied", set{"login": text(seal.Text("a"))}, set{"login": secret("a")}, set{}, nil},
		{"unreadable secret, changed: the new one in clear", set{"login": text(seal.Text("a"))}, set{"login": secret("b")}, set{},
			[]string{"login: sealed -> b, live, config, sensitive"}},
		{"ours is only recorded", set{"policy": text("a")}, set{"policy": text("b")}, set{},
			[]string{"policy: a -> b, record, config"}},

		{"secret as applied", set{"secret": text(seal.Text("a"))}, set{"secret": secret("a")}, set{"secret": text("a")}, nil},
		{"secret changed by hand", set{"secret": text(seal.Text("a"))}, set{"secret": secret("a")}, set{"secret": text("x")},
			[]string{"secret: x -> a, live, drift, sensitive"}},
		{"sensitive by its mark alone", set{}, set{"name": secret("a")}, set{}, []string{"name: null -> a, live, config, sensitive"}},

		{"single block changed", set{"disk": disk(1)}, set{"disk": disk(2)}, set{"disk": disk(1)},
			[]string{"disk.size: 1 -> 2, live, config"}},
		{"single block taken away", set{"disk": disk(1)}, set{}, set{"disk": disk(1)},
			[]string{"disk.size: 1 -> null, live, config"}},
		{"single block of somebody else", set{}, set{}, set{"disk": disk(1)}, nil},
		{"labelled block added", set{}, set{"part": part("p", 1)}, set{}, []string{"part.p: null -> {1}, live, config"}},
		{"labelled block removed by hand", set{"part": part("p", 1)}, set{"part": part("p", 1)}, set{},
			[]string{"part.p: null -> {1}, live, drift"}},
		{"labelled block changed", set{"part": part("p", 1)}, set{"part": part("p", 2)}, set{"part": part("p", 1)},
			[]string{"part.p.size: 1 -> 2, live, config"}},
		{"labelled block taken away", set{"part": part("p", 1)}, set{}, set{"part": part("p", 1)},
			[]string{"part.p: {1} -> null, live, config"}},
		{"labelled block taken away and gone already", set{"part": part("p", 1)}, set{}, set{},
			[]string{"part.p: null -> null, record, config"}},
		{"labelled block of somebody else", set{}, set{"part": part("p", 1)},
			set{"part": cty.MapVal(set{"p": disk(1), "theirs": disk(9)})}, []string{"part.p.size: 1 -> 1, record, config"}},
		{"labelled blocks unknown as a whole", set{"part": part("p", 1)},
			set{"part": cty.UnknownVal(cty.Map(disk(1).Type()))}, set{"part": part("p", 1)}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := testKind()
			prior := &resource.Object{Attrs: kind.Schema.Value(c.prior)}
			want := resource.Resource{Want: kind.Schema.Value(c.want)}
			seen := resource.Seen{Presence: resource.Present, Object: resource.Object{Attrs: kind.Schema.Value(c.live)}}
			edits := resource.Diff(kind, prior, want, seen, seal)
			require.Equal(t, c.edits, show(edits))
			for _, e := range edits {
				require.False(t, e.Old.ContainsMarked() || e.New.ContainsMarked(), "a mark leaks")
			}
			for _, e := range edits { // what is ignored is not there
				want.Life.IgnoreChanges = append(want.Life.IgnoreChanges, e.Path[:1])
			}
			require.Empty(t, resource.Diff(kind, prior, want, seen, seal))
			want.Life.IgnoreChanges, seen.Leave = nil, want.Life.IgnoreChanges
			require.Empty(t, resource.Diff(kind, prior, want, seen, seal), "nor what the host changes with our consent")
		})
	}
}
