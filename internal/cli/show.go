package cli

import (
	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/diag"
)

func (a *app) showCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show [PLAN]",
		Short: "Show a plan file, or all that is recorded",
		Args:  atMostOne("plan file"),
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return a.showState()
			}
			f, err := a.readPlanFile(args[0])
			if err != nil {
				return err
			}
			if err := a.showDocument(f.Plan); err != nil || a.json {
				return err
			}
			var list diag.List
			for _, d := range f.Plan.Diagnostics {
				list = append(list, diag.Warningf(nil, d.Summary, "%s", d.Detail))
			}
			a.warn(list)
			return nil
		},
	}
}
