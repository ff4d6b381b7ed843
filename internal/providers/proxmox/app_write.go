package proxmox

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// The tables of this file say under which key Proxmox keeps an attribute.

var scalarKeys = map[string]string{
	"hostname": "hostname", "tags": "tags", "protection": "protection", "cores": "cores", "cpu_limit": "cpulimit",
	"cpu_units": "cpuunits", "memory": "memory", "swap": "swap", "hook": "hookscript", "timezone": "timezone",
	"entrypoint": "entrypoint", "os_type": "ostype", "arch": "arch", "debug": "debug",
}

var mountKeys = map[string]string{
	"path": "mp", "source": "volume", "acl": "acl", "quota": "quota", "mount_options": "mountoptions",
	"replicate": "replicate", "backup": "backup", "read_only": "ro", "shared": "shared", "keep_attrs": "keepattrs",
}

var networkKeys = map[string]string{
	"bridge": "bridge", "ip": "ip", "gateway": "gw", "ip6": "ip6", "gateway6": "gw6", "vlan": "tag",
	"trunks": "trunks", "mac": "hwaddr", "mtu": "mtu", "rate": "rate", "firewall": "firewall", "link_down": "link_down",
	"host_managed": "host-managed",
}

var deviceKeys = map[string]string{"mode": "mode", "uid": "uid", "gid": "gid", "deny_write": "deny-write"}

var featureKeys = map[string]string{
	"nesting": "nesting", "keyctl": "keyctl", "fuse": "fuse", "mknod": "mknod", "mount": "mount", "force_rw_sys": "force_rw_sys",
}

var startupKeys = map[string]string{"order": "order", "up_delay": "up", "down_delay": "down"}

var consoleKeys = map[string]string{"enabled": "console", "mode": "cmode", "tty": "tty"}

var dnsKeys = map[string]string{"servers": "nameserver", "search": "searchdomain"}

// What Proxmox gives a container that asks for none; of swap as much as of memory.
const (
	defaultMemory = 512 << 20
	defaultDisk   = 4 << 30
)

// assumed is what Proxmox takes a key for that is not there, where it is not the
// nothing of the attribute's type: null, false or an empty collection. For acl
// and host-managed absence is a third thing beside yes and no.
var assumed = map[string]cty.Value{
	"memory": cty.NumberIntVal(defaultMemory), "swap": cty.NumberIntVal(defaultMemory), "replicate": cty.True,
	"console": cty.True, "cmode": cty.StringVal("tty"), "tty": cty.NumberIntVal(2),
	"acl": cty.NullVal(cty.Bool), "host-managed": cty.NullVal(cty.Bool),
}

// encode writes a value as Proxmox takes it; null is "". Elements of a
// collection are separated.
func encode(v cty.Value, separator string) string {
	v, _ = v.UnmarkDeep()
	switch {
	case v == cty.NilVal || v.IsNull() || !v.IsKnown():
		return ""
	case v.Type() == cty.Bool && v.True():
		return "1"
	case v.Type() == cty.Bool:
		return "0"
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('f', -1)
	case v.Type() == cty.String:
		return v.AsString()
	case v.CanIterateElements():
		var all []string
		for _, element := range v.AsValueSlice() {
			all = append(all, encode(element, separator))
		}
		return strings.Join(all, separator)
	}
	return ""
}

// encodeScalar writes one attribute of an app that has a key of its own.
func encodeScalar(name string, v cty.Value) string {
	switch text := encode(v, ";"); {
	case text == "" || name != "memory" && name != "swap":
		return text
	default:
		return strconv.FormatInt(bytesOf(unmarked(v))>>20, 10)
	}
}

func unmarked(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return v
}

// setField changes one field of a line. What is false and not there stays away:
// merely naming some features is refused to all but root@pam.
func setField(line *pve.Line, key string, v cty.Value) {
	text := encode(v, ";")
	if _, speaks := assumed[key]; text == "0" && !line.Has(key) && !speaks && v.Type() == cty.Bool {
		return
	}
	line.Set(key, text)
	if key == "order" { // a line that is nothing but 0 counts as no line
		line.Spell(key)
	}
}

// setFields changes the fields of all attributes that an object sets.
func setFields(line *pve.Line, keys map[string]string, object cty.Value) {
	for _, name := range slices.Sorted(maps.Keys(keys)) {
		if v := resource.Attribute(object, name); !v.IsNull() {
			setField(line, keys[name], unmarked(v))
		}
	}
}

// newVolume writes a volume that Proxmox is to make: storage:GiB. The size is
// exact, since Proxmox multiplies it by 1024 and sizes are whole mebibytes.
func newVolume(storage string, size int64) string {
	return storage + ":" + strconv.FormatFloat(float64(size)/(1<<30), 'f', -1, 64)
}

func newMountLine(volume cty.Value) pve.Line {
	line := pve.ParseLine(newVolume(resource.Text(volume, "storage"), bytesOf(unmarked(resource.Attribute(volume, "size")))), "volume")
	setFields(&line, mountKeys, volume)
	return line
}

func newBindLine(path string, bind cty.Value) pve.Line {
	line := pve.ParseLine(resource.Text(bind, "source"), "volume")
	line.Set("mp", path)
	setFields(&line, mountKeys, bind)
	return line
}

func newNetworkLine(name string, nic cty.Value) pve.Line {
	line := pve.ParseLine("name="+name, "name")
	setFields(&line, networkKeys, nic)
	return line
}

func newDeviceLine(path string, device cty.Value) pve.Line {
	line := pve.ParseLine(path, "path")
	setFields(&line, deviceKeys, device)
	return line
}

// defaultHostname makes a host name of an address: app.web["blue"] is web-blue.
func defaultHostname(want resource.Resource) string {
	name := want.Addr.Name
	if key := strings.Trim(want.Addr.Key, `"`); key != "" {
		name += "-" + key
	}
	name = strings.Map(func(r rune) rune {
		if r < 0x80 && (r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
			return r
		}
		return '-'
	}, name)
	return strings.Trim(name[:min(len(name), 63)], "-")
}

func hostname(want resource.Resource) string {
	if name := resource.Text(want.Want, "hostname"); name != "" {
		return name
	}
	return defaultHostname(want)
}
