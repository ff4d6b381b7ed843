package plan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

func order(t require.TestingT, p *plan.Plan) []string {
	steps, cycle := p.Steps.Order()
	require.Nil(t, cycle)
	var out []string
	for _, s := range steps {
		out = append(out, string(s.Op)+" "+s.Addr.Name)
	}
	return out
}

func TestStepsAreOrdered(t *testing.T) {
	a, b := set{"model": cty.StringVal("a")}, set{"model": cty.StringVal("b")}
	label := set{"label": cty.StringVal("l")}
	for _, c := range []struct {
		name  string
		scene *scene
		want  []string
	}{
		{"put after the put of what it needs", newScene().wants("a", a, "z").wants("z", a), []string{"put z", "put a"}},
		{"drop after the drop of what needed it", newScene().has("a", "100", a).has("z", "101", a, "a"), []string{"drop z", "drop a"}},
		{"a replace drops first", newScene().has("a", "100", a).wants("a", b), []string{"drop a", "put a"}},
		{"a replaced need: users drop first and put last",
			newScene().has("a", "100", a).wants("a", b).has("u", "101", a, "a").wants("u", b, "a"),
			[]string{"drop u", "drop a", "put a", "put u"}},
		{"let go before it is dropped", newScene().has("a", "100", a).has("u", "101", set{}, "a").wants("u", label),
			[]string{"put u", "drop a"}},
		{"a put waits for the drop of what has its ID, though it comes first by name",
			newScene().has("z", "100", set{"vmid": cty.NumberIntVal(100)}).wants("a", set{"vmid": cty.NumberIntVal(100)}),
			[]string{"drop z", "put a"}},
		{"two that change IDs let go of both first",
			newScene().has("a", "100", set{"vmid": cty.NumberIntVal(100)}).has("b", "101", set{"vmid": cty.NumberIntVal(101)}).
				wants("a", set{"vmid": cty.NumberIntVal(101)}).wants("b", set{"vmid": cty.NumberIntVal(100)}),
			[]string{"drop a", "drop b", "put a", "put b"}},
		{"letting go first gives way to the order of drops",
			newScene().has("n", "100", set{"vmid": cty.NumberIntVal(100)}).has("o", "101", a, "n").has("c", "102", set{}, "n", "o").
				wants("c", label, "x").wants("x", set{"vmid": cty.NumberIntVal(100)}),
			[]string{"drop o", "drop n", "put x", "put c"}},
		{"records in a circle can be dropped", newScene().has("a", "100", a, "b").has("b", "101", a, "a"),
			[]string{"drop a", "drop b"}},
	} {
		t.Run(c.name, func(t *testing.T) { require.Equal(t, c.want, order(t, c.scene.plan())) })
	}
}

// TestAReplaceDropsFirstUnderAnyID looks at the waits: the order of names
// would have the drop first all the same.
func TestAReplaceDropsFirstUnderAnyID(t *testing.T) {
	for _, id := range []int64{100, 105} {
		s := newScene().has("x", "100", set{"model": cty.StringVal("a")}).
			wants("x", set{"model": cty.StringVal("b"), "vmid": cty.NumberIntVal(id)})
		p := s.plan()
		require.Equal(t, []plan.Step{{Addr: at("x"), Op: plan.Drop}}, p.Steps.Waits(plan.Step{Addr: at("x"), Op: plan.Put}))
	}
}

// TestStepsNeverWaitInACircle draws estates whose records need each other in
// any way, and whose wishes need only what comes earlier.
func TestStepsNeverWaitInACircle(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newScene()
		s.Surveys["pve"] = resource.Survey{Range: resource.IDRange{Low: 100, High: 199}}
		names := []string{"a", "b", "c", "d", "e"}
		attrs := rapid.SampledFrom([]set{{}, {"model": cty.StringVal("a")}, {"model": cty.StringVal("b")}, {"label": cty.StringVal("l")}})
		some := func(from []string, label string) (out []string) {
			for _, n := range from {
				if rapid.Bool().Draw(t, label) {
					out = append(out, n)
				}
			}
			return out
		}
		for i, n := range names {
			if rapid.Bool().Draw(t, "recorded") {
				s.has(n, fmt.Sprint(100+i), attrs.Draw(t, "is"), some(names, "needed")...)
				if rapid.IntRange(0, 4).Draw(t, "missing") == 0 {
					s.seen(n, rapid.SampledFrom([]resource.Presence{resource.Gone, resource.Stranger, resource.Unknown}).Draw(t, "presence"))
				}
			}
			if rapid.Bool().Draw(t, "wanted") {
				s.wants(n, attrs.Draw(t, "wants"), some(names[:i], "needs")...)
			}
		}
		order(t, s.plan())
	})
}

// TestAGroupIsInterruptedOneAfterTheOther: what one backup policy covers, say,
// restarts in turn, and a failed one holds the others back. What interrupts
// nothing goes on at once.
func TestAGroupIsInterruptedOneAfterTheOther(t *testing.T) {
	restart, live := set{"boot": cty.StringVal("b")}, set{"label": cty.StringVal("l")}
	s := newScene().has("a", "100", set{}).has("b", "101", set{}).has("c", "102", set{}).has("d", "103", set{})
	s.wants("a", restart).wants("b", live).wants("c", restart).wants("d", restart).wants("group", set{}, "a", "b", "c")
	s.Kinds["thing"].Rolling = true
	p := s.plan()
	put := func(name string) plan.Step { return plan.Step{Addr: at(name), Op: plan.Put} }
	require.Equal(t, []plan.Step{put("a")}, p.Steps.Waits(put("c")))
	require.Empty(t, p.Steps.Waits(put("b")), "nothing is interrupted by it")
	require.Empty(t, p.Steps.Waits(put("d")), "no group has it")

	seen := s.Seen[at("b")]
	seen.Unmarked = true
	s.Seen[at("b")] = seen
	delete(s.Prior.Objects, at("b"))
	p = s.wants("b", restart).wants("c", set{"boot": cty.StringVal("b"), "model": cty.StringVal("m")}).plan()
	require.Equal(t, []string{"< b 101", "± c 102: model: for life"}, show(p)[1:3])
	require.Equal(t, []plan.Step{put("a")}, p.Steps.Waits(put("b")), "what is taken over is interrupted like what is ours")
	require.NotContains(t, p.Steps.Waits(put("c")), put("b"), "what is made anew is not interrupted but gone")
}
