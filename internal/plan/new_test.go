package plan_test

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/resource"
)

type set = map[string]cty.Value

func kinds() map[string]*resource.Kind {
	return map[string]*resource.Kind{"thing": {
		Name: "thing", Version: 1,
		Schema: resource.Block{Attrs: map[string]*resource.Attr{
			"vmid":   {Type: cty.Number},
			"label":  {Type: cty.String},
			"model":  {Type: cty.String},
			"fixed":  {Type: cty.String},
			"boot":   {Type: cty.String},
			"secret": {Type: cty.String, Sensitive: true},
			"serial": {Type: cty.String, Role: resource.Computed},
		}},
		Judge: func(e resource.Edit, _ resource.Resource, _ resource.Seen) resource.Verdict {
			switch e.Path[0] {
			case "model", "vmid":
				return resource.Verdict{Effect: resource.Replace, Reason: "for life"}
			case "boot":
				return resource.Verdict{Effect: resource.Restart}
			case "fixed":
				return resource.Verdict{Effect: resource.Refused, Reason: "it is fixed", Hint: "leave it"}
			}
			return resource.Verdict{Effect: resource.Live}
		},
	}}
}

// scene is an estate in the making: what is wanted, recorded and there.
type scene struct {
	plan.Input
	want map[addr.Addr]resource.Resource
}

func (s *scene) Resolve(a addr.Addr, _ map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	return s.want[a], nil
}

func at(name string) addr.Addr { return addr.New("thing", name) }

func newScene() *scene {
	s := &scene{want: map[addr.Addr]resource.Resource{}}
	s.Kinds = kinds()
	s.Resolver = s
	s.Prior = plan.Prior{Lineage: "l", Serial: 7, Objects: map[addr.Addr]resource.Object{}}
	s.Seen = map[addr.Addr]resource.Seen{}
	survey := resource.Survey{Range: resource.IDRange{Low: 100, High: 102}}
	s.Surveys = map[string]resource.Survey{"pve": survey, "lab": survey}
	return s
}

// wants asks for a thing; nothing of it is recorded or there.
func (s *scene) wants(name string, attrs set, needs ...string) *scene {
	r := resource.Resource{Addr: at(name), Host: "pve", Want: kinds()["thing"].Schema.Value(attrs)}
	for _, n := range needs {
		r.Needs = append(r.Needs, at(n))
	}
	s.want[at(name)] = r
	if _, looked := s.Seen[at(name)]; !looked {
		s.Seen[at(name)] = resource.Seen{Presence: resource.Gone}
	}
	return s
}

// has records a thing and lets it be there as recorded.
func (s *scene) has(name, id string, attrs set, needs ...string) *scene {
	o := resource.Object{Addr: at(name), Host: "pve", ID: id, Nonce: "n", Schema: 1, Attrs: kinds()["thing"].Schema.Value(attrs)}
	for _, n := range needs {
		o.Needs = append(o.Needs, at(n))
	}
	s.Prior.Objects[at(name)] = o
	s.Seen[at(name)] = resource.Seen{Presence: resource.Present, Object: o}
	return s
}

func (s *scene) seen(name string, p resource.Presence) *scene {
	s.Seen[at(name)] = resource.Seen{Presence: p, Why: "so it is"}
	return s
}

func (s *scene) plan() *plan.Plan {
	s.Desired = slices.Collect(maps.Values(s.want))
	return plan.New(s.Input)
}

// show writes a plan in lines: changes, then diagnostics.
func show(p *plan.Plan) []string {
	var out []string
	for _, c := range p.Changes {
		line := fmt.Sprintf("%c %s %s", c.Action, c.Addr.Name, c.ID)
		if why := c.Reason(); why != "" {
			line += ": " + why
		}
		out = append(out, line)
	}
	for _, d := range p.Diagnostics {
		out = append(out, d.Severity.String()+": "+d.Summary)
	}
	return out
}

func TestNewDecides(t *testing.T) {
	a, b := set{"label": cty.StringVal("a")}, set{"label": cty.StringVal("b")}
	model := func(m string) set { return set{"model": cty.StringVal(m)} }
	vmid := func(n int64) set { return set{"vmid": cty.NumberIntVal(n)} }
	protect := func(s *scene, name string) *scene {
		r := s.want[at(name)]
		r.Life.PreventDestroy = true
		s.want[at(name)] = r
		return s
	}
	record := func(s *scene, name string, change func(*resource.Object)) *scene {
		o := s.Prior.Objects[at(name)]
		change(&o)
		s.Prior.Objects[at(name)] = o
		return s
	}
	guest := func(s *scene, id int) *scene {
		survey := s.Surveys["pve"]
		survey.Guests = append(survey.Guests, resource.Guest{ID: id})
		s.Surveys["pve"] = survey
		return s
	}
	for _, c := range []struct {
		name  string
		scene *scene
		want  []string
	}{
		{"nothing to do", newScene().has("x", "100", a).wants("x", a), nil},
		{"create takes the lowest free ID", newScene().has("y", "100", a).wants("y", a).wants("x", a), []string{"+ x 101"}},
		{"explicit IDs are left to those who ask", newScene().wants("a", a).wants("b", vmid(100)), []string{"+ a 101", "+ b 100"}},
		{"the range is exhausted", newScene().wants("a", a).wants("b", a).wants("c", a).wants("d", a),
			[]string{"+ a 100", "+ b 101", "+ c 102", "+ d ", "error: no VMID is free for thing.d"}},
		{"IDs are given in the order of addresses, not of needs", newScene().wants("a", a, "z").wants("m", a).wants("z", a),
			[]string{"+ a 100", "+ m 101", "+ z 102"}},
		{"gone: another resource now asks for its ID", newScene().has("x", "100", a).wants("x", a).seen("x", resource.Gone).wants("y", vmid(100)),
			[]string{"+ x 101: 100 is gone from the host", "+ y 100"}},
		{"gone, and made again on another host under an ID of that", record(newScene().has("x", "102", a).wants("x", a).seen("x", resource.Gone), "x", func(o *resource.Object) { o.Host = "lab" }),
			[]string{"+ x 100: 102 is gone from the host"}},
		{"renamed with its VMID", newScene().has("x", "100", vmid(100)).wants("y", vmid(100)),
			[]string{"- x 100: it is no longer in the configuration", "+ y 100"}},
		{"a stranger without a record is in the way", newScene().wants("x", vmid(100)).seen("x", resource.Stranger),
			[]string{"error: the place of thing.x is taken"}},
		{"IDs of guests of others are left to them", guest(newScene().wants("x", a), 100), []string{"+ x 101"}},
		{"update", newScene().has("x", "100", a).wants("x", b), []string{"~ x 100"}},
		{"replace names what forces it", newScene().has("x", "100", model("a")).wants("x", model("b")),
			[]string{"± x 100: model: for life"}},
		{"another VMID: replaced under the new one", newScene().has("x", "100", vmid(100)).wants("x", vmid(105)),
			[]string{"± x 105: vmid: for life"}},
		{"damaged", record(newScene().has("x", "100", a).wants("x", a), "x", func(o *resource.Object) { o.Damaged = true }),
			[]string{"± x 100: it was made only in part"}},
		{"a last step that was cut short, of which nothing is left to do", record(newScene().has("x", "100", a).wants("x", a), "x", func(o *resource.Object) { o.Unfinished = true }),
			[]string{"~ x 100: its last step is recorded as done"}},
		{"gone: made again under its ID", newScene().has("x", "102", a).wants("x", a).seen("x", resource.Gone),
			[]string{"+ x 102: 102 is gone from the host"}},
		{"stranger: made under another ID", newScene().has("x", "100", a).wants("x", a).seen("x", resource.Stranger),
			[]string{"+ x 101: thing 100 on the host is not ours (so it is)"}},
		{"unknown is left alone", newScene().has("x", "100", a).wants("x", b).seen("x", resource.Unknown),
			[]string{"warning: cannot look at thing.x"}},
		{"never made and unknown: what needs it waits", newScene().wants("x", a).seen("x", resource.Unknown).wants("y", a, "x"),
			[]string{"warning: cannot look at thing.x", "warning: thing.y is held back"}},
		{"a replace waits for it too", newScene().wants("x", a).seen("x", resource.Unknown).has("y", "100", model("a")).wants("y", model("b"), "x"),
			[]string{"warning: cannot look at thing.x", "warning: thing.y is held back"}},
		{"a change that is known to the last value does not wait", newScene().wants("x", a).seen("x", resource.Unknown).has("y", "100", a).wants("y", b, "x"),
			[]string{"~ y 100", "warning: cannot look at thing.x"}},
		{"a change whose value only it could tell waits", newScene().wants("x", a).seen("x", resource.Unknown).
			has("y", "100", a).wants("y", set{"label": cty.UnknownVal(cty.String)}, "x"),
			[]string{"warning: cannot look at thing.x", "warning: thing.y is held back"}},
		{"who needs what is held back waits too", newScene().wants("x", a).seen("x", resource.Unknown).wants("y", a, "x").wants("z", a, "y"),
			[]string{"warning: cannot look at thing.x", "warning: thing.y is held back", "warning: thing.z is held back"}},
		{"what could not be looked at uses up no ID", newScene().wants("a", a).seen("a", resource.Unknown).wants("b", a),
			[]string{"+ b 100", "warning: cannot look at thing.a"}},
		{"delete", newScene().has("x", "100", a), []string{"- x 100: it is no longer in the configuration"}},
		{"forget what is gone", newScene().has("x", "100", a).seen("x", resource.Gone),
			[]string{". x 100: it is gone from the host already"}},
		{"forget a stranger", newScene().has("x", "100", a).seen("x", resource.Stranger),
			[]string{". x 100: 100 on the host is not ours (so it is) and stays"}},
		{"neither deleted nor forgotten", newScene().has("x", "100", a).seen("x", resource.Unknown),
			[]string{"warning: cannot look at thing.x"}},
		{"protected from a replace", protect(newScene().has("x", "100", model("a")).wants("x", model("b")), "x"),
			[]string{"± x 100: model: for life", "error: thing.x is protected by prevent_destroy"}},
		{"protected from a replace by what is recorded", record(newScene().has("x", "100", model("a")).wants("x", model("b")), "x", func(o *resource.Object) { o.PreventDestroy = true }),
			[]string{"± x 100: model: for life", "error: thing.x is protected by prevent_destroy"}},
		{"what the host refuses", newScene().has("x", "100", set{"fixed": cty.StringVal("a")}).wants("x", set{"fixed": cty.StringVal("b")}),
			[]string{"~ x 100", "error: fixed cannot be changed on thing.x"}},
		{"protection is recorded", protect(newScene().has("x", "100", a).wants("x", a), "x"),
			[]string{"~ x 100: prevent_destroy is recorded anew"}},
		{"protection is lifted", record(newScene().has("x", "100", a).wants("x", a), "x", func(o *resource.Object) { o.PreventDestroy = true }),
			[]string{"~ x 100: prevent_destroy is recorded anew"}},
		{"protected from deletion, though the block is gone", record(newScene().has("x", "100", a), "x", func(o *resource.Object) { o.PreventDestroy = true }),
			[]string{"- x 100: it is no longer in the configuration", "error: thing.x is protected by prevent_destroy"}},
		{"needs are recorded", newScene().has("x", "100", a).wants("x", a, "y").has("y", "101", a).wants("y", a),
			[]string{"~ x 100: what it needs is recorded anew"}},
		{"moved to another host", record(newScene().has("x", "100", a).wants("x", a), "x", func(o *resource.Object) { o.Host = "lab" }),
			[]string{`± x 100: it moves from host "lab" to host "pve", and guests cannot`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := c.scene.plan()
			require.Equal(t, c.want, show(p))
			again := c.scene.plan()
			require.Equal(t, p.Document(c.scene.Kinds, c.scene.Prior.Seal), again.Document(c.scene.Kinds, c.scene.Prior.Seal))
		})
	}
}

func TestARefusalPointsAtTheLineAndSaysWhatToDo(t *testing.T) {
	s := newScene().has("x", "100", set{"fixed": cty.StringVal("a")}).wants("x", set{"fixed": cty.StringVal("b")})
	r := s.want[at("x")]
	r.At = map[string]hcl.Range{"fixed": {Filename: "a.hcl", Start: hcl.Pos{Line: 3}}}
	s.want[at("x")] = r
	p := s.plan()
	require.Equal(t, diag.List{{
		Severity: diag.Error, Summary: "fixed cannot be changed on thing.x", Detail: "it is fixed", Hint: "leave it",
		Subject: &hcl.Range{Filename: "a.hcl", Start: hcl.Pos{Line: 3}},
	}}, p.Diagnostics)
}

// unsure is a configuration that cannot tell what thing.x wants.
type unsure struct{ *scene }

func (u unsure) Resolve(a addr.Addr, known map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	if a == at("x") {
		return resource.Resource{}, diag.List{diag.Errorf(nil, "no such thing", "")}
	}
	return u.scene.Resolve(a, known)
}

func TestWhatCannotBeResolvedIsNotPlanned(t *testing.T) {
	label := set{"label": cty.StringVal("l")}
	s := newScene().has("x", "100", label).wants("x", label).wants("y", label)
	s.Resolver = unsure{s}
	require.Equal(t, []string{"+ y 101", "error: no such thing"}, show(s.plan()))
}

// TestEveryCreationHasANonceOfItsOwn: by it a thing is told from every other
// that ever had its address and its ID.
func TestEveryCreationHasANonceOfItsOwn(t *testing.T) {
	m := func(model string) set { return set{"model": cty.StringVal(model)} }
	scenes := map[string]func() *scene{
		"created":            func() *scene { return newScene().wants("x", m("a")) },
		"created, and later": func() *scene { s := newScene().wants("x", m("a")); s.Prior.Serial++; return s },
		"created elsewhere":  func() *scene { s := newScene().wants("x", m("a")); s.Prior.Lineage = "other"; return s },
		"another":            func() *scene { return newScene().has("y", "100", nil).wants("y", nil).wants("x", m("a")) },
		"replaced, and later": func() *scene {
			s := newScene().has("x", "100", m("a")).wants("x", m("b"))
			s.Prior.Serial += 2
			return s
		},
	}
	seen := map[string]string{}
	for name, scene := range scenes {
		nonce := scene().plan().Change(at("x")).Nonce
		require.NotEmpty(t, nonce, name)
		require.Equal(t, nonce, scene().plan().Change(at("x")).Nonce, "%s: a plan is pure", name)
		require.NotContains(t, seen, nonce, "%s and %s", name, seen[nonce])
		seen[nonce] = name
	}
	s := newScene().has("x", "100", nil).wants("x", set{"label": cty.StringVal("l")})
	require.Empty(t, s.plan().Change(at("x")).Nonce, "a change makes nothing")
}

func TestAdopt(t *testing.T) {
	label := set{"label": cty.StringVal("a")}
	s := newScene().has("x", "102", label).wants("x", label).wants("y", label)
	delete(s.Prior.Objects, at("x"))
	require.Equal(t, []string{"< x 102", "+ y 100"}, show(s.plan()), "what is there needs no new ID")
}

// A marker that names its guest by an earlier address is written anew, by
// whatever change there is, or else by one of its own.
func TestAMarkerWithAnotherAddressIsAChange(t *testing.T) {
	label := set{"label": cty.StringVal("a")}
	s := newScene().has("x", "102", label).wants("x", label)
	seen := s.Seen[at("x")]
	seen.Renamed = true
	s.Seen[at("x")] = seen
	require.Equal(t, []string{"~ x 102: its marker on the host gets its new address"}, show(s.plan()))
	require.Equal(t, []string{"~ x 102"}, show(s.wants("x", set{"label": cty.StringVal("b")}).plan()))
	delete(s.Prior.Objects, at("x"))
	require.Equal(t, []string{"< x 102"}, show(s.plan()))
}

// An address that has a guest already gets no second one: the plan of an
// adoption says so instead of what else it would do.
func TestAdoptIsNotForWhatIsRecorded(t *testing.T) {
	label := set{"label": cty.StringVal("a")}
	s := newScene().has("x", "102", label).wants("x", set{"label": cty.StringVal("b")})
	s.Select = plan.Selection{Adopt: map[addr.Addr]string{at("x"): "100"}}
	p := s.plan()
	require.True(t, p.Empty())
	require.Len(t, p.Diagnostics, 1)
	require.Equal(t, `cannot take over thing.x: it is recorded already, as 102 on host "pve"`, p.Diagnostics[0].String())
	s.Select.Adopt[at("x")] = "102"
	require.Equal(t, []string{"~ x 102"}, show(s.plan()), "it is the very one")
}

func TestSelection(t *testing.T) {
	a := set{"label": cty.StringVal("a")}
	estate := func() *scene { return newScene().wants("db", a).wants("web", a, "db").wants("x", a) }
	built := func() *scene { return newScene().has("db", "100", a).has("web", "101", a, "db").has("x", "102", a) }
	for _, c := range []struct {
		name  string
		scene *scene
		sel   plan.Selection
		want  []string
	}{
		{"a target and what it needs", estate(), plan.Selection{Targets: []addr.Addr{at("web")}}, []string{"+ db 100", "+ web 101"}},
		{"a target without what it needs no more",
			newScene().has("db", "100", nil).has("web", "101", nil, "db").wants("db", a).wants("web", a),
			plan.Selection{Targets: []addr.Addr{at("web")}}, []string{"~ web 101"}},
		{"excluded, and what needs it", estate(), plan.Selection{Exclude: []addr.Addr{at("db")}}, []string{"+ x 100"}},
		{"destroy all", built(), plan.Selection{Destroy: true}, []string{"- db 100", "- web 101", "- x 102"}},
		{"destroy a target and what needs it", built(), plan.Selection{Destroy: true, Targets: []addr.Addr{at("db")}}, []string{"- db 100", "- web 101"}},
		{"destroy all but one and what it needs", built(), plan.Selection{Destroy: true, Exclude: []addr.Addr{at("web")}}, []string{"- x 102"}},
		{"replace by wish", newScene().has("x", "100", a).wants("x", a), plan.Selection{Replace: []addr.Addr{at("x")}},
			[]string{"± x 100: asked for with --replace"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.scene.Select = c.sel
			require.Equal(t, c.want, show(c.scene.plan()))
		})
	}
}

func TestAFingerprintTellsPlansApart(t *testing.T) {
	doc := func(label string) plan.Document {
		s := newScene().wants("x", set{"label": cty.StringVal(label), "secret": cty.StringVal("canary")})
		return s.plan().Document(s.Kinds, s.Prior.Seal)
	}
	base := doc("a")
	require.Equal(t, base.Fingerprint(), doc("a").Fingerprint())
	require.NotEqual(t, base.Fingerprint(), doc("b").Fingerprint())
	for name, change := range map[string]func(*plan.Document){
		"serial":  func(d *plan.Document) { d.Base.Serial++ },
		"config":  func(d *plan.Document) { d.Base.Config = "other" },
		"action":  func(d *plan.Document) { d.Changes[0].Action = "delete" },
		"id":      func(d *plan.Document) { d.Changes[0].ID = "999" },
		"destroy": func(d *plan.Document) { d.Destroy = true },
	} {
		d := doc("a")
		change(&d)
		require.NotEqual(t, base.Fingerprint(), d.Fingerprint(), name)
	}
	d := doc("a")
	d.Diagnostics, d.Kept = []plan.DocumentDiagnose{{Summary: "beware"}}, 9
	require.Equal(t, base.Fingerprint(), d.Fingerprint())
}
