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
			n := a.written()
			if a.json {
				a.lines.Object("validation", map[string]any{"valid": true, "resources": n})
				return nil
			}
			return a.print(fmt.Sprintf("The configuration is valid: %s on %s.\n",
				ui.Plural(n, "resource"), ui.Plural(len(a.config.Hosts), "host")))
		},
	}
}

// written counts the resources that people wrote; what these imply, such as a
// template, they do not know.
func (a *app) written() int {
	n, kinds := 0, kindsByName()
	for _, r := range a.config.Resources {
		if !kinds[r.Addr.Kind].Lasting {
			n++
		}
	}
	return n
}
