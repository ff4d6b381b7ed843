package cli

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/ui"
)

// labelled is how wide the column of the labels is, with what stands around it.
const labelled = "               "

// text writes a checkup for people: what there is, what is wrong, what to do.
// Only commands may be longer than a line: they are to be copied.
func (c *checkup) text(st ui.Style) string {
	var b strings.Builder
	verdict := "is fine"
	if n := len(c.problems); n > 0 {
		verdict = "has " + ui.Plural(n, "problem")
	}
	fmt.Fprintf(&b, "host %q %s\n", c.host.Name, verdict)
	add := func(label, lines string) {
		for line := range strings.Lines(lines) {
			fmt.Fprintf(&b, "  %-13s%s", label, line)
			label = ""
		}
	}
	prose := func(label string, texts []string) {
		for _, text := range texts {
			add(label, strings.ReplaceAll(ui.Wrap(ui.Clean(text), labelled, st), labelled, ""))
			label = ""
		}
	}
	add("endpoints", columns(c.endpointRows()))
	if c.provider != nil {
		prose("certificate", []string{c.certificate()})
		prose("credentials", []string{c.who + " is accepted"})
		prose("release", []string{"Proxmox VE " + c.Survey.Version})
		prose("without", c.Lacks)
		add("nodes", columns(c.nodeRows()))
		prose("bridges", c.bridgesInWords())
		add("storages", columns(c.storageRows()))
		prose("privileges", c.privilegesInWords())
	}
	for _, p := range c.problems {
		b.WriteString(hanging("  ", "problem: "+p.text, st))
		if p.hint != "" {
			text, paste, _ := strings.Cut(p.hint, "\n")
			b.WriteString(hanging("    ", "hint: "+text, st))
			for line := range strings.Lines(paste) {
				b.WriteString("      " + ui.Clean(line) + "\n")
			}
		}
	}
	writeCommands(&b, "To grant what is missing, on a node:", c.Commands)
	writeCommands(&b, "To grant the rest as well; leave out what is not wanted:", c.More)
	return b.String()
}

// hanging writes text with an indent, and further lines a little further in.
func hanging(indent, text string, st ui.Style) string {
	return ui.Wrap(ui.Clean(text), indent+"  ", st)[len("  "):]
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
		rows = append(rows, []string{e.url, c.stateOf(e)})
	}
	return rows
}

// stateOf says whether an endpoint can be worked with.
func (s *site) stateOf(e endpoint) string {
	switch {
	case e.err == nil:
		return "answers"
	case pve.IsCertificate(e.err) && s.host.Fingerprint == "":
		return "has a certificate that is not trusted"
	case pve.IsCertificate(e.err):
		return "has another certificate than expected"
	case pve.IsUnauthorised(e.err):
		return "refuses the credentials"
	}
	return "does not answer"
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
		rows = append(rows, row)
	}
	if len(rows) == 0 {
		rows = append(rows, []string{"none that can be seen"})
	}
	return rows
}

// bridgesInWords tells the bridges of each node, of nodes that have the same
// ones together.
func (c *checkup) bridgesInWords() []string {
	var lists []string
	nodes := map[string][]string{}
	for _, n := range c.Survey.Nodes {
		list := strings.Join(c.Bridges[n.Name], " ")
		if list == "" {
			continue
		}
		if nodes[list] == nil {
			lists = append(lists, list)
		}
		nodes[list] = append(nodes[list], n.Name)
	}
	for i, list := range lists {
		lists[i] = list + " on " + strings.Join(nodes[list], ", ")
	}
	return lists
}

// storageRows has a row for what each storage is for, and one for the space on
// each node, unless it is shared.
func (c *checkup) storageRows() [][]string {
	rows := [][]string{}
	last := ""
	for _, s := range storagesByName(c.Survey) {
		where, name := s.Node, s.Name
		if s.Shared {
			where = "shared"
		}
		space := inUse(s.Used, s.Size) + " in use"
		if !s.Active {
			space = "not available"
		}
		if name != last {
			rows = append(rows, []string{name, s.Type + " for " + strings.Join(s.Content, " ")})
		}
		last = name
		rows = append(rows, []string{"", fmt.Sprintf("%s: %s", where, space)})
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

func (c *checkup) privilegesInWords() []string {
	if len(c.Missing) == 0 && len(c.Optional) == 0 {
		return []string{"complete"}
	}
	var texts []string
	if n := len(c.Missing); n > 0 {
		texts = append(texts, fmt.Sprintf("%d missing, see below", n))
	}
	for _, p := range c.Optional {
		texts = append(texts, fmt.Sprintf("%s is not there on %s, which is fine while %s", p.Name, p.On, plain(p.Unless)))
	}
	return texts
}
