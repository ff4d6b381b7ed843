package pvesim

import (
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
)

func nodeHandlers() map[string]handler {
	return map[string]handler{
		"GET /nodes":                        (*tx).listNodes,
		"GET /nodes/{node}":                 index("name", nodeAreas()...),
		"GET /nodes/{node}/version":         (*tx).versionInfo,
		"GET /nodes/{node}/status":          (*tx).nodeStatus,
		"GET /nodes/{node}/network":         (*tx).listNetworks,
		"GET /nodes/{node}/network/{iface}": (*tx).readNetwork,
		"GET /nodes/{node}/time":            (*tx).nodeTime,
		"GET /nodes/{node}/dns": func(*tx, *request) (any, error) {
			return map[string]any{"search": "example.org", "dns1": "192.0.2.1"}, nil
		},
		"GET /nodes/{node}/qemu":                       (*tx).listMachines,
		"POST /nodes/{node}/qemu":                      (*tx).createMachine,
		"GET /nodes/{node}/qemu/{vmid}/config":         (*tx).readMachine,
		"GET /nodes/{node}/qemu/{vmid}/status/current": (*tx).machineStatus,
	}
}

// timezone is that of all nodes.
const timezone = "Etc/UTC"

func nodeAreas() []string {
	return strings.Fields(`aplinfo apt capabilities ceph certificates config disks dns firewall hardware hosts journal lxc
		migrateall netstat network qemu query-oci-repo-tags query-url-metadata replication report rrd rrddata scan sdn services
		spiceshell startall status stopall storage subscription suspendall syslog tasks termproxy time version vncshell vzdump
		wakeonlan`)
}

func (x *tx) listNodes(c *request) (any, error) {
	rows := []map[string]any{}
	for _, n := range x.nodes.all() {
		row := map[string]any{
			"id": "node/" + n.Name, "node": n.Name, "type": "node", "status": "online", "level": "",
			"ssl_fingerprint": fingerprint([]byte(n.Name)),
		}
		switch {
		case n.Offline:
			row["status"] = "offline"
		case x.allowed(c.who, "/nodes/"+n.Name, "Sys.Audit"):
			maps.Copy(row, x.usage(n))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// usage is the load of a node: its containers' and a little of its own.
func (x *tx) usage(n *node) map[string]any {
	return map[string]any{
		"cpu": 0.02, "maxcpu": n.CPUs, "mem": x.memoryUsed(n), "maxmem": n.Memory,
		"disk": int64(8 * gib), "maxdisk": int64(100 * gib), "uptime": int64(x.now.Sub(n.Boot).Seconds()),
	}
}

func (x *tx) memoryUsed(n *node) int64 {
	used := int64(2 * gib)
	for _, g := range x.guests.rows {
		if g.Node == n.Name && g.Running {
			used += g.memory() / 4
		}
	}
	return used
}

func (x *tx) nodeStatus(c *request) (any, error) {
	n := x.nodes.at(c.node)
	used := x.memoryUsed(n)
	return map[string]any{
		"uptime": int64(x.now.Sub(n.Boot).Seconds()), "loadavg": []string{"0.20", "0.25", "0.28"}, "cpu": 0.02, "wait": 0, "idle": 0,
		"memory": map[string]any{"total": n.Memory, "used": used, "free": n.Memory - used, "available": n.Memory - used},
		"swap":   map[string]any{"total": 0, "used": 0, "free": 0},
		"rootfs": map[string]any{"total": 100 * gib, "used": 8 * gib, "free": 92 * gib, "avail": 87 * gib},
		"cpuinfo": map[string]any{
			"cpus": n.CPUs, "cores": n.CPUs, "sockets": 1, "model": "Simulated CPU", "mhz": "2600.000", "hvm": "1",
			"flags": "", "user_hz": 100, "vendor": "AuthenticAMD", "family": "25",
		},
		"kversion": "Linux 6.17.2-1-pve", "pveversion": "pve-manager/" + x.sim.profile.full + "/1d0b4b8c9a2f7e36",
		"current-kernel": map[string]any{"sysname": "Linux", "release": "6.17.2-1-pve", "machine": "x86_64", "version": "#1 SMP"},
		"boot-info":      map[string]any{"mode": "efi", "secureboot": 0}, "ksm": map[string]any{"shared": 0},
	}, nil
}

func (x *tx) nodeTime(*request) (any, error) {
	return map[string]any{"timezone": timezone, "time": x.now.Unix(), "localtime": x.now.Unix()}, nil
}

// listNetworks lists the bridges of a node; types that ask for other things get nothing.
func (x *tx) listNetworks(c *request) (any, error) {
	rows := []map[string]any{}
	kind := c.params.Str("type")
	if kind != "" && kind != "bridge" && !strings.Contains(kind, "bridge") && kind != "include_sdn" {
		return rows, nil
	}
	bridges := x.meta.at("").Bridges
	for _, name := range slices.Sorted(maps.Keys(bridges)) {
		mayUse := x.allowedAny(c.who, "/sdn/zones/localnetwork/"+name, "SDN.Audit", "SDN.Use")
		if kind == "" || kind == "bridge" || mayUse {
			rows = append(rows, bridgeRow(name, bridges[name], len(rows)))
		}
	}
	return rows, nil
}

func (x *tx) readNetwork(c *request) (any, error) {
	name := c.params.Str("iface")
	b, ok := x.meta.at("").Bridges[name]
	if !ok {
		return nil, badParam("iface", "interface does not exist")
	}
	row := bridgeRow(name, b, 0)
	delete(row, "iface")
	return row, nil
}

func bridgeRow(name string, b bridge, at int) map[string]any {
	row := map[string]any{
		"iface": name, "type": "bridge", "active": 1, "autostart": 1, "bridge_fd": "0", "bridge_ports": b.Ports, "bridge_stp": "off",
		"families": []string{"inet"}, "method": "manual", "method6": "manual", "priority": 3 + at,
	}
	if p, err := netip.ParsePrefix(b.Address); err == nil {
		row["method"], row["cidr"] = "static", b.Address
		row["address"], row["netmask"] = p.Addr().String(), fmt.Sprint(p.Bits())
	}
	if b.MTU != 0 {
		row["mtu"] = fmt.Sprint(b.MTU)
	}
	return row
}

// listMachines lists the virtual machines of a node, as far as anybody looks at them here.
func (x *tx) listMachines(c *request) (any, error) {
	rows := []map[string]any{}
	for _, g := range x.guestsByID() {
		if g.Kind != "qemu" || g.Node != c.node || !x.allowed(c.who, "/vms/"+vmidKey(g.VMID), "VM.Audit") {
			continue
		}
		row := x.guestStatus(g)
		delete(row, "type")
		rows = append(rows, row)
	}
	return rows, nil
}

// machine returns the virtual machine that the path names.
func (x *tx) machine(c *request) (*guest, error) {
	g := x.guests.at(vmidKey(c.vmid))
	if g == nil || g.Kind != "qemu" || g.Node != c.node {
		return nil, die("Configuration file 'nodes/%s/qemu-server/%d.conf' does not exist", c.node, c.vmid)
	}
	return g, nil
}

func (x *tx) machineStatus(c *request) (any, error) {
	g, err := x.machine(c)
	if err != nil {
		return nil, err
	}
	row := x.guestStatus(g)
	delete(row, "type")
	row["ha"] = x.haField(g)
	return row, nil
}

func (x *tx) readMachine(c *request) (any, error) {
	g, err := x.machine(c)
	if err != nil {
		return nil, err
	}
	data := map[string]any{"digest": g.digest()}
	for key, value := range g.Config {
		data[key] = value
	}
	return data, nil
}

// createMachine makes a virtual machine without disks, so that tests can have strangers among the guests.
func (x *tx) createMachine(c *request) (any, error) {
	vmid := c.int("vmid")
	if err := x.check(c.who, "/vms/"+vmidKey(vmid), "VM.Allocate"); err != nil {
		return nil, err
	}
	if err := x.vmidFree(vmid); err != nil {
		return nil, die("unable to create VM %d - %v", vmid, err)
	}
	g := &guest{VMID: vmid, Kind: "qemu", Node: c.node, Changed: x.now, Config: map[string]string{}}
	for key, value := range c.params {
		if key != "node" && key != "vmid" {
			g.Config[key] = value
		}
	}
	x.guests.put(vmidKey(vmid), g)
	return x.spawn(c, "qmcreate", vmidKey(vmid), pause(seconds(0.5))), nil
}
