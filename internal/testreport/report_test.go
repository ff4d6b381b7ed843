package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// events writes what `go test -json` would: each line is an action, a package,
// a test or -, and output.
func events(t *testing.T, lines ...string) string {
	t.Helper()
	var b strings.Builder
	for _, line := range lines {
		parts := strings.SplitN(line, " ", 4)
		e := event{Action: parts[0], Package: parts[1]}
		if len(parts) > 2 && parts[2] != "-" {
			e.Test = parts[2]
		}
		if len(parts) > 3 {
			e.Output = strings.ReplaceAll(parts[3], `\n`, "\n")
		}
		raw, err := json.Marshal(e)
		require.NoError(t, err)
		b.Write(append(raw, '\n'))
	}
	return b.String()
}

func TestReport(t *testing.T) {
	for _, c := range []struct {
		name string
		in   []string
		want string
		ok   bool
	}{
		{"what passes is a line", []string{
			"start a", "run a T", `output a T === RUN   T\n`, `output a T noise\n`, "pass a T",
			`output a - PASS\n`, `output a - ok  	a	0.1s\n`, "pass a",
			`output b - ?   	b	[no test files]\n`, "skip b",
		}, "ok  \ta\t0.1s\n?   \tb\t[no test files]\n\n1 passed, 0 failed, 0 skipped\n", true},
		{"of a failure only what failed is shown", []string{
			"run a Good", `output a Good fine\n`, "pass a Good", "skip a Left",
			`output a Bad === RUN   Bad\n`, `output a Bad     x_test.go:1: wrong\n`, `output a Bad --- FAIL: Bad (0.00s)\n`, "fail a Bad",
			`output a - FAIL\n`, `output a - FAIL	a	0.1s\n`, "fail a",
		}, "    x_test.go:1: wrong\n--- FAIL: Bad (0.00s)\nFAIL\nFAIL\ta\t0.1s\n\n1 passed, 1 failed, 1 skipped\n", false},
		{"a panic is shown, wherever it was written", []string{
			"run a T", `output a T panic: boom\n`, `output a - goroutine 1\n`, `output a - FAIL	a	0.1s\n`, "fail a",
		}, "panic: boom\ngoroutine 1\nFAIL\ta\t0.1s\n\n0 passed, 1 failed, 0 skipped\n", false},
		{"a package that never ends is a failure", []string{"start a", "run a T", `output a T half a li`},
			"half a li\nFAIL\ta [did not end]\n\n0 passed, 1 failed, 0 skipped\n", false},
		{"reports come last, whole and once", []string{
			`output a T     x_test.go:1: rep`, `output a T ort: faults: 500 schedules\n`, `output a T testreport: no\n`,
			`output a U report: recordings: 1 of 1 steps equal\n`, `output a V report: faults: 500 schedules\n`,
			"pass a T", "pass a U", "pass a V", `output a - ok  	a	(cached)\n`, "pass a",
		}, "ok  \ta\t(cached)\n\nfaults: 500 schedules\nrecordings: 1 of 1 steps equal\n\n3 passed, 0 failed, 0 skipped\n", true},
		{"nothing at all is not good", nil, "no package was tested\n\n0 passed, 0 failed, 0 skipped\n", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			ok, err := run(strings.NewReader(events(t, c.in...)), &out)
			require.NoError(t, err)
			require.Equal(t, c.want, out.String())
			require.Equal(t, c.ok, ok)
		})
	}
}

func TestLinesThatAreNoEventsArePassedOn(t *testing.T) {
	var out strings.Builder
	ok, err := run(strings.NewReader("go: no such module\n{\"a\":1}\nlast"), &out)
	require.NoError(t, err)
	require.False(t, ok)
	require.Contains(t, out.String(), "go: no such module\n{\"a\":1}\nlast\n")
}

func TestPainsAreATable(t *testing.T) {
	all := func(leave int) []string {
		var in []string
		for row := 1; row <= lastPain; row++ {
			if row != leave {
				in = append(in, fmt.Sprintf("pass a TestPains/%02d_words_of_%d", row, row), fmt.Sprintf("pass a TestPains/%02d_words_of_%d/deeper", row, row))
			}
		}
		return append(in, "pass a TestPains", `output a - ok  	a	1s\n`, "pass a")
	}
	var whole, short strings.Builder
	ok, err := run(strings.NewReader(events(t, all(0)...)), &whole)
	require.NoError(t, err)
	require.True(t, ok)
	require.Contains(t, whole.String(), "\n\nrow  test                      result\n  1  TestPains/01_words_of_1   pass\n")
	require.NotContains(t, whole.String(), "deeper")

	ok, err = run(strings.NewReader(events(t, all(7)...)), &short)
	require.NoError(t, err)
	require.False(t, ok, "a row without a test")
	require.Contains(t, short.String(), "\n  7  -                         missing\n")
}

// The Go command itself writes the events: of a module with a package that
// passes, one that fails, one that panics and one that cannot be built.
func TestWhatTheGoCommandWrites(t *testing.T) {
	dir := t.TempDir()
	write := func(name, text string) {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(text), 0o600))
	}
	const head = "package p\nimport \"testing\"\n"
	write("go.mod", "module m\ngo 1.26\n")
	write("good/x_test.go", head+"func TestGood(t *testing.T) { t.Log(\"report: all is good\") }\n")
	write("bad/x_test.go", head+"func TestBad(t *testing.T) { t.Run(\"sub\", func(t *testing.T) { t.Error(\"this is wrong\") }) }\nfunc TestQuiet(t *testing.T) { t.Log(\"of no interest\") }\n")
	write("panics/x_test.go", head+"func TestPanics(t *testing.T) { panic(\"boom\") }\n")
	write("broken/x_test.go", head+"func TestBroken(t *testing.T) { undefined() }\n")
	cmd := exec.Command("go", "test", "-json", "./...")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "GOFLAGS=", "GOWORK=off")
	raw, err := cmd.Output()
	require.Error(t, err, "the tests fail")

	var out strings.Builder
	ok, err := run(strings.NewReader(string(raw)), &out)
	require.NoError(t, err)
	require.False(t, ok)
	for _, want := range []string{
		"ok  \tm/good", "--- FAIL: TestBad/sub", "x_test.go:3: this is wrong", "FAIL\tm/bad", "panic: boom", "FAIL\tm/panics",
		"undefined: undefined", "FAIL\tm/broken [build failed]", "\nall is good\n", "\n2 passed, 4 failed, 0 skipped\n",
	} {
		require.Contains(t, out.String(), want)
	}
	require.NotContains(t, out.String(), "of no interest")
}
