package proxmox

import (
	"fmt"
	"maps"
	"net/netip"
	"regexp"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

func (c *checker) networks(proposal providers.Proposal, node *resource.Node) {
	want := proposal.Want
	names := map[string]string{}
	for _, label := range sortedLabels(want.Want, "network") {
		nic := element(want.Want, "network", label)
		c.bridge(want, label, node)
		c.gateway(want, label, "ip", "gateway")
		c.gateway(want, label, "ip6", "gateway6")
		c.ownAddress(want, label, names, nic)
		c.interfaceName(want, label)
		if isTrue(nic, "host_managed") && resource.Text(nic, "ip6") == "auto" {
			c.err(want.Where(resource.Path{"network", label, "ip6"}), `ip6 = "auto" and host_managed do not go together`, `ip6 = "dhcp"`,
				"Proxmox cannot hand out addresses of that kind itself")
		}
	}
}

// interfaceNames are what Proxmox takes; the kernel takes no more than 15
// characters, which shows only at the start (recording create-bad-net).
var interfaceNames = regexp.MustCompile(`^[-_.A-Za-z0-9]{1,15}$`)

func (c *checker) interfaceName(want resource.Resource, label string) {
	if !interfaceNames.MatchString(label) {
		c.err(want.Where(resource.Path{"network", label}), fmt.Sprintf("%q is no name of an interface", label), `network "eth0" { … }`,
			"at most 15 letters, digits and - _ . make one")
	}
}

// bridge checks what an interface is plugged into. Proxmox takes a bridge that
// is not there, and the container then does not start (recording create-bad-net).
func (c *checker) bridge(want resource.Resource, label string, node *resource.Node) {
	nic := element(want.Want, "network", label)
	name := resource.Text(nic, "bridge")
	path := resource.Path{"network", label}
	at := want.Where(path.With("bridge"))
	known, asked := c.answers.bridges[node.Name]
	b, there := known[name]
	vlan := numberText(resource.Attribute(nic, "vlan"))
	switch mtu := bytesOf(unmarked(resource.Attribute(nic, "mtu"))); {
	case name == "" && resource.Attribute(nic, "bridge").IsKnown():
		c.err(at, fmt.Sprintf("no bridge for %s of %s", label, want.Addr), fmt.Sprintf("bridge in the defaults of host %q", c.survey.Host),
			"an interface without a bridge reaches nothing")
	case name == "" || !asked:
	case !there:
		names := slices.Sorted(maps.Keys(known))
		c.err(at, fmt.Sprintf("there is no bridge %q on node %q", name, node.Name), choice("bridge", name, names),
			"it has %s, unless the token may not use it (%s)", listed(names), "SDN.Use on /sdn/zones/localnetwork/"+name)
	case b.mtu > 0 && mtu > int64(b.mtu):
		c.err(want.Where(path.With("mtu")), fmt.Sprintf("mtu %d is more than bridge %q has", mtu, name), fmt.Sprintf("mtu = %d", b.mtu),
			"the bridge on node %q has %d, and Proxmox refuses more", node.Name, b.mtu)
	case b.vlanAware != nil && !*b.vlanAware && (vlan != "" || encode(resource.Attribute(nic, "trunks"), ";") != ""):
		c.warn(want.Where(path.With("vlan")), fmt.Sprintf("bridge %q is not aware of VLANs", name),
			"bridge-vlan-aware yes in /etc/network/interfaces of node "+node.Name,
			"Proxmox then makes a bridge of its own for each VLAN, and trunks do not work")
	}
}

// gateway checks that the gateway of an interface can be one.
func (c *checker) gateway(want resource.Resource, label, ip, gateway string) {
	nic := element(want.Want, "network", label)
	prefix, err := netip.ParsePrefix(resource.Text(nic, ip))
	gw, gwErr := netip.ParseAddr(resource.Text(nic, gateway))
	at := want.Where(resource.Path{"network", label, gateway})
	switch {
	case gwErr != nil:
	case resource.Text(nic, ip) == "dhcp" || resource.Text(nic, ip) == "auto":
		c.warn(at, fmt.Sprintf("%s of %s is not used", gateway, label), "take it out, or give the interface an address",
			"with %s = %q the gateway comes from the network", ip, resource.Text(nic, ip))
	case err != nil:
	case prefix.Addr() == gw:
		c.err(at, fmt.Sprintf("gateway %s is the interface's own address", gw), "write the router's address",
			"%s would send everything to itself", want.Addr)
	case !prefix.Contains(gw) && !gw.IsLinkLocalUnicast():
		c.warn(at, fmt.Sprintf("gateway %s is outside of %s", gw, prefix.Masked()),
			fmt.Sprintf("%s = %q", gateway, prefix.Masked().Addr().Next()),
			"%s will not reach it without a route of its own", want.Addr)
	}
}

// ownAddress finds two interfaces of one container with one address or one
// hardware address, and addresses that are those of a network.
func (c *checker) ownAddress(want resource.Resource, label string, taken map[string]string, nic cty.Value) {
	for _, one := range claimsOf(nic, "") {
		path := resource.Path{"network", label, attrOf(one)}
		if other, twice := taken[one.what+one.value]; twice {
			c.err(want.Where(path), fmt.Sprintf("%s %s is there twice", one.what, one.value), "give one of the interfaces another one",
				"%s and %s of %s have it", other, label, want.Addr)
		}
		taken[one.what+one.value] = label
	}
	prefix, err := netip.ParsePrefix(resource.Text(nic, "ip"))
	if err == nil && prefix.Bits() < 31 && (prefix.Addr() == prefix.Masked().Addr() || prefix.Addr() == lastOf(prefix)) {
		c.err(want.Where(resource.Path{"network", label, "ip"}), fmt.Sprintf("%s is no address of a machine", prefix.Addr()),
			fmt.Sprintf("ip = \"%s/%d\"", prefix.Masked().Addr().Next(), prefix.Bits()),
			"it is the first or the last of %s, which mean the network and all in it", prefix.Masked())
	}
}

// lastOf returns the broadcast address of an IPv4 network.
func lastOf(prefix netip.Prefix) netip.Addr {
	bytes := prefix.Addr().As4()
	for bit := prefix.Bits(); bit < 32; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	return netip.AddrFrom4(bytes)
}
