package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/ui"
)

type planFlags struct {
	selectionFlags
	out, markdown string
	detailed      bool
}

func (a *app) planCommand() *cobra.Command {
	var f planFlags
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what apply would do, and change nothing",
		Example: `  proximity plan
  proximity plan --out night.plan && proximity apply night.plan
  proximity plan --target 'app.web["blue"]'`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.plan(f) },
	}
	f.add(cmd.Flags())
	f.addReplace(cmd.Flags())
	cmd.Flags().StringVar(&f.out, "out", "", "write the plan to `FILE`, to be applied later")
	cmd.Flags().StringVar(&f.markdown, "markdown", "", "write the plan as Markdown to `FILE`, or - for stdout")
	cmd.Flags().BoolVar(&f.detailed, "detailed-exitcode", false, "exit code 2 when there are changes")
	return cmd
}

func (a *app) plan(f planFlags) error {
	sel, err := f.selection()
	if err != nil {
		return err
	}
	if f.out != "" {
		if err := mayWritePlanFile(f.out); err != nil {
			return err
		}
	}
	e, err := a.engine(nil)
	if err != nil {
		return err
	}
	defer e.close()
	if f.out != "" {
		if err := e.mayKeepSources(); err != nil {
			return err
		}
		if err := e.settle(); err != nil {
			return err
		}
	}
	p, err := e.foresee(sel)
	if err != nil {
		return err
	}
	if err := a.showPlan(p, f.markdown); err != nil {
		return err
	}
	if f.out != "" {
		if err := writePlanFile(f.out, planFile{Sources: e.config.Sources, Select: sel, Plan: p.doc}, e.vault); err != nil {
			return err
		}
		a.say(fmt.Sprintf("To carry out exactly this plan: proximity apply %s", pasted(f.out)))
	}
	if f.detailed && !p.plan.Empty() {
		return &exit{code: exitChanges}
	}
	return nil
}

// mayKeepSources refuses to copy secrets that stand in the files into a plan file
// that is not encrypted: plan files are passed around, to others and to pipelines.
func (e *engine) mayKeepSources() error {
	if e.vault != nil {
		return nil
	}
	var problems diag.List
	for _, place := range e.config.ClearSecrets() {
		problems = append(problems, diag.Errorf(&place.Range, "plan file would hold a secret in clear", "%s stands in the file", place.Text).
			WithHint("%s", "take it out of the file, or let plan files be encrypted:\n"+config.EncryptionHint))
	}
	if err := problems.Err(); err != nil {
		return &exit{exitError, err}
	}
	return nil
}

// showPlan shows a plan and what there is to say about it. A plan that must
// not be carried out is an error, after it was shown.
func (a *app) showPlan(p proposal, markdown string) error {
	if markdown != "-" {
		if err := a.showDocument(p.doc); err != nil {
			return err
		}
	}
	if markdown != "" {
		if err := a.writeMarkdown(markdown, p.doc); err != nil {
			return err
		}
	}
	err := p.plan.Diagnostics.Err()
	switch {
	case a.json && err != nil: // the diagnostics are among the lines of the plan
		return &exit{code: exitError}
	case a.json || len(p.plan.Diagnostics) == 0:
		return nil
	}
	fmt.Fprintln(a.err)
	if err != nil {
		return &exit{exitError, err}
	}
	a.warn(p.plan.Diagnostics)
	return nil
}

func (a *app) showDocument(doc plan.Document) error {
	if a.json {
		a.lines.Plan(doc)
		return a.lines.Err()
	}
	return a.print(ui.Plan(doc, a.out.Style()))
}

func (a *app) writeMarkdown(name string, doc plan.Document) error {
	if name == "-" {
		return a.print(ui.Markdown(doc))
	}
	err := failpoint.Around("cli: write a plan as Markdown", func() error {
		return os.WriteFile(name, []byte(ui.Markdown(doc)), 0o644)
	})
	if err != nil {
		return fmt.Errorf("plan as Markdown %q: %w", name, plainCause(err))
	}
	return nil
}
