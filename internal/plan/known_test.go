package plan_test

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

// listening is a configuration that remembers what was known when thing.user
// was asked for.
type listening struct {
	*scene
	known map[addr.Addr]cty.Value
}

func (l *listening) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	if a == at("user") {
		l.known = maps.Clone(known)
	}
	return l.scene.Resolve(a, known)
}

func TestWhatOthersMayKnowOfAResource(t *testing.T) {
	text, unknown := cty.StringVal, cty.UnknownVal(cty.String)
	old := set{"label": text("old"), "serial": text("s1")}
	label := func(l string) set { return set{"label": text(l)} }
	for _, c := range []struct {
		name  string
		scene *scene
		sel   plan.Selection
		want  set // of thing.x
	}{
		{"created: what only making it tells is unknown", newScene().wants("x", label("new")), plan.Selection{},
			set{"label": text("new"), "serial": unknown}},
		{"changed: what is there stays", newScene().has("x", "100", old).wants("x", label("new")), plan.Selection{},
			set{"label": text("new"), "serial": text("s1")}},
		{"kept", newScene().has("x", "100", old).wants("x", label("old")), plan.Selection{},
			set{"label": text("old"), "serial": text("s1")}},
		{"replaced: its serial is another thing's", newScene().has("x", "100", old).wants("x", label("old")),
			plan.Selection{Replace: []addr.Addr{at("x")}}, set{"label": text("old"), "serial": unknown}},
		{"gone: made again", newScene().has("x", "100", old).wants("x", label("old")).seen("x", resource.Gone), plan.Selection{},
			set{"label": text("old"), "serial": unknown}},
		{"unknown and recorded: as recorded, not as wanted", newScene().has("x", "100", old).wants("x", label("new")).seen("x", resource.Unknown),
			plan.Selection{}, set{"label": text("old"), "serial": text("s1")}},
		{"unknown and never made: as wanted", newScene().wants("x", label("new")).seen("x", resource.Unknown), plan.Selection{},
			set{"label": text("new"), "serial": unknown}},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &listening{scene: c.scene}
			l.wants("user", nil, "x")
			l.Resolver, l.Select = l, c.sel
			l.plan()
			want := kinds()["thing"].Schema.Value(c.want)
			require.True(t, want.RawEquals(l.known[at("x")]), "%#v", l.known[at("x")])
		})
	}
}

// What could not be looked at and was never made gets no ID, so that nobody is
// told one that its kind makes of it.
func TestWithoutAnIDNothingIsForeseen(t *testing.T) {
	l := &listening{scene: newScene().wants("x", nil).seen("x", resource.Unknown)}
	l.wants("user", nil, "x")
	l.Resolver, l.Kinds = l, kinds()
	l.Kinds["thing"].Foresee = func(_ cty.Value, id string) map[string]cty.Value {
		return map[string]cty.Value{"serial": cty.StringVal("of " + id)}
	}
	l.plan()
	require.False(t, resource.Attribute(l.known[at("x")], "serial").IsKnown(), "%#v", l.known[at("x")])
}
