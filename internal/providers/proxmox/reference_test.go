package proxmox

import (
	stdflag "flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/secret"
	"github.com/proximity-cli/proximity/internal/resource"
)

var update = stdflag.Bool("update", false, "rewrite golden files")

const reference = "../../../docs/attributes.md"

// The reference of attributes is written from the schemas, so that it cannot
// say anything else than what the program does.
func TestReferenceIsUpToDate(t *testing.T) {
	var b strings.Builder
	b.WriteString("# Attributes\n\nWritten from the program's own schemas by `make golden`. Sizes are strings such as `\"512MiB\"`, " +
		"durations such as `\"90s\"`.\nEffects are those of a container that runs.\n")
	for _, k := range append(Kinds(), secret.Kind()) {
		if !k.Lasting {
			writeBlock(&b, "##", k.Name, k, nil, &k.Schema)
		}
	}
	if *update {
		require.NoError(t, os.WriteFile(reference, []byte(b.String()), 0o644))
	}
	have, err := os.ReadFile(reference)
	require.NoError(t, err)
	require.Equal(t, b.String(), string(have), "docs/attributes.md is behind: run make golden")
}

func writeBlock(b *strings.Builder, level, title string, k *resource.Kind, path resource.Path, block *resource.Block) {
	fmt.Fprintf(b, "\n%s %s\n\n%s.\n\n| attribute | type | meaning | a change |\n|---|---|---|---|\n", level, title, block.Doc)
	for _, name := range block.AttrNames() {
		a := block.Attrs[name]
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", name, typeOf(a), meaningOf(a), effectOf(k, path.With(name), a))
	}
	for _, name := range slices.Sorted(maps.Keys(block.Blocks)) {
		n := block.Blocks[name]
		title, inner := name, path.With(name)
		if n.Labelled {
			title, inner = name+` "LABEL"`, inner.With("label")
		}
		if n.DefaultLabel != "" {
			title += fmt.Sprintf(" (%q when left out)", n.DefaultLabel)
		}
		writeBlock(b, "###", title, k, inner, &n.Block)
	}
}

func typeOf(a *resource.Attr) string {
	switch {
	case a.Refers != "" && a.Type.IsSetType():
		return "list of " + a.Refers
	case a.Refers != "":
		return a.Refers
	case a.Unit == resource.Size:
		return "size"
	case a.Unit == resource.Duration:
		return "duration"
	}
	return a.Type.FriendlyName()
}

func meaningOf(a *resource.Attr) string {
	text := strings.ReplaceAll(a.Doc, "|", "\\|")
	switch {
	case a.Role == resource.Required:
		text += ". Required"
	case a.Role == resource.Computed:
		text += ". Read only"
	case a.HostDefault != "":
		text += fmt.Sprintf(". Default: the host's `%s`", a.HostDefault)
	case a.Default != cty.NilVal && a.Default.Type() == cty.String:
		text += fmt.Sprintf(". Default: `%s`", a.Default.AsString())
	case a.Default != cty.NilVal && a.Default.Type() == cty.Bool:
		text += fmt.Sprintf(". Default: `%t`", a.Default.True())
	}
	return text
}

// effectOf asks the judge of plans what it takes to set an attribute of a
// running container to another value; of a number, to a larger one.
func effectOf(k *resource.Kind, path resource.Path, a *resource.Attr) string {
	switch {
	case a.Role == resource.Computed:
		return ""
	case a.Ours:
		return "recorded"
	case k.Judge == nil:
		return "live"
	}
	e := resource.Edit{Path: path, Old: cty.StringVal("a"), New: cty.StringVal("b")}
	switch {
	case a.Type == cty.Number:
		e.Old, e.New = cty.NumberIntVal(1), cty.NumberIntVal(2)
	case a.Type == cty.Bool:
		e.Old, e.New = cty.True, cty.False
	case a.Type != cty.String:
		e.Old, e.New = cty.NullVal(a.Type), cty.UnknownVal(a.Type)
	}
	running := resource.Seen{Presence: resource.Present, Object: resource.Object{
		Changed: time.Unix(1, 0), Attrs: cty.ObjectVal(map[string]cty.Value{"status": cty.StringVal("running"), "template": cty.StringVal("debian-13-standard")}),
	}}
	return k.Judge(e, resource.Resource{}, running).Effect.String()
}
