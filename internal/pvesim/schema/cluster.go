package schema

func clusterMethods() []*Method {
	audit := allowed("/", "Sys.Audit")
	options := allowed("/", "Sys.Audit")
	options.User = "all"
	methods := []*Method{
		get("/", anybody(), nil),
		get("/version", anybody(), nil),
		get("/cluster", anybody(), nil),
		get("/cluster/config/nodes", audit, nil),
		get("/cluster/log", anybody(), params{"max": integer().min(1)}),
		get("/cluster/nextid", anybody(), params{"vmid": vmid()}),
		get("/cluster/options", options, nil),
		get("/cluster/resources", anybody(), params{"type": choice("vm", "storage", "node", "sdn")}),
		get("/cluster/status", audit, nil).root(),
		get("/cluster/tasks", anybody(), nil),
	}
	return append(methods, haMethods()...)
}

func haMethods() []*Method {
	const list, one = "/cluster/ha/resources", "/cluster/ha/resources/{sid}"
	audit, console := allowed("/", "Sys.Audit"), allowed("/", "Sys.Console")
	sid := req(text().as("pve-ha-resource-or-vm-id"))
	resource := params{
		"comment":      text().most(4096),
		"failback":     flag().or("1").since(900),
		"group":        configID(),
		"max_relocate": integer().min(0).or("1"),
		"max_restart":  integer().min(0).or("1"),
		"sid":          sid,
		"state":        choice("started", "stopped", "enabled", "disabled", "ignored").or("started"),
	}
	kind := choice("ct", "vm")
	elsewhere := params{"node": req(text().as("pve-node")), "sid": sid}
	return []*Method{
		get("/cluster/ha", audit, nil),
		get("/cluster/ha/status", anybody(), nil),
		get("/cluster/ha/status/current", audit, nil),
		get(list, audit, params{"type": kind}),
		post(list, console, merge(resource, params{"type": kind})).root(),
		get(one, audit, params{"sid": sid}),
		put(one, console, merge(resource, params{
			"delete": text().as("pve-configid-list").most(4096),
			"digest": text().most(64),
		})).root(),
		del(one, console, params{"purge": flag().or("1").since(900), "sid": sid}).root(),
		post(one+"/migrate", console, elsewhere).root(),
		post(one+"/relocate", console, elsewhere).root(),
	}
}

// poolID is the name of a pool; since 8.1 pools may lie in each other.
func poolID() *Param {
	return text().as("pve-poolid").before(801, text().as("pve-poolid").like(plainName))
}

func poolMethods() []*Method {
	const list, one = "/pools", "/pools/{poolid}"
	read, write := allowed("/pool/{poolid}", "Pool.Audit"), allowed("/pool/{poolid}", "Pool.Allocate")
	members := choice("qemu", "lxc", "storage")
	id := req(poolID())
	update := params{
		"allow-move": flag().or("0").since(801),
		"comment":    text(),
		"delete":     flag().or("0"),
		"poolid":     id,
		"storage":    text().as("pve-storage-id-list"),
		"vms":        text().as("pve-vmid-list"),
	}
	return []*Method{
		get(list, anybody(), params{
			"poolid": poolID().since(801),
			"type":   choice("qemu", "lxc", "storage").needs("poolid").since(801),
		}),
		post(list, write, params{"comment": text(), "poolid": id}).root(),
		put(list, write, update).root().since(801),
		del(list, write, params{"poolid": id}).root().since(801),
		get(one, read, params{"type": members}),
		put(one, write, update).root(),
		del(one, write, nil).root(),
	}
}
