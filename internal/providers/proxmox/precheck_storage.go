package proxmox

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

func (c *checker) storages(proposal providers.Proposal, node *resource.Node) {
	want := proposal.Want
	disk := resource.Attribute(want.Want, "disk")
	diskAt := want.Where(resource.Path{"disk", "storage"})
	isNew := proposal.Create && resource.Text(want.Want, "clone") == ""
	if name := resource.Text(disk, "storage"); name != "" {
		c.storage(diskAt, node, name, "rootdir", "container disks")
	} else if isNew && resource.Attribute(disk, "storage").IsKnown() {
		c.err(diskAt, "no storage for the disk of "+want.Addr.String(),
			fmt.Sprintf("%s in its disk block or in the defaults of host %q", choice("storage", "local-lvm", c.suitable(node, "rootdir")), c.survey.Host),
			"Proxmox's own default, local, cannot hold disks of containers")
	}
	for _, label := range sortedLabels(want.Want, "volume") {
		at := want.Where(resource.Path{"volume", label, "storage"})
		if name := resource.Text(element(want.Want, "volume", label), "storage"); name != "" {
			c.storage(at, node, name, "rootdir", "container disks")
		} else if resource.Attribute(element(want.Want, "volume", label), "storage").IsKnown() && bringsVolume(proposal, label) {
			c.err(at, fmt.Sprintf("no storage for volume %q of %s", label, want.Addr),
				fmt.Sprintf("%s in its volume block or in the defaults of host %q", choice("storage", "local-lvm", c.suitable(node, "rootdir")), c.survey.Host),
				"Proxmox has no default for volumes")
		}
	}
}

// bringsVolume reports whether a proposal makes a volume.
func bringsVolume(proposal providers.Proposal, label string) bool {
	return proposal.Create || slices.ContainsFunc(proposal.Edits, func(e resource.Edit) bool {
		return len(e.Path) == 2 && e.Path[0] == "volume" && e.Path[1] == label && !e.New.IsNull()
	})
}

// storage requires that a node has a storage for a kind of content.
func (c *checker) storage(at *hcl.Range, node *resource.Node, name, content, what string) {
	hint := choice("storage", name, c.suitable(node, content))
	switch s := c.survey.Storage(node.Name, name); {
	case s == nil:
		c.err(at, fmt.Sprintf("there is no storage %q on node %q", name, node.Name), hint,
			"it has %s, unless the token may not see it (Datastore.Audit on /storage/%s)", listed(c.storageNames(node)), name)
	case !slices.Contains(s.Content, content):
		c.err(at, fmt.Sprintf("storage %q cannot hold %s", name, what), hint, "it is set up for %s only", listed(s.Content))
	case !s.Active:
		c.err(at, fmt.Sprintf("storage %q is not available on node %q", name, node.Name), hint, "Proxmox cannot reach it at the moment")
	}
}

func (c *checker) storageNames(node *resource.Node) []string {
	var names []string
	for _, s := range c.survey.Storages {
		if s.Node == node.Name {
			names = append(names, s.Name)
		}
	}
	return names
}

// suitable returns the storages of a node for a kind of content.
func (c *checker) suitable(node *resource.Node, content string) []string {
	var names []string
	for _, s := range c.survey.Storages {
		if s.Node == node.Name && s.Active && slices.Contains(s.Content, content) {
			names = append(names, s.Name)
		}
	}
	return names
}

// policy checks a backup policy: where its archives go, when it runs and what
// it keeps.
func (c *checker) policy(proposal providers.Proposal) {
	want := proposal.Want
	c.schedule(proposal)
	c.keep(proposal)
	if node := resource.Text(want.Want, "node"); node != "" && c.survey.Node(node) == nil {
		c.err(want.Where(resource.Path{"node"}), fmt.Sprintf("there is no node %q", node), fmt.Sprintf("node = %q", nearest(node, c.nodeNames())),
			"a job of a node that is not there never runs")
	}
	name := resource.Text(want.Want, "storage")
	if name == "" {
		return
	}
	at := want.Where(resource.Path{"storage"})
	var all, holds []string
	for _, s := range c.survey.Storages {
		all = append(all, s.Name)
		if slices.Contains(s.Content, "backup") {
			holds = append(holds, s.Name)
		}
	}
	slices.Sort(holds)
	holds = slices.Compact(holds)
	switch {
	case !slices.Contains(all, name):
		c.err(at, fmt.Sprintf("there is no storage %q", name), choice("storage", name, holds),
			"backups can go to %s, unless the token may not see it (Datastore.Audit on /storage/%s)", listed(holds), name)
	case !slices.Contains(holds, name):
		c.err(at, fmt.Sprintf("storage %q cannot hold backups", name), choice("storage", name, holds),
			"backups can go to %s", listed(holds))
	}
}
