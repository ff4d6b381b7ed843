package proxmox

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// staticAddresses returns the addresses that the interfaces are given by hand,
// in the order of their names, and whether these are all that there will be.
func staticAddresses(app cty.Value) (addresses []string, complete bool) {
	complete = true
	for _, name := range sortedLabels(app, "network") {
		nic := element(app, "network", name)
		for _, family := range []string{"ip", "ip6"} {
			v := resource.Attribute(nic, family)
			switch prefix, err := netip.ParsePrefix(resource.Text(nic, family)); {
			case err == nil:
				addresses = append(addresses, prefix.Addr().String())
			case v.IsNull() || v.IsKnown() && v.AsString() == "manual":
			default:
				complete = false
			}
		}
	}
	return addresses, complete
}

// appURL returns where a container with that address is reached by HTTP: at
// its first port that speaks it, in the order of their names.
func appURL(app cty.Value, address string) cty.Value {
	if address == "" {
		return cty.NullVal(cty.String)
	}
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	for _, name := range sortedLabels(app, "port") {
		port := element(app, "port", name)
		scheme := ""
		switch {
		case isTrue(port, "https"):
			scheme = "https"
		case isTrue(port, "http"):
			scheme = "http"
		default:
			continue
		}
		n := bytesOf(resource.Attribute(port, "number"))
		if scheme == "http" && n == 80 || scheme == "https" && n == 443 {
			return cty.StringVal(scheme + "://" + address)
		}
		return cty.StringVal(fmt.Sprintf("%s://%s:%d", scheme, address, n))
	}
	return cty.StringVal("http://" + address)
}

// sortedLabels returns the labels of a labelled block, sorted; none when it is
// null or unknown.
func sortedLabels(object cty.Value, block string) []string {
	v, _ := resource.Attribute(object, block).Unmark()
	if v.IsNull() || !v.IsKnown() {
		return nil
	}
	return slices.Sorted(maps.Keys(v.AsValueMap()))
}

// element returns one of the objects of a labelled block, or a null value.
func element(object cty.Value, block, label string) cty.Value {
	v, _ := resource.Attribute(object, block).Unmark()
	if v.IsNull() || !v.IsKnown() {
		return cty.NullVal(cty.DynamicPseudoType)
	}
	if found, ok := v.AsValueMap()[label]; ok {
		return found
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

// isTrue reports whether a bool attribute is known and true.
func isTrue(object cty.Value, name string) bool {
	v, _ := resource.Attribute(object, name).Unmark()
	return !v.IsNull() && v.IsKnown() && v.Type() == cty.Bool && v.True()
}

// isFalse reports whether a bool attribute is known and false.
func isFalse(object cty.Value, name string) bool {
	v, _ := resource.Attribute(object, name).Unmark()
	return !v.IsNull() && v.IsKnown() && v.Type() == cty.Bool && v.False()
}

// texts returns a list of strings.
func texts(all []string) cty.Value {
	if len(all) == 0 {
		return cty.ListValEmpty(cty.String)
	}
	values := make([]cty.Value, len(all))
	for i, s := range all {
		values[i] = cty.StringVal(s)
	}
	return cty.ListVal(values)
}
