// Proximity makes a Proxmox VE estate match a set of HCL files.
package main

import (
	"os"

	"github.com/proximity-cli/proximity/internal/cli"
)

func main() { os.Exit(run()) }

// run is main for the process that it finds itself in.
func run() int {
	return cli.Main(cli.Process{
		Args:      os.Args[1:],
		Stdin:     os.Stdin,
		Stdout:    os.Stdout,
		Stderr:    os.Stderr,
		LookupEnv: os.LookupEnv,
	})
}
