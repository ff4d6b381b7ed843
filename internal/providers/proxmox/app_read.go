package proxmox

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// reading turns a configuration into an app's attributes. Want and prior tell
// which labels and spellings people use for what Proxmox only numbers.
type reading struct {
	kind        *resource.Kind
	values      map[string]string
	want, prior cty.Value
	read        map[string]bool // keys that the language has words for
	unmanaged   []string
}

func newReading(kind *resource.Kind, values map[string]string, want, prior cty.Value) *reading {
	want, _ = want.UnmarkDeep()
	return &reading{kind: kind, values: values, want: want, prior: prior, read: map[string]bool{
		"digest": true, "arch": true, "ostype": true, "lock": true, "parent": true, "template": true, "snapstate": true,
	}}
}

// attrs returns what can be read back. What Proxmox has defaults for is never
// null, so that writing a default is no difference.
func (r *reading) attrs() map[string]cty.Value {
	notes, _ := resource.Split(strings.TrimRight(r.take("description"), "\n"))
	set := map[string]cty.Value{
		"hostname":     textOrNull(r.take("hostname")),
		"description":  cty.StringVal(notes),
		"tags":         r.tags(),
		"protection":   boolean(r.take("protection"), false),
		"cores":        numberOrNull(r.take("cores")),
		"cpu_limit":    numberOrNull(r.take("cpulimit")),
		"cpu_units":    numberOrNull(r.take("cpuunits")),
		"memory":       mebibyteValue(r.take("memory"), 512),
		"swap":         mebibyteValue(r.take("swap"), 512),
		"unprivileged": boolean(r.take("unprivileged"), false),
		"hook":         textOrNull(r.take("hookscript")),
		"timezone":     textOrNull(r.take("timezone")),
		"entrypoint":   textOrNull(r.take("entrypoint")),
		"env":          r.env(),
		"disk":         r.disk(),
		"network":      r.labelled("network", r.networks()),
		"device":       r.labelled("device", r.devices()),
		"dns":          r.dns(),
		"features":     r.features(),
		"startup":      r.startup(),
		"console":      r.console(),
	}
	volumes, binds := r.mounts()
	set["volume"], set["bind"] = r.labelled("volume", volumes), r.labelled("bind", binds)
	return set
}

// others returns the settings that the language has no words for.
func (r *reading) others() []string {
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		if !r.read[key] {
			r.unmanaged = append(r.unmanaged, key+": "+r.values[key])
		}
	}
	return r.unmanaged
}

func (r *reading) take(key string) string {
	r.read[key] = true
	return r.values[key]
}

// tags keeps the spelling that people use: Proxmox turns them to lower case.
func (r *reading) tags() cty.Value {
	spelt := map[string]string{}
	for _, source := range []cty.Value{r.prior, r.want} {
		for _, tag := range textsOf(source, "tags") {
			spelt[strings.ToLower(tag)] = tag
		}
	}
	var all []cty.Value
	for _, tag := range words(r.take("tags")) {
		if known, ok := spelt[tag]; ok {
			tag = known
		}
		all = append(all, cty.StringVal(tag))
	}
	if len(all) == 0 {
		return cty.SetValEmpty(cty.String)
	}
	return cty.SetVal(all)
}

// env returns the variables that people named, or all when they named none:
// an image brings more of its own.
func (r *reading) env() cty.Value {
	named := map[string]bool{}
	for _, source := range []cty.Value{r.want, r.prior} {
		for name := range valueMap(source, "env") {
			named[name] = true
		}
	}
	all := map[string]cty.Value{}
	for name, value := range parseEnv(r.take("env")) {
		if named[name] || len(named) == 0 {
			all[name] = cty.StringVal(value)
		}
	}
	if len(all) == 0 {
		return cty.MapValEmpty(cty.String)
	}
	return cty.MapVal(all)
}

// labelled returns a map of the block's objects; without any it is empty.
func (r *reading) labelled(block string, objects map[string]cty.Value) cty.Value {
	if len(objects) == 0 {
		return cty.MapValEmpty(r.kind.Schema.Blocks[block].Block.Type())
	}
	return cty.MapVal(objects)
}

func (r *reading) value(block string, set map[string]cty.Value) cty.Value {
	return r.kind.Schema.Blocks[block].Value(set)
}

// mountFields are the fields of rootfs and mpN that the language knows, with
// those that Proxmox writes by itself.
var mountFields = []string{"volume", "mp", "size", "acl", "quota", "mountoptions", "replicate", "ro", "shared", "backup"}

func (r *reading) disk() cty.Value {
	if r.values["rootfs"] == "" {
		return cty.NullVal(r.kind.Schema.Blocks["disk"].Type())
	}
	line := pve.ParseLine(r.take("rootfs"), "volume")
	r.strange("rootfs", line, mountFields)
	set := mountOptions(line)
	set["size"] = sizeValue(line.Value("size"))
	set["storage"] = textOrNull(storageOf(line.Value("volume")))
	return r.value("disk", set)
}

func (r *reading) mounts() (volumes, binds map[string]cty.Value) {
	volumes, binds = map[string]cty.Value{}, map[string]cty.Value{}
	for _, slot := range slots(r.values, "mp") {
		line := pve.ParseLine(r.values[slot], "volume")
		volid, path := line.Value("volume"), line.Value("mp")
		set := mountOptions(line)
		set["slot"] = cty.StringVal(slot)
		set["read_only"] = boolean(line.Value("ro"), false)
		set["shared"] = boolean(line.Value("shared"), false)
		if strings.HasPrefix(volid, "/") {
			set["source"] = cty.StringVal(volid)
			binds[path] = r.value("bind", set)
			r.read[slot] = true
			r.strange(slot, line, mountFields)
			continue
		}
		label, ok := volumeLabel(volid, path, r.prior, r.want)
		if _, twice := volumes[label]; !ok || twice {
			continue // somebody else's; others() lists it
		}
		set["path"] = cty.StringVal(path)
		set["size"] = sizeValue(line.Value("size"))
		set["storage"] = textOrNull(storageOf(volid))
		set["backup"] = boolean(line.Value("backup"), false)
		set["volid"] = cty.StringVal(volid)
		volumes[label] = r.value("volume", set)
		r.read[slot] = true
		r.strange(slot, line, mountFields)
	}
	return volumes, binds
}

// volumeLabel finds the name that people gave to a volume: the one recorded
// with its volume id, else the one whose path is its path.
func volumeLabel(volid, path string, sources ...cty.Value) (string, bool) {
	for _, attr := range []struct{ name, is string }{{"volid", volid}, {"path", path}} {
		for _, source := range sources {
			for _, label := range sortedLabels(source, "volume") {
				if resource.Text(element(source, "volume", label), attr.name) == attr.is {
					return label, true
				}
			}
		}
	}
	return "", false
}

func (r *reading) networks() map[string]cty.Value {
	all := map[string]cty.Value{}
	for _, slot := range slots(r.values, "net") {
		line := pve.ParseLine(r.take(slot), "name")
		r.strange(slot, line, []string{"name", "bridge", "ip", "gw", "ip6", "gw6", "tag", "trunks", "hwaddr", "mtu",
			"rate", "firewall", "link_down", "type", "host-managed"})
		all[line.Value("name")] = r.value("network", map[string]cty.Value{
			"bridge":    textOrNull(line.Value("bridge")),
			"ip":        textOrNull(line.Value("ip")),
			"gateway":   textOrNull(line.Value("gw")),
			"ip6":       textOrNull(line.Value("ip6")),
			"gateway6":  textOrNull(line.Value("gw6")),
			"vlan":      numberOrNull(line.Value("tag")),
			"trunks":    numberSet(line.Value("trunks")),
			"mac":       textOrNull(line.Value("hwaddr")),
			"mtu":       numberOrNull(line.Value("mtu")),
			"rate":      numberOrNull(line.Value("rate")),
			"firewall":  boolean(line.Value("firewall"), false),
			"link_down": boolean(line.Value("link_down"), false),
			"slot":      cty.StringVal(slot),
		})
	}
	return all
}

func (r *reading) devices() map[string]cty.Value {
	all := map[string]cty.Value{}
	for _, slot := range slots(r.values, "dev") {
		line := pve.ParseLine(r.take(slot), "path")
		r.strange(slot, line, []string{"path", "mode", "uid", "gid", "deny-write"})
		all[line.Value("path")] = r.value("device", map[string]cty.Value{
			"mode":       textOrNull(line.Value("mode")),
			"uid":        numberOrNull(line.Value("uid")),
			"gid":        numberOrNull(line.Value("gid")),
			"deny_write": boolean(line.Value("deny-write"), false),
			"slot":       cty.StringVal(slot),
		})
	}
	return all
}

func (r *reading) dns() cty.Value {
	return r.value("dns", map[string]cty.Value{
		"servers": texts(strings.Fields(r.take("nameserver"))),
		"search":  texts(strings.Fields(r.take("searchdomain"))),
	})
}

func (r *reading) features() cty.Value {
	line := pve.ParseLine(r.take("features"), "")
	r.strange("features", line, []string{"nesting", "keyctl", "fuse", "mknod", "mount", "force_rw_sys"})
	set := map[string]cty.Value{"mount": textSet(words(line.Value("mount")))}
	for _, name := range []string{"nesting", "keyctl", "fuse", "mknod", "force_rw_sys"} {
		set[name] = boolean(line.Value(name), false)
	}
	return r.value("features", set)
}

func (r *reading) startup() cty.Value {
	line := pve.ParseLine(r.take("startup"), "order")
	return r.value("startup", map[string]cty.Value{
		"on_boot":    boolean(r.take("onboot"), false),
		"order":      numberOrNull(line.Value("order")),
		"up_delay":   numberOrNull(line.Value("up")),
		"down_delay": numberOrNull(line.Value("down")),
	})
}

func (r *reading) console() cty.Value {
	mode, tty := r.take("cmode"), r.take("tty")
	if mode == "" {
		mode = "tty"
	}
	if tty == "" {
		tty = "2"
	}
	return r.value("console", map[string]cty.Value{
		"enabled": boolean(r.take("console"), true), "mode": cty.StringVal(mode), "tty": numberOrNull(tty),
	})
}

// strange lists the fields of a line that the language has no words for.
func (r *reading) strange(slot string, line pve.Line, known []string) {
	for _, key := range line.Keys() {
		if !slices.Contains(known, key) && key != "" {
			r.unmanaged = append(r.unmanaged, fmt.Sprintf("%s.%s: %s", slot, key, line.Value(key)))
		}
	}
}

func mountOptions(line pve.Line) map[string]cty.Value {
	return map[string]cty.Value{
		"acl":           boolean(line.Value("acl"), false),
		"quota":         boolean(line.Value("quota"), false),
		"replicate":     boolean(line.Value("replicate"), true),
		"mount_options": textSet(words(line.Value("mountoptions"))),
	}
}

// storageOf returns the storage of a volume id.
func storageOf(volid string) string {
	storage, _, _ := strings.Cut(volid, ":")
	return storage
}

// parseEnv reads variables that are separated by NUL.
func parseEnv(text string) map[string]string {
	all := map[string]string{}
	for pair := range strings.SplitSeq(text, "\x00") {
		if name, value, found := strings.Cut(pair, "="); found {
			all[name] = value
		}
	}
	return all
}

// parseSize reads 8G, 512M or a plain number of bytes; 0 when it is none.
func parseSize(text string) int64 {
	shift := map[byte]uint{'K': 10, 'M': 20, 'G': 30, 'T': 40}
	digits, by := text, uint(0)
	if n := len(text); n > 0 && shift[text[n-1]] > 0 {
		digits, by = text[:n-1], shift[text[n-1]]
	}
	n, err := strconv.ParseFloat(digits, 64)
	if err != nil || n < 0 || n > 1<<53 {
		return 0
	}
	return int64(n * float64(int64(1)<<by))
}
