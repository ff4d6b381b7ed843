package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

// What is only needed to make something, as a template is, is made for what is
// made. Where everything is there already nobody misses it.
func TestLastingThingsAreMadeForWhatIsMade(t *testing.T) {
	source := addr.Addr{Kind: "source", Name: "pve", Part: "debian"}
	open := func() *scene {
		s := newScene()
		s.Kinds["source"] = &resource.Kind{Name: "source", Lasting: true}
		s.want[source] = resource.Resource{Addr: source, Host: "pve", Want: s.Kinds["source"].Schema.Value(nil)}
		s.Seen[source] = resource.Seen{Presence: resource.Gone}
		s.Desired = nil
		return s
	}
	needsIt := func(s *scene) *plan.Plan {
		r := s.want[at("a")]
		r.Needs = []addr.Addr{source}
		s.want[at("a")] = r
		if o, recorded := s.Prior.Objects[at("a")]; recorded {
			o.Needs = r.Needs
			s.Prior.Objects[at("a")] = o
		}
		return s.plan()
	}
	for _, c := range []struct {
		name string
		plan *plan.Plan
		want []addr.Addr
	}{
		{"one is made", needsIt(open().wants("a", nil)), []addr.Addr{source, at("a")}},
		{"it is there", needsIt(open().has("a", "100", nil).wants("a", nil)), nil},
		{"it changes", needsIt(open().has("a", "100", set{"label": cty.StringVal("x")}).wants("a", set{"label": cty.StringVal("y")})), []addr.Addr{at("a")}},
		{"it is replaced", needsIt(open().has("a", "100", set{"model": cty.StringVal("x")}).wants("a", set{"model": cty.StringVal("y")})), []addr.Addr{source, at("a")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.NoError(t, c.plan.Diagnostics.Err())
			var got []addr.Addr
			for _, change := range c.plan.Changes {
				got = append(got, change.Addr)
			}
			require.ElementsMatch(t, c.want, got)
		})
	}
}
