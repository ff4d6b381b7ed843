package pvesim

import (
	"crypto/sha1"
	"encoding/hex"
	"fmt"
	"maps"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// numbered matches settings that come in numbers: net0, mp12, unused3, dev0.
var numbered = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(net|mp|unused|dev)\d+$`)
})

// isDisk reports whether a setting names a volume in use: rootfs or a mount point.
func isDisk(key string) bool { return key == "rootfs" || isMount(key) }

func isMount(key string) bool { return stem(key) == "mp" }

// stem is the kind of a numbered setting, "" for others.
func stem(key string) string {
	if m := numbered().FindStringSubmatch(key); m != nil {
		return m[1]
	}
	return ""
}

// isNumberKey reports whether a setting is a JSON number when it is read. The schema's type "number" stays a string.
func isNumberKey(key string) bool {
	switch key {
	case "cores", "cpuunits", "memory", "swap", "tty", "onboot", "protection", "template", "unprivileged", "debug", "console", "snaptime":
		return true
	}
	return false
}

// jsonSetting is a setting as JSON shows it.
func jsonSetting(key, value string) any {
	if key == rawKey {
		pairs := [][2]string{}
		for line := range strings.SplitSeq(value, "\n") {
			name, text, _ := strings.Cut(line, " = ")
			pairs = append(pairs, [2]string{name, text})
		}
		return pairs
	}
	if isNumberKey(key) {
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	}
	return value
}

// props parses a property string that was checked before; what is wrong with it now is an error of the estate.
func props(format, text string) map[string]string {
	values, _ := schema.ParseProps(format, text) // a broken one, stored by rootfs=local:8, has what could be read
	if values == nil {
		values = map[string]string{}
	}
	return values
}

// text is the configuration as a file, from which the digest comes: sections for pending changes and snapshots follow the
// settings in force.
func (g *guest) text() string {
	var b strings.Builder
	writeSection(&b, g.Config)
	if len(g.Pending)+len(g.Deletes) > 0 {
		b.WriteString("\n[pve:pending]\n")
		if len(g.Deletes) > 0 {
			b.WriteString("delete: " + strings.Join(slices.Sorted(maps.Keys(g.Deletes)), ",") + "\n")
		}
		writeSection(&b, g.Pending)
	}
	for _, name := range slices.Sorted(maps.Keys(g.Snaps)) {
		s := g.Snaps[name]
		fmt.Fprintf(&b, "\n[%s]\n#%s\nparent: %s\nsnapstate: %s\nsnaptime: %d\n", name, s.Text, s.Parent, s.State, s.Time.Unix())
		writeSection(&b, s.Config)
	}
	return b.String()
}

func writeSection(b *strings.Builder, settings map[string]string) {
	for _, line := range strings.SplitAfter(settings["description"], "\n") {
		if line != "" {
			b.WriteString("#" + line)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		switch key {
		case "description":
		case rawKey:
			b.WriteString(strings.ReplaceAll(settings[key], " = ", ": ") + "\n")
		default:
			b.WriteString(key + ": " + settings[key] + "\n")
		}
	}
}

// digest is the SHA-1 of the configuration's text: it changes with the content only.
func (g *guest) digest() string {
	sum := sha1.Sum([]byte(g.text()))
	return hex.EncodeToString(sum[:])
}

// shown is the configuration with pending changes merged in, as a read without current=1 has it.
func (g *guest) shown() map[string]string {
	all := maps.Clone(g.Config)
	maps.Copy(all, g.Pending)
	for key := range g.Deletes {
		delete(all, key)
	}
	return all
}

// jsonConfig is a configuration as JSON. Env is for those only who may change options.
func jsonConfig(settings map[string]string, digest string, env bool) map[string]any {
	data := map[string]any{"digest": digest}
	for key, value := range settings {
		if key != "env" || env {
			data[key] = jsonSetting(key, value)
		}
	}
	return data
}

// memory is the guest's memory in bytes.
func (g *guest) memory() int64 {
	n, err := strconv.ParseInt(g.Config["memory"], 10, 64)
	if err != nil {
		n = 512
	}
	return n << 20
}

// name is what listings call the guest.
func (g *guest) name() string {
	for _, key := range []string{"hostname", "name"} {
		if value := g.Config[key]; value != "" {
			return value
		}
	}
	return "CT" + vmidKey(g.VMID)
}

// diskSize is the size of the root disk in bytes, as the configuration says.
func (g *guest) diskSize() int64 {
	_, text, _ := strings.Cut(g.Config["rootfs"], ",size=")
	text, _, _ = strings.Cut(text, ",")
	if size, ok := parseSize(text); ok {
		return size
	}
	return 4 * gib
}

// guestStatus is a guest as its status and the lists of guests show it.
func (x *tx) guestStatus(g *guest) map[string]any {
	swap, _ := strconv.ParseInt(g.Config["swap"], 10, 64) // unset is none
	row := map[string]any{
		"vmid": g.VMID, "type": g.Kind, "status": "stopped", "name": g.name(), "cpus": x.cpus(g),
		"maxmem": g.memory(), "maxswap": swap << 20, "maxdisk": g.diskSize(),
		"mem": 0, "swap": 0, "disk": 0, "uptime": 0, "cpu": 0, "netin": 0, "netout": 0, "diskread": 0, "diskwrite": 0,
	}
	for _, key := range []string{"lock", "tags"} {
		if value, ok := g.Config[key]; ok {
			row[key] = value
		}
	}
	if g.Config["template"] == "1" {
		row["template"] = 1
	}
	if !g.Running {
		return row
	}
	up := x.now.Sub(g.Since)
	row["status"], row["pid"], row["uptime"] = "running", g.PID, int64(up.Seconds())
	row["mem"], row["disk"], row["maxdisk"] = g.memory()/4, g.diskSize()/4, g.diskSize()-g.diskSize()/20
	row["cpu"] = 0.004
	row["netin"], row["netout"] = int64(up.Seconds())*840, int64(up.Seconds())*310
	if !x.has(pressureFields) {
		return row
	}
	for _, of := range []string{"cpu", "io", "memory"} {
		row["pressure"+of+"some"], row["pressure"+of+"full"] = "0.00", "0.00"
	}
	return row
}

// cpus is the number of processors a guest may use; a limit is a string, as it is in the configuration.
func (x *tx) cpus(g *guest) any {
	if cores := g.Config["cores"]; cores != "" {
		return jsonSetting("cores", cores)
	}
	if limit := g.Config["cpulimit"]; limit != "" && limit != "0" {
		return limit
	}
	if n := x.nodes.at(g.Node); n != nil {
		return n.CPUs
	}
	return 1
}

// parseSize reads a size such as 8G, 512M or 1024; no unit means bytes.
func parseSize(text string) (int64, bool) {
	units := map[string]float64{"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
	number := strings.TrimRight(text, "KMGT")
	n, err := strconv.ParseFloat(number, 64)
	unit, ok := units[text[len(number):]]
	if err != nil || !ok {
		return 0, false
	}
	return int64(math.Floor(n * unit)), true
}

// formatSize prints a size in the largest unit that divides it.
func formatSize(n int64) string {
	for _, u := range []struct {
		name string
		size int64
	}{{"T", 1 << 40}, {"G", 1 << 30}, {"M", 1 << 20}, {"K", 1 << 10}} {
		if n >= u.size && n%u.size == 0 {
			return itoa(n/u.size) + u.name
		}
	}
	return itoa(n)
}

// normalTags is how a list of tags is stored: in lower case, sorted, each once. An empty list is a blank.
func normalTags(list string) string {
	tags := schema.SplitList(strings.ToLower(list))
	slices.Sort(tags)
	return orBlank(strings.Join(slices.Compact(tags), ";"))
}

// normalList is how a list of addresses or domains is stored.
func normalList(list string) string { return orBlank(strings.Join(schema.SplitList(list), " ")) }

// orBlank stands for what Proxmox stores of an empty list.
func orBlank(text string) string {
	if text == "" {
		return " "
	}
	return text
}

// normal is a plain setting as it is stored.
func normal(key, value string) string {
	switch key {
	case "tags":
		return normalTags(value)
	case "nameserver", "searchdomain":
		return normalList(value)
	case "features":
		return orBlank(value)
	case "description":
		if text := strings.TrimRight(value, "\n"); text != "" {
			return text + "\n"
		}
		return ""
	}
	return value
}

// normalNet is a network interface as it is stored: with a MAC address of its own unless one is given.
func (x *tx) normalNet(value string) string {
	nic := props("net", value)
	if nic["hwaddr"] == "" {
		nic["hwaddr"] = x.newMAC()
	}
	nic["type"] = "veth"
	return schema.PrintProps("net", nic)
}
