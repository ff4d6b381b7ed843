package cli

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

func (a *app) simNodeCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "node NAME up|down",
		Short: "Take a node of a simulated cluster down, or bring it back",
		Long: `Node pulls the plug of a node of a simulator that is kept in a directory, or
plugs it in again. What runs there stops, its tasks are lost, and guests that
high availability looks after go elsewhere a minute later, if they can.`,
		Example: `  proximity sim node --dir .proximity/sim/pve pve2 down
  proximity sim node --dir .proximity/sim/pve pve2 up`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 || args[1] != "up" && args[1] != "down" {
				return fmt.Errorf("a node and what becomes of it are expected: NAME up, or NAME down")
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error { return a.simNode(dir, args[0], args[1] == "down") },
	}
	cmd.Flags().StringVar(&dir, "dir", ".proximity/sim/server", "where the simulator is kept, as `DIR`")
	return cmd
}

func (a *app) simNode(dir, name string, down bool) error {
	sim, err := openSimulator(dir)
	if err != nil {
		return err
	}
	defer sim.Close()
	known := false
	err = sim.Edit(func(e *pvesim.Edit) {
		if known = e.HasNode(name); known {
			e.SetOffline(name, down)
		}
	})
	if err == nil && !known {
		return fmt.Errorf("the simulator in %q has no node %q", dir, name)
	}
	return err
}

// openSimulator opens a simulator that is kept in a directory and leaves its
// time as fast as it is.
func openSimulator(dir string) (*pvesim.Sim, error) {
	if _, err := os.Stat(dir); err != nil {
		return nil, fmt.Errorf("no simulator is kept in %q; it appears with the first plan of a host with the endpoint \"sim:\"", dir)
	}
	return pvesim.Open(pvesim.Options{Dir: dir})
}
