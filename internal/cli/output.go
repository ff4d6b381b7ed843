package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"
	"github.com/zclconf/go-cty/cty"
	ctyjson "github.com/zclconf/go-cty/cty/json"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) outputCommand() *cobra.Command {
	var raw bool
	cmd := &cobra.Command{
		Use:   "output [NAME]",
		Short: "Print the outputs of the configuration",
		Long: `Output prints the values of the output blocks, from what is recorded. A
sensitive one is printed only when it is asked for by name with --raw or --json.`,
		Example: "  proximity output --raw site | xargs curl",
		Args:    atMostOne("name"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				if raw {
					return &exit{exitUsage, errors.New("--raw needs the name of an output")}
				}
				return a.outputs()
			}
			return a.output(args[0], raw)
		},
	}
	cmd.Flags().BoolVar(&raw, "raw", false, "print a string, number or bool as it is, for scripts")
	return cmd
}

// evaluate returns the outputs as far as what is recorded tells them.
func (a *app) evaluate() ([]config.Output, error) {
	if err := a.load(nil, nil); err != nil {
		return nil, err
	}
	store, err := a.openStore()
	if err != nil {
		return nil, err
	}
	vault, err := a.vault()
	if err != nil {
		return nil, err
	}
	e := &engine{app: a, kinds: kindsByName(), store: store, vault: vault}
	st, err := state.Read(context.Background(), e.store, e.options())
	if err != nil {
		return nil, err
	}
	list, problems := a.config.Outputs(attributes(st))
	return list, problems.Err()
}

func (a *app) outputs() error {
	list, err := a.evaluate()
	if err != nil {
		return err
	}
	return a.printOutputs(list)
}

func (a *app) printOutputs(list []config.Output) error {
	for _, o := range list {
		if a.json {
			if err := a.outputLine(o, false); err != nil {
				return err
			}
		} else if err := a.print(fmt.Sprintf("%s = %s\n", o.Name, shownOutput(o))); err != nil {
			return err
		}
	}
	return nil
}

func shownOutput(o config.Output) string {
	if o.Sensitive {
		return "(sensitive)"
	}
	return ui.Value(o.Value)
}

// outputLine writes an output as a line of JSON. A value that is sensitive is
// left away unless it was asked for, one that is not known yet always.
func (a *app) outputLine(o config.Output, asked bool) error {
	line := map[string]any{"name": o.Name, "sensitive": o.Sensitive}
	if o.Value.IsWhollyKnown() && (asked || !o.Sensitive) {
		plain, _ := o.Value.UnmarkDeep()
		line["value"] = ctyjson.SimpleJSONValue{Value: plain}
	}
	a.lines.Object("output", line)
	return a.lines.Err()
}

// output prints one output.
func (a *app) output(name string, raw bool) error {
	list, err := a.evaluate()
	if err != nil {
		return err
	}
	for _, o := range list {
		switch {
		case o.Name != name:
			continue
		case a.json:
			return a.outputLine(o, true)
		case raw:
			return a.printRaw(o)
		}
		return a.print(shownOutput(o) + "\n")
	}
	err = fmt.Errorf("there is no output %q", name)
	if len(list) == 0 {
		return err
	}
	var names string
	for _, o := range list {
		names += " " + o.Name
	}
	return hinted{err, "there are:" + names}
}

// printRaw prints a string, number or bool as it is.
func (a *app) printRaw(o config.Output) error {
	plain, _ := o.Value.UnmarkDeep()
	switch {
	case !plain.IsWhollyKnown():
		return hinted{fmt.Errorf("output %q is not known yet", o.Name), "proximity apply"}
	case plain.IsNull():
		return fmt.Errorf("output %q is null", o.Name)
	case !plain.Type().IsPrimitiveType():
		return hinted{fmt.Errorf("output %q is no string, number or bool", o.Name), "proximity output --json " + o.Name}
	case plain.Type() == cty.String:
		return a.print(plain.AsString())
	}
	return a.print(ui.Value(plain))
}

// showOutputs prints the outputs after an apply, when there are any.
func (e *engine) showOutputs() error {
	st, err := state.Read(e.hard, e.store, e.options())
	if err != nil {
		return err
	}
	list, problems := e.config.Outputs(attributes(st))
	if err := problems.Err(); err != nil || len(list) == 0 {
		return err
	}
	if !e.json {
		if err := e.print("\nOutputs:\n"); err != nil {
			return err
		}
	}
	return e.printOutputs(list)
}

// attributes returns what references see of each object that is recorded.
func attributes(st *state.State) map[addr.Addr]cty.Value {
	values := make(map[addr.Addr]cty.Value, len(st.Objects))
	for a, o := range st.Objects {
		values[a] = o.Attrs
	}
	return values
}
