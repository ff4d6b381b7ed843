package proxmox

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// claimed is one thing that only one guest can have: an address or a hardware
// address in a network, or a host name.
type claimed struct {
	what    string // "address", "hardware address" or "host name"
	value   string
	network string // bridge and VLAN; empty for host names
	by      string // who has it
	running bool
}

// bringsClaims reports whether a proposal brings an address or a hardware
// address that was not there before.
func bringsClaims(proposals []providers.Proposal) bool {
	for _, proposal := range proposals {
		for _, label := range sortedLabels(proposal.Want.Want, "network") {
			nic := element(proposal.Want.Want, "network", label)
			for _, c := range claimsOf(nic, "") {
				if proposal.Create || isNew(proposal, label, c) {
					return true
				}
			}
		}
	}
	return false
}

// isNew reports whether an interface of what is there does not have a claim
// yet.
func isNew(proposal providers.Proposal, label string, c claimed) bool {
	if proposal.Create || proposal.Live == cty.NilVal {
		return true
	}
	for _, has := range claimsOf(element(proposal.Live, "network", label), "") {
		if has.what == c.what && has.value == c.value && has.network == c.network {
			return false
		}
	}
	return true
}

// claimsOf returns the addresses and the hardware address of an interface in
// our own words. One address may be used again in another VLAN or on another
// bridge.
func claimsOf(nic cty.Value, by string) []claimed {
	network := networkName(resource.Text(nic, "bridge"), numberText(resource.Attribute(nic, "vlan")))
	var all []claimed
	for _, family := range []string{"ip", "ip6"} {
		if prefix, err := netip.ParsePrefix(resource.Text(nic, family)); err == nil {
			all = append(all, claimed{what: "address", value: prefix.Addr().String(), network: network, by: by})
		}
	}
	if mac := resource.Text(nic, "mac"); mac != "" {
		all = append(all, claimed{what: "hardware address", value: strings.ToUpper(mac), network: network, by: by})
	}
	return all
}

func networkName(bridge, vlan string) string {
	if vlan == "" || bridge == "" {
		return bridge
	}
	return bridge + ", VLAN " + vlan
}

// askStranger returns the addresses of somebody else's guest, none when it may
// not be read.
func (p *Provider) askStranger(ctx context.Context, g resource.Guest) []claimed {
	var raw map[string]json.RawMessage
	if p.Client.Read(ctx, pve.Path("nodes", g.Node, g.Type, strconv.Itoa(g.ID), "config"), nil, &raw) != nil {
		return nil
	}
	values := map[string]string{}
	for key, value := range raw {
		var text pve.Text
		if json.Unmarshal(value, &text) == nil {
			values[key] = string(text)
		}
	}
	var all []claimed
	for _, key := range slots(values, "net") {
		all = append(all, lineClaims(g, values[key], values["ipconfig"+strings.TrimPrefix(key, "net")])...)
	}
	for i := range all {
		all[i].by, all[i].running = guestName(g), g.Running
	}
	return all
}

// lineClaims reads the line of an interface. That of a container has ip, ip6
// and hwaddr, that of a virtual machine begins with its model and hardware
// address, and cloud-init has the addresses in a line of their own.
func lineClaims(g resource.Guest, text, cloudInit string) []claimed {
	line, addresses := pve.ParseLine(text, ""), pve.ParseLine(text, "")
	mac := line.Value("hwaddr")
	if g.Type == "qemu" {
		addresses = pve.ParseLine(cloudInit, "")
		first, _, _ := strings.Cut(text, ",")
		if _, after, found := strings.Cut(first, "="); found {
			mac = after
		}
	}
	network := networkName(line.Value("bridge"), line.Value("tag"))
	var all []claimed
	for _, key := range []string{"ip", "ip6"} {
		if prefix, err := netip.ParsePrefix(addresses.Value(key)); err == nil {
			all = append(all, claimed{what: "address", value: prefix.Addr().String(), network: network})
		}
	}
	if mac != "" {
		all = append(all, claimed{what: "hardware address", value: strings.ToUpper(mac), network: network})
	}
	return all
}

func guestName(g resource.Guest) string {
	if g.Name == "" {
		return fmt.Sprintf("guest %d", g.ID)
	}
	return fmt.Sprintf("guest %d (%s)", g.ID, g.Name)
}

// claims finds addresses, hardware addresses and host names that two guests
// would have, where the plan brings one of them. What does not change is left
// in peace: people may have their reasons.
func (c *checker) claims(proposals []providers.Proposal) {
	taken, twins := map[string]claimed{}, map[string]bool{}
	for _, proposal := range proposals {
		for _, g := range c.twinsOf(proposal) {
			twins[guestName(g)] = true // it is told as what it is
		}
	}
	hold := func(one claimed) {
		if key := one.key(); taken[key].by == "" && !twins[one.by] {
			taken[key] = one
		}
	}
	for _, one := range c.answers.strangers {
		hold(one)
	}
	changed := map[string]bool{}
	for _, proposal := range proposals {
		if !proposal.Create || proposal.Prior != nil {
			changed[priorID(proposal)] = true
		}
	}
	for _, g := range c.survey.Guests {
		if changed[strconv.Itoa(g.ID)] {
			continue
		}
		if g.Name != "" {
			hold(claimed{what: "host name", value: strings.ToLower(g.Name), by: guestName(g), running: g.Running})
		}
		if g.Ours != nil {
			c.ours(g, hold)
		}
	}
	c.nodeAddresses(hold)
	// What stays claims before what comes, so that the newcomer is told.
	for _, fresh := range []bool{false, true} {
		for _, proposal := range proposals {
			if proposal.Addr.Kind == "app" && !proposal.Delete {
				c.claim(proposal, fresh, taken)
			}
		}
	}
}

func (one claimed) key() string { return one.what + " " + one.value + " " + one.network }

func (c *checker) ours(g resource.Guest, hold func(claimed)) {
	for _, label := range sortedLabels(g.Ours.Attrs, "network") {
		for _, one := range claimsOf(element(g.Ours.Attrs, "network", label), g.Ours.Addr.String()) {
			one.running = g.Running
			hold(one)
		}
	}
}

// nodeAddresses holds the addresses that the nodes have on their bridges.
func (c *checker) nodeAddresses(hold func(claimed)) {
	for _, node := range c.survey.Nodes {
		for name, b := range c.answers.bridges[node.Name] {
			if b.address != "" {
				hold(claimed{what: "address", value: b.address, network: name, by: "node " + node.Name, running: true})
			}
		}
	}
}

// claim enters what a proposal claims, either what is new with it or what was
// there before, and tells of what somebody else has.
func (c *checker) claim(proposal providers.Proposal, fresh bool, taken map[string]claimed) {
	want, who := proposal.Want, proposal.Want.Addr.String()
	enter := func(one claimed, path resource.Path) {
		one.by, one.running = who, true
		first, isTaken := taken[one.key()]
		if !isTaken {
			taken[one.key()] = one
		} else if fresh && first.by != who {
			c.clash(want, path, one, first)
		}
	}
	if isNewName := proposal.Create || changes(proposal, "hostname"); isNewName == fresh {
		enter(claimed{what: "host name", value: strings.ToLower(hostname(want))}, resource.Path{"hostname"})
	}
	for _, label := range sortedLabels(want.Want, "network") {
		nic := element(want.Want, "network", label)
		for _, one := range claimsOf(nic, who) {
			if isNew(proposal, label, one) == fresh {
				enter(one, resource.Path{"network", label, attrOf(one)})
			}
		}
	}
}

func attrOf(one claimed) string {
	switch {
	case one.what != "address":
		return "mac"
	case strings.Contains(one.value, ":"):
		return "ip6"
	}
	return "ip"
}

// clash tells that two have the same. Two names disturb only those who look for
// them, and what is off disturbs nobody yet.
func (c *checker) clash(want resource.Resource, path resource.Path, one, first claimed) {
	say, hint := c.err, map[string]string{
		"address": "give it another address", "hardware address": "leave mac out, and a free one is made",
		"host name": "give it another hostname",
	}[one.what]
	if one.what == "host name" || !first.running {
		say = c.warn
	}
	where := ""
	if one.network != "" {
		where = " on " + one.network
	}
	say(want.Where(path), fmt.Sprintf("%s %s is there twice", one.what, one.value), hint, "%s and %s have it%s", first.by, one.by, where)
}
