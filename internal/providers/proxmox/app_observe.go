package proxmox

import (
	"context"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// listingLag is how long after a change the status in the listing may be old.
const listingLag = 15 * time.Second

// seeApp looks at one container, wherever in the cluster it is.
func (p *Provider) seeApp(ctx context.Context, all listing, t providers.Target) resource.Seen {
	return p.seeContainer(ctx, all, t, appID(t))
}

// seeContainer looks at the container that has an ID, or would have it.
func (p *Provider) seeContainer(ctx context.Context, all listing, t providers.Target, id string) resource.Seen {
	guest, listed := all.guest(id)
	switch {
	case id == "":
		return resource.Seen{Presence: resource.Gone}
	case !listed:
		return p.seeUnlisted(ctx, t, id)
	case guest.Type != "lxc":
		return notOurs(t, fmt.Sprintf("%s is a virtual machine", id))
	case all.isOffline(guest.Node):
		return resource.Seen{Why: fmt.Sprintf("node %s is offline", guest.Node)}
	}
	status, err := p.status(ctx, guest, t.Prior)
	if err != nil {
		return unknown(err)
	}
	view := viewOf(status)
	if t.Thorough || t.Prior == nil { // what is about to be recorded counts as there from then on
		view = fullViewOf(status)
	}
	cfg, err := p.readConfig(ctx, guest.Node, id, view)
	if err != nil {
		return unknown(err)
	}
	if isBare(cfg) {
		return resource.Seen{Locked: cfg.coming["lock"], Why: fmt.Sprintf("%s is just being made or removed", id)}
	}
	_, marker := resource.Split(cfg.coming["description"])
	switch {
	case isOurs(marker, t.Marker) || t.Adopt == id && mayAdopt(marker, t.Marker):
		return p.seen(ctx, t, guest, status, cfg)
	case marker == (resource.Marker{}) && hasRecordedAddress(cfg, t.Prior):
		return resource.Seen{
			Why:  fmt.Sprintf("container %s has lost its marker, yet it has the recorded hardware address", id),
			Hint: "put this line back into its notes: " + t.Marker.String(),
		}
	}
	return notOurs(t, describeOther(marker))
}

// hasRecordedAddress reports whether a container has the hardware address that
// was recorded of ours. Proxmox makes these at random, so that a container with
// it is hardly another one: somebody has rewritten its notes.
func hasRecordedAddress(cfg config, prior *resource.Object) bool {
	if prior == nil {
		return false
	}
	recorded := resource.Text(prior.Attrs, "mac")
	for key, line := range cfg.coming {
		if recorded != "" && strings.HasPrefix(key, "net") && strings.EqualFold(pve.ParseLine(line, "").Value("hwaddr"), recorded) {
			return true
		}
	}
	return false
}

// notOurs is a stranger where something was recorded, or was to be taken over.
// Where nothing was, the thing that is wanted is not there, and its VMID is
// taken, which Precheck says.
func notOurs(t providers.Target, why string) resource.Seen {
	if t.Prior == nil && t.Adopt == "" {
		return resource.Seen{Presence: resource.Gone}
	}
	return resource.Seen{Presence: resource.Stranger, Why: why}
}

// isOurs compares a marker with the expected one. The nonce tells one creation
// from every other, whatever it is called now; when nothing is recorded it is
// not known, and the address has to do.
func isOurs(found, want resource.Marker) bool {
	if found.Lineage == "" || found.Lineage != want.Lineage {
		return false
	}
	if want.Nonce == "" {
		return found.Addr == want.Addr
	}
	return found.Nonce == want.Nonce
}

// mayAdopt reports whether a person may take over what carries a marker: nobody
// else's, so none, or one of the same state, which was made to forget it.
func mayAdopt(found, want resource.Marker) bool {
	return found == (resource.Marker{}) || found.Lineage == want.Lineage
}

// seeUnlisted tells a container that is gone from one that may not be looked
// at: the listing leaves out both. Only the VMID itself tells, wherever the
// container was and whatever the token may see.
func (p *Provider) seeUnlisted(ctx context.Context, t providers.Target, id string) resource.Seen {
	switch taken, err := p.isTaken(ctx, id); {
	case err != nil:
		return unknown(err)
	case taken && t.Prior != nil:
		return resource.Seen{Why: fmt.Sprintf("guest %s is there, but the token may not see it (VM.Audit on /vms/%s)", id, id)}
	}
	return resource.Seen{Presence: resource.Gone}
}

// isTaken asks whether any guest of the cluster has a VMID. Everybody may ask
// that, also of guests that a listing leaves out for lack of a privilege.
func (p *Provider) isTaken(ctx context.Context, id string) (bool, error) {
	err := p.Client.Read(ctx, "/cluster/nextid", url.Values{"vmid": {id}}, nil)
	if pve.IsTaken(err) {
		return true, nil
	}
	return false, err
}

// status returns running or stopped: from the listing when that can be right,
// else from the guest.
func (p *Provider) status(ctx context.Context, guest row, prior *resource.Object) (string, error) {
	fresh := prior != nil && p.Now().Sub(prior.Changed) < listingLag
	if !fresh && (guest.Status == "running" || guest.Status == "stopped") {
		return guest.Status, nil
	}
	var now struct{ Status string }
	err := p.Client.Read(ctx, containerPath(guest.Node, guest.VMID, "status", "current"), nil, &now)
	return now.Status, err
}

func containerPath(node string, id pve.Int, more ...string) string {
	return pve.Path(append([]string{"nodes", node, "lxc", fmt.Sprint(int64(id))}, more...)...)
}

// seen puts together what is known of a container that is ours.
func (p *Provider) seen(ctx context.Context, t providers.Target, guest row, status string, cfg config) resource.Seen {
	want, prior := cty.NilVal, cty.NilVal
	if t.Want != nil {
		want = t.Want.Want
	}
	if t.Prior != nil {
		prior = t.Prior.Attrs
	}
	id := fmt.Sprint(int64(guest.VMID))
	kind := p.kinds["app"]
	values, pending, inForce := standing(kind, cfg, want, prior)
	r := newReading(kind, values, want, prior)
	set := r.attrs()
	set["pool"] = textOrNull(guest.Pool)
	unmanaged := slices.Concat(p.unaskedOf(set, want, prior), r.others(), cfg.raw)
	remember(kind, set, want, prior)
	set["host"] = cty.StringVal(p.Host)
	set["node"] = cty.StringVal(guest.Node)
	set["running"] = cty.BoolVal(status == "running")
	set["status"] = cty.StringVal(status)
	set["id"] = cty.NumberIntVal(int64(guest.VMID))
	set["vmid"] = set["id"]
	p.addAddresses(ctx, set, guest, prior)
	object := resource.Object{
		Addr: t.Addr, Host: p.Host, ID: id, Nonce: t.Marker.Nonce, Schema: kind.Version, Attrs: kind.Schema.Value(set),
		Kept: unmanaged,
	}
	_, marker := resource.Split(cfg.coming["description"])
	if object.Nonce == "" {
		object.Nonce = marker.Nonce
	}
	if t.Prior != nil {
		object.Changed = t.Prior.Changed
	}
	seen := resource.Seen{
		Presence: resource.Present, Object: object, Digest: cfg.digest(), Locked: cfg.coming["lock"],
		Unmanaged: unmanaged, Pending: pending, InForce: inForce, Leave: leaves(t, guest, cfg),
		Unmarked: t.Adopt != "" && object.Nonce == "", Renamed: marker != (resource.Marker{}) && marker.Addr != t.Addr,
	}
	seen.Notes = notesOn(t, guest, seen)
	return seen
}

// remember fills in what cannot be read back: blocks and attributes that only
// this program knows, as they were applied last.
func remember(kind *resource.Kind, set map[string]cty.Value, want, prior cty.Value) {
	for name, a := range kind.Schema.Attrs {
		if (a.AtCreate || a.Ours) && prior != cty.NilVal {
			set[name] = resource.Attribute(prior, name)
		}
	}
	set["port"] = resource.Attribute(prior, "port")
	if set["port"].IsNull() && want != cty.NilVal {
		set["port"], _ = resource.Attribute(want, "port").UnmarkDeep()
	}
	for name, v := range set {
		if v.IsNull() || !v.IsWhollyKnown() {
			delete(set, name)
		}
	}
}

func firstText(name string, sources ...cty.Value) string {
	for _, source := range sources {
		if text := resource.Text(source, name); text != "" {
			return text
		}
	}
	return ""
}

// numberText writes a whole number, or "" when the value is null or unknown.
func numberText(v cty.Value) string {
	v, _ = v.Unmark()
	if v == cty.NilVal || v.IsNull() || !v.IsKnown() || v.Type() != cty.Number {
		return ""
	}
	return strings.TrimSuffix(v.AsBigFloat().Text('f', -1), ".0")
}
