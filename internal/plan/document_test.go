package plan_test

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
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

var update = flag.Bool("update", false, "write the golden files anew")

// documentKinds has an attribute and a block of every sort that a document
// treats differently.
func documentKinds() map[string]*resource.Kind {
	guest := &resource.Kind{
		Name: "guest", Version: 1,
		Schema: resource.Block{
			Attrs: map[string]*resource.Attr{
				"host":    {Type: cty.String},
				"label":   {Type: cty.String},
				"model":   {Type: cty.String},
				"memory":  {Type: cty.Number, Unit: resource.Size, Default: cty.NumberIntVal(512 << 20)},
				"timeout": {Type: cty.Number, Unit: resource.Duration},
				"secret":  {Type: cty.String, Sensitive: true},
				"peer":    {Type: cty.String},
				"serial":  {Type: cty.String, Role: resource.Computed},
			},
			Blocks: map[string]*resource.Nested{
				"disk": {Block: resource.Block{Attrs: map[string]*resource.Attr{
					"size": {Type: cty.Number, Unit: resource.Size}, "note": {Type: cty.String, Default: cty.StringVal("none")},
				}}},
				"network": {Labelled: true, Block: resource.Block{Attrs: map[string]*resource.Attr{
					"bridge": {Type: cty.String}, "key": {Type: cty.String, Sensitive: true},
				}}},
			},
		},
		Judge: func(e resource.Edit, _ resource.Resource, _ resource.Seen) resource.Verdict {
			switch e.Path[0] {
			case "model":
				return resource.Verdict{Effect: resource.Replace, Reason: "for life"}
			case "network":
				return resource.Verdict{Effect: resource.Restart, Reason: "plugged in at boot"}
			}
			return resource.Verdict{Effect: resource.Live}
		},
	}
	image := &resource.Kind{
		Name: "image", Version: 1, Lasting: true,
		Schema: resource.Block{Attrs: map[string]*resource.Attr{"file": {Type: cty.String}}},
	}
	job := &resource.Kind{
		Name: "job", Version: 1,
		Schema: resource.Block{Attrs: map[string]*resource.Attr{"label": {Type: cty.String}}},
		ID:     func(lineage string, a addr.Addr) string { return lineage + "-" + a.Name },
	}
	return map[string]*resource.Kind{"guest": guest, "image": image, "job": job}
}

// estate is what a document is made of.
type estate struct{ *scene }

func newEstate() estate {
	s := newScene()
	s.Kinds = documentKinds()
	s.Config = "sha256:c0ffee"
	s.Surveys["pve"] = resource.Survey{Range: resource.IDRange{Low: 100, High: 199}}
	return estate{s}
}

func (e estate) add(kind, name string, want, have set) {
	k, a := e.Kinds[kind], addr.New(kind, name)
	if kind == "image" {
		a.Part = "node/local:vztmpl/" + name
	}
	e.Seen[a] = resource.Seen{Presence: resource.Gone}
	if want != nil {
		e.want[a] = resource.Resource{Addr: a, Host: "pve", Want: k.Schema.Value(want)}
	}
	if have != nil {
		o := resource.Object{Addr: a, Host: "pve", ID: "1" + name[len(name)-2:], Nonce: "n", Schema: 1}
		o.Attrs = e.Prior.Seal.Object(&k.Schema, k.Schema.Value(have))
		e.Prior.Objects[a] = o
		o.Attrs = k.Schema.Value(have)
		e.Seen[a] = resource.Seen{Presence: resource.Present, Object: o}
	}
}

// there changes a thing behind our back.
func (e estate) there(name string, change func(*resource.Seen)) {
	seen := e.Seen[addr.New("guest", name)]
	change(&seen)
	e.Seen[addr.New("guest", name)] = seen
}

const canary = "canary-3kP9-secret"

func network(bridge string) cty.Value {
	return cty.ObjectVal(set{"bridge": cty.StringVal(bridge), "key": cty.StringVal(canary)})
}

func fullEstate() estate {
	e := newEstate()
	text, disk := cty.StringVal, cty.ObjectVal(set{"size": cty.NumberIntVal(8 << 30), "note": cty.StringVal("none")})
	e.add("guest", "created50", set{
		"host": text("pve"), "label": text("l"), "memory": cty.NumberIntVal(512 << 20), "timeout": cty.NumberIntVal(90),
		"secret": text(canary), "peer": cty.UnknownVal(cty.String), "disk": disk,
		"network": cty.MapVal(set{"eth1": network("b"), "eth0": network("a")}),
	}, nil)
	e.add("guest", "deleted51", nil, set{"label": text("l")})
	e.add("guest", "drifted52", set{"label": text("ours")}, set{"label": text("ours")})
	e.there("drifted52", func(s *resource.Seen) {
		s.Object.Attrs = e.Kinds["guest"].Schema.Value(set{"label": text("by hand"), "serial": text("s")})
		s.Unmanaged = []string{"lxc.apparmor.profile: unconfined"}
	})
	e.add("guest", "hidden61", set{"label": text(canary).Mark(resource.Sensitive)}, nil)
	hidden := cty.ObjectVal(set{"bridge": text(canary).Mark(resource.Sensitive), "key": text(canary)})
	e.add("guest", "hidden62", set{"network": cty.MapVal(set{"eth0": hidden})}, set{"label": text("l")})
	e.add("guest", "kept53", set{"label": text("l")}, set{"label": text("l")})
	e.add("guest", "marked54", set{"label": text(canary).Mark(resource.Sensitive)}, set{"label": text("old")})
	e.add("guest", "plugged55",
		set{"network": cty.MapVal(set{"eth1": network("new")}), "disk": disk},
		set{"network": cty.MapVal(set{"eth0": network("old")})})
	e.add("guest", "replaced56", set{"model": text("b"), "memory": cty.NumberIntVal(1 << 30)}, set{"model": text("a"), "memory": cty.NumberIntVal(512 << 20)})
	e.add("guest", "waits57", set{"peer": cty.UnknownVal(cty.String), "secret": text("canary-new")}, set{"peer": text("old"), "secret": text(canary)})
	e.add("guest", "wished58", set{"label": text("l")}, set{"label": text("l")})
	e.Select.Replace = []addr.Addr{addr.New("guest", "wished58")}
	e.add("guest", "gone59", nil, set{"label": text("l")})
	e.there("gone59", func(s *resource.Seen) { *s = resource.Seen{Presence: resource.Gone} })
	e.add("guest", "again60", set{"label": text("l")}, set{"label": text("l")})
	e.there("again60", func(s *resource.Seen) { *s = resource.Seen{Presence: resource.Gone} })
	e.add("image", "debian", set{"file": text("debian-12.tar.zst")}, nil)
	e.add("job", "nightly", set{"label": text("l")}, nil)
	return e
}

func (e estate) document() (*plan.Plan, plan.Document) {
	p := e.plan()
	p.Diagnostics = append(p.Diagnostics,
		diag.Errorf(&hcl.Range{Filename: "a.hcl", Start: hcl.Pos{Line: 7, Column: 3}}, "no room", "%d GiB", 3).WithHint("make room"),
		diag.Warningf(nil, "beware", ""))
	return p, p.Document(e.Kinds, e.Prior.Seal)
}

func TestDocumentIsGolden(t *testing.T) {
	_, doc := fullEstate().document()
	text, err := json.MarshalIndent(doc, "", "  ")
	require.NoError(t, err)
	path := filepath.Join("testdata", "document.golden")
	if *update {
		require.NoError(t, os.MkdirAll("testdata", 0o755))
		require.NoError(t, os.WriteFile(path, append(text, '\n'), 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(text)+"\n", "run with -update when the change is meant")
	require.NotContains(t, string(text), "canary", "a secret is in the document")

	var again plan.Document
	require.NoError(t, json.Unmarshal(want, &again))
	require.Equal(t, doc.Fingerprint(), again.Fingerprint(), "a plan file tells the same plan")
	again.Changes[0].Keeps = append(again.Changes[0].Keeps, "mp3: theirs")
	require.Equal(t, doc.Fingerprint(), again.Fingerprint(), "nothing is done about what is kept")
	again.Changes[0].ID += "1"
	require.NotEqual(t, doc.Fingerprint(), again.Fingerprint())
}

// edit returns the document's edit at a path, or fails.
func edit(t *testing.T, doc plan.Document, name string, path ...string) plan.DocumentEdit {
	t.Helper()
	for _, c := range doc.Changes {
		for _, e := range c.Edits {
			if c.Addr.Name == name && slices.Equal(e.Path, path) {
				return e
			}
		}
	}
	require.Fail(t, "no such edit", "%s %v", name, path)
	return plan.DocumentEdit{}
}

func TestDocumentMarksWhatNobodyAskedFor(t *testing.T) {
	_, doc := fullEstate().document()
	for _, c := range []struct {
		change string
		path   []string
		want   bool
	}{
		{"created50", []string{"memory"}, true},
		{"created50", []string{"disk", "note"}, true},
		{"created50", []string{"host"}, true}, // the change says it already
		{"created50", []string{"label"}, false},
		{"created50", []string{"disk", "size"}, false},
		{"replaced56", []string{"memory"}, false}, // not the default
	} {
		require.Equal(t, c.want, edit(t, doc, c.change, c.path...).Default, "%s %v", c.change, c.path)
	}

	back := newEstate()
	back.add("guest", "reset50", set{"memory": cty.NumberIntVal(512 << 20)}, set{"memory": cty.NumberIntVal(1 << 30)})
	_, doc = back.document()
	require.False(t, edit(t, doc, "reset50", "memory").Default, "what takes away a value is shown")
}

func TestDocumentTellsSecretsApartWithoutTellingThem(t *testing.T) {
	sealed := func(secret string) string {
		e := newEstate()
		e.add("guest", "x50", set{"secret": cty.StringVal(secret)}, nil)
		_, doc := e.document()
		v := edit(t, doc, "x50", "secret").New
		require.True(t, v.Sensitive)
		require.Empty(t, v.JSON)
		return v.Sealed
	}
	require.Equal(t, sealed("one"), sealed("one"))
	require.NotEqual(t, sealed("one"), sealed("two"))
}

func TestDocumentNamesNoIDThatIsNotCertain(t *testing.T) {
	for serial, want := range map[uint64]string{0: "", 7: "l-nightly"} {
		e := newEstate()
		e.Prior.Serial = serial
		e.add("job", "nightly", set{"label": cty.StringVal("l")}, nil)
		e.add("guest", "x50", set{"label": cty.StringVal("l")}, nil)
		_, doc := e.document()
		require.Equal(t, []string{"100", want}, []string{doc.Changes[0].ID, doc.Changes[1].ID}, "serial %d", serial)
	}
}

func TestLastingThingsThatAreThereAreNotSpokenOf(t *testing.T) {
	e := newEstate()
	e.add("image", "debian", set{"file": cty.StringVal("wanted")}, set{"file": cty.StringVal("there")})
	clear(e.Prior.Objects) // they are not recorded
	p := e.plan()
	require.Empty(t, p.Changes)
	require.Zero(t, p.Kept)
}

func TestDocumentOfAKindThatNobodyKnows(t *testing.T) {
	e := newEstate()
	e.add("guest", "x50", nil, set{"label": cty.StringVal("l")})
	p := e.plan()
	doc := p.Document(nil, e.Prior.Seal)
	require.Equal(t, []plan.DocumentChange{{
		Addr: addr.New("guest", "x50"), Action: "delete", Host: "pve", ID: "150", Reason: "it is no longer in the configuration",
	}}, doc.Changes)
}
