package proxmox

import (
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// templateFile is how the files of Proxmox's list are named: what it is, its
// version, its architecture.
var templateFile = regexp.MustCompile(`^([^_]+)_(\d[^_]*)_([^_.]+)\.tar(\.[a-z0-9]+)?$`)

// fileOf returns the name of a template's file without its storage.
func fileOf(spec string) string {
	if _, file, isVolume := strings.Cut(spec, ":vztmpl/"); isVolume {
		return file
	}
	return spec
}

// isSameTemplate reports whether two ways to name a template differ in the
// version at most.
func isSameTemplate(a, b string) bool {
	nameA, archA := templateName(a)
	nameB, archB := templateName(b)
	return nameA == nameB && (archA == archB || archA == "" || archB == "")
}

func templateName(spec string) (name, arch string) {
	file := fileOf(spec)
	if m := templateFile.FindStringSubmatch(file); m != nil {
		return m[1], m[3]
	}
	return file, ""
}

// withOrigin adds the file that a container was just made from, which nobody
// can read back. "" is none.
func (p *Provider) withOrigin(o resource.Object, volid string) resource.Object {
	if volid != "" {
		set := o.Attrs.AsValueMap()
		set["made_from"] = cty.StringVal(volid)
		o.Attrs = p.kinds["app"].Schema.Value(set)
	}
	return o
}

// newerTemplate mentions that a container was made from an older version of its
// template than is wanted, or is there: it stays what it is. It asks no more
// than the look at the template itself does.
func (p *Provider) newerTemplate(ctx context.Context, all listing, t providers.Target, s resource.Seen) diag.List {
	made := resource.Text(s.Object.Attrs, "made_from")
	if made == "" || t.Want == nil {
		return nil
	}
	spec, at := resource.Text(t.Want.Want, "template"), place{resource.Text(t.Want.Want, "node"), templateStorage(t.Want.Want)}
	if !isSameTemplate(spec, made) || !isVolumeID(spec) && (all.isOffline(at.node) || !all.hasStorage(at)) {
		return nil
	}
	newest, err := p.templates.find(ctx, at, origin{"template", spec})
	if err != nil || !naturalLess(fileOf(made), fileOf(newest)) {
		return nil // that it cannot be found is said where somebody needs it
	}
	d := diag.Errorf(nil, "there is a newer template for "+t.Addr.String(),
		"container %s was made from %s and stays so; %s is newer", s.Object.ID, fileOf(made), fileOf(newest))
	d.Severity = diag.Note
	d.Hint = fmt.Sprintf("to make it anew, without its data: proximity apply --replace '%s'", t.Addr)
	return diag.List{d}
}
