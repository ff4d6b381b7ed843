package state

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

func (c codec) encodeObject(o resource.Object) (fileObject, error) {
	attrs, err := c.encodeAttrs(o.Addr, o.Attrs)
	return fileObject{
		Addr: o.Addr, Host: o.Host, ID: o.ID, Nonce: o.Nonce, Schema: o.Schema, Attrs: attrs, Needs: o.Needs,
		Damaged: o.Damaged, Unfinished: o.Unfinished, PreventDestroy: o.PreventDestroy, Changed: o.Changed, Kept: o.Kept,
	}, err
}

func (c codec) decodeObject(f fileObject) (resource.Object, error) {
	kind, err := c.kind(f.Addr)
	if err != nil {
		return resource.Object{}, err
	}
	attrs, err := c.decodeAttrs(f.Addr, f.Schema, f.Attrs)
	return resource.Object{
		Addr: f.Addr, Host: f.Host, ID: f.ID, Nonce: f.Nonce, Schema: kind.Version, Attrs: attrs, Needs: f.Needs,
		Damaged: f.Damaged, Unfinished: f.Unfinished, PreventDestroy: f.PreventDestroy, Changed: f.Changed, Kept: f.Kept,
	}, err
}

func (c codec) encodeIntent(i Intent) (fileIntent, error) {
	f := fileIntent{
		Seq: i.Seq, Addr: i.Addr, Op: i.Op, Host: i.Host, ID: i.ID, Nonce: i.Nonce, Needs: i.Needs,
		PreventDestroy: i.PreventDestroy, Task: i.Task, Earlier: i.Earlier, At: i.At,
		Action: i.Action, Plan: i.Plan, Edits: i.Edits, By: i.By,
	}
	if i.Attrs == cty.NilVal {
		return f, nil
	}
	kind, err := c.kind(i.Addr)
	if err != nil {
		return f, err
	}
	f.Schema = kind.Version
	f.Attrs, err = c.encodeAttrs(i.Addr, i.Attrs)
	return f, err
}

func (c codec) decodeIntent(f fileIntent) (Intent, error) {
	i := Intent{
		Seq: f.Seq, Addr: f.Addr, Op: f.Op, Host: f.Host, ID: f.ID, Nonce: f.Nonce, Needs: f.Needs,
		PreventDestroy: f.PreventDestroy, Task: f.Task, Earlier: f.Earlier, At: f.At,
		Action: f.Action, Plan: f.Plan, Edits: f.Edits, By: f.By,
	}
	if len(f.Attrs) == 0 {
		return i, nil
	}
	var err error
	i.Attrs, err = c.decodeAttrs(f.Addr, f.Schema, f.Attrs)
	return i, err
}

func (c codec) kind(a addr.Addr) (*resource.Kind, error) {
	if kind := c.kinds[a.Kind]; kind != nil {
		return kind, nil
	}
	return nil, fmt.Errorf("%s: this version has no kind %q", a, a.Kind)
}

func (c codec) encodeAttrs(a addr.Addr, v cty.Value) (json.RawMessage, error) {
	kind, err := c.kind(a)
	if err != nil {
		return nil, err
	}
	if c.box == nil && kind.Schema.HasSecret(v) {
		return nil, fmt.Errorf("%s: its value is kept only where state is encrypted", a)
	}
	attrs, err := kind.Schema.Encode(v)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a, err)
	}
	return attrs, nil
}

func (c codec) decodeAttrs(a addr.Addr, version int, data json.RawMessage) (cty.Value, error) {
	kind, err := c.kind(a)
	if err != nil {
		return cty.NilVal, err
	}
	if version > kind.Version {
		return cty.NilVal, fmt.Errorf("%s: recorded by a newer version of the program", a)
	}
	if data, err = migrate(kind, version, data); err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", a, err)
	}
	v, err := kind.Schema.Decode(data)
	if err != nil {
		return cty.NilVal, fmt.Errorf("%s: %w", a, err)
	}
	return v, nil
}

// migrate brings recorded attributes to the kind's present form.
func migrate(kind *resource.Kind, version int, data json.RawMessage) (json.RawMessage, error) {
	if version == kind.Version || kind.Migrate == nil {
		return data, nil
	}
	var attrs map[string]any
	if err := json.Unmarshal(data, &attrs); err != nil {
		return nil, err
	}
	for ; version < kind.Version; version++ {
		attrs = kind.Migrate(version, attrs)
	}
	return json.Marshal(attrs)
}
