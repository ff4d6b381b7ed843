package ui

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/go-multierror"
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/diag"
)

const source = `app "web" {
  memroy = "512MiB" # größer
	tabbed = "日本" + bad
  long   = "` + "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx" + `" + wrong
}
`

func sources(name string) []byte {
	if name == "main.hcl" {
		return []byte(source)
	}
	return nil
}

// rangeOf returns where words stand in the source.
func rangeOf(t *testing.T, words string) *hcl.Range {
	t.Helper()
	at := strings.Index(source, words)
	require.GreaterOrEqual(t, at, 0)
	var r hcl.Range
	scanner := hcl.NewRangeScanner([]byte(source), "main.hcl", hclLines)
	for scanner.Scan() {
		if line := scanner.Range(); line.Start.Byte <= at && at < line.End.Byte {
			column := len([]rune(source[line.Start.Byte:at])) + 1
			r = hcl.Range{Filename: "main.hcl", Start: hcl.Pos{Line: line.Start.Line, Column: column, Byte: at}}
			r.End = hcl.Pos{Line: line.Start.Line, Column: column + len([]rune(words)), Byte: at + len(words)}
		}
	}
	return &r
}

// hclLines splits at line ends.
func hclLines(data []byte, atEOF bool) (int, []byte, error) {
	if n := strings.IndexByte(string(data), '\n'); n >= 0 {
		return n + 1, data[:n], nil
	}
	return len(data), data, nil
}

func TestDiagnosticsShowTheLineAndWhatToDo(t *testing.T) {
	list := diag.List{
		diag.Errorf(rangeOf(t, "memroy"), "unsupported argument", `an argument named "memroy" is not expected here`).
			WithHint(`did you mean "memory"?`),
		diag.Errorf(rangeOf(t, "bad"), "unknown name", "wide and tabbed characters before it do not move the caret"),
		diag.Errorf(rangeOf(t, "wrong"), "unknown name", "a long line is cut around the words"),
		diag.Warningf(nil, "nothing to point at", "%s", strings.Repeat("a detail that is longer than a line ", 5)),
		{Summary: "resources need each other", Trail: []diag.Place{
			{Text: "app.a needs app.b", Range: *rangeOf(t, "app")},
			{Text: "app.b needs app.a", Range: *rangeOf(t, "tabbed")},
		}},
		{Severity: diag.Note, Summary: "foreign \x1b[31mtext\x07", Detail: "first\n    indented\nthird"},
		{Summary: "a file that is not known", Subject: &hcl.Range{Filename: "other.hcl", Start: hcl.Pos{Line: 9, Column: 1, Byte: 999}}},
	}
	golden(t, "diagnostics", Diagnostics(list, sources, Style{Width: 80}))
	golden(t, "diagnostics_narrow", Diagnostics(list, sources, Style{Width: 40, Colour: true}))
}

func TestDiagnosticsOfRealParserErrorsNeverPanic(t *testing.T) {
	for _, src := range []string{"", "a", "a = ", "a = \"", "block {", "a = <<EOT\nx", "é = ${", "\xff\xfe", "a = 1\r\nb b"} {
		_, problems := hclsyntax.ParseConfig([]byte(src), "x.hcl", hcl.InitialPos)
		text := Diagnostics(diag.FromHCL(problems), func(string) []byte { return []byte(src) }, Style{})
		require.Equal(t, problems.HasErrors(), text != "", "source %q", src)
	}
}

func TestErrorShowsEachOfSeveral(t *testing.T) {
	problem := fmt.Errorf("load: %w", diag.List{diag.Errorf(rangeOf(t, "memroy"), "unsupported argument", "not here")}.Err())
	text := Error(multierror.Append(nil, errors.New("host \"a\": no route"), problem), sources, Style{})
	golden(t, "errors", text)
}

type hinted struct{ error }

func (hinted) Hint() string { return "proximity state restore" }

func TestErrorShowsTheHintOfAnError(t *testing.T) {
	text := Error(fmt.Errorf("open: %w", hinted{errors.New("it is torn")}), nil, Style{})
	require.Equal(t, "error: open: it is torn\n  hint: proximity state restore\n", text)
}

func TestDiagnosticsDoNotShowSecretsOfTheLine(t *testing.T) {
	src := `host "a" { token_secret = "hunter2", x = wrong }`
	at := strings.Index(src, "wrong")
	r := hcl.Range{Filename: "x", Start: hcl.Pos{Line: 1, Column: at + 1, Byte: at}, End: hcl.Pos{Line: 1, Column: at + 6, Byte: at + 5}}
	text := Diagnostics(diag.List{diag.Errorf(&r, "unknown name", "")}, func(string) []byte { return []byte(src) }, Style{})
	require.NotContains(t, text, "hunter2")
	require.Contains(t, text, `token_secret = "*******", x = wrong`)

	text = Diagnostics(diag.List{{Summary: "wrong type", Subject: &r, Private: true}}, func(string) []byte { return []byte(src) }, Style{})
	require.Equal(t, "error: wrong type\n  at x:1:42\n", text, "a private line is named only")
}

func TestDiagnosticsShowNamesThatOnlySoundSecret(t *testing.T) {
	src := `token_id = "root", token_file = "/x", api_token = "hunter2"`
	text := Diagnostics(diag.List{diag.Errorf(&hcl.Range{Filename: "x", Start: hcl.InitialPos, End: hcl.InitialPos}, "wrong", "")},
		func(string) []byte { return []byte(src) }, Style{Width: 100})
	require.Contains(t, text, `token_id = "root", token_file = "/x", api_token = "*******"`)
}
