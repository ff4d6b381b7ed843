package config

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/resource"
)

// unavailable lists what the language has words for and this version does not
// carry out, by the block it stands in: "" is the file itself. What a kind's
// schema has wins over this table. The text says what can be done instead.
var unavailable = map[string]map[string]notYet{
	"": {
		"module":  {labels: 1, instead: "put its blocks into this directory"},
		"moved":   {block: true, instead: "proximity state mv OLD NEW"},
		"removed": {block: true, instead: "proximity state rm ADDRESS"},
		"import":  {block: true, instead: "proximity adopt HOST/VMID ADDRESS"},
		"check":   {labels: 1},
		"policy":  {labels: 1},
	},
	"proximity": {
		"catalog": {labels: 1},
	},
	"app": {
		"catalog":       {instead: `write image = "…" and what the app needs`},
		"inputs":        {},
		"restore_from":  {},
		"before_change": {},
		"placement":     {block: true, instead: `write node = "…"`},
		"setup":         {block: true},
		"compose":       {block: true},
		"health":        {block: true},
	},
	"backup_policy": {
		"drill": {block: true},
	},
	"lifecycle": {
		"create_before_destroy": {},
		"replace_triggered_by":  {instead: "proximity apply --replace ADDRESS"},
		"precondition":          {block: true},
		"postcondition":         {block: true},
	},
}

// notYet is one entry: an attribute unless it is a block or has labels.
type notYet struct {
	block   bool
	labels  int
	instead string
}

// withUnavailable adds the words of a table to a schema, so that they are
// recognised instead of unknown.
func withUnavailable(schema *hcl.BodySchema, in string) {
	has := map[string]bool{}
	for _, a := range schema.Attributes {
		has[a.Name] = true
	}
	for _, b := range schema.Blocks {
		has[b.Type] = true
	}
	for name, entry := range unavailable[in] {
		switch {
		case has[name]:
		case entry.block || entry.labels > 0:
			schema.Blocks = append(schema.Blocks, hcl.BlockHeaderSchema{Type: name, LabelNames: make([]string, entry.labels)})
		default:
			schema.Attributes = append(schema.Attributes, hcl.AttributeSchema{Name: name})
		}
	}
}

// reportUnavailable reports every use of a word of the table. The schema is
// what this version has: nil for blocks that no kind describes.
func reportUnavailable(content *hcl.BodyContent, in string, schema *resource.Block) diag.List {
	var problems diag.List
	report := func(name string, at hcl.Range) {
		entry, listed := unavailable[in][name]
		if !listed || schema != nil && (schema.Attrs[name] != nil || schema.Blocks[name] != nil) {
			return
		}
		d := diag.Errorf(&at, fmt.Sprintf("%s is not available in this version", name), "")
		d.Hint = entry.instead
		problems = append(problems, d)
	}
	for name, attr := range content.Attributes {
		report(name, attr.NameRange)
	}
	for _, block := range content.Blocks {
		report(block.Type, block.TypeRange)
	}
	return problems
}
