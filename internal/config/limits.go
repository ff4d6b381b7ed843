package config

import (
	"bytes"
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
)

// What a configuration may be at most. The parser and the evaluator of HCL
// have no bounds of their own: deep nesting overflows their stack, which ends
// the process, and a few lines can ask for any amount of memory.
const (
	maxFile      = 1 << 20
	maxFiles     = 16 << 20
	maxDepth     = 200
	maxText      = 8 << 20
	maxElements  = 1 << 20
	maxInstances = 5_000
	maxResources = 10_000
	maxTime      = 30 * time.Second
)

// notText reports the first byte that a configuration cannot hold, or nil.
func notText(name string, src []byte) *diag.Diagnostic {
	for at := 0; at < len(src); {
		r, size := utf8.DecodeRune(src[at:])
		if r != 0 && (r != utf8.RuneError || size > 1) {
			at += size
			continue
		}
		line, before := 1+bytes.Count(src[:at], []byte("\n")), src[bytes.LastIndexByte(src[:at], '\n')+1:at]
		place := hcl.Range{Filename: name,
			Start: hcl.Pos{Line: line, Column: 1 + utf8.RuneCount(before), Byte: at},
			End:   hcl.Pos{Line: line, Column: 2 + utf8.RuneCount(before), Byte: at + 1}}
		d := diag.Errorf(&place, "not a text file in UTF-8", "the byte %#02x stands here", src[at])
		if bytes.HasPrefix(src, []byte{0xff, 0xfe}) || bytes.HasPrefix(src, []byte{0xfe, 0xff}) {
			d.Detail = "it is in UTF-16"
			d.Hint = fmt.Sprintf("iconv -f UTF-16 -t UTF-8 %s > new.hcl && mv new.hcl %[1]s", name)
		}
		return &d
	}
	return nil
}

// tooDeep reports where nesting passes maxDepth, or nil. It only reads tokens,
// so any input is safe. Runs of unary operators nest too, without brackets.
func tooDeep(name string, src []byte) *hcl.Range {
	if isJSON(name) {
		return tooDeepJSON(name, src)
	}
	tokens, _ := hclsyntax.LexConfig(src, name, hcl.InitialPos)
	return tooDeepTokens(tokens)
}

func tooDeepTokens(tokens hclsyntax.Tokens) *hcl.Range {
	depth, unary := 0, 0
	for _, token := range tokens {
		switch token.Type {
		case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenQuestion, hclsyntax.TokenColon:
			unary++
		case hclsyntax.TokenNewline, hclsyntax.TokenComma:
			unary = 0
		case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen, hclsyntax.TokenOQuote,
			hclsyntax.TokenOHeredoc, hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
			depth++
		case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenCQuote,
			hclsyntax.TokenCHeredoc, hclsyntax.TokenTemplateSeqEnd:
			depth, unary = max(depth-1, 0), 0
		}
		if depth+unary > maxDepth {
			return token.Range.Ptr()
		}
	}
	return nil
}

// tooDeepJSON counts brackets outside of strings. Templates inside strings are
// parsed as HCL, so brackets in there are counted by themselves.
func tooDeepJSON(name string, src []byte) *hcl.Range {
	line, column, depth, inner := 1, 0, 0, 0
	quoted := false
	for i := 0; i < len(src); i++ {
		column++
		switch c := src[i]; {
		case c == '\n':
			line, column = line+1, 0
		case quoted && c == '\\':
			i++
			column++
			inner++ // an escape can hide a bracket: \u005b
		case c == '"':
			quoted, inner = !quoted, 0
		case quoted && (c == '[' || c == '(' || c == '{' || c == '!' || c == '-' || c == '?'):
			inner++
		case quoted && (c == ']' || c == ')' || c == '}' || c == ' '):
			inner = max(inner-1, 0)
		case !quoted && (c == '[' || c == '{'):
			depth++
		case !quoted && (c == ']' || c == '}'):
			depth = max(depth-1, 0)
		}
		if depth+inner > maxDepth {
			at := hcl.Pos{Line: line, Column: column, Byte: i}
			return &hcl.Range{Filename: name, Start: at, End: at}
		}
	}
	return nil
}

// tooLarge says why a value is more than a configuration may hold, or "". It
// stops counting at the bound: values share parts, so that a small one can
// have more elements than any memory.
func tooLarge(v cty.Value) string {
	left, text := maxElements, maxText
	if count(v, &left, &text) {
		return ""
	}
	if left < 0 {
		return fmt.Sprintf("it has more than %d elements", maxElements)
	}
	return fmt.Sprintf("it has more than %d MiB of text", maxText>>20)
}

func count(v cty.Value, left, text *int) bool {
	*left--
	v, _ = v.Unmark()
	switch {
	case v.IsNull() || !v.IsKnown():
	case v.Type() == cty.String:
		*text -= len(v.AsString())
	case v.CanIterateElements():
		for it := v.ElementIterator(); it.Next(); {
			if _, element := it.Element(); !count(element, left, text) {
				return false
			}
		}
	}
	return *left >= 0 && *text >= 0
}

// inTime runs work and returns its result, or nil and a diagnostic when it
// takes longer than limit. Evaluation cannot be interrupted: work then goes on
// by itself until the process ends.
func inTime[T any](limit time.Duration, work func() (T, diag.List)) (T, diag.List) {
	type outcome struct {
		value    T
		problems diag.List
	}
	done := make(chan outcome, 1)
	go func() {
		value, problems := work()
		done <- outcome{value, problems}
	}()
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case out := <-done:
		return out.value, out.problems
	case <-timer.C:
		var none T
		return none, diag.List{diag.Errorf(nil, "configuration takes too long",
			"its expressions were not evaluated within %s", limit).
			WithHint("look for nested for expressions over long lists")}
	}
}
