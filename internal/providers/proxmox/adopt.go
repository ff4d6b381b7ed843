package proxmox

import (
	"context"
	"fmt"
	"maps"
	"path"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

var _ providers.Adopter = (*Provider)(nil)

// Adoptable implements providers.Adopter.
func (p *Provider) Adoptable(ctx context.Context, ids []string) ([]providers.Candidate, error) {
	all, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	guests, err := all.containers(ids)
	if err != nil {
		return nil, err
	}
	found := make([]providers.Candidate, len(guests))
	overlap(p.Parallel, len(guests), func(i int) { found[i] = p.candidate(ctx, all, guests[i]) })
	return found, ctx.Err()
}

// containers returns the guests with these IDs; without any all containers that
// are no templates.
func (l listing) containers(ids []string) ([]row, error) {
	var guests []row
	if len(ids) == 0 {
		for _, r := range l.rows {
			if r.Type == "lxc" && !bool(r.Template) {
				guests = append(guests, r)
			}
		}
		slices.SortFunc(guests, func(a, b row) int { return int(a.VMID) - int(b.VMID) })
		return guests, nil
	}
	for _, id := range ids {
		guest, found := l.guest(id)
		if !found {
			return nil, fmt.Errorf("there is no guest %s that can be seen", id)
		}
		guests = append(guests, guest)
	}
	return guests, nil
}

// notesLimit is what Proxmox takes as notes, in characters.
const notesLimit = 8192

// candidate reads one guest whole. One that cannot be read stops no other.
func (p *Provider) candidate(ctx context.Context, all listing, guest row) providers.Candidate {
	id := fmt.Sprint(int64(guest.VMID))
	c := providers.Candidate{ID: id, Name: guest.Name, Node: guest.Node}
	switch {
	case guest.Type != "lxc":
		c.Why = "it is a virtual machine"
	case bool(guest.Template):
		c.Why = "it is a template"
	case all.isOffline(guest.Node):
		c.Why = fmt.Sprintf("node %s is offline", guest.Node)
	}
	if c.Why != "" {
		return c
	}
	status, err := p.status(ctx, guest, nil)
	if err != nil {
		c.Why = err.Error()
		return c
	}
	cfg, err := p.readConfig(ctx, guest.Node, id, fullViewOf(status))
	if err != nil {
		c.Why = err.Error()
		return c
	}
	notes, marker := resource.Split(cfg.coming["description"])
	c.Marker = marker
	switch {
	case pve.IsOn(cfg.coming["template"]):
		c.Why = "it is a template"
	case cfg.coming["lock"] != "":
		c.Why = fmt.Sprintf("it is locked (%s)", cfg.coming["lock"])
	case len([]rune(notes))+markerRoom > notesLimit:
		c.Why = "its notes leave no room for the marker of this program"
	default:
		p.describe(&c, guest, status, cfg)
	}
	return c
}

// markerRoom is more than a marker with the blank line before it takes.
const markerRoom = 256

// describe fills in what asks for just this container. Where changes wait for a
// restart they were wanted by somebody: they count, and the restart stays with
// people.
func (p *Provider) describe(c *providers.Candidate, guest row, status string, cfg config) {
	kind := p.kinds["app"]
	r := newReading(kind, cfg.coming, cty.NilVal, cty.NilVal) // makes up names for volumes
	set := r.attrs()
	if len(cfg.waiting) > 0 {
		set["restart"] = cty.StringVal("manual")
	}
	set["host"] = cty.StringVal(p.Host)
	set["node"] = cty.StringVal(guest.Node)
	set["vmid"] = cty.NumberIntVal(int64(guest.VMID))
	set["pool"] = textOrNull(guest.Pool)
	set["running"] = cty.BoolVal(status == "running")
	said := maps.Clone(set)
	delete(said, "env") // often holds secrets, which must not get into files
	c.Want = onePerPath(kind, sayable(&kind.Schema, kind.Schema.Value(said), p.bare))
	if c.Name == "" {
		c.Name = cfg.coming["hostname"]
	}
	c.Kept = slices.Concat(p.unaskedOf(set, c.Want, cty.NilVal), r.others(), cfg.raw)
}

// sayable leaves of what was read what the language has words for and does not
// hold by itself. What breaks a rule of the language stays unsaid, and so is
// kept as it is.
func sayable(b *resource.Block, v, natural cty.Value) cty.Value {
	set := map[string]cty.Value{}
	for name, a := range b.Attrs {
		part := resource.Attribute(v, name)
		isNatural := !resource.Attribute(natural, name).IsNull() && resource.Attribute(natural, name).RawEquals(part)
		holds := a.Default == cty.NilVal && isNatural && a.Role != resource.Required && name != "memory" && name != "size"
		if a.Role == resource.Computed || a.AtCreate || isDetected(name) || isEmpty(part) || holds || a.Check != nil && a.Check(part) != "" {
			continue
		}
		set[name] = part
	}
	for name, n := range b.Blocks {
		part := resource.Attribute(v, name)
		switch {
		case part.IsNull():
		case !n.Labelled:
			if inner := sayable(&n.Block, part, resource.Attribute(natural, name)); saysAnything(inner) {
				set[name] = inner
			}
		default:
			set[name] = sayableLabels(n, part)
		}
	}
	return b.Value(set)
}

func sayableLabels(n *resource.Nested, parts cty.Value) cty.Value {
	said := map[string]cty.Value{}
	for label, part := range parts.AsValueMap() {
		if inner, isWhole := explicit(n, sayable(&n.Block, part, naturalPart)); isWhole && label != "" {
			said[label] = inner
		}
	}
	if len(said) == 0 {
		return cty.MapValEmpty(n.Block.Type())
	}
	return cty.MapVal(said)
}

// explicit says "none" where nothing is there and the host's default would come
// in. It returns false for what lacks something that the language asks for.
func explicit(n *resource.Nested, part cty.Value) (cty.Value, bool) {
	set := part.AsValueMap()
	for name, a := range n.Attrs {
		switch none := cty.StringVal(""); {
		case !resource.Attribute(part, name).IsNull():
		case a.HostDefault != "" && a.Type == cty.String && a.Check != nil && a.Check(none) == "":
			set[name] = none
		case a.Role == resource.Required || a.HostDefault != "":
			return part, false
		}
	}
	return n.Value(set), true
}

// naturalPart holds what blocks with a label have by themselves.
var naturalPart = cty.ObjectVal(map[string]cty.Value{
	"acl": cty.False, "quota": cty.False, "replicate": cty.True, "read_only": cty.False, "shared": cty.False,
	"firewall": cty.False, "link_down": cty.False, "deny_write": cty.False,
})

func saysAnything(object cty.Value) bool {
	for _, v := range object.AsValueMap() {
		if !isEmpty(v) {
			return true
		}
	}
	return false
}

// onePerPath leaves of what is mounted on one path only the first: the others
// are hidden by it or hide it, and the language does not let anybody ask for
// that.
func onePerPath(kind *resource.Kind, want cty.Value) cty.Value {
	set, taken := want.AsValueMap(), map[string]bool{}
	for _, block := range []string{"volume", "bind"} {
		left := map[string]cty.Value{}
		for _, label := range sortedLabels(want, block) {
			part, where := element(want, block, label), label
			if block == "volume" {
				where = resource.Text(part, "path")
			}
			if where = path.Clean(where); !taken[where] {
				left[label], taken[where] = part, true
			}
		}
		set[block] = cty.MapValEmpty(kind.Schema.Blocks[block].Block.Type())
		if len(left) > 0 {
			set[block] = cty.MapVal(left)
		}
	}
	return kind.Schema.Value(set)
}
