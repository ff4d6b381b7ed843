package pvesim

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// inside is one interface as a container itself sees it.
type inside struct {
	Name      string     `json:"name"`
	MAC       string     `json:"hwaddr"`
	Hardware  string     `json:"hardware-address,omitempty"`
	IPv4      string     `json:"inet,omitempty"`  // the last one
	IPv6      string     `json:"inet6,omitempty"` // the last one
	Addresses []insideIP `json:"ip-addresses,omitzero"`
}

type insideIP struct {
	IP     string `json:"ip-address"`
	Kind   string `json:"ip-address-type"`
	Prefix string `json:"prefix"` // a string, unlike the schema says
}

// interfaces lists what "ip address" says in a running container.
func (x *tx) interfaces(g *guest) []inside {
	lo := inside{Name: "lo", MAC: "00:00:00:00:00:00", Hardware: "00:00:00:00:00:00"}
	lo.add("127.0.0.1/8")
	lo.add("::1/128")
	all := []inside{lo}
	for _, key := range slices.SortedFunc(maps.Keys(g.Config), byNumber) {
		if stem(key) != "net" {
			continue
		}
		nic := props("net", g.Config[key])
		mac := strings.ToLower(nic["hwaddr"])
		i := inside{Name: nic["name"], MAC: mac, Hardware: mac, Addresses: []insideIP{}}
		if nic["link_down"] != "1" {
			i.configure(nic, mac)
		}
		all = append(all, i)
	}
	return all
}

// byNumber orders keys with numbers: net2 comes before net10.
func byNumber(a, b string) int {
	if stem(a) != "" && stem(a) == stem(b) && len(a) != len(b) {
		return len(a) - len(b)
	}
	return strings.Compare(a, b)
}

// configure gives an interface its addresses: static ones, and from DHCP one that depends on the MAC only.
func (i *inside) configure(nic map[string]string, mac string) {
	octets := macBytes(mac)
	switch ip := nic["ip"]; ip {
	case "", "manual":
	case "dhcp":
		i.add(fmt.Sprintf("192.0.2.%d/24", 100+int(octets[5])%150))
	default:
		i.add(ip)
	}
	switch ip := nic["ip6"]; ip {
	case "", "manual":
	case "dhcp", "auto":
		i.add(fmt.Sprintf("2001:db8::%x/64", int(octets[4])<<8|int(octets[5])))
	default:
		i.add(ip)
	}
	if len(i.Addresses) > 0 {
		i.add(linkLocal(octets) + "/64")
	}
}

func (i *inside) add(cidr string) {
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return // manual settings that are no address
	}
	kind := "inet"
	if p.Addr().Is6() {
		kind, i.IPv6 = "inet6", cidr
	} else {
		i.IPv4 = cidr
	}
	i.Addresses = append(i.Addresses, insideIP{IP: p.Addr().String(), Kind: kind, Prefix: strconv.Itoa(p.Bits())})
}

// macBytes parses a MAC address that was checked before.
func macBytes(mac string) [6]byte {
	var octets [6]byte
	for n, part := range strings.SplitN(mac, ":", 6) {
		b, err := strconv.ParseUint(part, 16, 8)
		if err == nil {
			octets[n] = byte(b)
		}
	}
	return octets
}

// linkLocal is the address an interface makes of its MAC.
func linkLocal(mac [6]byte) string {
	raw := [16]byte{0xfe, 0x80, 8: mac[0] ^ 2, 9: mac[1], 10: mac[2], 11: 0xff, 12: 0xfe, 13: mac[3], 14: mac[4], 15: mac[5]}
	return netip.AddrFrom16(raw).String()
}
