package cli

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func (a *app) applyCommand() *cobra.Command {
	var f selectionFlags
	cmd := &cobra.Command{
		Use:   "apply [PLAN]",
		Short: "Show the plan, ask, and carry it out",
		Long: `Apply shows the plan, asks, and carries it out. With a plan file it carries out
exactly that plan without asking, or nothing when it does not fit any more.`,
		Example: `  proximity apply
  proximity apply --yes --target app.web
  proximity apply night.plan`,
		Args: atMostOne("plan file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 1 {
				return a.applyFile(args[0], f)
			}
			return a.apply(f, "Apply these changes?")
		},
	}
	f.add(cmd.Flags())
	f.addReplace(cmd.Flags())
	cmd.Flags().BoolVar(&a.yes, "auto-approve", false, "the same as --yes")
	return cmd
}

// apply plans anew and carries that out once somebody has agreed.
func (a *app) apply(f selectionFlags, question string) error {
	sel, err := f.selection()
	if err != nil {
		return err
	}
	if err := a.mustBeAbleToAsk(); err != nil {
		return err
	}
	e, err := a.engine(nil)
	if err != nil {
		return err
	}
	defer e.close()
	err = e.converge(sel, func(ctx context.Context, p proposal) error {
		if err := a.showPlan(p, ""); err != nil || p.plan.Empty() {
			return err
		}
		return a.approve(ctx, question)
	})
	if err != nil || sel.Destroy {
		return err
	}
	return e.showOutputs()
}

// applyFile carries out a saved plan, when planning anew comes to the same.
func (a *app) applyFile(name string, f selectionFlags) error {
	if f.isSet() {
		return &exit{exitUsage, errors.New("a plan file says itself what is selected: leave the flags away")}
	}
	saved, err := a.readPlanFile(name)
	if err != nil {
		return err
	}
	if err := a.onlySensitive(saved.Sources.Sensitive); err != nil {
		return err
	}
	e, err := a.engine(&saved.Sources)
	if err != nil {
		return err
	}
	defer e.close()
	err = e.converge(saved.Select, func(_ context.Context, p proposal) error {
		if why := staleness(saved.Plan, p.doc); why != "" {
			if saved.Plan.Base == p.doc.Base && len(saved.Sources.Sensitive) > 0 {
				why += "; sensitive variables have to be given again as they were: " + strings.Join(saved.Sources.Sensitive, ", ")
			}
			return stale(name, why)
		}
		return a.showPlan(p, "")
	})
	if err != nil || saved.Select.Destroy {
		return err
	}
	return e.showOutputs()
}

// onlySensitive refuses --var for what a plan file says itself.
func (a *app) onlySensitive(names []string) error {
	vars, err := a.variables()
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		if !slices.Contains(names, name) {
			return &exit{exitUsage, fmt.Errorf("--var %s: a plan file says its variables itself, but for sensitive ones: leave it away", name)}
		}
	}
	return nil
}

func stale(name, why string) error {
	return &exit{exitStale, hinted{
		fmt.Errorf("plan file %q is stale: %s; nothing was changed", name, why),
		"proximity plan --out " + name,
	}}
}
