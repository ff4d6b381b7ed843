package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/ui"
)

// checkup is what host check has found out about one host.
type checkup struct {
	*site
	proxmox.Inspection
	problems []problem
}

// problem is something that has to be put right.
type problem struct{ text, hint string }

// checkHosts checks hosts and tells of each. Something that has to be put right
// makes the exit code 1.
func (a *app) checkHosts(names []string) error {
	wrong, first := false, true
	err := a.eachHost(names, func(ctx context.Context, s *site) error {
		c := check(ctx, s)
		wrong = wrong || len(c.problems) > 0
		if a.json {
			a.lines.Object("host_check", c.fields())
			return a.lines.Err()
		}
		if !first {
			if err := a.print("\n"); err != nil {
				return err
			}
		}
		first = false
		return a.print(c.text())
	})
	if err == nil && wrong {
		return &exit{code: exitError} // what is wrong has been told
	}
	return err
}

// check looks at a host and gathers what is wrong with it.
func check(ctx context.Context, s *site) checkup {
	c := checkup{site: s}
	for _, e := range s.endpoints {
		if e.err != nil {
			c.add(fmt.Sprintf("endpoint %s: %v", e.url, e.err), hintOf(e.err))
		}
	}
	if s.provider == nil {
		return c
	}
	var err error
	if c.Inspection, err = s.provider.Inspect(ctx); err != nil {
		c.add(err.Error(), hintOf(err))
		return c
	}
	for _, text := range c.Problems {
		c.add(text, "")
	}
	for _, p := range c.Missing {
		c.add(fmt.Sprintf("%s lacks %s on %s: %s", s.who, p.Name, p.On, plain(p.For)), "")
	}
	return c
}

func (c *checkup) add(text, hint string) { c.problems = append(c.problems, problem{text, hint}) }

// hintOf returns the way out of an error, or "".
func hintOf(err error) string {
	if h, ok := withHint(err).(hinted); ok {
		return h.hint
	}
	return ""
}

// plain takes the marks of Markdown out.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// text writes a checkup for people: what there is, what is wrong, what to do.
func (c *checkup) text() string {
	var b strings.Builder
	verdict := "is fine"
	if n := len(c.problems); n > 0 {
		verdict = "has " + ui.Plural(n, "problem")
	}
	fmt.Fprintf(&b, "host %q %s\n", c.host.Name, verdict)
	add := func(label string, rows ...[]string) {
		for line := range strings.Lines(columns(rows)) {
			fmt.Fprintf(&b, "  %-13s%s", label, line)
			label = ""
		}
	}
	add("endpoints", c.endpointRows()...)
	if c.provider != nil {
		add("certificate", []string{c.certificate()})
		add("credentials", []string{c.who + " is accepted"})
		add("release", []string{c.releaseLine()})
		add("nodes", c.nodeRows()...)
		add("storages", c.storageRows()...)
		add("privileges", c.privilegeRows()...)
	}
	for _, p := range c.problems {
		fmt.Fprintf(&b, "  problem: %s\n", ui.Clean(p.text))
		if p.hint != "" {
			fmt.Fprintf(&b, "    hint: %s\n", ui.Clean(p.hint))
		}
	}
	writeCommands(&b, "To grant what is missing, on a node:", c.Commands)
	writeCommands(&b, "To grant the rest as well; leave out what is not wanted:", c.More)
	return b.String()
}

func writeCommands(b *strings.Builder, head string, commands []string) {
	if len(commands) > 0 {
		b.WriteString("  " + head + "\n")
	}
	for _, command := range commands {
		b.WriteString("    " + ui.Clean(command) + "\n")
	}
}

func (c *checkup) endpointRows() [][]string {
	var rows [][]string
	for _, e := range c.endpoints {
		state := "answers"
		switch {
		case pve.IsCertificate(e.err):
			state = "has another certificate than expected"
		case pve.IsUnauthorised(e.err):
			state = "refuses the credentials"
		case e.err != nil:
			state = "does not answer"
		}
		rows = append(rows, []string{e.url, state})
	}
	return rows
}

func (c *checkup) releaseLine() string {
	if len(c.Lacks) == 0 {
		return "Proxmox VE " + c.Survey.Version
	}
	return fmt.Sprintf("Proxmox VE %s, without %s", c.Survey.Version, strings.Join(c.Lacks, "; "))
}

func (c *checkup) nodeRows() [][]string {
	rows := [][]string{}
	for _, n := range c.Survey.Nodes {
		state := "online"
		if !n.Online {
			state = "offline"
		}
		row := []string{n.Name, state}
		if n.Memory > 0 {
			row = append(row, ui.Plural(n.CPUs, "CPU"), inUse(n.MemoryUse, n.Memory)+" of memory in use")
		}
		if bridges := c.Bridges[n.Name]; len(bridges) > 0 {
			row = append(row, "bridges "+strings.Join(bridges, " "))
		}
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		rows = append(rows, []string{"none that can be seen"})
	}
	return rows
}

// storageRows has one row for each storage; what is not shared has its own size
// on each node.
func (c *checkup) storageRows() [][]string {
	rows := [][]string{}
	for _, s := range storagesByName(c.Survey) {
		where := s.Node
		if s.Shared {
			where = "shared"
		}
		space := inUse(s.Used, s.Size) + " in use"
		if !s.Active {
			space = "not available"
		}
		rows = append(rows, []string{s.Name, where, s.Type, strings.Join(s.Content, " "), space})
	}
	if len(rows) == 0 {
		rows = append(rows, []string{"none that can be seen"})
	}
	return rows
}

// storagesByName returns the storages by name and node, shared ones once.
func storagesByName(survey resource.Survey) []resource.Storage {
	var all []resource.Storage
	for _, s := range survey.Storages {
		known := slices.ContainsFunc(all, func(other resource.Storage) bool { return s.Shared && other.Name == s.Name })
		if !known {
			all = append(all, s)
		}
	}
	slices.SortStableFunc(all, func(a, b resource.Storage) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func inUse(used, size uint64) string {
	return fmt.Sprintf("%s of %s", gibibytes(used), gibibytes(size))
}

// gibibytes writes a size for people.
func gibibytes(n uint64) string {
	for _, unit := range []struct {
		bits uint
		name string
	}{{40, "TiB"}, {30, "GiB"}, {20, "MiB"}} {
		if n >= 1<<unit.bits {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(uint64(1)<<unit.bits), unit.name)
		}
	}
	return fmt.Sprintf("%d B", n)
}

func (c *checkup) privilegeRows() [][]string {
	if len(c.Missing) == 0 && len(c.Optional) == 0 {
		return [][]string{{"complete"}}
	}
	var rows [][]string
	if n := len(c.Missing); n > 0 {
		rows = append(rows, []string{fmt.Sprintf("%d missing, see below", n)})
	}
	for _, p := range c.Optional {
		rows = append(rows, []string{fmt.Sprintf("%s is not there on %s, which is fine while %s", p.Name, p.On, plain(p.Unless))})
	}
	return rows
}

// fields is a checkup as plain data.
func (c *checkup) fields() map[string]any {
	endpoints, problems := []map[string]any{}, []map[string]any{}
	for _, e := range c.endpoints {
		row := map[string]any{"endpoint": e.url, "reachable": e.err == nil}
		if e.err != nil {
			row["error"] = e.err.Error()
		}
		endpoints = append(endpoints, row)
	}
	for _, p := range c.problems {
		row := map[string]any{"text": p.text}
		if p.hint != "" {
			row["hint"] = p.hint
		}
		problems = append(problems, row)
	}
	fields := map[string]any{
		"name": c.host.Name, "ok": len(problems) == 0, "reachable": c.provider != nil, "endpoints": endpoints, "problems": problems,
	}
	if c.provider == nil {
		return fields
	}
	nodes, storages := []map[string]any{}, []map[string]any{}
	for _, n := range c.Survey.Nodes {
		nodes = append(nodes, map[string]any{"name": n.Name, "online": n.Online, "cpus": n.CPUs, "memory": n.Memory,
			"memory_used": n.MemoryUse, "bridges": orEmpty(c.Bridges[n.Name])})
	}
	for _, s := range c.Survey.Storages {
		storages = append(storages, map[string]any{"name": s.Name, "node": s.Node, "kind": s.Type, "content": orEmpty(s.Content),
			"shared": s.Shared, "active": s.Active, "size": s.Size, "used": s.Used})
	}
	fields["certificate"], fields["credentials"], fields["release"] = c.certificate(), c.who, c.Survey.Version
	fields["lacks"], fields["nodes"], fields["storages"] = orEmpty(c.Lacks), nodes, storages
	fields["missing"], fields["optional"], fields["commands"] = privilegeFields(c.Missing), privilegeFields(c.Optional), orEmpty(c.Commands)
	fields["optional_commands"] = orEmpty(c.More)
	return fields
}

func privilegeFields(list []proxmox.Privilege) []map[string]any {
	rows := []map[string]any{}
	for _, p := range list {
		row := map[string]any{"privilege": p.Name, "on": p.On, "for": plain(p.For)}
		if p.Unless != "" {
			row["unless"] = plain(p.Unless)
		}
		rows = append(rows, row)
	}
	return rows
}

// orEmpty makes a list that JSON writes as [].
func orEmpty(list []string) []string { return append([]string{}, list...) }
