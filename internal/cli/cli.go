// Package cli is the command line: it turns arguments into one call each and
// the outcome into text and an exit code. It owns the commands, the exit codes
// and the order of a run (load, lock, look, plan, ask, apply); what each of
// these does is the work of the packages below.
//
// Results go to stdout, talk and errors to stderr. With --json everything is
// one JSON object a line on stdout.
package cli

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/ui"
)

// Process is what the program gets from the system that runs it.
type Process struct {
	Args           []string // without the program's name
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	LookupEnv      func(string) (string, bool)
}

// Main runs the program and returns its exit code.
func Main(p Process) int {
	a := &app{Process: p, log: slog.New(slog.DiscardHandler)}
	root := a.root()
	root.SetArgs(p.Args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	cmd, err := root.ExecuteC()
	if err != nil && !a.started {
		err = usage{cmd.CommandPath(), err}
	}
	return a.end(err)
}

// app is one run of the program.
type app struct {
	Process
	chdir    string
	noColor  bool
	json     bool
	logLevel string
	vars     []string
	varFiles []string
	yes      bool

	started  bool   // the arguments were understood
	command  string // the words that name it
	out, err *ui.Stream
	lines    *ui.Lines // stdout, with --json
	log      *slog.Logger
	voice    voice
	config   *config.Config // once it is loaded
	soft     context.Context
}

// start takes in the global flags, before any command.
func (a *app) start(cmd *cobra.Command, _ []string) error {
	var level slog.Level
	if err := level.UnmarshalText([]byte(a.logLevel)); err != nil {
		return fmt.Errorf("--log-level %q: write debug, info, warn or error", a.logLevel)
	}
	a.log = slog.New(slog.NewTextHandler(a.Stderr, &slog.HandlerOptions{Level: level}))
	if a.chdir != "" {
		if err := os.Chdir(a.chdir); err != nil {
			return fmt.Errorf("--chdir: %w", err)
		}
	}
	a.open()
	a.started, a.command = true, cmd.CommandPath()
	return nil
}

func (a *app) open() {
	a.out = ui.NewStream(a.Stdout, a.LookupEnv, a.noColor)
	a.err = ui.NewStream(a.Stderr, a.LookupEnv, a.noColor)
	a.lines = ui.NewLines(a.Stdout)
	a.voice.to(a.sayPlainly)
}

// end tells how the run ended and returns the exit code for it.
func (a *app) end(err error) int {
	if a.out == nil {
		a.open()
	}
	code, cause := outcome(err)
	if a.soft != nil && a.soft.Err() != nil {
		code = exitInterrupted
		if isCanceled(err) {
			cause = errInterrupted
		}
	}
	switch {
	case cause == nil:
	case a.json && a.started:
		a.lines.Error(cause)
	default:
		fmt.Fprint(a.err, ui.Error(cause, a.source, a.err.Style()))
	}
	if err := a.lines.Err(); err != nil && code == exitDone {
		return exitError
	}
	return code
}

// print writes a result.
func (a *app) print(text string) error {
	_, err := io.WriteString(a.out, text)
	return err
}

// say writes a line of talk.
func (a *app) say(text string) { a.voice.Say(text) }

func (a *app) sayPlainly(text string) {
	if a.json {
		a.lines.Say(text)
	} else {
		fmt.Fprintln(a.err, ui.Clean(text))
	}
}

// warn shows diagnostics that do not end the run.
func (a *app) warn(list diag.List) {
	switch {
	case len(list) == 0:
	case a.json:
		a.lines.Diagnostics(list)
	default:
		fmt.Fprint(a.err, ui.Diagnostics(list, a.source, a.err.Style())+"\n")
	}
}

// source returns a file that a diagnostic is about, as it was read.
func (a *app) source(name string) []byte {
	if a.config != nil {
		if content, ok := a.config.Sources.Files[name]; ok {
			return content
		}
	}
	// A pipe must not be waited for. Without its content a diagnostic stands
	// without its line.
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil
	}
	content, err := os.ReadFile(name)
	if err != nil {
		return nil
	}
	return content
}
