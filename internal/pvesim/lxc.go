package pvesim

import (
	"maps"
	"slices"
)

func lxcHandlers() map[string]handler {
	const ct = "/nodes/{node}/lxc/{vmid}"
	return map[string]handler{
		"GET /nodes/{node}/lxc":           (*tx).listContainers,
		"POST /nodes/{node}/lxc":          (*tx).createContainer,
		"GET " + ct:                       guestIndex("subdir", containerAreas()...),
		"DELETE " + ct:                    (*tx).destroyContainer,
		"GET " + ct + "/config":           (*tx).readConfig,
		"PUT " + ct + "/config":           (*tx).updateConfig,
		"GET " + ct + "/pending":          (*tx).readPending,
		"PUT " + ct + "/resize":           (*tx).resizeDisk,
		"GET " + ct + "/interfaces":       (*tx).readInterfaces,
		"GET " + ct + "/feature":          (*tx).hasFeature,
		"GET " + ct + "/status":           guestIndex("subdir", "current", "start", "stop", "shutdown", "reboot", "migrate"),
		"GET " + ct + "/rrddata":          (*tx).noUsageYet,
		"GET " + ct + "/firewall/options": (*tx).noFirewall,
		"GET " + ct + "/status/current":   (*tx).readStatus,
		"POST " + ct + "/status/start":    (*tx).startContainer,
		"POST " + ct + "/status/stop":     (*tx).stopContainer,
		"POST " + ct + "/status/shutdown": (*tx).shutdownContainer,
		"POST " + ct + "/status/reboot":   (*tx).rebootContainer,
		"POST " + ct + "/status/suspend":  (*tx).suspendContainer,
		"POST " + ct + "/status/resume":   (*tx).resumeContainer,
	}
}

func lxcEffects() map[string]effect {
	return map[string]effect{
		"ct.allocate":   effectOf((*tx).allocateDisk),
		"ct.unpack":     effectOf((*tx).unpack),
		"ct.unpacked":   effectOf((*tx).unpacked),
		"ct.created":    effectOf((*tx).created),
		"ct.unmake":     effectOf((*tx).unmake),
		"ct.start":      effectOf((*tx).startNow),
		"ct.stop":       effectOf((*tx).stopNow),
		"ct.shutdown":   effectOf((*tx).shutdownNow),
		"ct.notStopped": effectOf((*tx).notStopped),
		"ct.destroy":    effectOf((*tx).destroyNow),
		"ct.destroyed":  effectOf((*tx).destroyed),
		"ct.resize":     effectOf((*tx).resizeNow),
		"fail":          effectOf((*tx).failNow),
	}
}

func containerAreas() []string {
	return []string{
		"config", "pending", "status", "vncproxy", "termproxy", "vncwebsocket", "spiceproxy", "migrate", "clone", "rrd", "rrddata",
		"firewall", "snapshot", "resize", "interfaces",
	}
}

// noUsageYet is the usage data of a container that no collector has written any of.
func (x *tx) noUsageYet(*request) (any, error) { return []any{}, nil }

// noFirewall is the options of a container whose firewall nobody has touched; here nobody can.
func (x *tx) noFirewall(*request) (any, error) { return map[string]any{}, nil }

// failNow ends the task with a text.
func (x *tx) failNow(_ *task, text string) error { return die("%s", text) }

// container returns the container that the path names, which must be on the node that the path names.
func (x *tx) container(c *request) (*guest, error) { return x.containerOn(c.node, c.vmid) }

func (x *tx) containerOn(node string, vmid int) (*guest, error) {
	g := x.guests.at(vmidKey(vmid))
	if g == nil || g.Kind != "lxc" || g.Node != node {
		return nil, die("Configuration file 'nodes/%s/lxc/%d.conf' does not exist", node, vmid)
	}
	return g, nil
}

// touchGuest marks a guest as changed in what its node's collector does not report.
func (x *tx) touchGuest(g *guest) { x.guests.touch(vmidKey(g.VMID)) }

// unlocked is the error of a guest whose configuration is locked.
func (g *guest) unlocked() error {
	if lock := g.Config["lock"]; lock != "" {
		return die("CT is locked (%s)", lock)
	}
	return nil
}

// flock takes the lock of a guest's configuration for a handler, or makes it wait.
func (x *tx) flock(c *request, vmid int) error {
	if x.holder(guestLock(vmid)) == nil {
		return nil
	}
	if c.waited {
		return die("%s", lockTimeout(guestLockFile(vmid)))
	}
	return &errWait{patience: lockPatience}
}

func guestIndex(key string, names ...string) handler {
	list := index(key, names...)
	return func(x *tx, c *request) (any, error) {
		if _, err := x.container(c); err != nil {
			return nil, err
		}
		return list(x, c)
	}
}

func (x *tx) listContainers(c *request) (any, error) {
	rows := []map[string]any{}
	for _, g := range x.guestsByID() {
		if g.Kind == "lxc" && g.Node == c.node && x.allowed(c.who, "/vms/"+vmidKey(g.VMID), "VM.Audit") {
			row := x.guestStatus(g)
			if !x.has(numericVMIDs) {
				row["vmid"] = vmidKey(g.VMID)
			}
			rows = append(rows, row)
		}
	}
	return rows, nil
}

func (x *tx) readStatus(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	row := x.guestStatus(g)
	row["ha"] = x.haField(g)
	return row, nil
}

func (x *tx) readConfig(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	name := c.params.Str("snapshot")
	if name != "" && c.params.Bool("current") {
		const both = "cannot use 'snapshot' parameter with 'current'"
		return nil, badParams(map[string]string{"snapshot": both, "current": both})
	}
	settings := g.Config
	switch {
	case name != "":
		s := g.Snaps[name]
		if s == nil {
			return nil, die("snapshot '%s' does not exist", name)
		}
		settings = s.Config
	case !c.params.Bool("current"):
		settings = g.shown()
	}
	mayEnv := x.allowed(c.who, "/vms/"+vmidKey(g.VMID), "VM.Config.Options")
	return jsonConfig(settings, g.digest(), mayEnv), nil
}

// readPending lists every setting with what waits for it. The digest is among them as if it were one.
func (x *tx) readPending(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	rows := []map[string]any{{"key": "digest", "value": g.digest()}}
	for _, key := range slices.Sorted(maps.Keys(g.Config)) {
		if key == rawKey {
			continue // Proxmox shows no lists here
		}
		row := map[string]any{"key": key, "value": jsonSetting(key, g.Config[key])}
		if value, ok := g.Pending[key]; ok {
			row["pending"] = jsonSetting(key, value)
		}
		if n, ok := g.Deletes[key]; ok {
			row["delete"] = n
		}
		rows = append(rows, row)
	}
	for _, key := range slices.Sorted(maps.Keys(g.Pending)) {
		if _, there := g.Config[key]; !there {
			rows = append(rows, map[string]any{"key": key, "pending": jsonSetting(key, g.Pending[key])})
		}
	}
	for _, key := range slices.Sorted(maps.Keys(g.Deletes)) {
		_, there := g.Config[key]
		if _, waits := g.Pending[key]; !there && !waits {
			rows = append(rows, map[string]any{"key": key, "delete": 2})
		}
	}
	return rows, nil
}

// hasFeature tells whether a container's volumes can do something.
func (x *tx) hasFeature(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	return map[string]any{"hasFeature": bit(x.can(g, c.params.Str("feature")))}, nil
}

// can reports whether all volumes of a container have a feature: snapshot, clone (linked, of a template) or copy.
func (x *tx) can(g *guest, feature string) bool {
	for key, value := range g.Config {
		if !isDisk(key) {
			continue
		}
		v := x.volume(g.Node, volumeOf(value))
		if v == nil {
			return false
		}
		st := x.storages.at(v.Storage)
		if feature != "copy" && !st.Snapshots {
			return false
		}
	}
	return true
}

// readInterfaces lists the interfaces inside a running container, null when there is nothing to look into.
func (x *tx) readInterfaces(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil || !g.Running {
		return nil, nil
	}
	all := x.interfaces(g)
	if !x.has(addressLists) {
		for i := range all {
			all[i].Hardware, all[i].Addresses = "", nil
		}
	}
	return all, nil
}
