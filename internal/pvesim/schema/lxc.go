package schema

import "slices"

func lxcMethods() []*Method {
	return slices.Concat(lxcGuests(), lxcConfigs(), lxcPower(), lxcSnapshots(), lxcVolumes(), lxcConsole())
}

const (
	guests = "/nodes/{node}/lxc"
	guest  = "/nodes/{node}/lxc/{vmid}"
)

// onVM is the usual permission: privileges on the container itself.
func onVM(privs ...string) *Permission { return allowed("/vms/{vmid}", privs...) }

func bandwidth(operation string) *Param {
	return number().min(0).or(operation + " limit from datacenter or storage config")
}

func snapshotName() *Param { return configID().most(40) }

func lxcGuests() []*Method {
	create := merge(lxcConfig(), params{
		"bwlimit":              bandwidth("restore"),
		"force":                flag(),
		"ha-managed":           flag().or("0").since(901),
		"ignore-unpack-errors": flag(),
		"ostemplate":           req(text().most(255)),
		"password":             text().least(5),
		"pool":                 text().as("pve-poolid"),
		"restore":              flag(),
		"ssh-public-keys":      text(),
		"start":                flag().or("0"),
		"storage":              text().as("pve-storage-id").or("local"),
		"unique":               flag().needs("restore"),
		"vmid":                 req(vmid()),
	})
	clone := params{
		"bwlimit":     bandwidth("clone"),
		"description": text(),
		"full":        flag(),
		"hostname":    text().as("dns-name"),
		"newid":       req(vmid()),
		"pool":        text().as("pve-poolid"),
		"snapname":    snapshotName(),
		"storage":     text().as("pve-storage-id"),
		"target":      text().as("pve-node"),
	}
	migrate := params{
		"bwlimit":        bandwidth("migrate"),
		"online":         flag(),
		"restart":        flag(),
		"target":         req(text().as("pve-node")),
		"target-storage": text().as("storage-pair-list"),
		"timeout":        integer().or("180"),
	}
	intoPool := priv("/pool/{pool}", "VM.Allocate")
	intoPool.RequireParam = "pool"
	mayClone := both(priv("/vms/{vmid}", "VM.Clone"), either(priv("/vms/{newid}", "VM.Allocate"), intoPool))
	return []*Method{
		get(guests, anybody(), nil).root().onNode(),
		post(guests, anybody(), create).root().onNode(),
		get(guest, anybody(), nil).onNode(),
		del(guest, onVM("VM.Allocate"), params{
			"destroy-unreferenced-disks": flag(),
			"force":                      flag().or("0"),
			"purge":                      flag().or("0"),
		}).root().onNode(),
		post(guest+"/clone", when(mayClone), clone).root().onNode(),
		post(guest+"/template", onVM("VM.Allocate"), nil).root().onNode(),
		get(guest+"/migrate", onVM("VM.Migrate"), params{"target": text().as("pve-node")}).root().onNode().since(900),
		post(guest+"/migrate", onVM("VM.Migrate"), migrate).root().onNode(),
	}
}

func lxcConfigs() []*Method {
	update := merge(lxcConfig(), params{
		"delete": text().as("pve-configid-list"),
		"digest": digest(),
		"revert": text().as("pve-configid-list"),
	})
	mayUpdate := anyOf("/vms/{vmid}",
		"VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options")
	return []*Method{
		get(guest+"/config", onVM("VM.Audit"), params{
			"current":  flag().or("0"),
			"snapshot": snapshotName(),
		}).onNode(),
		put(guest+"/config", mayUpdate, update).root().onNode(),
		get(guest+"/pending", onVM("VM.Audit"), nil).onNode(),
		get(guest+"/feature", onVM("VM.Audit"), params{
			"feature":  req(choice("snapshot", "clone", "copy")),
			"snapname": snapshotName(),
		}).root().onNode(),
		get(guest+"/interfaces", onVM("VM.Audit"), nil).root().onNode().since(801),
		get(guest+"/rrddata", onVM("VM.Audit"), rrd()).root(),
		get(guest+"/firewall/options", onVM("VM.Audit"), nil).onNode(),
	}
}

// rrd is what the endpoints of usage history take.
func rrd() params {
	return params{
		"cf":        choice("AVERAGE", "MAX"),
		"timeframe": req(choice("hour", "day", "week", "month", "year")),
	}
}

func lxcPower() []*Method {
	power := func(action string, table params) *Method {
		return post(guest+"/status/"+action, onVM("VM.PowerMgmt"), table).root().onNode()
	}
	return []*Method{
		get(guest+"/status", anybody(), nil).onNode(),
		get(guest+"/status/current", onVM("VM.Audit"), nil).root().onNode(),
		power("start", params{"debug": flag().or("0"), "skiplock": flag()}),
		power("stop", params{"overrule-shutdown": flag().or("0").since(802), "skiplock": flag()}),
		power("shutdown", params{"forceStop": flag().or("0"), "timeout": integer().min(0).or("60")}),
		power("reboot", params{"timeout": integer().min(0)}),
		power("suspend", nil),
		power("resume", nil),
	}
}

func lxcSnapshots() []*Method {
	const list, one = guest + "/snapshot", guest + "/snapshot/{snapname}"
	return []*Method{
		get(list, onVM("VM.Audit"), nil).root().onNode(),
		post(list, onVM("VM.Snapshot"), params{
			"description": text(),
			"snapname":    req(snapshotName()),
		}).root().onNode(),
		get(one, anybody(), nil),
		del(one, onVM("VM.Snapshot"), params{"force": flag()}).root().onNode(),
		get(one+"/config", anyOf("/vms/{vmid}", "VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"), nil).onNode(),
		put(one+"/config", onVM("VM.Snapshot"), params{"description": text()}).root().onNode(),
		post(one+"/rollback", anyOf("/vms/{vmid}", "VM.Snapshot", "VM.Snapshot.Rollback"), params{
			"start": flag().or("0"),
		}).root().onNode(),
	}
}

func lxcVolumes() []*Method {
	return []*Method{
		put(guest+"/resize", anyOf("/vms/{vmid}", "VM.Config.Disk"), params{
			"digest": digest(),
			"disk":   req(choice(disks()...)),
			"size":   req(text().like(`\+?\d+(\.\d+)?[KMGT]?`)),
		}).root().onNode(),
		post(guest+"/move_volume", onVM("VM.Config.Disk"), params{
			"bwlimit":       bandwidth("clone"),
			"delete":        flag().or("0"),
			"digest":        digest(),
			"storage":       text().as("pve-storage-id"),
			"target-digest": digest(),
			"target-vmid":   vmid(),
			"target-volume": choice(volumes()...),
			"volume":        req(choice(volumes()...)),
		}).root().onNode(),
	}
}

func lxcConsole() []*Method {
	console := onVM("VM.Console")
	return []*Method{
		post(guest+"/termproxy", console, nil).root(),
		post(guest+"/vncproxy", console, params{
			"height":    integer().min(16).max(2160),
			"websocket": flag(),
			"width":     integer().min(16).max(4096),
		}).root(),
		get(guest+"/vncwebsocket", console, params{
			"port":      req(integer().min(5900).max(5999)),
			"vncticket": req(text().most(512)),
		}),
	}
}
