package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

type simFlags struct {
	listen, seed, faults, dir, pve string
	speed                          float64
}

func (a *app) simCommand() *cobra.Command {
	var f simFlags
	cmd := &cobra.Command{
		Use:   "sim",
		Short: "Serve a simulated Proxmox VE cluster",
		Long: `Sim serves a simulated Proxmox VE cluster over TLS until it is interrupted, and
prints how to reach it. What is made there stays in the directory.`,
		Example: `  proximity sim --listen 127.0.0.1:8006
  proximity sim --seed single --dir /tmp/lab --pve 8.4`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error { return a.sim(f) },
	}
	cmd.Flags().StringVar(&f.listen, "listen", "127.0.0.1:8006", "serve on `ADDRESS`; port 0 takes a free one")
	cmd.Flags().StringVar(&f.seed, "seed", "cluster", "what a new one has: cluster, single, or a JSON `FILE`")
	cmd.Flags().StringVar(&f.pve, "pve", "", "`VERSION` of Proxmox VE that a new one runs: "+strings.Join(pvesim.Versions(), ", ")+"; default: the newest")
	cmd.Flags().StringVar(&f.faults, "faults", "", "let requests go wrong as the JSON `FILE` says")
	cmd.Flags().StringVar(&f.dir, "dir", ".proximity/sim/server", "keep everything in `DIR`")
	cmd.Flags().Float64Var(&f.speed, "speed", 1, "simulated seconds per second")
	cmd.AddCommand(a.simRequestCommand(), a.simNodeCommand())
	return cmd
}

func (a *app) sim(f simFlags) error {
	if f.speed <= 0 {
		return &exit{exitUsage, fmt.Errorf("--speed %v: it has to be more than 0", f.speed)}
	}
	if f.pve != "" && !slices.Contains(pvesim.Versions(), f.pve) {
		return &exit{exitUsage, fmt.Errorf("--pve %q: there are %s", f.pve, strings.Join(pvesim.Versions(), ", "))}
	}
	options := pvesim.Options{Dir: f.dir, Speed: f.speed, PVE: f.pve}
	var err error
	if options.Seed, err = seed(f.seed); err != nil {
		return err
	}
	if f.faults != "" {
		if err := readJSON(f.faults, &options.Faults); err != nil {
			return err
		}
	}
	sim, err := pvesim.Open(options)
	if err != nil {
		return err
	}
	defer sim.Close()
	server, err := sim.Listen(f.listen)
	if err != nil {
		return hinted{fmt.Errorf("--listen %q: %w", f.listen, err), "--listen 127.0.0.1:0"}
	}
	defer server.Close()
	ctx, stop := signal.NotifyContext(context.Background(), endSignals()...)
	defer stop()
	if err := a.announce(server, sim); err != nil {
		return err
	}
	<-ctx.Done() // the usual way to end it, so no reason for a code of its own
	return nil
}

// announce prints how to reach the simulator, ready to be pasted.
func (a *app) announce(server *pvesim.Server, sim *pvesim.Sim) error {
	id, secret := sim.Token()
	if a.json {
		a.lines.Object("sim", map[string]any{
			"endpoint": server.URL, "fingerprint": server.Fingerprint, "token_id": id, "token_secret": secret,
		})
		return a.lines.Err()
	}
	return a.print(fmt.Sprintf("host \"sim\" {\n  endpoint     = %q\n  token_id     = %q\n  token_secret = %q\n  fingerprint  = %q\n}\n",
		server.URL, id, secret, server.Fingerprint))
}

// seed returns what a new simulator has: one of the built-in estates, or what
// a file describes.
func seed(name string) (*pvesim.Seed, error) {
	switch name {
	case "", "cluster":
		return pvesim.Cluster(), nil
	case "single":
		return pvesim.Single(), nil
	}
	var s pvesim.Seed
	return &s, readJSON(name, &s)
}

// readJSON reads a file that people write: what it does not know is a mistake.
func readJSON(name string, into any) error {
	text, err := os.ReadFile(name)
	if err != nil {
		return fmt.Errorf("%q: %w", name, plainCause(err))
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return fmt.Errorf("%q: %w", name, err)
	}
	return nil
}
