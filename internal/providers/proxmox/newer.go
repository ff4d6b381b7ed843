package proxmox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// notesOnTemplates tells of containers that were made from an older template
// than Proxmox offers now. It is only a note: a template matters when a
// container is made, and no other day. The list is one request for the host,
// and lies on the node: nothing is fetched from elsewhere.
func (p *Provider) notesOnTemplates(ctx context.Context, s resource.Survey, targets []providers.Target) diag.List {
	made := map[string]map[string][]string{} // by what is asked for and by file: addresses
	for _, t := range targets {
		if t.Want == nil || t.Prior == nil || t.Addr.Kind != "app" {
			continue
		}
		spec := resource.Text(t.Want.Want, "template")
		from := resource.Text(t.Prior.Attrs, "made_from")
		file := fileOf(from)
		if !isVolumeID(from) || spec == "" || isVolumeID(spec) || !isSameTemplate(spec, file) {
			continue
		}
		if made[spec] == nil {
			made[spec] = map[string][]string{}
		}
		made[spec][file] = append(made[spec][file], t.Addr.String())
	}
	node := firstOnline(s)
	if len(made) == 0 || node == "" {
		return nil
	}
	offered, err := p.templates.index(ctx, node)
	if err != nil {
		return nil // it would only have been a note
	}
	var notes diag.List
	for _, spec := range slices.Sorted(maps.Keys(made)) {
		best, err := inIndex(offered, spec)
		for _, file := range slices.Sorted(maps.Keys(made[spec])) {
			if err == nil && naturalLess(file, best) {
				notes = append(notes, newerTemplate(best, file, made[spec][file]))
			}
		}
	}
	return notes
}

func newerTemplate(best, file string, apps []string) diag.Diagnostic {
	slices.Sort(apps)
	rest := ""
	if len(apps) > 5 {
		apps, rest = apps[:5], fmt.Sprintf(" and %d more", len(apps)-5)
	}
	return diag.Notef(nil, "newer template "+best, "%s%s came from %s; they stay as they are, and new ones are made from the newer",
		strings.Join(apps, ", "), rest, file)
}

// firstOnline returns the first node that can be asked, or "".
func firstOnline(s resource.Survey) string {
	for _, n := range s.Nodes {
		if n.Online {
			return n.Name
		}
	}
	return ""
}
