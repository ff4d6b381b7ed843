package diag

import (
	"fmt"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/stretchr/testify/require"
)

func at(file string, line int) *hcl.Range {
	return &hcl.Range{Filename: file, Start: hcl.Pos{Line: line, Column: 1, Byte: line * 10}}
}

func TestErrCarriesTheListThroughWrapping(t *testing.T) {
	list := List{Errorf(at("a.hcl", 3), "no such host", "%q is not declared", "pve").WithHint(`host "pve" {}`)}
	err := fmt.Errorf("plan: %w", list.Err())
	require.EqualError(t, err, `plan: a.hcl:3,1: no such host: "pve" is not declared`)
	got, ok := From(err)
	require.True(t, ok)
	require.Equal(t, list, got)
}

func TestWarningsAreNoError(t *testing.T) {
	require.NoError(t, List{Warningf(nil, "odd", "but fine")}.Err())
	_, ok := From(fmt.Errorf("plain"))
	require.False(t, ok)
}

func TestSortPutsErrorsFirstAndDropsRepetitions(t *testing.T) {
	warn, late, early, nowhere := Warningf(at("a.hcl", 1), "w", ""), Errorf(at("a.hcl", 9), "l", ""),
		Errorf(at("a.hcl", 2), "e", ""), Errorf(nil, "n", "")
	require.Equal(t, List{early, late, nowhere, warn}, List{warn, nowhere, late, early, early}.Sort())
}

func TestFromHCLMakesSuggestionsHints(t *testing.T) {
	got := FromHCL(hcl.Diagnostics{{Severity: hcl.DiagWarning, Summary: "s", Detail: `No "memry". Did you mean "memory"?`}})
	require.Equal(t, List{{Severity: Warning, Summary: "s", Detail: `No "memry".`, Hint: `did you mean "memory"?`}}, got)
}
