package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/google/renameio/v2"
	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) statePullCommand() *cobra.Command {
	var out string
	cmd := &cobra.Command{
		Use:   "pull",
		Short: "Print the state file as it is kept",
		Long: `Pull prints the state file as the store has it, to the byte; one that is
encrypted stays so. It holds secrets where it is not: with --out the file is for
its owner only.`,
		Example: "  proximity state pull --out backup.json",
		Args:    noArguments,
		RunE: func(*cobra.Command, []string) error {
			return a.withKeeper(func(e *engine) error { return e.pull(out) })
		},
	}
	cmd.Flags().StringVar(&out, "out", "", "write it to `FILE` instead, with mode 0600")
	return cmd
}

func (e *engine) pull(out string) error {
	files, err := e.store.Load(e.soft)
	if files.State == nil {
		if err != nil {
			return err
		}
		return fmt.Errorf("%s: there is no state yet", e.store)
	}
	if err != nil { // of the journal, which is not asked for
		e.say(err.Error())
	} else if files.Journal != nil {
		e.say("a run is going on, or was cut short: its journal has steps that this file does not have")
	}
	switch {
	case out != "":
		return writeStateFile(out, files.State)
	case e.json:
		e.lines.Object("state_file", map[string]any{"content": string(files.State)})
		return e.lines.Err()
	}
	_, err = e.out.Write(files.State)
	return err
}

// writeStateFile writes over nothing but a state file.
func writeStateFile(name string, data []byte) error {
	there, err := os.ReadFile(name)
	var head struct{ Format string }
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return fmt.Errorf("%q: %w", name, plainCause(err))
	case json.Unmarshal(there, &head) != nil || head.Format != "proximity-state":
		return hinted{fmt.Errorf("%q is there already, and is no state file", name), "choose another name"}
	}
	err = failpoint.Around("cli: write a pulled state", func() error {
		return renameio.WriteFile(name, data, 0o600, renameio.IgnoreUmask())
	})
	if err != nil {
		return fmt.Errorf("%q: %w", name, plainCause(err))
	}
	return nil
}

func (a *app) statePushCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "push FILE",
		Short: "Put a state file in the place of the one that is kept",
		Long: `Push takes a file that "state pull" wrote, or that a run put aside because its
store took no writes, and - for stdin. It refuses what is damaged, of another
lineage, older than what is kept, or would lose steps of a run that was cut
short. With --force only what is damaged is refused, and the file is kept under
a serial above both.`,
		Example: `  proximity state push proximity.errored.json
  proximity state pull | ssh desk proximity -C lab state push -`,
		Args: exactlyOne("file"),
		RunE: func(_ *cobra.Command, args []string) error {
			return a.withKeeper(func(e *engine) error { return e.push(args[0], force) })
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "push although it loses what is kept")
	return cmd
}

// readStateFile reads a file to push, or stdin for "-".
func (e *engine) readStateFile(name string) (*state.State, error) {
	read := func() ([]byte, error) { return os.ReadFile(name) }
	if name == "-" {
		read = func() ([]byte, error) { return io.ReadAll(e.Stdin) }
	}
	data, err := read()
	if err != nil {
		return nil, fmt.Errorf("%q: %w", name, plainCause(err))
	}
	st, err := state.Parse(fmt.Sprintf("%q", name), data, e.options())
	var damaged *state.ErrDamaged
	if errors.As(err, &damaged) {
		return nil, &exit{exitError, hinted{err, "take another copy of it; nothing was changed"}}
	}
	return st, err
}

func (e *engine) push(name string, force bool) (err error) {
	next, err := e.readStateFile(name)
	if err != nil {
		return err
	}
	locked, session, there, err := state.Repair(e.hard, e.store, e.who(), e.options())
	if err != nil {
		return err
	}
	defer func() { err = e.release(locked, session, err) }()
	isNew, err := there.MayPush(next)
	var fork *state.ErrFork
	switch {
	case errors.As(err, &fork) && !force:
		return hinted{fmt.Errorf("%q was not pushed: %w", name, err), "compare with: proximity state history; to push it all the same add --force"}
	case err == nil && !isNew:
		return e.tellChange(change{command: "push", serial: there.Serial}, "The store has just this state already.")
	}
	if err := e.keepDamaged(there); err != nil {
		return err
	}
	before := there.State
	if before == nil {
		before = &state.State{}
	}
	d := state.Compare(before, next)
	next.Moved = ""
	entry := state.Entry{Action: "push", Result: state.Succeeded, Text: fmt.Sprintf("serial %d of lineage %s", next.Serial, next.Lineage)}
	if err := session.Replace(context.WithoutCancel(locked), entry, next); err != nil {
		return err
	}
	now := session.State().Serial
	return e.tellChange(change{"push", now, d}, fmt.Sprintf("Pushed %s; it is kept as serial %d.", ui.Plural(len(next.Objects), "record"), now))
}
