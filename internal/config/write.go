package config

import (
	"maps"
	"slices"
	"strconv"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Write returns a block in canonical form that asks for what want says, which
// conforms to the kind's schema and is wholly known. It leaves out what holds
// without being written: the kind's defaults and those of the host. Remarks
// become comments at the end of the block.
func Write(kind *resource.Kind, a addr.Addr, want cty.Value, host *Host, remarks []string) []byte {
	file := hclwrite.NewEmptyFile()
	block := file.Body().AppendNewBlock(a.Kind, []string{a.Name})
	w := writer{host}
	w.body(block.Body(), &kind.Schema, want)
	for i, remark := range remarks {
		if i == 0 {
			block.Body().AppendNewline()
		}
		block.Body().AppendUnstructuredTokens(comment(remark))
	}
	return hclwrite.Format(file.Bytes())
}

type writer struct{ host *Host }

func (w writer) body(body *hclwrite.Body, b *resource.Block, v cty.Value) {
	if b.Attrs["host"] != nil && w.host != nil {
		body.SetAttributeTraversal("host", hcl.Traversal{hcl.TraverseRoot{Name: "host"}, hcl.TraverseAttr{Name: w.host.Name}})
	}
	for _, name := range b.AttrNames() {
		part := resource.Attribute(v, name)
		if name == "host" || part.IsNull() || b.Attrs[name].Role == resource.Computed || b.Attrs[name].Refers != "" {
			continue
		}
		if part, isSaid := w.beyondDefault(b.Attrs[name], part); isSaid {
			body.SetAttributeRaw(name, tokensOf(b.Attrs[name].Unit, part))
		}
	}
	for _, name := range b.BlockNames() {
		w.nested(body, name, b.Blocks[name], resource.Attribute(v, name))
	}
}

func (w writer) nested(body *hclwrite.Body, name string, n *resource.Nested, v cty.Value) {
	switch {
	case v.IsNull():
	case !n.Labelled:
		w.block(body, hclwrite.NewBlock(name, nil), &n.Block, v, false)
	case v.LengthInt() > 0:
		parts := v.AsValueMap()
		for _, label := range slices.Sorted(maps.Keys(parts)) {
			labels := []string{label}
			if label == n.DefaultLabel {
				labels = nil
			}
			w.block(body, hclwrite.NewBlock(name, labels), &n.Block, parts[label], true)
		}
	}
}

// block adds a nested block. One without content says nothing, unless that it
// is there is what counts.
func (w writer) block(body *hclwrite.Body, block *hclwrite.Block, b *resource.Block, v cty.Value, counts bool) {
	w.body(block.Body(), b, v)
	attrs, blocks := block.Body().Attributes(), block.Body().Blocks()
	switch {
	case len(attrs) == 1 && len(blocks) == 0:
		body.AppendUnstructuredTokens(onOneLine(block))
	case counts || len(attrs)+len(blocks) > 0:
		body.AppendBlock(block)
	}
}

// onOneLine writes a block with one attribute as people do.
func onOneLine(block *hclwrite.Block) hclwrite.Tokens {
	tokens := hclwrite.TokensForIdentifier(block.Type())
	for _, label := range block.Labels() {
		tokens = append(tokens, hclwrite.TokensForValue(cty.StringVal(label))...)
	}
	tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenOBrace, Bytes: []byte("{")})
	for name, attr := range block.Body().Attributes() {
		tokens = append(tokens, hclwrite.TokensForIdentifier(name)...)
		tokens = append(tokens, &hclwrite.Token{Type: hclsyntax.TokenEqual, Bytes: []byte("=")})
		tokens = append(tokens, attr.Expr().BuildTokens(nil)...)
	}
	return append(tokens, &hclwrite.Token{Type: hclsyntax.TokenCBrace, Bytes: []byte("}")},
		&hclwrite.Token{Type: hclsyntax.TokenNewline, Bytes: []byte("\n")})
}

// beyondDefault returns what of a value does not hold by itself.
func (w writer) beyondDefault(a *resource.Attr, v cty.Value) (cty.Value, bool) {
	standard := a.Default
	if w.host != nil && a.HostDefault != "" {
		if of, ok := w.host.Defaults[a.HostDefault]; ok && !of.IsNull() {
			standard = of
		}
	}
	if standard == cty.NilVal || standard.IsNull() || !standard.IsKnown() || standard.IsMarked() {
		return v, true
	}
	if a.HostDefault != "" && a.Type.IsSetType() { // joined with the host's
		members := slices.DeleteFunc(v.AsValueSlice(), func(m cty.Value) bool { return standard.HasElement(m).True() })
		if len(members) == 0 {
			return cty.NilVal, false
		}
		return cty.SetVal(members), true
	}
	return v, !v.RawEquals(standard)
}

// tokensOf writes a value as people do: sizes and durations with their units.
func tokensOf(unit resource.Unit, v cty.Value) hclwrite.Tokens {
	switch unit {
	case resource.Size:
		n, _ := v.AsBigFloat().Int64()
		v = cty.StringVal(resource.SizeText(n))
	case resource.Duration:
		f, _ := v.AsBigFloat().Float64()
		v = cty.StringVal(durationText(time.Duration(f * float64(time.Second))))
	}
	return hclwrite.TokensForValue(v)
}

// durationText writes a duration with the largest unit that divides it.
func durationText(d time.Duration) string {
	for _, unit := range []struct {
		of   time.Duration
		name string
	}{{time.Hour, "h"}, {time.Minute, "m"}, {time.Second, "s"}} {
		if d > 0 && d%unit.of == 0 {
			return strconv.FormatInt(int64(d/unit.of), 10) + unit.name
		}
	}
	return d.String()
}

// comment makes one line of it, whatever the text holds.
func comment(text string) hclwrite.Tokens {
	line := []rune("# ")
	for _, r := range text {
		if r < ' ' || r == 0x7f {
			r = ' '
		}
		line = append(line, r)
	}
	return hclwrite.Tokens{{Type: hclsyntax.TokenComment, Bytes: []byte(string(line) + "\n")}}
}
