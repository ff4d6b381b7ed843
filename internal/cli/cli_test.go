package cli

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"
)

// testApp returns an app whose output goes nowhere.
func testApp(t *testing.T) *app {
	t.Helper()
	a := &app{log: slog.New(slog.DiscardHandler), Process: Process{
		Stdin: strings.NewReader(""), Stdout: &bytes.Buffer{}, Stderr: &bytes.Buffer{},
		LookupEnv: func(string) (string, bool) { return "", false },
	}}
	a.open()
	return a
}

func TestOnlyYesApproves(t *testing.T) {
	for answer, approves := range map[string]bool{
		"yes\n": true, "yes": true, " yes \n": true, "y\n": false, "YES\n": false, "\n": false, "": false, "no\nyes\n": false,
	} {
		a := testApp(t)
		a.Stdin = strings.NewReader(answer)
		err := a.approve(context.Background(), "Really?")
		require.Equal(t, approves, err == nil, "answer %q", answer)
	}
}

func TestAnInterruptEndsTheQuestion(t *testing.T) {
	a := testApp(t)
	a.Stdin = neverAnswers{}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	require.ErrorIs(t, a.approve(ctx, "Really?"), context.Canceled)
}

type neverAnswers struct{}

func (neverAnswers) Read([]byte) (int, error) { select {} }

func TestEveryCommandSaysWhatItDoesInALine(t *testing.T) {
	var check func(cmd *cobra.Command)
	check = func(cmd *cobra.Command) {
		require.NotEmpty(t, cmd.Short, cmd.CommandPath())
		require.LessOrEqual(t, len(cmd.Short), 60, cmd.CommandPath())
		require.False(t, strings.HasSuffix(cmd.Short, "."), cmd.CommandPath())
		for line := range strings.Lines(cmd.Long) {
			require.LessOrEqual(t, len(line), 81, "%s: %q", cmd.CommandPath(), line)
		}
		for _, sub := range cmd.Commands() {
			check(sub)
		}
	}
	root := testApp(t).root()
	check(root)
}
