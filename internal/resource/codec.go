package resource

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Encode returns an object of the block's type as JSON without the attributes
// and blocks that are null. It refuses unknown and marked values: they have no
// place in a file.
func (b *Block) Encode(v cty.Value) (json.RawMessage, error) {
	if v != cty.NilVal && (!v.IsWhollyKnown() || v.ContainsMarked()) {
		return nil, fmt.Errorf("attributes: unknown or sensitive values cannot be stored")
	}
	plain, err := b.plain(v)
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return json.Marshal(plain)
}

func (b *Block) plain(v cty.Value) (map[string]any, error) {
	all := map[string]any{}
	for name, a := range b.Attrs {
		part := Attribute(v, name)
		if part.IsNull() {
			continue
		}
		text, err := ctyjson.Marshal(part, a.Type)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = json.RawMessage(text)
	}
	for name, n := range b.Blocks {
		part := Attribute(v, name)
		if part.IsNull() {
			continue
		}
		inner, err := n.plain(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		all[name] = inner
	}
	return all, nil
}

func (n *Nested) plain(v cty.Value) (any, error) {
	if !n.Labelled {
		return n.Block.plain(v)
	}
	all := map[string]any{}
	for label, part := range elements(v) {
		inner, err := n.Block.plain(part)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", label, err)
		}
		all[label] = inner
	}
	return all, nil
}

// Decode reads what Encode wrote. Parts that are missing become null; parts
// that the block does not have are an error.
func (b *Block) Decode(data json.RawMessage) (cty.Value, error) {
	v, err := ctyjson.Unmarshal(data, b.Type())
	if err != nil {
		return cty.NilVal, fmt.Errorf("attributes: %w", err)
	}
	return v, nil
}
