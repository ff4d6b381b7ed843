package proxmox

import (
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// targets returns what the keys that the edits touch are to be in the end; ""
// is not there.
func (c *change) targets() map[string]string {
	all := map[string]string{}
	for key := range c.unset {
		all[key] = ""
	}
	for slot, line := range c.lines {
		if !c.unset[slot] {
			all[slot] = line.String()
		}
	}
	for key, value := range c.set {
		all[key] = value
	}
	return all
}

// forms returns the requests that change the configuration itself, to be sent
// one after the other, at most two. What is as it should be, or waits to become
// so, is not sent; a change that waits for the contrary is taken back.
//
// A delete of a key with a waiting value would be lost: the node brings the
// value in at the next stop all the same (seen on 9.2). So the value is taken
// back in a request before. And a container has to be without protection before
// its volumes and mounts are changed, not at the same time.
func (c *change) forms() []url.Values {
	before, set := url.Values{}, url.Values{}
	var remove, revert, first []string
	for key, target := range c.targets() {
		coming, comes := c.cfg.coming[key]
		current, inForce := c.cfg.current[key]
		waits := slices.Contains(c.cfg.waiting, key)
		switch {
		case target == coming && comes == (target != ""):
		case waits && target == current && inForce == (target != ""):
			revert = append(revert, key)
		case target == "":
			if waits {
				first = append(first, key)
			}
			remove = append(remove, key)
		default:
			set.Set(key, target)
		}
	}
	setKeys(set, "delete", remove)
	setKeys(set, "revert", revert)
	setKeys(before, "revert", first)
	if c.unprotects() && slices.ContainsFunc(slices.Concat(remove, slices.Collect(maps.Keys(set))), isDriveKey) {
		before.Set("protection", "0")
	}
	return slices.DeleteFunc([]url.Values{before, set}, func(form url.Values) bool { return len(form) == 0 })
}

// unprotects reports whether a container loses its protection.
func (c *change) unprotects() bool {
	target, touched := c.targets()["protection"]
	return touched && pve.IsOn(c.cfg.current["protection"]) && !pve.IsOn(target)
}

func isDriveKey(key string) bool { return key == "rootfs" || isSlot(key, "mp") }

func setKeys(form url.Values, name string, keys []string) {
	if len(keys) > 0 {
		slices.Sort(keys)
		form.Set(name, strings.Join(keys, ","))
	}
}

// keyOf returns the key of the configuration that holds an attribute; "" when
// none does.
func (c *change) keyOf(path resource.Path) string {
	if len(path) > 1 {
		if slot, labelled := c.labels[path[0]][path[1]]; labelled {
			return slot
		}
	}
	return keyOf(path)
}

// keyOf returns the key of the configuration that holds an attribute, for those
// that do not depend on a label; "" for the others.
func keyOf(path resource.Path) string {
	if len(path) == 1 {
		if key, found := scalarKeys[path[0]]; found {
			return key
		}
		if path[0] == "description" || path[0] == "env" {
			return path[0]
		}
		return ""
	}
	switch path[0] {
	case "disk":
		return "rootfs"
	case "dns":
		return dnsKeys[path[1]]
	case "console":
		return consoleKeys[path[1]]
	case "features":
		return "features"
	case "startup":
		if path[1] == "on_boot" {
			return "onboot"
		}
		return "startup"
	}
	return ""
}

// fieldOf returns the name that Proxmox gives an attribute: a key of its own or
// a field of a line.
func fieldOf(path resource.Path) string {
	if len(path) == 1 {
		return scalarKeys[path[0]]
	}
	return map[string]map[string]string{
		"disk": mountKeys, "volume": mountKeys, "bind": mountKeys, "device": deviceKeys, "network": networkKeys,
		"features": featureKeys, "startup": startupKeys, "console": consoleKeys, "dns": dnsKeys,
	}[path[0]][path[len(path)-1]]
}
