package pvesim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// apply stages a change as waiting, then lets take effect what can: all of it on a stopped container.
func (x *tx) apply(g *guest, u update) error {
	next := *g
	next.Config, next.Pending, next.Deletes = maps.Clone(g.Config), cloneOrNew(g.Pending), cloneOrNew(g.Deletes)
	next.stage(u)
	var failed map[string]string
	if g.Running {
		failed = x.hotplug(&next)
	} else {
		failed = x.applyAll(&next)
	}
	if len(failed) > 0 {
		return badParams(failed)
	}
	x.changed(g)
	g.Config, g.Pending, g.Deletes = next.Config, next.Pending, next.Deletes
	if g.Running {
		return nil
	}
	return x.consistent(g)
}

func cloneOrNew[V any](m map[string]V) map[string]V {
	if m == nil {
		return map[string]V{}
	}
	return maps.Clone(m)
}

// stage notes a change as waiting. A delete of what is not in force does nothing, even if a value waits.
func (g *guest) stage(u update) {
	for _, key := range u.remove {
		if _, there := g.Config[key]; there {
			g.Deletes[key] = 1
		}
	}
	for _, key := range u.revert {
		delete(g.Pending, key)
		delete(g.Deletes, key)
	}
	for key, value := range u.set {
		g.Pending[key] = value
		delete(g.Deletes, key)
	}
}

// takesEffect reports whether a change of a key takes effect while the container runs.
func (x *tx) takesEffect(key string, there bool) bool {
	switch stem(key) {
	case "net", "unused":
		return true
	case "mp":
		return !there
	case "dev":
		return !there && x.has(hotplugDevices)
	}
	switch key {
	case "description", "onboot", "startup", "protection", "hostname", "hookscript", "cores", "tags", "lock", "template",
		"cpulimit", "cpuunits", "memory", "swap":
		return true
	}
	return false
}

// goesLive reports whether a delete of a key takes effect while the container runs. Only interfaces with one digit do.
func (x *tx) goesLive(key string) bool {
	switch stem(key) {
	case "net":
		return len(key) == len("net0")
	case "mp", "dev":
		return false
	}
	return x.takesEffect(key, true)
}

// hotplug lets take effect what can on a running container, and returns what went wrong by key.
func (x *tx) hotplug(g *guest) map[string]string {
	failed := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(g.Deletes)) {
		if x.goesLive(key) {
			x.removeSetting(g, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.Pending)) {
		old, there := g.Config[key]
		if !x.takesEffect(key, there) {
			g.waits(key)
			continue
		}
		if stem(key) == "net" {
			if err := x.bridgeOf(g.Pending[key]); err != nil {
				failed[key] = hotplugFailure(key, old, g.Pending[key], err)
				continue
			}
		}
		if err := x.applySetting(g, key); err != nil {
			failed[key] = fmt.Sprintf("unable to hotplug %s: %v", key, err)
		}
	}
	return failed
}

// waits leaves a value waiting in the form in which it is stored, unless it is in force already.
func (g *guest) waits(key string) {
	if !isDisk(key) {
		g.Pending[key] = normal(key, g.Pending[key])
	}
	if g.Pending[key] == g.Config[key] {
		delete(g.Pending, key)
	}
}

// hotplugFailure: an interface that is there fails at another place than a new one.
func hotplugFailure(key, old, value string, err error) string {
	if old != "" {
		return fmt.Sprintf("unable to hotplug %s: interface %s does not exist\n\n", key, props("net", value)["bridge"])
	}
	return fmt.Sprintf("unable to hotplug %s: %v\n", key, err)
}

// applyAll lets everything that waits take effect: deletes, but for keys with a waiting value, then values. What fails goes
// on waiting, and is returned by key.
func (x *tx) applyAll(g *guest) map[string]string {
	failed := map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(g.Deletes)) {
		if _, waits := g.Pending[key]; !waits {
			x.removeSetting(g, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.Pending)) {
		if err := x.applySetting(g, key); err != nil {
			failed[key] = fmt.Sprintf("unable to apply pending change %s : %v", key, err)
		}
	}
	g.Deletes = nil
	return failed
}

// applyWaiting lets everything that waits for a stop take effect.
func (x *tx) applyWaiting(g *guest) {
	if len(g.Pending)+len(g.Deletes) > 0 {
		x.changed(g)
		x.applyAll(g)
	}
}

// removeSetting deletes a setting. The volume of a mount point becomes unused, that of an unused one goes away.
func (x *tx) removeSetting(g *guest, key string) {
	value, there := g.Config[key]
	delete(g.Config, key)
	delete(g.Deletes, key)
	switch {
	case !there:
	case isMount(key):
		g.addUnused(volumeOf(value))
	case stem(key) == "unused":
		x.removeUnused(g, value)
	}
}

// addUnused keeps a volume that is not used any more under the first free number.
func (g *guest) addUnused(volid string) {
	if mountKind(volid) != "volume" || g.uses(volid) {
		return
	}
	for n := 0; n < 256; n++ {
		key := fmt.Sprintf("unused%d", n)
		if _, taken := g.Config[key]; !taken {
			g.Config[key] = volid
			return
		}
	}
}

// uses reports whether a setting in force names a volume.
func (g *guest) uses(volid string) bool {
	for key, value := range g.Config {
		if (isDisk(key) || stem(key) == "unused") && volumeOf(value) == volid {
			return true
		}
	}
	return false
}

func (x *tx) removeUnused(g *guest, volid string) {
	v := x.volume(g.Node, volid)
	if v == nil || v.VMID != g.VMID || g.uses(volid) {
		return
	}
	for _, s := range g.Snaps {
		for key, value := range s.Config {
			if isDisk(key) && volumeOf(value) == volid {
				return
			}
		}
	}
	x.dropVolume(v)
}

// applySetting moves one waiting value into force.
func (x *tx) applySetting(g *guest, key string) error {
	value := g.Pending[key]
	switch {
	case isMount(key):
		if err := x.applyMount(g, key, value); err != nil {
			return err
		}
	case key == "cpuunits":
		g.Config[key] = x.cpuShares(g.Node, value)
	case stem(key) == "net":
		g.Config[key] = x.normalNet(value)
	default:
		g.Config[key] = normal(key, value)
		if g.Config[key] == "" && key == "description" {
			delete(g.Config, key)
		}
	}
	delete(g.Pending, key)
	return nil
}

// applyMount sets a mount point: it makes a new volume, or corrects the size of one that is there.
func (x *tx) applyMount(g *guest, key, value string) error {
	mount := parseMount(key, value)
	if id, size, isNew := parseNewVolume(mount["volume"]); isNew {
		s := x.storages.at(id)
		if x.holder(storageLock(s.home(g.Node), s.ID)) != nil {
			return die("%s", s.lockTimeout())
		}
		v, err := x.allocate(s, g.Node, g.VMID, size)
		if err != nil {
			return err
		}
		mount["volume"], mount["size"] = v.id(), formatSize(v.Size)
	} else if mountKind(mount["volume"]) == "volume" {
		delete(mount, "size")
		if v := x.volume(g.Node, mount["volume"]); v != nil {
			mount["size"] = formatSize(v.Size)
		}
	}
	old := volumeOf(g.Config[key])
	g.Config[key] = printMount(key, mount)
	for other, volid := range g.Config {
		if stem(other) == "unused" && volid == mount["volume"] {
			delete(g.Config, other)
		}
	}
	if old != "" && old != mount["volume"] {
		g.addUnused(old)
	}
	return nil
}

// notOwned returns the volumes of other guests among the disks of one.
func notOwned(config map[string]string, vmid int) []string {
	keys := diskOrder(config)
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if stem(key) == "unused" {
			keys = append(keys, key)
		}
	}
	var foreign []string
	for _, key := range keys {
		volid := volumeOf(config[key])
		if mountKind(volid) == "volume" && strings.Contains(volid, ":") && ownerOf(volid) != vmidKey(vmid) {
			foreign = append(foreign, volid)
		}
	}
	return foreign
}
