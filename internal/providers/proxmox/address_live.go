package proxmox

import (
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// addAddresses sets ip, ips, mac and url. Addresses given by hand stand in the
// configuration; others were recorded after the start, and only when they were
// not is the running container asked.
func (p *Provider) addAddresses(ctx context.Context, set map[string]cty.Value, guest row, prior cty.Value) {
	app := p.kinds["app"].Schema.Value(set)
	addresses, complete := staticAddresses(app)
	if !complete {
		switch recorded := resource.Attribute(prior, "ips"); {
		case !recorded.IsNull() && recorded.IsKnown() && recorded.LengthInt() > 0:
			addresses = nil
			for _, v := range recorded.AsValueSlice() {
				addresses = append(addresses, v.AsString())
			}
		case set["running"].True():
			if live := p.liveAddresses(ctx, guest, networkOrder(app)); len(live) > 0 {
				addresses = live
			}
		}
	}
	setAddresses(set, app, addresses)
}

func setAddresses(set map[string]cty.Value, app cty.Value, addresses []string) {
	set["ips"] = texts(addresses)
	if len(addresses) > 0 {
		set["ip"] = cty.StringVal(addresses[0])
		set["url"] = appURL(app, addresses[0])
	}
	for _, name := range networkOrder(app) {
		set["mac"] = resource.Attribute(element(app, "network", name), "mac")
		return
	}
}

// networkOrder returns the interfaces in the order of their slots.
func networkOrder(app cty.Value) []string {
	names := sortedLabels(app, "network")
	number := func(name string) int { return slotNumber(resource.Text(element(app, "network", name), "slot"), "net") }
	slices.SortStableFunc(names, func(a, b string) int { return number(a) - number(b) })
	return names
}

// liveAddresses asks a running container for the addresses of these of its
// interfaces, IPv4 first. Those that it made by itself, such as the bridge of a
// Docker inside, lead nobody to it. That it does not know is no error: it may
// be booting.
func (p *Provider) liveAddresses(ctx context.Context, guest row, names []string) []string {
	var interfaces []struct{ Name, Inet, Inet6 string }
	if p.Client.Read(ctx, containerPath(guest.Node, guest.VMID, "interfaces"), nil, &interfaces) != nil {
		return nil
	}
	var four, six []string
	for _, name := range names {
		for _, i := range interfaces {
			if i.Name != name {
				continue
			}
			if prefix, err := netip.ParsePrefix(i.Inet); err == nil && isReachable(prefix.Addr()) {
				four = append(four, prefix.Addr().String())
			}
			if prefix, err := netip.ParsePrefix(i.Inet6); err == nil && isReachable(prefix.Addr()) {
				six = append(six, prefix.Addr().String())
			}
		}
	}
	return append(four, six...)
}

func isReachable(a netip.Addr) bool { return !a.IsLoopback() && !a.IsLinkLocalUnicast() }

const addressPatience = 15 * time.Second

// awaitAddress waits until a container has an address, and where it asks DHCP
// for an IPv4 one, until it has that; it returns what there is. That it gets
// none is no fault of the change: it is read at the next look. Before 8.1 there
// is nobody to ask.
func (p *Provider) awaitAddress(ctx context.Context, guest row, want cty.Value) []string {
	if version, err := p.Client.Version(ctx); err == nil && !version.AtLeast(8, 1) {
		return nil
	}
	names := sortedLabels(want, "network")
	asksFour := slices.ContainsFunc(names, func(name string) bool {
		return resource.Text(element(want, "network", name), "ip") == "dhcp"
	})
	end := p.Now().Add(addressPatience)
	for delay := 100 * time.Millisecond; ; delay = min(2*delay, time.Second) {
		found := p.liveAddresses(ctx, guest, names)
		isEnough := len(found) > 0 && (!asksFour || isIPv4(found[0]))
		if isEnough || p.Now().After(end) || pve.Pause(ctx, delay) != nil {
			return found
		}
	}
}

func isIPv4(text string) bool {
	a, err := netip.ParseAddr(text)
	return err == nil && a.Is4()
}
