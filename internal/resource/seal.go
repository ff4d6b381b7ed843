package resource

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"

	"github.com/zclconf/go-cty/cty"
)

// Sealer replaces sensitive text by a keyed hash: equal values stay equal and
// can be compared, but cannot be read back. The key lies in the state. The
// zero Sealer works, with an empty key.
type Sealer struct{ Key []byte }

const sealedPrefix = "sealed:"

// IsSealed reports whether v is a string as a Sealer writes it.
func IsSealed(v cty.Value) bool {
	v, _ = v.Unmark()
	return v.Type() == cty.String && v.IsKnown() && !v.IsNull() && strings.HasPrefix(v.AsString(), sealedPrefix)
}

// HasSealed reports whether any part of v is sealed.
func HasSealed(v cty.Value) bool {
	found := false
	if v == cty.NilVal {
		return false
	}
	_ = cty.Walk(v, func(_ cty.Path, part cty.Value) (bool, error) {
		found = found || part.Type() == cty.String && IsSealed(part)
		return !found, nil
	})
	return found
}

// Reveal returns recorded attributes with what is sensitive taken from those
// that are wanted, with their marks. Both have the block's type.
func (b *Block) Reveal(recorded, want cty.Value) cty.Value {
	recorded, _ = recorded.Unmark()
	want, _ = want.Unmark()
	if recorded.IsNull() || !recorded.IsKnown() || want.IsNull() || !want.IsKnown() {
		return recorded
	}
	set := recorded.AsValueMap()
	for name, a := range b.Attrs {
		if v := Attribute(want, name); !v.IsNull() && (a.Sensitive || v.ContainsMarked()) {
			set[name] = v
		}
	}
	for name, n := range b.Blocks {
		set[name] = n.reveal(Attribute(recorded, name), Attribute(want, name))
	}
	return b.Value(set)
}

func (n *Nested) reveal(recorded, want cty.Value) cty.Value {
	if !n.Labelled {
		return n.Block.Reveal(recorded, want)
	}
	want, _ = want.Unmark()
	if recorded.IsNull() || !recorded.IsKnown() || recorded.LengthInt() == 0 || want.IsNull() || !want.IsKnown() {
		return recorded
	}
	set := recorded.AsValueMap()
	for label, v := range want.AsValueMap() {
		if _, ok := set[label]; ok {
			set[label] = n.Block.Reveal(set[label], v)
		}
	}
	return cty.MapVal(set)
}

// isGenerated reports whether a value is known to nobody but the program: it is
// recorded as it is, since a hash could not be turned back.
func (a *Attr) isGenerated() bool { return a.Role == Computed && a.Sensitive }

// KeepsSecret reports whether there are values in such a block that are recorded
// as they are although they are sensitive: computed ones, which could not be had
// again. Only an encrypted state may keep them.
func (b *Block) KeepsSecret() bool {
	for _, a := range b.Attrs {
		if a.isGenerated() {
			return true
		}
	}
	return false
}

// HasSecret reports whether recorded attributes hold such a value.
func (b *Block) HasSecret(recorded cty.Value) bool {
	for name, a := range b.Attrs {
		if a.isGenerated() && !Attribute(recorded, name).IsNull() {
			return true
		}
	}
	return false
}

// WithoutSecrets returns recorded attributes without such values, as they may be
// shown.
func (b *Block) WithoutSecrets(recorded cty.Value) cty.Value {
	if !b.HasSecret(recorded) {
		return recorded
	}
	set := recorded.AsValueMap()
	for name, a := range b.Attrs {
		if a.isGenerated() {
			set[name] = cty.NullVal(a.Type)
		}
	}
	return cty.ObjectVal(set)
}

// Text seals one string.
func (s Sealer) Text(text string) string {
	mac := hmac.New(sha256.New, s.Key)
	mac.Write([]byte(text))
	return sealedPrefix + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Leaf returns the value of an attribute as state keeps it: without marks,
// and sealed where it is sensitive. Sensitive values that hold no text become
// null, since a hash would not fit their type.
func (s Sealer) Leaf(a *Attr, v cty.Value) cty.Value {
	if v == cty.NilVal || v.IsNull() || !a.Sensitive && !isMarked(v) {
		return v
	}
	whole := a.Sensitive || v.IsMarked()
	sealed, err := cty.Transform(v, func(_ cty.Path, part cty.Value) (cty.Value, error) {
		plain, marks := part.Unmark()
		switch {
		case !whole && len(marks) == 0 || !plain.IsKnown() || plain.IsNull():
			return part, nil
		case plain.Type() == cty.String:
			return cty.StringVal(s.Text(plain.AsString())).WithMarks(marks), nil
		case plain.Type().IsPrimitiveType() && plain.Type() != cty.String:
			return cty.NullVal(plain.Type()).WithMarks(marks), nil
		}
		return part, nil
	})
	if err != nil {
		return cty.NullVal(a.Type) // cannot happen: no callback above errs
	}
	sealed, _ = sealed.UnmarkDeep()
	return sealed
}

// Object returns a value of the block's type as state keeps it.
func (s Sealer) Object(b *Block, v cty.Value) cty.Value {
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() {
		return cty.NullVal(b.Type())
	}
	set := make(map[string]cty.Value, len(b.Attrs)+len(b.Blocks))
	for name, a := range b.Attrs {
		set[name] = s.Leaf(a, Attribute(v, name))
	}
	for name, n := range b.Blocks {
		set[name] = s.nested(n, Attribute(v, name))
	}
	return b.Value(set)
}

func (s Sealer) nested(n *Nested, v cty.Value) cty.Value {
	v, _ = v.Unmark()
	if v.IsNull() || !v.IsKnown() {
		return cty.NullVal(n.Type())
	}
	if !n.Labelled {
		return s.Object(&n.Block, v)
	}
	if v.LengthInt() == 0 {
		return cty.MapValEmpty(n.Block.Type())
	}
	sealed := make(map[string]cty.Value, v.LengthInt())
	for label, element := range v.AsValueMap() {
		sealed[label] = s.Object(&n.Block, element)
	}
	return cty.MapVal(sealed)
}
