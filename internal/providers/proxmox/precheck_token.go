package proxmox

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// rootOnly finds what Proxmox lets only the user root@pam set or take away, and
// no token (recording root-only-settings). A bind mount may be taken away by
// others too. On the node itself pct may always do it.
func (c *checker) rootOnly(proposal providers.Proposal) {
	found := rootOnlyEdits(proposal.Edits)
	if proposal.Create {
		found = rootOnlyWishes(proposal.Want.Want)
	}
	lines := newPctLines(proposal)
	for _, path := range found {
		hint := fmt.Sprintf("username = \"root@pam\" and a password in host %q instead of a token;\nor on the node:\n%s", c.survey.Host, lines.of(path))
		if proposal.Create {
			hint += "\nonce the container is there without it; then put it back into the file"
		}
		c.err(proposal.Want.Where(path), fmt.Sprintf("%s needs root@pam", path), hint,
			"Proxmox lets nobody else change it, not even a token of root@pam")
	}
	nesting := proposal.Create && isTrue(resource.Attribute(proposal.Want.Want, "features"), "nesting")
	for _, e := range proposal.Edits {
		nesting = nesting || !proposal.Create && e.Effect != resource.Record && e.Path.Under(resource.Path{"features", "nesting"})
	}
	if isFalse(proposal.Want.Want, "unprivileged") && nesting {
		path := resource.Path{"features", "nesting"}
		c.err(proposal.Want.Where(path), fmt.Sprintf("%s of a privileged container needs root@pam", path),
			"take it out, or leave unprivileged at true", "Proxmox lets tokens change features of unprivileged containers only")
	}
}

// rootOnlyWishes returns what of a new container only root@pam may set.
func rootOnlyWishes(want cty.Value) []resource.Path {
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
	for _, name := range rootFeatures {
		if v := resource.Attribute(features, name); isTrue(features, name) || !v.IsNull() && v.Type().IsSetType() && len(textsOf(features, name)) > 0 {
			paths = append(paths, resource.Path{"features", name})
		}
	}
	return paths
}

var rootFeatures = []string{"keyctl", "fuse", "mknod", "force_rw_sys", "mount"}

// rootOnlyEdits returns which edits only root@pam may make.
func rootOnlyEdits(edits []resource.Edit) []resource.Path {
	var paths []resource.Path
	for _, e := range edits {
		if e.Effect == resource.Record {
			continue
		}
		switch name := e.Path[0]; {
		case name == "device", name == "hook",
			name == "bind" && !(len(e.Path) == 2 && e.New.IsNull()),
			name == "features" && slices.Contains(rootFeatures, e.Path[1]):
			paths = append(paths, e.Path)
		}
	}
	return paths
}
