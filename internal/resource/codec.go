package resource

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"
)

// Encode returns an object of the block's type as JSON without its null
// parts. It refuses unknown and marked values: they have no place in a file.
func (b *Block) Encode(v cty.Value) (json.RawMessage, error) {
	if v == cty.NilVal || v.IsNull() {
		return json.RawMessage("{}"), nil
	}
	if !v.IsWhollyKnown() || v.ContainsMarked() {
		return nil, fmt.Errorf("attributes: unknown or sensitive values cannot be stored")
	}
	full, err := ctyjson.Marshal(v, b.Type())
	if err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	var plain any
	decoder := json.NewDecoder(bytes.NewReader(full))
	decoder.UseNumber()
	if err := decoder.Decode(&plain); err != nil {
		return nil, fmt.Errorf("attributes: %w", err)
	}
	return json.Marshal(withoutNulls(plain))
}

func withoutNulls(v any) any {
	switch v := v.(type) {
	case map[string]any:
		for key, part := range v {
			if part == nil {
				delete(v, key)
			} else {
				v[key] = withoutNulls(part)
			}
		}
	case []any:
		for i := range v {
			v[i] = withoutNulls(v[i])
		}
	}
	return v
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
