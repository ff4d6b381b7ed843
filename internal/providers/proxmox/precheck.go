package proxmox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Precheck implements providers.Prechecker: everything that would fail, as far
// as the survey and a few questions to the host tell, at the line that asks for
// it, before anything is done.
func (p *Provider) Precheck(ctx context.Context, survey resource.Survey, proposals []providers.Proposal) diag.List {
	c := &checker{survey: survey, answers: p.ask(ctx, survey, proposals), now: p.Now()}
	if p.Client != nil {
		c.isRoot, c.who = p.Client.IsRoot(), p.Client.Who()
	}
	for _, proposal := range proposals {
		switch {
		case proposal.Delete:
		case proposal.Addr.Kind == "app":
			c.app(proposal)
		case proposal.Addr.Kind == "backup_policy":
			c.policy(proposal)
		case proposal.Addr.Kind == "template":
			c.template(proposal.Want)
		}
	}
	c.space(proposals)
	c.memory(proposals)
	c.numbers(proposals)
	c.claims(proposals)
	c.pools(proposals)
	c.privileges(proposals)
	return c.found
}

// checker collects what it finds out about proposals.
type checker struct {
	survey  resource.Survey
	answers answers
	isRoot  bool
	who     string // the token or user
	now     time.Time
	found   diag.List
}

func (c *checker) err(at *hcl.Range, summary, hint, detail string, args ...any) {
	d := diag.Errorf(at, summary, detail, args...)
	d.Hint = hint
	c.found = append(c.found, d)
}

func (c *checker) warn(at *hcl.Range, summary, hint, detail string, args ...any) {
	d := diag.Warningf(at, summary, detail, args...)
	d.Hint = hint
	c.found = append(c.found, d)
}

func (c *checker) note(at *hcl.Range, summary, detail string, args ...any) {
	c.found = append(c.found, diag.Notef(at, summary, detail, args...))
}

func (c *checker) app(proposal providers.Proposal) {
	want := proposal.Want
	node := c.node(want)
	if node == nil {
		return
	}
	// What stays as it is works, or is people's own business.
	if proposal.Create || changes(proposal, "disk", "volume", "node") {
		c.storages(proposal, node)
	}
	if proposal.Create || changes(proposal, "network", "node") {
		c.networks(proposal, node)
	}
	if proposal.Create || changes(proposal, "disk", "volume", "bind", "device") {
		c.mounts(proposal)
	}
	if proposal.Create || changes(proposal, "env", "entrypoint", "device") {
		c.release(want)
	}
	if !c.isRoot {
		c.rootOnly(proposal)
	}
	if proposal.Create {
		c.appOrigin(want, node)
	}
}

// node returns the node an app is wanted on, when it is there and online.
func (c *checker) node(want resource.Resource) *resource.Node {
	name := nodeOf(c.survey, want)
	at := want.Where(resource.Path{"node"})
	node := c.survey.Node(name)
	switch {
	case !resource.Attribute(want.Want, "node").IsKnown():
	case name == "":
		c.err(at, "no node for "+want.Addr.String(), fmt.Sprintf("node = %q", c.nodeNames()[0]),
			"host %q has the nodes %s", c.survey.Host, strings.Join(c.nodeNames(), ", "))
	case node == nil:
		c.err(at, fmt.Sprintf("there is no node %q", name), fmt.Sprintf("node = %q", nearest(name, c.nodeNames())),
			"host %q has the nodes %s", c.survey.Host, strings.Join(c.nodeNames(), ", "))
	case !node.Online:
		c.err(at, fmt.Sprintf("node %q is not online", name), "start the node, or choose another one",
			"%s cannot be made or changed there", want.Addr)
		return nil
	}
	return node
}

// nodeOf returns the node that an app is wanted on; on a host with one node
// nobody has to say which.
func nodeOf(survey resource.Survey, want resource.Resource) string {
	if name := resource.Text(want.Want, "node"); name != "" || len(survey.Nodes) != 1 {
		return name
	}
	return survey.Nodes[0].Name
}

func (c *checker) nodeNames() []string {
	names := []string{}
	for _, n := range c.survey.Nodes {
		names = append(names, n.Name)
	}
	if len(names) == 0 {
		names = append(names, "pve")
	}
	return names
}

// isBefore reports whether the host is known to run an older release.
func (c *checker) isBefore(major, minor int) bool { return olderThan(c.survey.Version, major, minor) }

// olderThan reports whether a release is known to be an older one.
func olderThan(version string, major, minor int) bool {
	v, err := pve.ParseVersion(version)
	return err == nil && !v.AtLeast(major, minor)
}

// release finds what older releases have no parameters for.
func (c *checker) release(want resource.Resource) {
	for _, name := range []string{"env", "entrypoint"} {
		if encode(resource.Attribute(want.Want, name), "") != "" && c.isBefore(9, 1) {
			at := want.Where(resource.Path{name})
			c.err(at, name+" needs Proxmox VE 9.1 or later", "take it out, or set it inside the container",
				"host %q runs %s", c.survey.Host, c.survey.Version)
		}
	}
	for _, path := range sortedLabels(want.Want, "device") {
		if c.isBefore(8, 1) {
			c.err(want.Where(resource.Path{"device", path}), "devices need Proxmox VE 8.1 or later", "take the block out",
				"host %q runs %s", c.survey.Host, c.survey.Version)
		}
		if isTrue(element(want.Want, "device", path), "deny_write") && c.isBefore(8, 3) {
			c.err(want.Where(resource.Path{"device", path, "deny_write"}), "deny_write needs Proxmox VE 8.3 or later", "take it out",
				"host %q runs %s", c.survey.Host, c.survey.Version)
		}
	}
}
