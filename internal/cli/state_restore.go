package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) stateRestoreCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "restore SERIAL",
		Short: "Bring a version of the state back",
		Long: `Restore shows what would be recorded again, asks, and writes that version under
a new serial. It touches no host. It also works when the present state is
damaged: what could not be read is kept in a file beside. Steps that an earlier
run left open stay so, and the next run settles them.`,
		Example: `  proximity state history
  proximity state restore 12`,
		Args: exactlyOne("serial"),
		RunE: func(_ *cobra.Command, args []string) error {
			serial, err := strconv.ParseUint(args[0], 10, 64)
			if err != nil {
				return &exit{exitUsage, hinted{fmt.Errorf("%q is no serial", args[0]), "proximity state history"}}
			}
			if err := a.mustBeAbleToAskOr(""); err != nil {
				return err
			}
			return a.withKeeper(func(e *engine) error { return e.restore(serial) })
		},
	}
}

func (e *engine) restore(serial uint64) (err error) {
	locked, session, there, err := state.Repair(e.hard, e.store, e.who(), e.options())
	if err != nil {
		return err
	}
	defer func() { err = e.release(locked, session, err) }()
	p := there.Find(serial)
	if p == nil && there.PastErr != nil {
		return there.PastErr
	}
	if p == nil {
		return noVersion(serial, there.Past)
	}
	next, err := there.Restored(*p)
	if err != nil {
		return &exit{exitError, hinted{err, "proximity state doctor"}}
	}
	before := there.State
	if before == nil {
		before = &state.State{}
	}
	d := state.Compare(before, next)
	if d.IsEmpty() && there.IsSound() {
		return e.tellChange(change{command: "restore", serial: there.Serial}, fmt.Sprintf("Serial %d records just what is recorded now.", serial))
	}
	if err := e.showRestore(there, *p, d); err != nil {
		return err
	}
	ctx, cancel := both(locked, e.soft)
	defer cancel()
	if err := e.approve(ctx, fmt.Sprintf("Bring serial %d back?", serial)); err != nil {
		return err
	}
	if err := e.keepDamaged(there); err != nil {
		return err
	}
	entry := state.Entry{Action: "restore", Result: state.Succeeded, Text: fmt.Sprintf("serial %d", serial)}
	if err := session.Replace(context.WithoutCancel(ctx), entry, next); err != nil {
		return err
	}
	now := session.State().Serial
	return e.tellChange(change{"restore", now, d}, fmt.Sprintf("Serial %d is back, as serial %d.", serial, now))
}

func noVersion(serial uint64, all []state.Past) error {
	err := fmt.Errorf("no version with the serial %d is kept", serial)
	if len(all) == 0 {
		return err
	}
	var serials []string
	for _, p := range all {
		serials = append(serials, fmt.Sprint(p.Serial))
	}
	return hinted{err, "there are: " + strings.Join(serials, ", ")}
}

func (e *engine) showRestore(there *state.Salvage, p state.Past, d state.Difference) error {
	for _, err := range []error{there.StateErr, there.JournalErr, there.LastErr} {
		if err != nil {
			e.say(err.Error())
		}
	}
	if there.State != nil && there.State.Moved != "" {
		e.say("this state was moved to " + there.State.Moved + ": bring it back here only when nobody goes on there")
	}
	if e.json {
		return nil
	}
	head := fmt.Sprintf("Serial %d, saved %s (%s ago), instead of what is recorded now:\n", p.Serial, p.At.Local().Format(time.DateTime), ui.Age(time.Since(p.At)))
	return e.print(head + differences(d))
}

// differences lists what a change of the state itself does to its records.
func differences(d state.Difference) string {
	if d.IsEmpty() {
		return "  nothing is recorded otherwise\n"
	}
	var rows [][]string
	add := func(sign, what string, list []addr.Addr) {
		for _, a := range list {
			rows = append(rows, []string{sign + " " + a.String(), what})
		}
	}
	add("+", "is recorded again", d.Added)
	add("~", "is recorded as it was then", d.Changed)
	for _, a := range d.Removed {
		what := "is forgotten; on the host it stays"
		if a.Kind == "secret" {
			what = "is forgotten" // it is on no host
		}
		add("-", what, []addr.Addr{a})
	}
	return ui.Indent(ui.Table(rows), "  ")
}

// change is what a command did to the state itself.
type change struct {
	command string
	serial  uint64
	state.Difference
}

// tellChange tells what was done, as a line of JSON or in words.
func (e *engine) tellChange(c change, text string) error {
	if !e.json {
		return e.print(text + "\n")
	}
	e.lines.Object("state_change", map[string]any{
		"command": c.command, "serial": c.serial,
		"added": listed(c.Added), "changed": listed(c.Changed), "removed": listed(c.Removed),
	})
	return e.lines.Err()
}

// listed is a list that is never null in JSON.
func listed(list []addr.Addr) []addr.Addr {
	if list == nil {
		return []addr.Addr{}
	}
	return list
}

// keepDamaged puts aside what could not be read, before something else takes
// its place.
func (e *engine) keepDamaged(there *state.Salvage) error {
	for _, one := range []struct {
		err  error
		name string
		data []byte
	}{
		{there.StateErr, "proximity.damaged.json", there.Files.State},
		{there.JournalErr, "proximity.damaged.journal", there.Files.Journal},
	} {
		if one.err == nil || len(one.data) == 0 {
			continue
		}
		path, err := putAside(one.name, one.data)
		if err != nil {
			return err
		}
		e.say("what could not be read is kept as " + path)
	}
	return nil
}
