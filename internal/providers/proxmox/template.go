package proxmox

import (
	"context"
	"fmt"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// seeTemplate tells whether a template is on its storage. What is not there is
// Gone, and will be fetched. So is what nobody has a place for: Precheck then
// says what is wrong with the node or storage, at the app that asks for it.
func (p *Provider) seeTemplate(ctx context.Context, all listing, t providers.Target) resource.Seen {
	if t.Want == nil {
		return resource.Seen{Presence: resource.Gone}
	}
	from, _ := originOf(t.Want.Want)
	at := place{resource.Text(t.Want.Want, "node"), resource.Text(t.Want.Want, "storage")}
	switch {
	case all.isOffline(at.node):
		return resource.Seen{Why: fmt.Sprintf("node %s is offline", at.node)}
	case !all.hasStorage(at):
		return resource.Seen{Presence: resource.Gone}
	}
	volid, err := p.templates.find(ctx, at, from)
	if err != nil {
		return unknown(err)
	}
	if volid == "" {
		return resource.Seen{Presence: resource.Gone}
	}
	return resource.Seen{Presence: resource.Present, Object: p.templateObject(t.Want, volid)}
}

func (p *Provider) templateObject(want *resource.Resource, volid string) resource.Object {
	set := map[string]cty.Value{}
	if volid != "" {
		set["volume"] = cty.StringVal(volid)
	}
	for _, name := range []string{"host", "node", "storage", "template", "image"} {
		if text := resource.Text(want.Want, name); text != "" {
			set[name] = cty.StringVal(text)
		}
	}
	kind := p.kinds["template"]
	return resource.Object{
		Addr: want.Addr, Host: p.Host, ID: want.Addr.Part, Schema: kind.Version, Attrs: kind.Schema.Value(set),
	}
}

// createTemplate fetches a template unless it is there.
func (p *Provider) createTemplate(ctx context.Context, job providers.Job) (resource.Object, error) {
	from, found := originOf(job.Want.Want)
	if !found {
		return resource.Object{}, fmt.Errorf("neither a template nor an image is named")
	}
	at := place{resource.Text(job.Want.Want, "node"), resource.Text(job.Want.Want, "storage")}
	volid, err := p.templates.resolve(ctx, at, from, job.Report)
	if err != nil {
		return resource.Object{}, err
	}
	return p.templateObject(&job.Want, volid), nil
}
