package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers/proxmox"
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
		return a.print(c.text(a.out.Style()))
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
