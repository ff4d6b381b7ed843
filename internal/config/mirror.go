package config

import (
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// mirrors are attributes that say from one side what an attribute of the
// other kind says from its own: an app's backup = backup_policy.nightly means
// the same as listing the app in the policy's apps.
var mirrors = map[string]mirror{
	"app": {attr: "backup", kind: "backup_policy", list: "apps"},
}

type mirror struct{ attr, kind, list string }

// findMirrors finds out which instances say by a mirror what they belong to.
func (w *world) findMirrors() {
	for _, b := range w.inOrder() {
		if b.mirror == nil || b.mirror.broken {
			continue
		}
		m := mirrors[b.kind.Name]
		for _, inst := range b.instances {
			vars, _ := w.now.variablesOf(b, inst)
			v, problems := w.now.value(b.mirror, vars)
			w.say(problems...)
			if problems.HasErrors() || v.IsNull() {
				continue
			}
			v, _ = v.Unmark()
			if t := v.Type(); !v.IsKnown() || !t.IsObjectType() || !t.HasAttribute("address") {
				w.say(diag.Errorf(&b.mirror.at, "wrong type", "%s has to be one whole %s, known before anything is made", m.attr, rootWord(m.kind)).
					WithHint("%s = %s.NAME", m.attr, m.kind))
				break
			}
			to, err := addr.Parse(v.GetAttr("address").AsString())
			if err != nil || to.Kind != m.kind {
				w.say(diag.Errorf(&b.mirror.at, "wrong kind", "%s is no %s", v.GetAttr("address").AsString(), rootWord(m.kind)))
				break
			}
			w.mirrored[inst.addr] = meeting{to, b.mirror.at}
			w.covered[to] = append(w.covered[to], inst.addr)
		}
	}
}

// mirror sets the attribute that only says from this side what the other kind
// is told: the address, so that nothing waits for the other's making.
func (s *session) mirror(b *block, inst instance, d *decoder) {
	m, ok := mirrors[b.kind.Name]
	if !ok || b.kind.Schema.Attrs[m.attr] == nil {
		return
	}
	v := cty.NullVal(cty.String)
	if to, ok := s.w.mirrored[inst.addr]; ok {
		v = cty.StringVal(to.addr.String())
		d.met = append(d.met, to)
	}
	d.fixed[m.attr] = v
}

// cover adds to a list what mirrors of others add to it.
func (d *decoder) cover(b *block, inst instance, r *resource.Resource) {
	covered := d.w.covered[inst.addr]
	if len(covered) == 0 {
		return
	}
	list := d.w.covers(b.kind.Name)
	attr := b.kind.Schema.Attrs[list]
	if attr == nil {
		return
	}
	var ids []cty.Value
	if v := r.Want.GetAttr(list); !v.IsNull() && v.IsKnown() {
		ids = v.AsValueSlice()
	} else if !v.IsNull() {
		return // unknown stays unknown
	}
	for _, a := range covered {
		ids = append(ids, resource.Attribute(d.object(d.w.blocks[a.Block()], a), "id"))
	}
	joined, err := convert.Convert(cty.TupleVal(ids), attr.Type)
	if err != nil {
		d.problems = append(d.problems, wrongType(list, attr.Type, cty.TupleVal(ids), err, b.at))
		return
	}
	values := r.Want.AsValueMap()
	values[list] = joined
	r.Want = cty.ObjectVal(values)
}

// covers returns the attribute of a kind that mirrors of others write to.
func (w *world) covers(kind string) string {
	for _, m := range mirrors {
		if m.kind == kind {
			return m.list
		}
	}
	return ""
}
