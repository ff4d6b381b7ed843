package proxmox

import (
	"fmt"

	"github.com/proximity-cli/proximity/internal/resource"
)

// appOrigin checks what a container is to be made from.
func (c *checker) appOrigin(want resource.Resource, node *resource.Node) {
	from, found := originOf(want.Want)
	clone := resource.Attribute(want.Want, "clone")
	switch {
	case found:
		at := want.Where(resource.Path{"template_storage"})
		if at == nil {
			at = want.Where(resource.Path{from.attr})
		}
		storage := templateStorage(want.Want)
		if isVolumeID(from.spec) && from.attr == "template" {
			storage, at = storageOf(from.spec), want.Where(resource.Path{from.attr})
			c.file(want, from)
		}
		c.storage(at, node, storage, "vztmpl", "templates")
	case clone.IsNull() && resource.Attribute(want.Want, "template").IsKnown() && resource.Attribute(want.Want, "image").IsKnown():
		c.err(want.Where(nil), "nothing to make "+want.Addr.String()+" from", `template = "debian-13-standard"`,
			"it has neither a template nor an image nor a container to clone")
	}
	c.source(want)
}

// file requires a template that is named by its volume id: nobody fetches it.
// Proxmox finds out only in the task (recording create-bad-template).
func (c *checker) file(want resource.Resource, from origin) {
	at := place{nodeOf(c.survey, want), storageOf(from.spec)}
	if none, missing := c.answers.templates[at][from]; missing {
		hint := "upload it to the storage, or name a template to download"
		if len(none.similar) > 0 {
			hint = fmt.Sprintf("template = %q", none.similar[0])
		}
		c.err(want.Where(resource.Path{"template"}), fmt.Sprintf("there is no template %q", from.spec), hint,
			"storage %q on node %q has %s", at.storage, at.node, listed(none.similar))
	}
}

// source requires the container to clone.
func (c *checker) source(want resource.Resource) {
	spec := resource.Text(want.Want, "clone")
	if spec == "" {
		return
	}
	at := want.Where(resource.Path{"clone"})
	guests := c.sources(spec)
	switch {
	case len(guests) == 0:
		var names []string
		for _, g := range c.survey.Guests {
			if g.Type == "lxc" && g.Name != "" {
				names = append(names, g.Name)
			}
		}
		c.err(at, fmt.Sprintf("there is no container %q to clone", spec), choice("clone", spec, names),
			"host %q has none of that number or name, unless the token may not see it (VM.Audit on /vms)", c.survey.Host)
	case len(guests) > 1:
		c.err(at, fmt.Sprintf("there are several containers %q to clone", spec), fmt.Sprintf("clone = \"%d\"", guests[0].ID),
			"a VMID tells which is meant")
	case guests[0].Running && !guests[0].Template:
		c.err(at, fmt.Sprintf("container %q runs and cannot be cloned", spec), fmt.Sprintf("pct shutdown %d", guests[0].ID),
			"Proxmox clones a running container only from a snapshot")
	}
}

// sources returns the containers that have a VMID or, when there is none, a name.
func (c *checker) sources(spec string) []resource.Guest {
	var byID, byName []resource.Guest
	for _, g := range c.survey.Guests {
		if g.Type == "lxc" && fmt.Sprint(g.ID) == spec {
			byID = append(byID, g)
		}
		if g.Type == "lxc" && g.Name == spec {
			byName = append(byName, g)
		}
	}
	if len(byID) > 0 {
		return byID
	}
	return byName
}

// template checks a template or image that is to be fetched.
func (c *checker) template(want resource.Resource) {
	if image := resource.Text(want.Want, "image"); image != "" {
		if c.isBefore(9, 1) {
			c.err(want.Where(resource.Path{"image"}), "images need Proxmox VE 9.1 or later", "use a template instead",
				"host %q runs %s", c.survey.Host, c.survey.Version)
		}
		return
	}
	spec := resource.Text(want.Want, "template")
	at := place{resource.Text(want.Want, "node"), resource.Text(want.Want, "storage")}
	if none, missing := c.answers.templates[at][origin{"template", spec}]; missing {
		hint := "pveam update on the node, when the template is new"
		if len(none.similar) > 0 {
			hint = fmt.Sprintf("template = %q", none.similar[0])
		}
		c.err(want.Where(resource.Path{"template"}), fmt.Sprintf("there is no template %q", spec), hint, "%s", none.Error())
	}
}
