package proxmox

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Precheck implements providers.Prechecker: everything that the survey shows
// would fail, at the line that asks for it, before anything is done.
func (p *Provider) Precheck(survey resource.Survey, proposals []providers.Proposal) diag.List {
	c := &checker{survey: survey, isRoot: p.Client != nil && p.Client.IsRoot(), templates: &p.templates}
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
	return c.found
}

type checker struct {
	survey    resource.Survey
	isRoot    bool
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
			fmt.Sprintf("disk { storage = %q }, or storage in the defaults of host %q", nearest("local-lvm", c.suitable(node, "rootdir")), c.survey.Host),
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
	hint := fmt.Sprintf("choose a storage of node %q that can hold %s", node.Name, what)
	if other := nearest(name, c.suitable(node, content)); other != "" {
		hint = fmt.Sprintf("storage = %q", other)
	}
	switch s := c.survey.Storage(node.Name, name); {
	case s == nil:
		c.err(at, fmt.Sprintf("there is no storage %q on node %q", name, node.Name), hint, "it has %s", strings.Join(c.storageNames(node), ", "))
	case !slices.Contains(s.Content, content):
		c.err(at, fmt.Sprintf("storage %q cannot hold %s", name, what), hint, "it is set up for %s only", strings.Join(s.Content, ", "))
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
			c.err(at, fmt.Sprintf("there is no bridge %q on node %q", bridge, node.Name),
				fmt.Sprintf("bridge = %q", nearest(bridge, node.Bridges)), "it has %s", strings.Join(node.Bridges, ", "))
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

// rootOnly finds what Proxmox lets only the user root@pam set, and no token.
func (c *checker) rootOnly(proposal providers.Proposal) {
	want := proposal.Want.Want
	var paths []resource.Path
	for _, block := range []string{"bind", "device"} {
		for _, label := range sortedLabels(want, block) {
			paths = append(paths, resource.Path{block, label})
		}
	}
	if resource.Text(want, "hook") != "" {
		paths = append(paths, resource.Path{"hook"})
	}
	features := resource.Attribute(want, "features")
	for _, name := range []string{"keyctl", "fuse", "mknod", "force_rw_sys"} {
		if isTrue(features, name) {
			paths = append(paths, resource.Path{"features", name})
		}
	}
	if len(textsOf(features, "mount")) > 0 {
		paths = append(paths, resource.Path{"features", "mount"})
	}
	for _, path := range paths {
		if proposal.Create || changes(proposal.Edits, path) {
			c.err(proposal.Want.Where(path), fmt.Sprintf("%s needs root@pam", path),
				fmt.Sprintf("username = \"root@pam\" and a password in host %q instead of a token", c.survey.Host),
				"Proxmox lets nobody else set it, not even a token of root@pam")
		}
	}
}

func changes(edits []resource.Edit, path resource.Path) bool {
	return slices.ContainsFunc(edits, func(e resource.Edit) bool {
		return e.Effect != resource.Record && (e.Path.Under(path) || path.Under(e.Path))
	})
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
		var major, minor int
		if n, err := fmt.Sscanf(c.survey.Version, "%d.%d", &major, &minor); err == nil && n == 2 && (major < 9 || major == 9 && minor < 1) {
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
		c.err(at, fmt.Sprintf("storage %q cannot hold backups", name), fmt.Sprintf("storage = %q", nearest(name, holds)),
			"backups can go to %s", strings.Join(holds, ", "))
	}
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
