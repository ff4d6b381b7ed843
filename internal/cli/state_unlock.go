package cli

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) stateUnlockCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "unlock [ID]",
		Short: "Show who holds the lock, or take it away from a dead run",
		Long: `Unlock shows who holds the lock of the state, and since when. With the ID that
it shows it takes the lock away, after it has asked. The run that held it can
write nothing from then on, and the next one settles what it left open. Locks
of local files and of PostgreSQL end with their process by themselves.`,
		Example: `  proximity state unlock
  proximity state unlock 5f0c2a9be1d04c77`,
		Args: atMostOne("ID"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.withKeeper(func(e *engine) error { return e.showHolder() })
			}
			if err := a.mustBeAbleToAskOr(""); err != nil {
				return err
			}
			return a.withKeeper(func(e *engine) error { return e.unlock(args[0]) })
		},
	}
}

func (e *engine) showHolder() error {
	who, isHeld, err := state.Holder(e.soft, e.store)
	if err != nil {
		return err
	}
	if e.json {
		line := map[string]any{"store": e.store.String(), "held": isHeld}
		if isHeld {
			line["id"], line["user"], line["host"], line["pid"] = who.ID, who.User, who.Host, who.PID
			line["command"], line["since"] = who.Command, who.Since.UTC().Format(time.RFC3339)
		}
		e.lines.Object("lock", line)
		return e.lines.Err()
	}
	if !isHeld {
		return e.print(fmt.Sprintf("Nobody holds the lock of %s.\n", e.store))
	}
	if err := e.printHolder(who); err != nil {
		return err
	}
	if who.ID != "" {
		e.say("When you are sure that this does not run any more: proximity state unlock " + pasted(who.ID))
	}
	return nil
}

func (e *engine) printHolder(who state.Who) error {
	return e.print(ui.Clean(fmt.Sprintf("%s is locked by %s, for %s.", e.store, who, ui.Age(time.Since(who.Since)))) + "\n")
}

func (e *engine) unlock(id string) error {
	who, isHeld, err := state.Holder(e.soft, e.store)
	if err != nil {
		return err
	}
	if !isHeld || who.ID != id {
		return unbroken(&state.ErrOther{Store: e.store.String(), ID: id, Holder: who})
	}
	if !e.json {
		if err := e.printHolder(who); err != nil {
			return err
		}
	}
	if err := e.approve(e.soft, "Take the lock away? What still runs can record nothing any more."); err != nil {
		return err
	}
	if err := e.store.Break(context.WithoutCancel(e.soft), id); err != nil {
		return unbroken(err)
	}
	if e.json {
		e.lines.Object("lock", map[string]any{"store": e.store.String(), "held": false})
		return e.lines.Err()
	}
	return e.print("The lock is free. The next run settles what was left open.\n")
}

// unbroken adds to an error of Break what can be done.
func unbroken(err error) error {
	var (
		held  *state.ErrHeld
		other *state.ErrOther
	)
	switch {
	case errors.As(err, &held):
		return &exit{exitLocked, hinted{err, fmt.Sprintf("wait until it has ended; its lock ends with it. On %s: kill %d", held.Holder.Host, held.Holder.PID)}}
	case errors.As(err, &other) && other.Holder == (state.Who{}):
		return hinted{err, "there is nothing to take away: go on"}
	case errors.As(err, &other):
		return hinted{err, "proximity state unlock"}
	}
	return err
}
