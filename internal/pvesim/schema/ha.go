package schema

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

// haGroupMethods are about the groups that rules took the place of in 9.0. They are still there, but not to be used.
func haGroupMethods() []*Method {
	const list, one = "/cluster/ha/groups", "/cluster/ha/groups/{group}"
	audit, console := allowed("/", "Sys.Audit"), allowed("/", "Sys.Console")
	options := params{"comment": text().most(4096), "nofailback": flag().or("0"), "restricted": flag().or("0")}
	group, nodes := req(configID()), text().as("pve-ha-node-list")
	return []*Method{
		get(list, audit, nil),
		post(list, console, merge(options, params{"group": group, "nodes": req(text().as("pve-ha-node-list")), "type": choice("group")})).root(),
		get(one, audit, params{"group": group}),
		put(one, console, merge(options, params{
			"delete": text().as("pve-configid-list").most(4096), "digest": text().most(64), "group": group, "nodes": nodes,
		})).root(),
		del(one, console, params{"group": group}).root(),
		get("/cluster/ha/rules", audit, params{
			"resource": text(),
			"type":     choice("node-affinity", "resource-affinity"),
		}).since(900),
	}
}

func replicationMethods() []*Method {
	const list, one = "/cluster/replication", "/cluster/replication/{id}"
	id := req(text().as("pve-replication-job-id").like(`[1-9][0-9]{2,8}-\d{1,9}`))
	options := params{
		"comment":    text().most(4096),
		"disable":    flag(),
		"id":         id,
		"rate":       number().min(1),
		"remove_job": choice("local", "full"),
		"schedule":   schedule().or("*/15"),
		"source":     text().as("pve-node"),
	}
	return []*Method{
		get(list, anybody(), nil),
		post(list, anybody(), merge(options, params{
			"target": req(text().as("pve-node")),
			"type":   req(choice("local")),
		})).root(),
		get(one, anybody(), params{"id": id}),
		put(one, anybody(), merge(options, params{
			"delete": text().as("pve-configid-list").most(4096),
			"digest": text().most(64),
		})).root(),
		del(one, anybody(), params{"force": flag().or("0"), "id": id, "keep": flag().or("0")}).root(),
	}
}
