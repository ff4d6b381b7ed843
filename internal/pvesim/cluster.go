package pvesim

import (
	"cmp"
	"slices"
	"strconv"
	"time"
)

func clusterHandlers() map[string]handler {
	return map[string]handler{
		"GET /":                  index("subdir", "version", "cluster", "nodes", "storage", "access", "pools"),
		"GET /version":           (*tx).versionInfo,
		"GET /cluster":           index("name", clusterAreas()...),
		"GET /access":            index("subdir", "users", "groups", "roles", "acl", "domains", "openid", "tfa", "ticket", "password"),
		"GET /cluster/nextid":    (*tx).nextID,
		"GET /cluster/resources": (*tx).resources,
		"GET /cluster/status":    (*tx).clusterStatus,
		"GET /cluster/options":   (*tx).clusterOptions,
		"GET /cluster/tasks":     (*tx).clusterTasks,
	}
}

func clusterAreas() []string {
	return []string{
		"acme", "backup", "backup-info", "bulk-action", "ceph", "config", "firewall", "ha", "jobs", "log", "mapping", "metrics",
		"notifications", "nextid", "options", "qemu", "replication", "resources", "status", "tasks", "sdn",
	}
}

// index answers with the names of what lies below a path.
func index(key string, names ...string) handler {
	return func(*tx, *request) (any, error) {
		rows := make([]map[string]any, len(names))
		for i, name := range names {
			rows[i] = map[string]any{key: name}
		}
		return rows, nil
	}
}

func (x *tx) versionInfo(*request) (any, error) {
	v := x.sim.profile
	return map[string]any{"release": v.name, "version": v.full, "repoid": "1d0b4b8c9a2f7e36"}, nil
}

// nextID answers with a string, unlike the schema says. Nothing is reserved.
func (x *tx) nextID(c *request) (any, error) {
	if vmid := c.params.Str("vmid"); vmid != "" {
		if x.guests.at(vmid) != nil {
			return nil, badParam("vmid", "VM %s already exists", vmid)
		}
		return vmid, nil
	}
	for id := 100; id < 1000000; id++ {
		if x.guests.at(vmidKey(id)) == nil {
			return vmidKey(id), nil
		}
	}
	return nil, die("unable to get any free VMID in range [100, 1000000]")
}

func (x *tx) clusterStatus(*request) (any, error) {
	var rows []map[string]any
	all := x.nodes.all()
	if x.meta.at("").Clustered {
		rows = append(rows, map[string]any{
			"type": "cluster", "id": "cluster", "name": clusterName, "nodes": len(all), "version": len(all), "quorate": 1,
		})
	}
	for _, n := range all {
		row := map[string]any{
			"type": "node", "id": "node/" + n.Name, "name": n.Name, "nodeid": n.ID, "ip": n.IP, "level": "",
			"local": bit(n.Local), "online": bit(!n.Offline),
		}
		if !x.meta.at("").Clustered {
			row["nodeid"] = 0
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (x *tx) clusterOptions(*request) (any, error) {
	options := map[string]any{"allowed-tags": []string{}, "description": ""}
	if prefix := x.meta.at("").MACPrefix; prefix != "" {
		options["mac_prefix"] = prefix
	}
	return options, nil
}

// bit is how Proxmox writes booleans.
func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// sight is what a node's collector reports of a guest.
type sight struct {
	Running bool
	Config  map[string]string
	Since   time.Time
}

// collectorEvery is how often a node reports its guests to the cluster.
const collectorEvery = 10 * time.Second

// lastTick is when the collector of a node last ran.
func (x *tx) lastTick(on string) time.Time {
	n := x.nodes.at(on)
	if n == nil {
		return time.Time{}
	}
	return n.Boot.Add(x.now.Sub(n.Boot).Truncate(collectorEvery))
}

// changed marks a guest and must be called before anything changes that its node's collector reports: until the collector
// runs again, the cluster sees the guest as it was.
func (x *tx) changed(g *guest) {
	if tick := x.lastTick(g.Node); g.Changed.Before(tick) {
		g.Seen = g.sight()
	}
	g.Changed = x.now
	x.guests.touch(vmidKey(g.VMID))
}

func (g *guest) sight() *sight {
	return &sight{Running: g.Running, Config: g.visible(), Since: g.Since}
}

// visible is a copy of the settings that listings show.
func (g *guest) visible() map[string]string {
	few := map[string]string{}
	for _, key := range []string{"hostname", "name", "memory", "cores", "cpulimit", "rootfs", "template"} {
		if value, ok := g.Config[key]; ok {
			few[key] = value
		}
	}
	return few
}

// seen is what the cluster knows of a guest by now, nil for nothing.
func (x *tx) seen(g *guest) *sight {
	if n := x.nodes.at(g.Node); n == nil || n.Offline {
		return nil
	}
	if !g.Changed.Before(x.lastTick(g.Node)) {
		return g.Seen
	}
	return g.sight()
}

func (x *tx) guestsByID() []*guest {
	all := make([]*guest, 0, len(x.guests.rows))
	for _, g := range x.guests.rows {
		all = append(all, g)
	}
	slices.SortFunc(all, func(a, b *guest) int { return cmp.Compare(a.VMID, b.VMID) })
	return all
}

// resources is the listing of the whole cluster, filtered by what the caller may see. It lags behind by the collectors.
func (x *tx) resources(c *request) (any, error) {
	kind := c.params.Str("type")
	rows := []map[string]any{}
	if kind == "" {
		for _, p := range x.pools.all() {
			if x.allowed(c.who, "/pool/"+p.ID, "Pool.Audit") {
				rows = append(rows, map[string]any{"id": "/pool/" + p.ID, "pool": p.ID, "type": "pool"})
			}
		}
	}
	if kind == "" || kind == "vm" {
		pools := x.poolOfGuests()
		for _, g := range x.guestsByID() {
			if x.allowed(c.who, "/vms/"+vmidKey(g.VMID), "VM.Audit") {
				rows = append(rows, x.guestResource(g, pools[g.VMID]))
			}
		}
	}
	if kind == "" || kind == "node" {
		for _, n := range x.nodes.all() {
			rows = append(rows, x.nodeResource(c.who, n))
		}
	}
	if kind == "" || kind == "storage" {
		rows = append(rows, x.storageResources(c.who)...)
	}
	if kind == "" {
		rows = append(rows, x.networkResources(c.who)...)
	}
	return rows, nil
}

func (x *tx) poolOfGuests() map[int]string {
	of := map[int]string{}
	for _, p := range x.pools.all() {
		for _, vmid := range p.Guests {
			of[vmid] = p.ID
		}
	}
	return of
}

func (x *tx) guestResource(g *guest, pool string) map[string]any {
	row := map[string]any{
		"id": g.Kind + "/" + vmidKey(g.VMID), "vmid": g.VMID, "node": g.Node, "type": g.Kind, "status": "unknown",
	}
	if pool != "" {
		row["pool"] = pool
	}
	for _, key := range []string{"lock", "tags"} {
		if value, ok := g.Config[key]; ok {
			row[key] = value
		}
	}
	if h := x.ha.at(x.sidOf(vmidKey(g.VMID))); h != nil {
		row["hastate"] = h.state(g)
	}
	seen := x.seen(g)
	if seen == nil {
		return row
	}
	then := *g
	then.Config, then.Running, then.Since = seen.Config, seen.Running, seen.Since
	for key, value := range x.guestStatus(&then) {
		switch key {
		case "name", "status", "uptime", "cpu", "maxmem", "mem", "maxdisk", "disk", "netin", "netout", "diskread", "diskwrite":
			row[key] = value
		case "cpus":
			row["maxcpu"] = value
		}
	}
	if x.has(pressureFields) {
		row["memhost"] = 0
	}
	row["template"] = bit(seen.Config["template"] == "1")
	return row
}

func (x *tx) nodeResource(who *identity, n *node) map[string]any {
	row := map[string]any{"id": "node/" + n.Name, "node": n.Name, "type": "node", "status": "online", "level": ""}
	if n.Offline {
		row["status"] = "offline"
		return row
	}
	if !x.allowed(who, "/nodes/"+n.Name, "Sys.Audit") {
		return row
	}
	row["cgroup-mode"] = n.CGroup
	for key, value := range x.usage(n) {
		row[key] = value
	}
	return row
}

func (x *tx) storageResources(who *identity) []map[string]any {
	var rows []map[string]any
	for _, st := range x.storages.all() {
		if st.Disabled || !x.allowedAny(who, "/storage/"+st.ID, "Datastore.Audit", "Datastore.AllocateSpace") {
			continue
		}
		for _, n := range x.nodes.all() {
			if !st.on(n.Name) {
				continue
			}
			row := map[string]any{
				"id": "storage/" + n.Name + "/" + st.ID, "storage": st.ID, "node": n.Name, "type": "storage",
				"plugintype": st.Type, "content": st.content(), "shared": bit(st.Shared), "status": "available",
				"disk": x.usedOn(st, n.Name), "maxdisk": st.Size,
			}
			if st.Offline || n.Offline {
				row["status"], row["disk"], row["maxdisk"] = "unknown", 0, 0
			}
			rows = append(rows, row)
		}
	}
	return rows
}

func (x *tx) networkResources(who *identity) []map[string]any {
	var rows []map[string]any
	if !x.allowedAny(who, "/sdn/zones/localnetwork", "SDN.Audit", "SDN.Use") {
		return nil
	}
	for _, n := range x.nodes.all() {
		row := map[string]any{
			"id": "network/" + n.Name + "/zone/localnetwork", "type": "network", "network": "localnetwork", "network-type": "zone",
			"node": n.Name, "status": "ok",
		}
		if !x.has(networkRows) {
			row = map[string]any{
				"id": "sdn/" + n.Name + "/localnetwork", "type": "sdn", "sdn": "localnetwork", "node": n.Name, "status": "ok",
			}
		}
		rows = append(rows, row)
	}
	return rows
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }

// clusterName is the name of the cluster, if the nodes are one.
const clusterName = "estate"
