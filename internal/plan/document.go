package plan

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// DocumentVersion is the version of the form of a Document.
const DocumentVersion = 1

// Document is a plan as plain data: what is shown, printed as JSON and kept
// in a plan file. It holds no sensitive value.
type Document struct {
	Version     int                `json:"version"`
	Base        Base               `json:"base"`
	Destroy     bool               `json:"destroy,omitempty"`
	Changes     []DocumentChange   `json:"changes"`
	Diagnostics []DocumentDiagnose `json:"diagnostics,omitempty"`
	Kept        int                `json:"kept"`
	// Seen are the digests of what was there, by the addresses of the changes.
	Seen map[string]string `json:"seen,omitempty"`
}

// DocumentChange is one change as plain data. The edits of a create list every
// attribute that will be set.
type DocumentChange struct {
	Addr    addr.Addr      `json:"address"`
	Action  string         `json:"action"`
	Host    string         `json:"host"`
	ID      string         `json:"id,omitempty"`
	Reason  string         `json:"reason,omitempty"`
	Edits   []DocumentEdit `json:"edits,omitempty"`
	Keeps   []string       `json:"keeps,omitempty"` // settings that are there and left alone
	Loses   []string       `json:"loses,omitempty"` // settings that nobody asked for, and that go with what is replaced
	Lasting bool           `json:"lasting,omitempty"`
}

// DocumentEdit is one edit as plain data.
type DocumentEdit struct {
	Path   []string       `json:"path"`
	Old    *DocumentValue `json:"old,omitempty"`
	New    *DocumentValue `json:"new,omitempty"`
	Effect string         `json:"effect,omitempty"`
	Cause  string         `json:"cause,omitempty"`
	Reason string         `json:"reason,omitempty"`
	Unit   string         `json:"unit,omitempty"` // "bytes" or "seconds"
	// Default says that nobody asked for the value: it is taken because the
	// configuration says nothing, or repeats what the change says already.
	Default bool `json:"default,omitempty"`
}

// DocumentValue is a value, or what can be said of it. Sealed lets two plans
// be compared that have the same sensitive value.
type DocumentValue struct {
	JSON      json.RawMessage `json:"value,omitempty"`
	Unknown   bool            `json:"unknown,omitempty"`
	Sensitive bool            `json:"sensitive,omitempty"`
	Sealed    string          `json:"sealed,omitempty"`
}

// DocumentDiagnose is one diagnostic of a plan as plain data.
type DocumentDiagnose struct {
	Severity string `json:"severity"`
	Summary  string `json:"summary"`
	Detail   string `json:"detail,omitempty"`
	Hint     string `json:"hint,omitempty"`
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
}

// Document returns the plan as plain data. The kinds and the sealer are those
// that the plan was made with.
func (p *Plan) Document(kinds map[string]*resource.Kind, seal resource.Sealer) Document {
	doc := Document{Version: DocumentVersion, Base: p.Base, Kept: p.Kept, Changes: []DocumentChange{}}
	for i := range p.Changes {
		c := &p.Changes[i]
		doc.Changes = append(doc.Changes, p.documentChange(c, kinds, seal))
		if c.Seen.Digest != "" {
			doc.see(c.Addr, c.Seen.Digest)
		}
	}
	for _, d := range p.Diagnostics {
		plain := DocumentDiagnose{Severity: d.Severity.String(), Summary: d.Summary, Detail: d.Detail, Hint: d.Hint}
		if d.Subject != nil {
			plain.File, plain.Line = d.Subject.Filename, d.Subject.Start.Line
		}
		doc.Diagnostics = append(doc.Diagnostics, plain)
	}
	return doc
}

func (d *Document) see(a addr.Addr, digest string) {
	if d.Seen == nil {
		d.Seen = map[string]string{}
	}
	d.Seen[a.String()] = digest
}

func (p *Plan) documentChange(c *Change, kinds map[string]*resource.Kind, seal resource.Sealer) DocumentChange {
	out := DocumentChange{
		Addr: c.Addr, Action: c.Action.Word(), Host: c.Host, ID: c.ID, Reason: c.Reason(), Keeps: c.Seen.Unmanaged,
	}
	if c.Action == Replace {
		out.Keeps, out.Loses = nil, out.Keeps
	}
	kind := kinds[c.Addr.Kind]
	if kind == nil {
		return out // recorded by a version that knew more kinds
	}
	out.Lasting = kind.Lasting
	if kind.Hostless {
		out.Host, out.ID = "", ""
	}
	if kind.ID != nil && p.Base.Serial == 0 {
		out.ID = "" // it follows from the lineage, and a state that was never saved has none yet
	}
	isWhole := c.After != nil && (c.Action == Create || c.Action == Replace && len(c.Edits) == 0)
	edits := c.Edits
	if isWhole {
		edits = leaves(nil, &kind.Schema, c.After.Want)
	}
	for _, e := range slices.Concat(edits, c.renewed(kind)) {
		out.Edits = append(out.Edits, documentEdits(kind, e, seal)...)
	}
	if isWhole { // nothing is there yet that an edit could have an effect on
		for i := range out.Edits {
			out.Edits[i].Effect = ""
		}
	}
	return out
}

// Told returns what a change does to its resource as it is kept for later
// readers: nothing sensitive, not even sealed, and no values that nobody asked
// for.
func (p *Plan) Told(c *Change, kinds map[string]*resource.Kind) []DocumentEdit {
	var told []DocumentEdit
	for _, e := range p.documentChange(c, kinds, resource.Sealer{}).Edits {
		if e.Default {
			continue
		}
		for _, v := range []*DocumentValue{e.Old, e.New} {
			if v != nil {
				v.Sealed, v.Unknown = "", v.Unknown && !v.Sensitive // what was unknown then is only sensitive now
			}
		}
		told = append(told, e)
	}
	return told
}

// renewed returns an edit for each computed value that the change makes anew.
func (c *Change) renewed(kind *resource.Kind) []resource.Edit {
	var edits []resource.Edit
	for _, name := range kind.Schema.AttrNames() {
		a := kind.Schema.Attrs[name]
		if !c.renews(a) {
			continue
		}
		e := resource.Edit{Path: resource.Path{name}, Old: cty.NullVal(a.Type), New: cty.UnknownVal(a.Type), Sensitive: a.Sensitive, Cause: resource.Config}
		if c.Action != Create {
			e.Old, e.Verdict = c.Seen.Object.Attr(name), resource.Verdict{Effect: resource.Live}
		}
		edits = append(edits, e)
	}
	return edits
}

// renews reports whether the change makes a value of the attribute anew.
func (c *Change) renews(a *resource.Attr) bool {
	return a.Renewed && (c.Action == Create || c.Action == Replace || c.Action == Update && c.Effect() > resource.Record)
}

// documentEdits turns one edit into plain data; one that adds or removes a
// whole block becomes one for each attribute that the block sets.
func documentEdits(kind *resource.Kind, e resource.Edit, seal resource.Sealer) []DocumentEdit {
	if block := kind.Schema.BlockAt(e.Path); block != nil {
		var all []DocumentEdit
		for _, side := range []struct {
			v     cty.Value
			isNew bool
		}{{e.Old, false}, {e.New, true}} {
			for _, leaf := range leaves(e.Path, block, side.v) {
				if !side.isNew {
					leaf.Old, leaf.New = leaf.New, leaf.Old
				}
				leaf.Verdict, leaf.Cause, leaf.Sensitive = e.Verdict, e.Cause, leaf.Sensitive || e.Sensitive
				all = append(all, documentEdits(kind, leaf, seal)...)
			}
		}
		if len(all) == 0 {
			all = bareBlock(e)
		}
		return all
	}
	out := DocumentEdit{
		Path: e.Path, Effect: e.Effect.String(), Cause: string(e.Cause), Reason: e.Reason,
		Old: documentValue(e.Old, e.Sensitive, seal), New: documentValue(e.New, e.Sensitive, seal),
	}
	if a := kind.Schema.At(e.Path); a != nil {
		out.Default = e.Old.IsNull() && (a.Default != cty.NilVal && a.Default.RawEquals(unmarked(e.New)) || e.Path.String() == "host")
		out.Unit = [...]string{resource.Plain: "", resource.Size: "bytes", resource.Duration: "seconds"}[a.Unit]
	}
	return []DocumentEdit{out}
}

// bareBlock is the edit of a block that sets nothing, and is there all the
// same: a device needs no more than its label.
func bareBlock(e resource.Edit) []DocumentEdit {
	out := DocumentEdit{Path: e.Path, Effect: e.Effect.String(), Cause: string(e.Cause), Reason: e.Reason}
	bare := &DocumentValue{JSON: json.RawMessage("{}")}
	switch {
	case e.Old.IsNull() && e.New.IsNull():
		return nil
	case e.Old.IsNull():
		out.New = bare
	default:
		out.Old = bare
	}
	return []DocumentEdit{out}
}

// leaves returns an edit for each attribute that an object of the block sets,
// and for each labelled block in it that sets none.
func leaves(path resource.Path, b *resource.Block, v cty.Value) []resource.Edit {
	var edits []resource.Edit
	for _, name := range b.AttrNames() {
		a, part := b.Attrs[name], resource.Attribute(v, name)
		if a.Role == resource.Computed || part.IsNull() {
			continue
		}
		edits = append(edits, resource.Edit{
			Path: path.With(name), Old: cty.NullVal(a.Type), New: part,
			Sensitive: a.Sensitive || part.ContainsMarked(),
		})
	}
	for _, name := range b.BlockNames() {
		n, part := b.Blocks[name], resource.Attribute(v, name)
		switch {
		case part.IsNull() || !part.IsKnown():
		case n.Labelled:
			m := part.AsValueMap()
			for _, label := range slices.Sorted(maps.Keys(m)) {
				at := path.With(name).With(label)
				parts := leaves(at, &n.Block, m[label])
				if len(parts) == 0 {
					parts = []resource.Edit{{Path: at, Old: cty.NullVal(n.Block.Type()), New: m[label]}}
				}
				edits = append(edits, parts...)
			}
		default:
			edits = append(edits, leaves(path.With(name), &n.Block, part)...)
		}
	}
	return edits
}

func unmarked(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return v
}

func documentValue(v cty.Value, sensitive bool, seal resource.Sealer) *DocumentValue {
	v = unmarked(v)
	switch {
	case v == cty.NilVal || v.IsNull():
		return nil
	case !v.IsWhollyKnown():
		return &DocumentValue{Unknown: true, Sensitive: sensitive}
	}
	text, err := ctyjson.Marshal(v, v.Type())
	if err != nil {
		return &DocumentValue{Unknown: true, Sensitive: sensitive} // cannot happen: the value is known and of a plain type
	}
	if sensitive {
		return &DocumentValue{Sensitive: true, Sealed: seal.Text(string(text))}
	}
	return &DocumentValue{JSON: text}
}

// Fingerprint is equal for two plans that would do the same. Diagnostics do
// not count, nor do digests: what else was changed does not make a plan another.
func (d Document) Fingerprint() string {
	d.Diagnostics, d.Kept, d.Seen, d.Changes = nil, 0, nil, slices.Clone(d.Changes)
	for i := range d.Changes {
		d.Changes[i].Keeps = nil // nothing is done about them
	}
	text, err := json.Marshal(d)
	if err != nil {
		return "" // cannot happen: the document is made of plain data
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
