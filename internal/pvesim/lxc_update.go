package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
)

// update is what a PUT of a configuration asks for.
type update struct {
	set    map[string]string
	remove []string
	revert []string
}

func updateOf(c *request) update {
	u := update{set: map[string]string{}, remove: c.params.List("delete"), revert: c.params.List("revert")}
	for key, value := range c.params {
		switch key {
		case "node", "vmid", "delete", "revert", "digest":
		default:
			u.set[key] = value
		}
	}
	return u
}

// updateConfig changes settings. Stopped, all take effect at once; running, some wait for the next stop.
func (x *tx) updateConfig(c *request) (any, error) {
	u := updateOf(c)
	if len(u.set) == 0 && !c.params.Has("delete") && !c.params.Has("revert") {
		return nil, die("no options specified")
	}
	if err := x.flock(c, c.vmid); err != nil {
		return nil, err
	}
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	if err := g.unlocked(); err != nil {
		return nil, err
	}
	if err := g.unmodified(c); err != nil {
		return nil, err
	}
	if err := x.mayUpdate(c, g, u); err != nil {
		return nil, err
	}
	if err := x.updatable(c, g, u); err != nil {
		return nil, err
	}
	if x.allocating(g, u) && !c.waited {
		return nil, &errWait{patience: lockPatience}
	}
	return nil, x.apply(g, u)
}

// allocating reports whether a change needs a new volume on a storage that makes one for somebody else at the moment.
func (x *tx) allocating(g *guest, u update) bool {
	for key, value := range u.set {
		id, _, isNew := parseNewVolume(volumeOf(value))
		if s := x.storages.at(id); isMount(key) && isNew && s != nil && x.holder(storageLock(s.home(g.Node), id)) != nil {
			return true
		}
	}
	return false
}

// unmodified is the error of a digest that is not the configuration's any more.
func (g *guest) unmodified(c *request) error {
	if sent := c.params.Str("digest"); sent != "" && sent != g.digest() {
		return die("detected modified configuration - file changed by other user? Try again.")
	}
	return nil
}

// mayUpdate checks keys and the rights to each of them: those to be deleted, then reverted, then set.
func (x *tx) mayUpdate(c *request, g *guest, u update) error {
	ch := change{vmid: g.VMID, node: g.Node, old: g.Config, unprivileged: g.Config["unprivileged"] == "1"}
	for _, key := range u.remove {
		if _, both := u.set[key]; both {
			return badParam("delete", "you can't use '-%s' and -delete %s' at the same time", key, key)
		}
		if !known(c, key) {
			return badParam("delete", "unknown option '%s'", key)
		}
		if err := x.mayChange(c, ch, key, nil); err != nil {
			return err
		}
	}
	for _, key := range u.revert {
		if !known(c, key) {
			return badParam("revert", "unknown option '%s'", key)
		}
		if _, both := u.set[key]; both {
			return badParam("revert", "you can't use '-%s' and '-revert %s' at the same time", key, key)
		}
		if err := x.mayChange(c, ch, key, nil); err != nil {
			return err
		}
	}
	for _, key := range slices.Sorted(maps.Keys(u.set)) {
		value := u.set[key]
		if err := x.mayChange(c, ch, key, &value); err != nil {
			return err
		}
	}
	return nil
}

// known reports whether a key is a setting of containers.
func known(c *request, key string) bool {
	switch key {
	case "node", "vmid", "delete", "revert", "digest":
		return false
	}
	return c.method.Param(key) != nil
}

// updatable is the error of a change that no container, or not this one, can have.
func (x *tx) updatable(c *request, g *guest, u update) error {
	for _, key := range u.remove {
		switch {
		case key == "memory" || key == "rootfs" || key == "ostype":
			return die("unable to delete required option '%s'", key)
		case key == "unprivileged":
			return die("unable to delete read-only option: '%s'", key)
		case (isMount(key) || stem(key) == "unused") && g.Config["protection"] == "1":
			return die("can't remove CT %d drive '%s' - protection mode enabled", g.VMID, key)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(u.set)) {
		if err := x.settable(c, g, key, u.set[key]); err != nil {
			return err
		}
	}
	return x.checkNICs(u.set)
}

func (x *tx) settable(c *request, g *guest, key, value string) error {
	switch {
	case key == "unprivileged":
		return die("unable to modify read-only option: '%s'", key)
	case key == "hookscript" && x.volume(g.Node, value) == nil:
		return die("script '%s' does not exist", value)
	case isDisk(key) && g.Config["protection"] == "1":
		return die("can't update CT %d drive '%s' - protection mode enabled", g.VMID, key)
	case isDisk(key):
		return x.settableMount(c, g, value)
	}
	return nil
}

// settableMount checks the storage of a mount point's volume.
func (x *tx) settableMount(c *request, g *guest, value string) error {
	volume := volumeOf(value)
	if mountKind(volume) != "volume" {
		return nil
	}
	id, _, isNew := parseNewVolume(volume)
	if !isNew {
		return x.mayUseVolume(c, volume)
	}
	s, err := x.storageFor(id, g.Node)
	if err != nil {
		return err
	}
	if !s.holds("rootdir") {
		return die("storage '%s' does not allow content type 'rootdir' (Container)", id)
	}
	return x.check(c.who, "/storage/"+id, "Datastore.AllocateSpace")
}

// cpuShares clamps processor weights to the bounds that the node's control groups have.
func (x *tx) cpuShares(node, value string) string {
	n, err := strconv.Atoi(value)
	if err != nil {
		return value
	}
	least, most := 1, 10000
	if x.nodes.at(node).CGroup == 1 {
		least, most = 2, 262144
	}
	return strconv.Itoa(min(max(n, least), most))
}

// consistent is the error that writing the files of a stopped container's runtime makes, after its settings were written.
func (x *tx) consistent(g *guest) error {
	if g.Config["arch"] == "" {
		return die("missing 'arch' - internal error at /usr/share/perl5/PVE/LXC.pm line 729.")
	}
	return x.bridges(g)
}

// bridges is the error of the first interface whose bridge is not there.
func (x *tx) bridges(g *guest) error {
	for _, key := range slices.Sorted(maps.Keys(g.Config)) {
		if stem(key) == "net" {
			if err := x.bridgeOf(g.Config[key]); err != nil {
				return err
			}
		}
	}
	return nil
}

// ownerOf is the guest that the name of a disk says it belongs to, as text.
func ownerOf(volid string) string {
	_, name, _ := strings.Cut(volid, ":")
	base := name[strings.LastIndex(name, "/")+1:]
	parts := strings.SplitN(base, "-", 3)
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}
