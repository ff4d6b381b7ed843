package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

func (a *app) simRequestCommand() *cobra.Command {
	var dir string
	cmd := &cobra.Command{
		Use:   "request METHOD PATH [KEY=VALUE…]",
		Short: "Send one request to a simulator that is kept in a directory",
		Long: `Request sends one request to a simulator as a person at its web page would, and
prints the answer's data. Paths are those of the Proxmox API. Of a host with the
endpoint "sim:" the directory is .proximity/sim/HOST.`,
		Example: `  proximity sim request --dir .proximity/sim/pve GET /cluster/resources
  proximity sim request --dir .proximity/sim/pve PUT /nodes/pve1/lxc/2000/config memory=2048`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 {
				return errors.New("a method and a path are expected")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.simRequest(cmd.Context(), dir, strings.ToUpper(args[0]), args[1], args[2:])
		},
	}
	cmd.Flags().StringVar(&dir, "dir", ".proximity/sim/server", "where the simulator is kept, as `DIR`")
	return cmd
}

func (a *app) simRequest(ctx context.Context, dir, method, path string, params []string) error {
	sim, err := openSimulator(dir)
	if err != nil {
		return err
	}
	defer sim.Close()
	req, err := simulatedRequest(ctx, sim, method, path, params)
	if err != nil {
		return err
	}
	resp, err := sim.Transport().RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer struct {
		Data   json.RawMessage
		Errors map[string]string
	}
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &answer); err != nil || resp.StatusCode != http.StatusOK {
		reasons := []string{resp.Status}
		for _, key := range slices.Sorted(maps.Keys(answer.Errors)) {
			reasons = append(reasons, key+": "+strings.TrimSpace(answer.Errors[key]))
		}
		return fmt.Errorf("%s %s: %s", method, path, strings.Join(reasons, "; "))
	}
	return a.print(string(answer.Data) + "\n")
}

// simulatedRequest puts parameters where Proxmox takes them: reads and deletes
// in the query, everything else in the body.
func simulatedRequest(ctx context.Context, sim *pvesim.Sim, method, path string, params []string) (*http.Request, error) {
	form := url.Values{}
	for _, p := range params {
		key, value, found := strings.Cut(p, "=")
		if !found {
			return nil, &exit{exitUsage, errors.New(p + ": write parameters as KEY=VALUE")}
		}
		form.Add(key, value)
	}
	target, body := "https://sim/api2/json"+path, ""
	if method == http.MethodGet || method == http.MethodDelete {
		target += "?" + form.Encode()
	} else {
		body = form.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	id, secret := sim.Token()
	req.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	if body != "" {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	return req, nil
}
