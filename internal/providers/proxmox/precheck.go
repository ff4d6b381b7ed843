package proxmox

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Precheck implements providers.Prechecker: everything that the survey shows
// would fail, at the line that asks for it, before anything is done.
func (p *Provider) Precheck(survey resource.Survey, proposals []providers.Proposal) diag.List {
	c := &checker{survey: survey, isRoot: p.Client != nil && p.Client.IsRoot(), templates: &p.templates}
	if r := p.rights.Load(); r != nil && !c.isRoot {
		c.rights = *r
	}
	var apps []providers.Proposal
	for _, proposal := range proposals {
		switch proposal.Want.Addr.Kind {
		case "app":
			c.app(proposal)
			apps = append(apps, proposal)
		case "backup_policy":
			c.policy(proposal.Want)
		case "template":
			c.template(proposal.Want)
		}
	}
	c.together(apps)
	c.rightsOf(proposals)
	return c.found
}

type checker struct {
	survey    resource.Survey
	isRoot    bool
	rights    rights // nil: not known
	templates *templates
	found     diag.List
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

func (c *checker) app(proposal providers.Proposal) {
	want := proposal.Want
	node := c.node(want)
	if node == nil {
		return
	}
	c.storages(proposal, node)
	c.networks(want, node)
	c.paths(want)
	c.release(want)
	if !c.isRoot {
		c.rootOnly(proposal)
	}
	if proposal.Create {
		c.vmid(proposal)
		c.appOrigin(want, node)
	}
}

// node returns the node an app is wanted on, when it is there and online.
func (c *checker) node(want resource.Resource) *resource.Node {
	name := resource.Text(want.Want, "node")
	at := want.Where(resource.Path{"node"})
	if name == "" && len(c.survey.Nodes) == 1 {
		name = c.survey.Nodes[0].Name
	}
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
		if name := resource.Text(element(want.Want, "volume", label), "storage"); name != "" {
			c.storage(want.Where(resource.Path{"volume", label, "storage"}), node, name, "rootdir", "container disks")
		}
	}
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

func (c *checker) networks(want resource.Resource, node *resource.Node) {
	for _, label := range sortedLabels(want.Want, "network") {
		nic := element(want.Want, "network", label)
		bridge := resource.Text(nic, "bridge")
		at := want.Where(resource.Path{"network", label, "bridge"})
		switch {
		case bridge == "" && resource.Attribute(nic, "bridge").IsKnown():
			c.err(at, fmt.Sprintf("no bridge for %s of %s", label, want.Addr), fmt.Sprintf("bridge in the defaults of host %q", c.survey.Host),
				"an interface without a bridge reaches nothing")
		case bridge != "" && node.Bridges != nil && !slices.Contains(node.Bridges, bridge):
			right := "SDN.Use on /sdn/zones/localnetwork/" + bridge
			c.err(at, fmt.Sprintf("there is no bridge %q on node %q", bridge, node.Name), choice("bridge", bridge, node.Bridges),
				"it has %s, unless the token may not use it (%s)", listed(node.Bridges), right)
		}
		c.gateway(want, label, "ip", "gateway")
		c.gateway(want, label, "ip6", "gateway6")
	}
}

func (c *checker) gateway(want resource.Resource, label, ip, gateway string) {
	nic := element(want.Want, "network", label)
	prefix, err := netip.ParsePrefix(resource.Text(nic, ip))
	gw, gwErr := netip.ParseAddr(resource.Text(nic, gateway))
	if err == nil && gwErr == nil && !prefix.Contains(gw) && !gw.IsLinkLocalUnicast() {
		c.warn(want.Where(resource.Path{"network", label, gateway}), fmt.Sprintf("gateway %s is outside of %s", gw, prefix.Masked()), "",
			"%s will not reach it without a route of its own", want.Addr)
	}
}

func (c *checker) vmid(proposal providers.Proposal) {
	at := proposal.Want.Where(resource.Path{"vmid"})
	asked := numberText(resource.Attribute(proposal.Want.Want, "vmid"))
	for _, g := range c.survey.Guests {
		if asked != "" && fmt.Sprint(g.ID) == asked && len(proposal.Edits) == 0 {
			c.err(at, fmt.Sprintf("VMID %s is taken", asked), "leave vmid out to get a free one",
				"guest %q on node %q has it and is not ours", g.Name, g.Node)
		}
	}
}

func (c *checker) appOrigin(want resource.Resource, node *resource.Node) {
	from, found := originOf(want.Want)
	clone := resource.Attribute(want.Want, "clone")
	switch {
	case found:
		at := want.Where(resource.Path{"template_storage"})
		if at == nil {
			at = want.Where(resource.Path{from.attr})
		}
		c.storage(at, node, templateStorage(want.Want), "vztmpl", "templates")
	case clone.IsNull() && resource.Attribute(want.Want, "template").IsKnown() && resource.Attribute(want.Want, "image").IsKnown():
		c.err(want.Where(nil), "nothing to make "+want.Addr.String()+" from", `template = "debian-13-standard"`,
			"it has neither a template nor an image nor a container to clone")
	}
}

func (c *checker) template(want resource.Resource) {
	if image := resource.Text(want.Want, "image"); image != "" {
		if c.isBefore(9, 1) {
			c.err(want.Where(resource.Path{"image"}), "images need Proxmox VE 9.1 or later", "use a template instead",
				"host %q runs %s", c.survey.Host, c.survey.Version)
		}
		return
	}
	spec := resource.Text(want.Want, "template")
	missing, known := c.templates.missingAt(place{resource.Text(want.Want, "node"), resource.Text(want.Want, "storage")}, origin{"template", spec})
	if known {
		hint := "pveam update on the node, when the template is new"
		if len(missing.similar) > 0 {
			hint = fmt.Sprintf("template = %q", missing.similar[len(missing.similar)-1])
		}
		c.err(want.Where(resource.Path{"template"}), fmt.Sprintf("there is no template %q", spec), hint, "%s", missing.Error())
	}
}

// isBefore reports whether the host is known to run an older release.
func (c *checker) isBefore(major, minor int) bool {
	v, err := pve.ParseVersion(c.survey.Version)
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
}

func (c *checker) policy(want resource.Resource) {
	name := resource.Text(want.Want, "storage")
	if name == "" {
		return
	}
	at := want.Where(resource.Path{"storage"})
	var holds []string
	for _, s := range c.survey.Storages {
		if slices.Contains(s.Content, "backup") {
			holds = append(holds, s.Name)
		}
	}
	slices.Sort(holds)
	holds = slices.Compact(holds)
	if !slices.Contains(holds, name) {
		c.err(at, fmt.Sprintf("storage %q cannot hold backups", name), choice("storage", name, holds),
			"backups can go to %s", listed(holds))
	}
}

// listed joins names for people.
func listed(names []string) string {
	if len(names) == 0 {
		return "none that can be seen"
	}
	return strings.Join(names, ", ")
}

// choice is what to write instead: the nearest of names.
func choice(attr, name string, names []string) string {
	if other := nearest(name, names); other != "" {
		return fmt.Sprintf("%s = %q", attr, other)
	}
	return "give the token the privileges to see a " + attr + " that fits, or make one"
}

// nearest returns the name that shares the longest beginning with another, or
// the first of them.
func nearest(name string, names []string) string {
	best, longest := "", -1
	for _, n := range names {
		common := 0
		for common < min(len(n), len(name)) && n[common] == name[common] {
			common++
		}
		if common > longest {
			best, longest = n, common
		}
	}
	return best
}
