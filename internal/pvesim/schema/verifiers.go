package schema

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // which zones exist must not depend on the machine
	"unicode/utf8"
)

// names are the formats of identifiers.
func names() map[string]verifier {
	return map[string]verifier{
		"dns-name":                 matches(`(?:`+label+`\.)*`+label, "value does not look like a valid DNS name"),
		"pve-configid":             matches(`(?i:[a-z][a-z0-9_-]+)`, "invalid configuration ID '%s'"),
		"pve-groupid":              matches(plainName, "group name '%s' contains invalid characters"),
		"pve-ha-resource-or-vm-id": matches(`\w+:\S+|[1-9][0-9]{2,8}`, "value does not look like a valid ha resource or vm id"),
		"pve-ha-node":              matches(label+`(?::\d+)?`, "invalid node '%s'"),
		"pve-iface":                verifyInterface,
		"pve-node":                 matches(label, "value does not look like a valid node name"),
		"pve-poolid":               matches(plainName+`(?:/`+plainName+`){0,2}`, "pool name '%s' contains invalid characters"),
		"pve-realm":                matches(realm, "value does not look like a valid realm"),
		"pve-replication-job-id":   matches(`[1-9][0-9]{2,8}-\d{1,9}`, "invalid replication job id '%s'"),
		"pve-roleid":               matches(plainName, "role name '%s' contains invalid characters"),
		"pve-storage-id":           verifyStorageID,
		"pve-storage-vgname":       matches(storageID, "lvm volume group name '%s' contains illegal characters"),
		"pve-tokenid":              matches(user+`!`+tokenSubID, "value '%s' does not look like a valid token ID"),
		"pve-userid":               verifyUserID,
		"pve-vmid":                 matches(`[1-9][0-9]{2,8}`, "value does not look like a valid VM ID"),
		"pve-volume-id":            matches(storageID+`:.+`, "unable to parse volume ID '%s'"),
		"storage-pair":             matches(storageID+`(?::`+storageID+`)?|1`, "invalid storage mapping '%s'"),
	}
}

// addresses are the formats of networks.
func addresses() map[string]verifier {
	return map[string]verifier{
		"CIDR":                   verifyCIDR,
		"ip":                     verifyIP,
		"ipv4":                   verifyIPv4,
		"ipv6":                   verifyIPv6,
		"lxc-ip-with-ll-iface":   verifyNameserver,
		"mac-addr":               matches(`(?i:[0-9a-f][02468ace](?::[0-9a-f]{2}){5})`, "value does not look like a valid unicast MAC address"),
		"pve-ipv4-config":        verifyIPv4Config,
		"pve-ipv6-config":        verifyIPv6Config,
		"pve-storage-portal-dns": matches(`(?:`+label+`\.)*`+label+`(?::\d+)?|\[?[0-9a-fA-F:.]+\]?(?::\d+)?`, "value does not look like a valid portal address"),
		"pve-storage-server":     matches(`(?:`+label+`\.)*`+label+`|[0-9a-fA-F:.]+`, "value does not look like a valid server name or IP address"),
	}
}

// texts are all other formats.
func texts() map[string]verifier {
	const email = `[\w+\-~.]+@[\w\-.]+`
	return map[string]verifier{
		"disk-size":            matches(`\d+(?:\.\d+)?[KMGT]?`, "value does not look like a valid disk size: %s"),
		"email":                matches(email, "value does not look like a valid email address"),
		"email-or-username":    matches(email+`|[^\s:/@]+(?:@`+realm+`)?`, "value does not look like a valid email address or user name"),
		"pve-calendar-event":   verifyCalendarEvent,
		"pve-ct-timezone":      verifyTimezone,
		"pve-day-of-week":      matches(`mon|tue|wed|thu|fri|sat|sun`, "invalid day '%s'"),
		"pve-dir-override":     matches(`(?:`+strings.Join(contentTypes(), "|")+`)=/?[^,/]+(?:/[^,/]+)*`, "invalid override '%s'"),
		"pve-lxc-dev-string":   verifyDevice,
		"pve-lxc-mp-string":    verifyMountPoint,
		"pve-startup-order":    verifyStartup,
		"pve-storage-content":  oneOf(append(contentTypes(), "none"), "invalid content type '%s'"),
		"pve-storage-options":  matches(`[\w\-]+(?:=.*)?(?:,[\w\-]+(?:=.*)?)*`, "unable to parse options"),
		"pve-storage-path":     matches(`/[^\s]*`, "value does not look like a valid absolute path"),
		"pve-tag":              matches(`(?i:[a-z0-9_][a-z0-9_\-+.]*)`, "invalid characters in tag"),
		"pve-task-status-type": oneOf([]string{"ok", "error", "warning", "unknown"}, "invalid status '%s'"),
	}
}

func oneOf(values []string, text string) verifier {
	return func(value string) error {
		if slices.Contains(values, value) {
			return nil
		}
		return refuse("%s", strings.ReplaceAll(text, "%s", value))
	}
}

func contentTypes() []string {
	return []string{"images", "rootdir", "vztmpl", "iso", "backup", "snippets", "import"}
}

func verifyStorageID(value string) error {
	if len(value) < 2 {
		return refuse("storage ID '%s' cannot be shorter than 2 characters", value)
	}
	return storageIDFormat()(value)
}

var storageIDFormat = sync.OnceValue(func() verifier {
	return matches(storageID, "storage ID '%s' contains illegal characters")
})

func verifyUserID(value string) error {
	switch length := utf8.RuneCountInString(value); {
	case length < 3:
		return refuse("user name '%s' is too short", value)
	case length > 64:
		return refuse("user name '%s' is too long (%d > 64)", value, length)
	}
	return userIDFormat()(value)
}

var userIDFormat = sync.OnceValue(func() verifier {
	return matches(user, "value '%s' does not look like a valid user name")
})

// verifyInterface wants a name of a network interface: 2 to 20 characters, perhaps with a VLAN.
func verifyInterface(value string) error {
	if len(value) < 2 || len(value) > 20 || !interfaceName().MatchString(value) {
		return refuse("invalid network interface name '%s'", value)
	}
	return nil
}

var interfaceName = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?i:[a-z][a-z0-9_]{1,20}(?:[:.]\d+)?)$`)
})

func verifyIP(value string) error {
	if addr, err := netip.ParseAddr(value); err != nil || addr.Zone() != "" {
		return refuse("value does not look like a valid IP address")
	}
	return nil
}

func verifyIPv4(value string) error {
	if addr, err := netip.ParseAddr(value); err != nil || !addr.Is4() {
		return refuse("value does not look like a valid IPv4 address")
	}
	return nil
}

func verifyIPv6(value string) error {
	if addr, err := netip.ParseAddr(value); err != nil || !addr.Is6() || addr.Zone() != "" {
		return refuse("value does not look like a valid IPv6 address")
	}
	return nil
}

// verifyNameserver takes IP addresses, link-local ones with an interface too.
func verifyNameserver(value string) error {
	if addr, err := netip.ParseAddr(value); err == nil && addr.Zone() != "" && addr.IsLinkLocalUnicast() {
		return nil
	}
	return verifyIP(value)
}

// prefixOf parses address/length; a host part is fine.
func prefixOf(value string, least int) (netip.Prefix, bool) {
	p, err := netip.ParsePrefix(value)
	return p, err == nil && p.Bits() >= least
}

func verifyCIDR(value string) error {
	if _, ok := prefixOf(value, 8); !ok {
		return refuse("value does not look like a valid CIDR network")
	}
	return nil
}

func verifyIPv4Config(value string) error {
	p, ok := prefixOf(value, 8)
	if value == "dhcp" || value == "manual" || ok && p.Addr().Is4() {
		return nil
	}
	return refuse("value does not look like a valid ipv4 network configuration")
}

func verifyIPv6Config(value string) error {
	p, ok := prefixOf(value, 8)
	if value == "auto" || value == "dhcp" || value == "manual" || ok && p.Addr().Is6() {
		return nil
	}
	return refuse("value does not look like a valid ipv6 network configuration")
}

// climbs reports whether a path with a slash has a segment . or ..
func climbs(path string) bool {
	segments := strings.Split(path, "/")
	return len(segments) > 1 && (slices.Contains(segments, ".") || slices.Contains(segments, ".."))
}

func verifyMountPoint(value string) error {
	if climbs(value) {
		return refuse("%s contains illegal character sequences", value)
	}
	return nil
}

func verifyDevice(value string) error {
	if climbs(value) || !strings.HasPrefix(value, "/dev/") {
		return refuse("%s is not a valid device path", value)
	}
	return nil
}

// verifyStartup takes parts order=n (or bare n), up=n and down=n.
func verifyStartup(value string) error {
	bad := func(part string) bool { return strings.TrimSpace(part) != "" && !startupPart().MatchString(part) }
	// A lone 0 counts as nothing, as it does in Perl.
	if value == "" || value == "0" || slices.ContainsFunc(strings.Split(value, ","), bad) {
		return refuse("unable to parse startup options")
	}
	return nil
}

var startupPart = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:(?:order=)?\d+|up=\d+|down=\d+)$`)
})

// verifyTimezone takes host, UTC and zones of the form Area/City.
func verifyTimezone(value string) error {
	if value == "host" || value == "UTC" {
		return nil
	}
	if _, err := time.LoadLocation(value); err != nil || !strings.Contains(value, "/") || strings.HasPrefix(value, "Etc/") {
		return refuse("invalid time zone '%s'", value)
	}
	return nil
}
