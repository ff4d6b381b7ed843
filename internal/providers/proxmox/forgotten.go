package proxmox

import (
	"context"
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// seeForgotten finds the containers that apps are by their markers although
// nothing is recorded of them: the state was made to forget them, or is of an
// earlier day. Of those that nothing is recorded of, only the ones are asked
// that may have the name of such an app. What cannot be asked may be any of them.
func (p *Provider) seeForgotten(ctx context.Context, all listing, targets []providers.Target, seen map[addr.Addr]resource.Seen) {
	missing, names := map[addr.Addr]providers.Target{}, map[string]bool{}
	for _, t := range targets {
		if t.Addr.Kind == "app" && t.Prior == nil && t.Want != nil && appID(t) == "" {
			missing[t.Addr], names[strings.ToLower(hostname(*t.Want))] = t, true
		}
	}
	if len(missing) == 0 {
		return
	}
	isRecorded := recordedIDs(targets)
	var guests []row
	for _, r := range all.rows {
		if r.Type == "lxc" && mayBeNamed(names, r.Name, int64(r.VMID)) && !all.isOffline(r.Node) && !isRecorded[identity{"app", fmt.Sprint(int64(r.VMID))}] {
			guests = append(guests, r)
		}
	}
	markers, errs := make([]resource.Marker, len(guests)), make([]error, len(guests))
	overlap(2*p.Parallel, len(guests), func(i int) {
		markers[i], errs[i] = p.readMarker(ctx, resource.Guest{Node: guests[i].Node, Type: guests[i].Type, ID: int(guests[i].VMID)})
	})
	for i, marker := range markers {
		if errs[i] != nil && !pve.IsGone(errs[i]) {
			p.doubt(missing, guests[i], seen)
		}
		if t, ok := missing[marker.Addr]; ok && isOurs(marker, t.Marker) {
			seen[t.Addr] = p.seeContainer(ctx, all, t, fmt.Sprint(int64(guests[i].VMID)))
		}
	}
}

// mayBeNamed reports whether a container may have one of some names, for all
// that the listing says. It says nothing at first; and as long as it goes by a
// look at the moment of creation, what a container without a name is called.
func mayBeNamed(names map[string]bool, name string, id int64) bool {
	return name == "" || name == fmt.Sprint("CT", id) || names[strings.ToLower(name)]
}

// doubt lets nothing be made that a container, which could not be asked, may be.
func (p *Provider) doubt(missing map[addr.Addr]providers.Target, guest row, seen map[addr.Addr]resource.Seen) {
	for a, t := range missing {
		names := map[string]bool{strings.ToLower(hostname(*t.Want)): true}
		if mayBeNamed(names, guest.Name, int64(guest.VMID)) && seen[a].Presence == resource.Gone {
			seen[a] = unknown(fmt.Errorf("container %d may be it, and cannot be asked", int64(guest.VMID)))
		}
	}
}

// identity is what is recorded as a thing of some kind on this host.
type identity struct{ kind, id string }

func recordedIDs(targets []providers.Target) map[identity]bool {
	recorded := map[identity]bool{}
	for _, t := range targets {
		if t.Prior != nil {
			recorded[identity{t.Addr.Kind, t.Prior.ID}] = true
		}
	}
	return recorded
}

// leaveToRecorded lets nobody have what is recorded under another address: its
// marker may still name it by the one that it had before.
func leaveToRecorded(targets []providers.Target, seen map[addr.Addr]resource.Seen) {
	recorded := recordedIDs(targets)
	for _, t := range targets {
		s := seen[t.Addr]
		if t.Prior == nil && s.Presence == resource.Present && recorded[identity{t.Addr.Kind, s.Object.ID}] {
			seen[t.Addr] = notOurs(t, "it is recorded under another address")
		}
	}
}
