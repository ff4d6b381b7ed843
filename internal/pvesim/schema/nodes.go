package schema

import "slices"

func nodeMethods() []*Method {
	return slices.Concat(nodeReads(), taskMethods(), networkMethods(), templateMethods(), qemuMethods())
}

const node = "/nodes/{node}"

func nodeReads() []*Method {
	audit := allowed(node, "Sys.Audit")
	usage := rrd()
	usage["timeframe"] = req(choice("hour", "day", "week", "month", "year", "decade"))
	return []*Method{
		get("/nodes", anybody(), nil),
		get(node, anybody(), nil),
		get(node+"/apt", anybody(), nil),
		get(node+"/apt/versions", audit, nil).onNode(),
		get(node+"/dns", audit, nil).onNode(),
		get(node+"/rrddata", audit, usage).root(),
		get(node+"/status", audit, nil).onNode(),
		get(node+"/subscription", anybody(), nil).onNode(),
		get(node+"/time", audit, nil).onNode(),
		get(node+"/version", anybody(), nil).onNode(),
	}
}

func taskMethods() []*Method {
	const list, one = node + "/tasks", node + "/tasks/{upid}"
	return []*Method{
		get(list, anybody(), params{
			"errors":       flag().or("0"),
			"limit":        integer().min(0).or("50"),
			"since":        integer(),
			"source":       choice("archive", "active", "all").or("archive"),
			"start":        integer().min(0).or("0"),
			"statusfilter": text().as("pve-task-status-type-list"),
			"typefilter":   text(),
			"until":        integer(),
			"userfilter":   text(),
			"vmid":         vmid(),
		}).onNode(),
		get(one, anybody(), nil),
		del(one, anybody(), nil).root().onNode(),
		get(one+"/status", anybody(), nil).root().onNode(),
		get(one+"/log", anybody(), params{
			"download": flag(),
			"limit":    integer().min(0).or("50"),
			"start":    integer().min(0).or("0"),
		}).root().onNode(),
	}
}

func networkMethods() []*Method {
	return []*Method{
		get(node+"/network", anybody(), params{
			"type": choice("bridge", "bond", "eth", "alias", "vlan", "fabric", "OVSBridge", "OVSBond", "OVSPort",
				"OVSIntPort", "vnet", "any_bridge", "any_local_bridge", "include_sdn"),
		}).onNode(),
		get(node+"/network/{iface}", allowed(node, "Sys.Audit"), params{
			"iface": req(text().as("pve-iface").least(2).most(20)),
		}).onNode(),
	}
}

// templateMethods find templates and images elsewhere.
func templateMethods() []*Method {
	return []*Method{
		get(node+"/aplinfo", anybody(), nil).onNode(),
		post(node+"/aplinfo", allowed("/storage/{storage}", "Datastore.AllocateTemplate"), params{
			"storage":  req(text().as("pve-storage-id")),
			"template": req(text().most(255)),
		}).root().onNode(),
		get(node+"/query-oci-repo-tags", allowed(node, "Sys.AccessNetwork"), params{
			"reference": req(text().like(`^` + ociRepository + `$`)),
		}).onNode().since(901),
		get(node+"/query-url-metadata", when(mayQueryURL()), params{
			"url":                 req(text().like(`https?://.*`)),
			"verify-certificates": flag().or("1"),
		}).onNode(),
	}
}

// qemuMethods are what it takes to meet virtual machines: other guests than ours that hold VMIDs. Their options are left
// out but for a few.
func qemuMethods() []*Method {
	return []*Method{
		get(node+"/qemu", anybody(), params{"full": flag()}).root().onNode(),
		post(node+"/qemu", anybody(), params{
			"cores":  integer().min(1).or("1"),
			"name":   text().as("dns-name"),
			"onboot": flag().or("0"),
			"pool":   text().as("pve-poolid"),
			"start":  flag().or("0"),
			"tags":   text().as("pve-tag-list"),
			"vmid":   req(vmid()),
		}).root().onNode(),
		get(node+"/qemu/{vmid}", anybody(), nil).onNode(),
		get(node+"/qemu/{vmid}/status/current", onVM("VM.Audit"), nil).root().onNode(),
		get(node+"/qemu/{vmid}/config", onVM("VM.Audit"), params{
			"current":  flag().or("0"),
			"snapshot": snapshotName(),
		}).onNode(),
	}
}
