package cli

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) stateMigrateCommand() *cobra.Command {
	var force bool
	cmd := &cobra.Command{
		Use:   "migrate [FROM]",
		Short: "Bring the state to where the configuration keeps it now",
		Long: `Migrate is for a state block that was changed: it takes the state from where it
was to where the configuration keeps it now, with its trail and the steps that
are open. Without FROM it was in the files of this directory. FROM is a file
with the state block as it was, such as an older version of the configuration.
The old place stays readable, and is marked so that nobody goes on there. When
it is interrupted, run it again.`,
		Example: `  proximity state migrate
  git show HEAD~:main.hcl > /tmp/before.hcl && proximity state migrate /tmp/before.hcl`,
		Args: atMostOne("file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := a.mustBeAbleToAskOr(""); err != nil {
				return err
			}
			return a.withKeeper(func(e *engine) error { return e.migrate(args, force) })
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "also over an older state of the same lineage")
	return cmd
}

func (e *engine) migrate(args []string, force bool) error {
	from, err := e.storeBefore(args)
	if err != nil {
		return err
	}
	if from.String() == e.store.String() {
		return hinted{fmt.Errorf("%s is where the state is to go, and where it comes from", from),
			"write the new place into the state block first; when the old one is not this directory: proximity state migrate FROM"}
	}
	moved, err := state.Migration{
		From: from, To: e.store, Who: e.who(), Options: e.options(), Force: force,
		Agree: func(st *state.State) error {
			if !e.json {
				if err := e.print(fmt.Sprintf("Serial %d with %s goes from\n  %s\nto\n  %s\n",
					st.Serial, ui.Plural(len(st.Objects), "record"), from, e.store)); err != nil {
					return err
				}
			}
			return e.approve(e.soft, "Move the state?")
		},
	}.Run(e.hard)
	var fork *state.ErrFork
	switch {
	case errors.As(err, &fork):
		return hinted{err, "look at both: proximity state history"}
	case err != nil:
		return err
	}
	e.say(from.String() + " stays as it is, marked as moved: it can be removed")
	return e.tellChange(change{command: "migrate", serial: moved.Serial}, fmt.Sprintf("The state is in %s, as serial %d.", e.store, moved.Serial))
}

// storeBefore returns the store that the state comes from.
func (e *engine) storeBefore(args []string) (state.Store, error) {
	if len(args) == 0 {
		return localStore(), nil
	}
	vars, err := e.variables()
	if err != nil {
		return nil, err
	}
	c, problems := config.LoadSettingsOf(config.Options{
		Kinds: e.kinds, Vars: vars, VarFiles: e.varFiles, LookupEnv: e.LookupEnv, Version: version(),
	}, args[0])
	if err := problems.Err(); err != nil {
		return nil, &exit{exitInvalid, err}
	}
	return storeOf(c.Settings.State)
}
