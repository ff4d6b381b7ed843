package resource_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// TestDriftedHasBothSides: what was applied against what is there, whatever is
// wanted now.
func TestDriftedHasBothSides(t *testing.T) {
	part := func(size int64) cty.Value {
		return testKind().Schema.Blocks["part"].Value(set{"size": cty.NumberIntVal(size)})
	}
	secretEnv := cty.MapVal(set{"PLAIN": text("1"), "TOKEN": text("t").Mark(resource.Sensitive)})
	for _, c := range []struct {
		name        string
		prior, live set
		ignore      []resource.Path
		want        []string // path: old → new
	}{
		{"nothing", set{"name": text("a")}, set{"name": text("a")}, nil, nil},
		{"another value", set{"name": text("a")}, set{"name": text("b")}, nil, []string{"name: a → b"}},
		{"taken away", set{"name": text("a")}, set{}, nil, []string{"name: a → none"}},
		{"never applied", set{}, set{"name": text("b")}, nil, nil},
		{"ignored", set{"name": text("a")}, set{"name": text("b")}, []resource.Path{{"name"}}, nil},
		{"empty is none", set{"list": cty.ListValEmpty(cty.String)}, set{}, nil, nil},
		{"tags of others", set{"tags": tags("a")}, set{"tags": tags("a", "theirs")}, nil, nil},
		{"a tag of ours is gone", set{"tags": tags("a")}, set{"tags": tags("theirs")}, nil, []string{"tags: [a] → none"}},
		{"not to be read back", set{"origin": text("x"), "policy": text("p")}, set{}, nil, nil},
		{"a secret as applied", set{"secret": text("s")}, set{"secret": text("s")}, nil, nil},
		{"another secret", set{"secret": text("s")}, set{"secret": text("other")}, nil, []string{"secret: sensitive"}},
		{"a secret in a map", set{"env": secretEnv}, set{"env": cty.MapVal(set{"PLAIN": text("1"), "TOKEN": text("t")})}, nil, nil},
		{"beside a secret", set{"env": secretEnv}, set{"env": cty.MapVal(set{"PLAIN": text("2"), "TOKEN": text("t")})}, nil, []string{"env: sensitive"}},
		{"a block is gone", set{"part": cty.MapVal(set{"p": part(1), "q": part(2)})}, set{"part": cty.MapVal(set{"p": part(1)})}, nil,
			[]string{"part.q: object → none"}},
		{"in a block", set{"part": cty.MapVal(set{"p": part(1)})}, set{"part": cty.MapVal(set{"p": part(3), "theirs": part(1)})}, nil,
			[]string{"part.p.size: 1 → 3"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			kind := testKind()
			prior := resource.Object{Attrs: seal.Object(&kind.Schema, kind.Schema.Value(c.prior))}
			seen := resource.Seen{Object: resource.Object{Attrs: kind.Schema.Value(c.live)}}
			var got []string
			for _, e := range resource.Drifted(kind, prior, seen, seal, c.ignore) {
				require.Equal(t, resource.Drift, e.Cause)
				got = append(got, driftLine(e))
			}
			require.Equal(t, c.want, got)
		})
	}
}

// What the host changes with our consent, and blocks that it never hears of, do
// not drift.
func TestDriftedLeavesInPeace(t *testing.T) {
	kind := testKind()
	kind.Schema.Blocks["remark"] = &resource.Nested{Labelled: true, Block: resource.Block{
		Attrs: map[string]*resource.Attr{"text": {Type: cty.String, Ours: true}}}}
	remark := kind.Schema.Blocks["remark"].Value(set{"text": text("x")})
	prior := resource.Object{Attrs: kind.Schema.Value(set{"name": text("a"), "remark": cty.MapVal(set{"r": remark})})}
	seen := resource.Seen{Object: resource.Object{Attrs: kind.Schema.Value(set{"name": text("b")})}, Leave: []resource.Path{{"name"}}}
	require.Empty(t, resource.Drifted(kind, prior, seen, seal, nil))
	seen.Leave = nil
	require.Len(t, resource.Drifted(kind, prior, seen, seal, nil), 1)
}

func driftLine(e resource.Edit) string {
	side := func(v cty.Value) string {
		switch {
		case v.IsNull() || v.Type().IsCollectionType() && v.LengthInt() == 0:
			return "none"
		case v.Type() == cty.Number:
			return v.AsBigFloat().String()
		case v.Type().IsSetType():
			return "[" + v.AsValueSlice()[0].AsString() + "]"
		case v.Type() == cty.String:
			return v.AsString()
		}
		return "object"
	}
	if e.Sensitive {
		return e.Path.String() + ": sensitive"
	}
	return e.Path.String() + ": " + side(e.Old) + " → " + side(e.New)
}

// TestAddedIsWhatCameLater: settings that were there after the last step are
// known by a hash, which does not tell what they are.
func TestAddedIsWhatCameLater(t *testing.T) {
	kept := seal.Lines([]string{"lxc.cap.drop: sys_admin", "env: TOKEN=hunter2"})
	for _, line := range kept {
		require.NotContains(t, line, "hunter2")
	}
	seen := resource.Seen{Unmanaged: []string{"env: TOKEN=hunter2", "lxc.cap.drop: sys_time", "mp3: local:1"}}
	require.Equal(t, []string{"lxc.cap.drop: sys_time", "mp3: local:1"}, resource.Added(resource.Object{Kept: kept}, seen, seal))
}
