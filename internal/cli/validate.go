package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) validateCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "validate",
		Short: "Check the configuration, without network and state",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := a.load(nil, nil); err != nil {
				return err
			}
			if a.json {
				a.lines.Object("validation", map[string]any{"valid": true, "resources": len(a.config.Resources)})
				return nil
			}
			return a.print(fmt.Sprintf("The configuration is valid: %s on %s.\n",
				ui.Plural(len(a.config.Resources), "resource"), ui.Plural(len(a.config.Hosts), "host")))
		},
	}
}
