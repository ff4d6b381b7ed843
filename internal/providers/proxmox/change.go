package proxmox

import (
	"errors"
	"maps"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// change collects what edits mean for one container, as requests. Lines are
// edited in place: what the language has no words for stays in them.
type change struct {
	cfg     config
	values  map[string]string // as they are to be edited: with what waits, and with what waits to be removed
	labels  map[string]map[string]string
	want    resource.Resource
	prior   cty.Value
	marker  resource.Marker
	set     map[string]string
	unset   map[string]bool
	lines   map[string]*pve.Line
	grow    map[string]int64  // slot → bytes
	move    map[string]string // slot → storage
	destroy []string          // volume ids to remove once they are unused
	pool    *string
	node    string
	power   *bool
}

func (w *work) newChange() *change {
	c := &change{
		cfg: w.cfg, values: maps.Clone(w.cfg.current), want: w.job.Want, marker: w.job.Marker,
		set: map[string]string{}, unset: map[string]bool{}, lines: map[string]*pve.Line{},
		grow: map[string]int64{}, move: map[string]string{}, labels: map[string]map[string]string{},
	}
	maps.Copy(c.values, w.cfg.coming)
	if w.job.Prior != nil {
		c.prior = w.job.Prior.Attrs
	}
	live := attrsOf(w.p.kinds["app"], c.values, w.job.Want.Want, c.prior)
	for _, block := range []string{"volume", "bind", "device", "network"} {
		c.labels[block] = map[string]string{}
		for _, label := range sortedLabels(live, block) {
			c.labels[block][label] = resource.Text(element(live, block, label), "slot")
		}
	}
	return c
}

// add takes one edit in.
func (c *change) add(e resource.Edit) {
	name := e.Path[0]
	switch name {
	case "node":
		c.node = resource.Text(cty.ObjectVal(map[string]cty.Value{"node": e.New}), "node")
	case "pool":
		pool := encode(e.New, "")
		c.pool = &pool
	case "running":
		runs := e.New.IsNull() || e.New.True()
		c.power = &runs
	case "description":
		c.set["description"] = resource.Join(encode(e.New, ""), c.marker)
	case "env":
		c.env(e)
	case "disk":
		c.mount("rootfs", e.Path[1], e.New)
	case "volume", "bind", "device", "network":
		c.labelled(e)
	case "dns":
		c.scalar(dnsKeys[e.Path[1]], e.New, encode(e.New, " "))
	case "console":
		c.scalar(consoleKeys[e.Path[1]], e.New, encode(e.New, ""))
	case "features":
		c.setField("features", "", featureKeys[e.Path[1]], e.New)
	case "startup":
		if e.Path[1] == "on_boot" {
			c.scalar("onboot", e.New, encode(e.New, ""))
		} else {
			c.setField("startup", "order", startupKeys[e.Path[1]], e.New)
		}
	default:
		c.attribute(name, e.New)
	}
}

// mark adds our marker to the notes that are there, or that are to be.
func (c *change) mark() {
	notes, isSet := c.set["description"]
	if !isSet {
		notes = c.values["description"]
	}
	c.set["description"] = resource.Join(notes, c.marker)
}

// attribute sets or unsets a key of its own. What Proxmox requires goes back
// to its default instead of away, or stays.
func (c *change) attribute(name string, v cty.Value) {
	key, found := scalarKeys[name]
	text := encodeScalar(name, v)
	switch {
	case !found, text == "" && (name == "os_type" || name == "arch"):
	case text == "" && name == "memory":
		c.set[key] = encodeScalar(name, assumed[key])
	case text == "" && name == "hostname":
		c.set[key] = defaultHostname(c.want)
	default:
		c.scalar(key, v, text)
	}
}

// scalar sets a key of its own to a value, which is written as text.
func (c *change) scalar(key string, v cty.Value, text string) {
	_, inForce := c.cfg.current[key]
	if text == "" || !inForce && c.isAssumed(key, key, v) {
		c.unset[key] = true
		return
	}
	c.set[key] = text
}

// setField sets a field of a line.
func (c *change) setField(slot, first, field string, v cty.Value) {
	inForce := pve.ParseLine(c.cfg.current[slot], first)
	if line := c.line(slot, first); !inForce.Has(field) && c.isAssumed(slot, field, v) {
		line.Set(field, "")
	} else {
		setField(line, field, v)
	}
}

// isAssumed reports whether a value that waits is given back for the one that
// Proxmox takes for nothing: then the waiting change is taken back, where
// writing the value would only be another one.
func (c *change) isAssumed(key, field string, v cty.Value) bool {
	return slices.Contains(c.cfg.waiting, key) && same(v, nothingOf(v.Type(), field))
}

// env changes the variables that people named; those of the image stay.
func (c *change) env(e resource.Edit) {
	env := parseEnv(c.values["env"])
	if !e.Old.IsNull() && e.Old.IsKnown() {
		env = env.without(slices.Collect(maps.Keys(e.Old.AsValueMap()))...)
	}
	if !e.New.IsNull() {
		env = env.with(plainEnv(e.New.AsValueMap()))
	}
	c.scalar("env", e.New, env.String())
}

// line returns the line of a slot, to be changed.
func (c *change) line(slot, first string) *pve.Line {
	if c.lines[slot] == nil {
		line := pve.ParseLine(c.values[slot], first)
		if now := pve.ParseLine(c.cfg.current[slot], first); first == "volume" && now.Value(first) == line.Value(first) {
			line.Set("size", now.Value("size")) // what waits may be older than the last growth
		}
		c.lines[slot] = &line
	}
	return c.lines[slot]
}

func (c *change) labelled(e resource.Edit) {
	block, label := e.Path[0], e.Path[1]
	slot, exists := c.labels[block][label]
	switch {
	case len(e.Path) == 2 && e.New.IsNull():
		if exists {
			c.remove(block, label, slot)
		}
	case len(e.Path) == 2 && !exists:
		c.insert(block, label, e.New)
	case len(e.Path) == 2:
		for name, v := range e.New.AsValueMap() {
			if !v.IsNull() {
				c.field(block, slot, name, v)
			}
		}
	case exists:
		c.field(block, slot, e.Path[2], e.New)
	}
}

func (c *change) field(block, slot, name string, v cty.Value) {
	switch block {
	case "volume", "bind":
		c.mount(slot, name, v)
	case "device":
		if key := deviceKeys[name]; key != "" {
			c.setField(slot, "path", key, v)
		}
	case "network":
		// Without a hardware address Proxmox makes a new one at every change; a line
		// that is edited keeps the one it has.
		if key := networkKeys[name]; key != "" && (key != "hwaddr" || !v.IsNull()) {
			c.setField(slot, "name", key, v)
		}
	}
}

// mount changes one attribute of a disk or mount point.
func (c *change) mount(slot, name string, v cty.Value) {
	line := pve.ParseLine(c.values[slot], "volume")
	switch {
	case name == "size":
		if now := pve.ParseLine(c.cfg.current[slot], "volume"); bytesOf(v) > parseSize(now.Value("size")) {
			c.grow[slot] = bytesOf(v)
		} else {
			c.line(slot, "volume") // has that size, if what waits does not tell another one
		}
	case name == "storage":
		if to := encode(v, ""); to != "" && to != storageOf(line.Value("volume")) {
			c.move[slot] = to
		}
	case mountKeys[name] != "":
		c.setField(slot, "volume", mountKeys[name], v)
	}
}

func (c *change) insert(block, label string, object cty.Value) {
	var line pve.Line
	word := map[string]string{"volume": "mp", "bind": "mp", "device": "dev", "network": "net"}[block]
	switch block {
	case "volume":
		line = newMountLine(object)
	case "bind":
		line = newBindLine(label, object)
	case "device":
		line = newDeviceLine(label, object)
	case "network":
		line = newNetworkLine(label, object)
	}
	taken := maps.Clone(c.values)
	maps.Copy(taken, c.set)
	slot := freeSlot(taken, word)
	c.set[slot] = line.String()
	c.labels[block][label] = slot
}

// remove takes a line away. The volume of a mount point stays as an unused one
// unless its block said to destroy it.
func (c *change) remove(block, label, slot string) {
	c.unset[slot] = true
	if block == "volume" && resource.Text(element(c.prior, block, label), "on_remove") == "destroy" {
		c.destroy = append(c.destroy, pve.ParseLine(c.values[slot], "volume").Value("volume"))
	}
}

// errMoveRunning is for a move that would need a stop that people keep to
// themselves.
var errMoveRunning = errors.New(`a volume can only be moved while the container is stopped, and restart is "manual"; stop it and apply again`)

// resizeText writes a size for a resize request, in whole mebibytes.
func resizeText(n int64) string { return strconv.FormatInt(n>>20, 10) + "M" }
