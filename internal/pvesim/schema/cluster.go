package schema

import "slices"

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
	return slices.Concat(methods, haMethods(), haGroupMethods(), replicationMethods())
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
