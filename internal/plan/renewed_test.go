package plan_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

// renewing adds to a scene a computed value that every change makes anew.
func renewing(s *scene) *scene {
	kind := s.Kinds["thing"]
	kind.Hostless = true
	kind.Schema.Attrs["token"] = &resource.Attr{Type: cty.String, Role: resource.Computed, Sensitive: true, Renewed: true}
	for a, r := range s.want {
		r.Want, r.Host = completed(kind, r.Want), resource.NoHost
		s.want[a] = r
	}
	for a, o := range s.Prior.Objects {
		set := completed(kind, o.Attrs).AsValueMap()
		set["token"] = cty.StringVal("hunter2")
		o.Attrs, o.Host = cty.ObjectVal(set), resource.NoHost
		s.Prior.Objects[a] = o
		if s.Seen[a].Presence == resource.Present {
			s.Seen[a] = resource.Seen{Presence: resource.Present, Object: o}
		}
	}
	return s
}

func completed(kind *resource.Kind, v cty.Value) cty.Value {
	set := v.AsValueMap()
	set["token"] = cty.NullVal(cty.String)
	return kind.Schema.Value(set)
}

// Who refers to a value that a change makes anew is planned with one that is not
// known yet, else what was shown would not be what is done.
func TestAValueThatIsMadeAnewIsUnknownUntilThen(t *testing.T) {
	label := func(l string) set { return set{"label": cty.StringVal(l)} }
	unknown, same := cty.UnknownVal(cty.String), cty.StringVal("hunter2")
	for _, c := range []struct {
		name  string
		scene *scene
		sel   plan.Selection
		want  cty.Value
		shown string // of the token in the plan
	}{
		{"created", newScene().wants("x", label("new")), plan.Selection{}, unknown, "(none) → unknown"},
		{"changed", newScene().has("x", "100", label("old")).wants("x", label("new")), plan.Selection{}, unknown, "sealed → unknown"},
		{"kept", newScene().has("x", "100", label("old")).wants("x", label("old")), plan.Selection{}, same, ""},
		{"only recorded", newScene().has("x", "100", label("old")).wants("x", label("old"), "y"), plan.Selection{}, same, ""},
		{"replaced", newScene().has("x", "100", label("old")).wants("x", label("old")), plan.Selection{Replace: []addr.Addr{at("x")}},
			unknown, "sealed → unknown"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l := &listening{scene: c.scene}
			l.wants("user", nil, "x")
			if c.name == "only recorded" {
				l.has("y", "101", nil).wants("y", nil)
			}
			l.Resolver, l.Select = l, c.sel
			p := renewing(l.scene).plan()
			require.True(t, c.want.RawEquals(l.known[at("x")].GetAttr("token")), "%#v", l.known[at("x")])
			require.Equal(t, c.shown, tokenOf(p.Document(l.Kinds, resource.Sealer{})))
		})
	}
}

// tokenOf tells how a document shows the token of thing.x.
func tokenOf(doc plan.Document) string {
	for _, c := range doc.Changes {
		for _, e := range c.Edits {
			if c.Addr != at("x") || e.Path[0] != "token" {
				continue
			}
			old := "(none)"
			if e.Old != nil && e.Old.Sensitive && e.Old.Sealed != "" && e.Old.JSON == nil {
				old = "sealed"
			}
			if e.New.Unknown && e.New.Sensitive {
				return old + " → unknown"
			}
			return "in clear"
		}
	}
	return ""
}

func TestWhatLiesOnNoHostNamesNone(t *testing.T) {
	s := renewing(newScene().wants("x", nil))
	doc := s.plan().Document(s.Kinds, resource.Sealer{})
	require.Len(t, doc.Changes, 1)
	require.Empty(t, doc.Changes[0].Host+doc.Changes[0].ID)
}

func TestDocumentSaysWhatWasSeen(t *testing.T) {
	s := newScene().has("x", "100", set{"label": cty.StringVal("old")}).wants("x", set{"label": cty.StringVal("new")}).has("y", "101", nil).wants("y", nil)
	for _, name := range []string{"x", "y"} {
		seen := s.Seen[at(name)]
		seen.Digest = "digest of " + name
		s.Seen[at(name)] = seen
	}
	doc := s.plan().Document(s.Kinds, resource.Sealer{})
	require.Equal(t, map[string]string{"thing.x": "digest of x"}, doc.Seen)
	before := doc.Fingerprint()
	doc.Seen = nil
	require.Equal(t, before, doc.Fingerprint())
}
