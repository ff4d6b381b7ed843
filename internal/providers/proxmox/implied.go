package proxmox

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// defaultTemplateStorage is Proxmox's own default.
const defaultTemplateStorage = "local"

// origin is what a container is made from.
type origin struct {
	attr string // template or image
	spec string
}

func originOf(app cty.Value) (origin, bool) {
	for _, attr := range []string{"template", "image"} {
		if spec := resource.Text(app, attr); spec != "" {
			return origin{attr, spec}, true
		}
	}
	return origin{}, false
}

// templateStorage returns where the container's template is kept.
func templateStorage(app cty.Value) string {
	if s := resource.Text(app, "template_storage"); s != "" {
		return s
	}
	return defaultTemplateStorage
}

// impliedTemplates returns the template that an app is made from, as a
// resource of its own: many apps share one, and it is downloaded once. A volume
// id names something that has to be there already, and implies nothing.
func impliedTemplates(want resource.Resource) []resource.Resource {
	at, from, implies := impliedOrigin(want)
	if !implies {
		return nil
	}
	return []resource.Resource{{
		Addr: impliedAddr(want.Host, at, from),
		Host: want.Host,
		Want: templateKind().Schema.Value(map[string]cty.Value{
			"host":    cty.StringVal(want.Host),
			"node":    cty.StringVal(at.node),
			"storage": cty.StringVal(at.storage),
			from.attr: cty.StringVal(from.spec),
		}),
		Range: want.Range,
		At:    want.At,
	}}
}

// impliedOrigin returns what an app implies, and where.
func impliedOrigin(want resource.Resource) (at place, from origin, implies bool) {
	from, found := originOf(want.Want)
	at = place{resource.Text(want.Want, "node"), templateStorage(want.Want)}
	return at, from, found && at.node != "" && !(isVolumeID(from.spec) && from.attr == "template")
}

func impliedAddr(host string, at place, from origin) addr.Addr {
	return addr.Addr{Kind: "template", Name: host, Part: strings.Join([]string{at.node, at.storage, from.spec}, "/")}
}

// isVolumeID tells "local:vztmpl/name.tar.zst" from the name of a template.
func isVolumeID(spec string) bool { return strings.Contains(spec, ":vztmpl/") }

// jobID names a backup job: readable, and the same for the same policy of the
// same state. Proxmox takes letters, digits, _ and - and at most 50 of them.
func jobID(lineage string, a addr.Addr) string {
	sum := sha256.Sum256([]byte(lineage + "\n" + a.String()))
	name := a.Name
	if len(name) > 24 {
		name = name[:24]
	}
	return "proximity-" + name + "-" + hex.EncodeToString(sum[:4])
}
