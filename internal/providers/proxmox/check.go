package proxmox

import (
	"fmt"
	"net/mail"
	"net/netip"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"
)

// The checks of this file return what is wrong with a known value, or "". The
// ranges and patterns are those of Proxmox's own schema, where it has any.

// atLeast and within check whole numbers.
func atLeast(low int64) func(cty.Value) string {
	return func(v cty.Value) string {
		if v.LessThan(cty.NumberIntVal(low)).True() {
			return fmt.Sprintf("must be at least %d", low)
		}
		return isWhole(v)
	}
}

func isWhole(v cty.Value) string {
	if !v.AsBigFloat().IsInt() {
		return "must be a whole number"
	}
	return ""
}

func within(low, high int64) func(cty.Value) string {
	return func(v cty.Value) string {
		if wrong := between(low, high)(v); wrong != "" {
			return wrong
		}
		return isWhole(v)
	}
}

// between checks numbers that may have fractions.
func between(low, high int64) func(cty.Value) string {
	return func(v cty.Value) string {
		if v.LessThan(cty.NumberIntVal(low)).True() || v.GreaterThan(cty.NumberIntVal(high)).True() {
			return fmt.Sprintf("must be between %d and %d", low, high)
		}
		return ""
	}
}

// mebibytes checks sizes: Proxmox counts memory and disks in whole mebibytes.
func mebibytes(low int64) func(cty.Value) string {
	return func(v cty.Value) string {
		switch n, _ := v.AsBigFloat().Int64(); {
		case n < low<<20:
			return fmt.Sprintf("must be at least %dMiB", low)
		case n%(1<<20) != 0:
			return "must be a whole number of MiB"
		}
		return ""
	}
}

func oneOf(words ...string) func(cty.Value) string {
	return func(v cty.Value) string {
		if !slices.Contains(words, v.AsString()) {
			return "must be one of " + strings.Join(words, ", ")
		}
		return ""
	}
}

func notLonger(most int) func(cty.Value) string {
	return func(v cty.Value) string {
		if utf8.RuneCountInString(v.AsString()) > most {
			return fmt.Sprintf("must not be longer than %d characters", most)
		}
		return ""
	}
}

// each checks every element of a collection that is known.
func each(check func(cty.Value) string) func(cty.Value) string {
	if check == nil {
		return nil
	}
	return func(v cty.Value) string {
		for _, element := range v.AsValueSlice() {
			if element.IsNull() {
				return "must have no empty element"
			}
			if !element.IsKnown() {
				continue
			}
			if wrong := check(element); wrong != "" {
				return plainText(element) + " " + wrong
			}
		}
		return ""
	}
}

func plainText(v cty.Value) string {
	if v.Type() == cty.Number {
		return v.AsBigFloat().Text('f', -1)
	}
	return fmt.Sprintf("%q", v.AsString())
}

func matching(pattern, wrong string) func(cty.Value) string {
	compiled := regexp.MustCompile(pattern)
	return func(v cty.Value) string {
		if !compiled.MatchString(v.AsString()) {
			return wrong
		}
		return ""
	}
}

var (
	isNode = matching(`^[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?$`,
		"is no node name: letters, digits and hyphens")
	isID = matching(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`,
		"must begin with a letter or digit and hold only letters, digits and . _ -")
	isTag = matching(`^[A-Za-z0-9_][A-Za-z0-9_+.-]*$`,
		"is no tag: letters, digits and _ - + . only, beginning with a letter, digit or _")
	isSpec = matching(`^[A-Za-z0-9][^\s@]*$`,
		"is no template: write a name such as debian-13-standard, or a volume id such as local:vztmpl/name.tar.zst")
	// Proxmox takes no digests, and without a tag it refuses the reference.
	isImage = matching(`^[a-zA-Z0-9][a-zA-Z0-9.:_/-]*:\w[\w.-]{0,127}$`,
		"is no image reference with a tag, such as docker.io/library/nginx:1.27")
	isVolume  = matching(`^[^:\s]+:[^:\s]+$`, "is no volume id, such as local:snippets/hook.pl")
	isOneLine = matching(`^[^\x00-\x08\x0a-\x1f\x7f]*$`, "must be one line without control characters")
	isMAC     = matching(`^[0-9a-fA-F][02468aceACE](:[0-9a-fA-F]{2}){5}$`,
		"is no hardware address of a single interface, such as BC:24:11:00:00:01")
	isFileSystem = matching(`^[a-zA-Z0-9_]+$`, "is no file system: letters, digits and _ only")
	isMode       = matching(`^0[0-7]{3}$`, "is no access mode in octal, such as 0660")
	isComment    = matching(`^[^\x00-\x1f\x7f]{0,250}$`, "must be one line of at most 250 characters")
	labels       = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)*$`)
	envName      = regexp.MustCompile(`^[A-Za-z0-9_]+$`)
)

// isNotes checks the template of an archive's notes.
func isNotes(v cty.Value) string {
	if wrong := isOneLine(v); wrong != "" {
		return wrong
	}
	return notLonger(1024)(v)
}

func isHostname(v cty.Value) string {
	if name := v.AsString(); len(name) > 253 || !labels.MatchString(name) {
		return "is no host name: letters, digits and hyphens between dots"
	}
	return ""
}

func isBridge(v cty.Value) string {
	if v.AsString() == "" {
		return ""
	}
	return isID(v)
}

func isPath(v cty.Value) string {
	if p := v.AsString(); !path.IsAbs(p) || strings.ContainsAny(p, ",\n\x00") || slices.Contains(strings.Split(p, "/"), "..") {
		return `must be an absolute path without ".." and commas`
	}
	return ""
}

// isDevice knows what Proxmox takes for a device: a path below /dev.
func isDevice(v cty.Value) string {
	if p := v.AsString(); isPath(v) != "" || !strings.HasPrefix(p, "/dev/") {
		return "is no device of the node, such as /dev/dri/renderD128"
	}
	return ""
}

// onLabel checks labels as values are checked.
func onLabel(check func(cty.Value) string) func(string) string {
	return func(label string) string { return check(cty.StringVal(label)) }
}

func isPassword(v cty.Value) string {
	if len(v.AsString()) < 5 {
		return "must have at least 5 characters"
	}
	return ""
}

// isEnv checks names and values: Proxmox keeps them on one line of a file.
func isEnv(v cty.Value) string {
	for name, value := range v.AsValueMap() {
		switch {
		case !envName.MatchString(name):
			return fmt.Sprintf("has the name %q: only letters, digits and _ are allowed", name)
		case value.IsNull():
			return fmt.Sprintf("has no value for %s", name)
		case value.IsKnown() && isOneLine(value) != "":
			return fmt.Sprintf("has control characters or line breaks in %s, which Proxmox cannot keep", name)
		}
	}
	return ""
}

func isIP(v cty.Value) string {
	if _, err := netip.ParseAddr(v.AsString()); err != nil {
		return "is no IP address"
	}
	return ""
}

func isAddress4(v cty.Value) string {
	return address(v.AsString(), netip.Addr.Is4, "192.168.1.20/24", "dhcp", "manual")
}

func isAddress6(v cty.Value) string {
	return address(v.AsString(), netip.Addr.Is6, "fd00::20/64", "auto", "dhcp", "manual")
}

func address(text string, family func(netip.Addr) bool, example string, words ...string) string {
	if slices.Contains(words, text) {
		return ""
	}
	prefix, err := netip.ParsePrefix(text)
	switch addr, plain := netip.ParseAddr(text); {
	case plain == nil && family(addr):
		return fmt.Sprintf("lacks its prefix length; write it like %s", example)
	case err != nil || !family(prefix.Addr()):
		return fmt.Sprintf("is neither an address like %s nor %s", example, strings.Join(words, " or "))
	case prefix.Bits() < 8: // which Proxmox refuses for both families
		return "has a prefix length below 8"
	}
	return ""
}

func isGateway4(v cty.Value) string { return gateway(v.AsString(), netip.Addr.Is4, "IPv4") }
func isGateway6(v cty.Value) string { return gateway(v.AsString(), netip.Addr.Is6, "IPv6") }

func gateway(text string, family func(netip.Addr) bool, name string) string {
	if addr, err := netip.ParseAddr(text); err != nil || !family(addr) {
		return fmt.Sprintf("is no %s address (a gateway has no prefix length)", name)
	}
	return ""
}

func isMailbox(v cty.Value) string {
	name := v.AsString()
	if strings.ContainsAny(name, ", ;") {
		return "must be one mail address or Proxmox user"
	}
	if _, err := mail.ParseAddress(name); err != nil && !labels.MatchString(name) {
		return "is no mail address or Proxmox user"
	}
	return ""
}

// The functions below compare values that Proxmox may give back in another
// form than it got them.

func sameNotes(a, b cty.Value) bool {
	return strings.TrimRight(a.AsString(), "\n") == strings.TrimRight(b.AsString(), "\n")
}

// extent is the size of LVM's pieces: a volume is as many of them as it needs,
// and Proxmox writes the true size back when it changes the mount point.
const extent = 4 << 20

func sameSize(want, have cty.Value) bool {
	w, h := bytesOf(want), bytesOf(have)
	return h >= w && h <= (w+extent-1)/extent*extent
}

// sameShares knows that a node cuts weights to what its control groups have: 1 or
// 2 at least, and 10000 at most in their version 2.
func sameShares(want, have cty.Value) bool {
	w, h := bytesOf(want), bytesOf(have)
	return w == h || w < 2 && h == w+1 || w == 0 && h == 2 || w > 10000 && h == 10000
}

// samePath compares places inside a container: Proxmox takes paths that do not
// begin at the root as if they did.
func samePath(a, b cty.Value) bool { return insidePath(a.AsString()) == insidePath(b.AsString()) }

func insidePath(p string) string { return path.Clean("/" + p) }

func sameFold(a, b cty.Value) bool { return strings.EqualFold(a.AsString(), b.AsString()) }

func sameAddress(a, b cty.Value) bool { return canonical(a.AsString()) == canonical(b.AsString()) }

func canonical(text string) string {
	if prefix, err := netip.ParsePrefix(text); err == nil {
		return prefix.String()
	}
	if addr, err := netip.ParseAddr(text); err == nil {
		return addr.String()
	}
	return text
}
