package cli

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/ui"
)

func (a *app) hostCommand() *cobra.Command {
	cmd := group("host", "Look at the hosts of the configuration")
	cmd.AddCommand(
		&cobra.Command{
			Use:   "list",
			Short: "List the hosts, and whether they answer",
			Args:  noArguments,
			RunE:  func(*cobra.Command, []string) error { return a.listHosts() },
		},
		&cobra.Command{
			Use:   "check [HOST…]",
			Short: "Check that hosts can be worked with, and say what they lack",
			Long: `Check looks at every endpoint of the hosts, their certificates and credentials,
the release and what it cannot do, nodes, storages, bridges, and the privileges
of the token or user. It prints the commands that grant what is missing, and
ends with exit code 1 when something has to be put right. It changes nothing.`,
			Example: `  proximity host check
  proximity host check pve --json`,
			RunE: func(_ *cobra.Command, names []string) error { return a.checkHosts(names) },
		},
	)
	return cmd
}

// hosts returns the hosts of these names, all without any, in their order.
func (a *app) hosts(names []string) ([]*config.Host, error) {
	if err := a.load(nil, nil); err != nil {
		return nil, err
	}
	all := slices.Sorted(maps.Keys(a.config.Hosts))
	if len(names) == 0 {
		names = all
	}
	var hosts []*config.Host
	for _, name := range names {
		h, found := a.config.Hosts[name]
		if !found {
			return nil, hinted{fmt.Errorf("there is no host %q", name), "there are: " + strings.Join(all, ", ")}
		}
		hosts = append(hosts, h)
	}
	return hosts, nil
}

// eachHost reaches hosts, one after the other, and lets do tell of each. It
// ends at an interrupt.
func (a *app) eachHost(names []string, do func(ctx context.Context, s *site) error) error {
	hosts, err := a.hosts(names)
	if err != nil {
		return err
	}
	ctx, _, stop := a.interruptible()
	defer stop()
	for _, h := range hosts {
		if err := a.atHost(ctx, h, do); err != nil {
			return err
		}
	}
	return nil
}

func (a *app) atHost(ctx context.Context, h *config.Host, do func(ctx context.Context, s *site) error) error {
	s, err := reach(ctx, h)
	if err != nil {
		return fmt.Errorf("host %q: %w", h.Name, err)
	}
	defer func() {
		if err := s.close(); err != nil {
			a.log.Warn("host closed", "cause", err)
		}
	}()
	if err := do(ctx, s); err != nil {
		return err
	}
	return ctx.Err()
}

// listHosts tells of each host in one line, whether it answers or not.
func (a *app) listHosts() error {
	var rows [][]string
	err := a.eachHost(nil, func(ctx context.Context, s *site) error {
		survey, err := s.survey(ctx)
		if a.json {
			a.lines.Object("host", listedHost(s, survey, err))
			return a.lines.Err()
		}
		row := []string{s.host.Name, s.answering(), survey.Version, nodesInWords(survey), ui.Plural(len(survey.Guests), "guest")}
		if err != nil {
			row = []string{s.host.Name, s.answering(), s.stateInWords(err)}
		}
		rows = append(rows, row)
		return nil
	})
	if err != nil {
		return err
	}
	return a.print(columns(rows))
}

// survey looks at what the host has.
func (s *site) survey(ctx context.Context) (resource.Survey, error) {
	if s.provider == nil {
		return resource.Survey{}, s.err()
	}
	found, err := s.provider.Observe(ctx, []providers.Target{})
	return found.Survey, err
}

func listedHost(s *site, survey resource.Survey, err error) map[string]any {
	fields := map[string]any{"name": s.host.Name, "endpoint": s.answering(), "reachable": err == nil}
	if err != nil {
		fields["error"] = err.Error()
		return fields
	}
	nodes := []map[string]any{}
	for _, n := range survey.Nodes {
		nodes = append(nodes, map[string]any{"name": n.Name, "online": n.Online})
	}
	fields["release"], fields["nodes"], fields["guests"] = survey.Version, nodes, len(survey.Guests)
	return fields
}

func nodesInWords(survey resource.Survey) string {
	var names []string
	for _, n := range survey.Nodes {
		name := n.Name
		if !n.Online {
			name += " (offline)"
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// columns writes rows so that their cells stand below each other. The last cell
// of a row may be of any length.
func columns(rows [][]string) string {
	var widths []int
	for _, row := range rows {
		for i, cell := range row[:len(row)-1] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], len([]rune(ui.Clean(cell))))
		}
	}
	var b strings.Builder
	for _, row := range rows {
		line := ""
		for i, cell := range row {
			cell = ui.Clean(cell)
			line += cell
			if i < len(row)-1 {
				line += strings.Repeat(" ", widths[i]-len([]rune(cell))+2)
			}
		}
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
	return b.String()
}
