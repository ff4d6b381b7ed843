package proxmox

import (
	"fmt"
	"path"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// mounts refuses what Proxmox takes and what then does not work inside: two
// things at one path, of which the later one hides the other, something over
// the root, paths that lead elsewhere than they say (recording
// create-bad-mounts), devices that are none, quotas where they cannot be.
func (c *checker) mounts(proposal providers.Proposal) {
	want := proposal.Want
	taken := map[string]resource.Path{}
	for _, label := range sortedLabels(want.Want, "volume") {
		by := resource.Path{"volume", label}
		volume := element(want.Want, "volume", label)
		if where := resource.Text(volume, "path"); where != "" {
			c.mountPoint(want, taken, where, by, by.With("path"))
		}
		c.quota(want, volume, by)
	}
	for _, label := range sortedLabels(want.Want, "bind") {
		by := resource.Path{"bind", label}
		c.mountPoint(want, taken, label, by, by)
		c.quota(want, element(want.Want, "bind", label), by)
	}
	c.quota(want, resource.Attribute(want.Want, "disk"), resource.Path{"disk"})
	for _, label := range sortedLabels(want.Want, "device") {
		if !strings.HasPrefix(label, "/dev/") || path.Clean(label) != label {
			c.err(want.Where(resource.Path{"device", label}), fmt.Sprintf("%q is no device", label), `device "/dev/dri/renderD128" {}`,
				"devices of the node have paths below /dev")
		}
	}
}

func (c *checker) mountPoint(want resource.Resource, taken map[string]resource.Path, where string, by, at resource.Path) {
	clean := path.Clean(where)
	switch first, clash := taken[clean]; {
	case !path.IsAbs(where) || strings.Contains(where, ".."):
		c.err(want.Where(at), fmt.Sprintf("%q is no absolute path", where), fmt.Sprintf("%q", path.Join("/", clean)),
			"Proxmox takes it and mounts something else than it says")
		return
	case clean == "/":
		c.err(want.Where(at), fmt.Sprintf("%s would hide the whole container", by), "give it a path below /",
			"what is mounted at / covers the root disk")
	case clash:
		c.err(want.Where(at), fmt.Sprintf("%s is asked for twice in %s", clean, want.Addr), "give one of them another path",
			"%s and %s are both to be mounted there", first, by)
	}
	taken[clean] = by
}

// quota is for privileged containers: user namespaces have none.
func (c *checker) quota(want resource.Resource, mount cty.Value, path resource.Path) {
	if isTrue(mount, "quota") && !isFalse(want.Want, "unprivileged") {
		c.err(want.Where(path.With("quota")), fmt.Sprintf("%s cannot have quotas", path), "take quota out",
			"quotas work in privileged containers only, and %s is unprivileged", want.Addr)
	}
}
