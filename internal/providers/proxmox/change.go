package proxmox

import (
	"errors"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// change collects what edits mean for one container, as requests. Lines are
// edited in place: what the language has no words for stays in them.
type change struct {
	values  map[string]string // as they are, changes that wait included
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
		values: w.cfg.coming, want: w.job.Want, marker: w.job.Marker,
		set: map[string]string{}, unset: map[string]bool{}, lines: map[string]*pve.Line{},
		grow: map[string]int64{}, move: map[string]string{}, labels: map[string]map[string]string{},
	}
	prior := cty.NilVal
	if w.job.Prior != nil {
		prior = w.job.Prior.Attrs
	}
	c.prior = prior
	live := w.p.kinds["app"].Schema.Value(newReading(w.p.kinds["app"], w.cfg.coming, w.job.Want.Want, prior).attrs())
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
		c.scalar(dnsKeys[e.Path[1]], encode(e.New, " "))
	case "console":
		c.scalar(consoleKeys[e.Path[1]], encode(e.New, ""))
	case "features":
		setField(c.line("features", ""), featureKeys[e.Path[1]], e.New)
	case "startup":
		if e.Path[1] == "on_boot" {
			c.scalar("onboot", encode(e.New, ""))
		} else {
			setField(c.line("startup", "order"), startupKeys[e.Path[1]], e.New)
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
// to its default instead of away.
func (c *change) attribute(name string, v cty.Value) {
	key, found := scalarKeys[name]
	text := encodeScalar(name, v)
	switch {
	case !found:
	case text == "" && name == "memory":
		c.set[key] = "512"
	case text == "" && name == "hostname":
		c.set[key] = defaultHostname(c.want)
	default:
		c.scalar(key, text)
	}
}

func (c *change) scalar(key, text string) {
	if text == "" {
		c.unset[key] = true
		return
	}
	c.set[key] = text
}

// env changes the variables that people named; those of the image stay.
func (c *change) env(e resource.Edit) {
	env := parseEnv(c.values["env"])
	if !e.Old.IsNull() && e.Old.IsKnown() {
		for name := range e.Old.AsValueMap() {
			delete(env, name)
		}
	}
	if !e.New.IsNull() {
		maps.Copy(env, plainEnv(e.New.AsValueMap()))
	}
	c.scalar("env", encodeEnv(env))
}

// line returns the line of a slot, to be changed.
func (c *change) line(slot, first string) *pve.Line {
	if c.lines[slot] == nil {
		line := pve.ParseLine(c.values[slot], first)
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
			setField(c.line(slot, "path"), key, v)
		}
	case "network":
		// Without a hardware address Proxmox makes a new one at every change; a line
		// that is edited keeps the one it has.
		if key := networkKeys[name]; key != "" && (key != "hwaddr" || !v.IsNull()) {
			setField(c.line(slot, "name"), key, v)
		}
	}
}

// mount changes one attribute of a disk or mount point.
func (c *change) mount(slot, name string, v cty.Value) {
	line := pve.ParseLine(c.values[slot], "volume")
	switch {
	case name == "size":
		if n := bytesOf(v); n > parseSize(line.Value("size")) {
			c.grow[slot] = n
		}
	case name == "storage":
		if to := encode(v, ""); to != "" && to != storageOf(line.Value("volume")) {
			c.move[slot] = to
		}
	case mountKeys[name] != "":
		setField(c.line(slot, "volume"), mountKeys[name], v)
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

// form returns the change of the configuration itself, and whether there is
// one.
func (c *change) form() (url.Values, bool) {
	form := url.Values{}
	for key, value := range c.set {
		form.Set(key, value)
	}
	for slot, line := range c.lines {
		switch text := line.String(); {
		case text == c.values[slot]:
		case text == "":
			c.unset[slot] = true
		default:
			form.Set(slot, text)
		}
	}
	var gone []string
	for key := range c.unset {
		if _, there := c.values[key]; there && !form.Has(key) {
			gone = append(gone, key)
		}
	}
	slices.Sort(gone)
	if len(gone) > 0 {
		form.Set("delete", strings.Join(gone, ","))
	}
	return form, len(form) > 0
}

// errMoveRunning is for a move that would need a stop that people keep to
// themselves.
var errMoveRunning = errors.New(`a volume can only be moved while the container is stopped, and restart is "manual"; stop it and apply again`)

// resizeText writes a size for a resize request, in whole mebibytes.
func resizeText(n int64) string { return strconv.FormatInt(n>>20, 10) + "M" }
