package cli

import (
	"fmt"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) stateCommand() *cobra.Command {
	cmd := group("state", "Look at what is recorded, and put it right")
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the addresses of all that is recorded",
			Example: `  proximity state list
  proximity state list --json`,
			Args: noArguments,
			RunE: func(*cobra.Command, []string) error { return a.listState() },
		},
		&cobra.Command{
			Use:     "show ADDRESS",
			Short:   "Show what is recorded of one thing",
			Example: `  proximity state show 'app.web["blue"]'`,
			Args:    exactlyOne("address"),
			RunE:    func(_ *cobra.Command, args []string) error { return a.showObject(args[0]) },
		},
		a.stateHistoryCommand(), a.stateRestoreCommand(), a.stateDoctorCommand(),
		a.stateMvCommand(), a.stateRmCommand(),
		a.statePullCommand(), a.statePushCommand(), a.stateMigrateCommand(), a.stateUnlockCommand(),
	)
	return cmd
}

// readState reads what is recorded, without the lock.
func (a *app) readState() (st *state.State, kinds map[string]*resource.Kind, err error) {
	err = a.withKeeper(func(e *engine) error {
		kinds = e.kinds
		st, err = state.Read(e.soft, e.store, e.options())
		return err
	})
	return st, kinds, err
}

func (a *app) listState() error {
	st, _, err := a.readState()
	if err != nil {
		return err
	}
	for _, address := range recorded(st) {
		o := st.Objects[address]
		if a.json {
			a.lines.Object("object", map[string]any{"address": address, "host": o.Host, "id": o.ID, "damaged": o.Damaged})
		} else if err := a.print(address.String() + "\n"); err != nil {
			return err
		}
	}
	return nil
}

func recorded(st *state.State) []addr.Addr {
	return slices.SortedFunc(maps.Keys(st.Objects), addr.Compare)
}

func (a *app) showObject(text string) error {
	address, err := addr.Parse(text)
	if err != nil {
		return &exit{exitUsage, err}
	}
	st, kinds, err := a.readState()
	if err != nil {
		return err
	}
	o, ok := st.Objects[address]
	if !ok {
		return unknownAddresses([]addr.Addr{address}, recorded(st))
	}
	return a.printObject(o, kinds[address.Kind])
}

func (a *app) printObject(o resource.Object, kind *resource.Kind) error {
	if !a.json {
		return a.print(ui.Object(o, kind, a.out.Style()))
	}
	attrs, err := kind.Schema.Encode(kind.Schema.WithoutSecrets(o.Attrs))
	if err != nil {
		return fmt.Errorf("%s: %w", o.Addr, err)
	}
	a.lines.Object("object", map[string]any{
		"address": o.Addr, "host": o.Host, "id": o.ID, "damaged": o.Damaged, "needs": o.Needs, "attributes": attrs,
	})
	return nil
}

// showState shows everything that is recorded.
func (a *app) showState() error {
	st, kinds, err := a.readState()
	if err != nil {
		return err
	}
	if len(st.Objects) == 0 && !a.json {
		return a.print("Nothing is recorded yet.\n")
	}
	for i, address := range recorded(st) {
		if i > 0 && !a.json {
			if err := a.print("\n"); err != nil {
				return err
			}
		}
		if err := a.printObject(st.Objects[address], kinds[address.Kind]); err != nil {
			return err
		}
	}
	return nil
}
