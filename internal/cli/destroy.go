package cli

import "github.com/spf13/cobra"

func (a *app) destroyCommand() *cobra.Command {
	f := selectionFlags{destroy: true}
	cmd := &cobra.Command{
		Use:   "destroy",
		Short: "Show what would be deleted, ask, and delete it",
		Long: `Destroy deletes everything that is recorded in the state, after it was shown and
agreed to. What others made stays.`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			return a.apply(f, "Delete all this? There is no way back.")
		},
	}
	f.add(cmd.Flags())
	cmd.Flags().BoolVar(&a.yes, "auto-approve", false, "the same as --yes")
	return cmd
}
