package config

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// identities replaces whole resources in a value by their IDs, as an
// attribute that refers to resources holds them. IDs that are written as they
// are stay.
func (d *decoder) identities(a *resource.Attr, v cty.Value, written *attribute) cty.Value {
	marks := cty.ValueMarks{}
	var ids []cty.Value
	complete := d.collect(a.Refers, v, written, &ids, marks)
	switch {
	case !a.Type.IsCollectionType() && complete && len(ids) == 1:
		return ids[0].WithMarks(marks)
	case !complete || !a.Type.IsCollectionType():
		if complete {
			d.problems = append(d.problems, diag.Errorf(&written.at, "wrong type", "exactly one %s is needed here", rootWord(a.Refers)).
				WithHint("%s.NAME", a.Refers))
		}
		return cty.UnknownVal(a.Type).WithMarks(marks)
	}
	return cty.TupleVal(ids).WithMarks(marks)
}

// collect adds the IDs of all resources in v. It returns false when there is
// a part of which it is not known what it is.
func (d *decoder) collect(kind string, v cty.Value, written *attribute, ids *[]cty.Value, marks cty.ValueMarks) bool {
	v, found := v.Unmark()
	for m := range found {
		marks[m] = struct{}{}
	}
	switch t := v.Type(); {
	case !v.IsKnown():
		return false
	case v.IsNull():
		return true
	case t.IsObjectType() && t.HasAttribute("address"):
		at, err := addr.Parse(v.GetAttr("address").AsString())
		if err != nil || at.Kind != kind {
			d.problems = append(d.problems, diag.Errorf(&written.at, "wrong kind", "%s is no %s", v.GetAttr("address").AsString(), rootWord(kind)))
			return false
		}
		d.met = append(d.met, meeting{at, written.at})
		id := cty.UnknownVal(cty.DynamicPseudoType)
		if t.HasAttribute("id") {
			id = v.GetAttr("id")
		}
		*ids = append(*ids, id)
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			if _, part := it.Element(); !d.collect(kind, part, written, ids, marks) {
				return false
			}
		}
	default:
		*ids = append(*ids, v)
	}
	return true
}
