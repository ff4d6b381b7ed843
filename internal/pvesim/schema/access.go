package schema

import "slices"

func accessMethods() []*Method {
	return slices.Concat(loginMethods(), userMethods(), tokenMethods(), groupMethods(), roleMethods(), aclMethods())
}

func userID() *Param { return text().as("pve-userid").most(64) }

func loginMethods() []*Method {
	ticket := params{
		"new-format":    flag().or("1"),
		"otp":           text(),
		"password":      req(text()),
		"path":          text().most(64).needs("privs"),
		"privs":         text().as("pve-priv-list").most(64).needs("path"),
		"realm":         text().as("pve-realm").most(32),
		"tfa-challenge": text(),
		"username":      req(text().most(64)),
	}
	vncTicket := params{
		"authid":    req(text().most(64)),
		"path":      req(text().most(64)),
		"port":      integer(),
		"privs":     req(text().as("pve-priv-list").most(64)),
		"vncticket": req(text()),
	}
	mayChange := either(userParam("self"), both(userParam("Realm.AllocateUser"), userGroup("User.Modify")))
	return []*Method{
		get("/access", anybody(), nil),
		get("/access/ticket", world(), nil),
		post("/access/ticket", world(), ticket).root().ticketOnly(),
		post("/access/vncticket", world(), vncTicket).root().since(901),
		get("/access/domains", world(), nil),
		put("/access/password", when(mayChange), params{
			"confirmation-password": text().least(5).most(64),
			"password":              req(text().least(8).most(64)),
			"userid":                req(userID()),
		}).root().ticketOnly(),
		get("/access/permissions", anybody(), params{
			"path":   text(),
			"userid": text().like(`^` + user + `(?:!` + tokenSubID + `)?$`),
		}),
	}
}

func userMethods() []*Method {
	const list, one = "/access/users", "/access/users/{userid}"
	options := params{
		"comment":   text().most(2048),
		"email":     text().as("email-opt").most(254),
		"enable":    flag().or("1"),
		"expire":    integer().min(0),
		"firstname": text().most(1024),
		"groups":    text().as("pve-groupid-list"),
		"keys":      text().like(`[0-9a-zA-Z!=]*`).most(4096),
		"lastname":  text().most(1024),
	}
	inGroups := func(how string) *Check {
		c := userGroup("User.Modify")
		c.GroupsParam = how
		return c
	}
	return []*Method{
		get(list, anybody(), params{"enabled": flag(), "full": flag().or("0")}).root(),
		post(list, when(both(userParam("Realm.AllocateUser"), inGroups("create"))), merge(options, params{
			"password": text().least(8).most(64),
			"userid":   req(userID()),
		})).root(),
		get(one, when(userGroup("User.Modify", "Sys.Audit")), nil),
		put(one, when(inGroups("update")), merge(options, params{"append": flag().needs("groups")})).root(),
		del(one, when(both(userParam("Realm.AllocateUser"), userGroup("User.Modify"))), nil).root(),
	}
}

func tokenMethods() []*Method {
	const list, one = "/access/users/{userid}/token", "/access/users/{userid}/token/{tokenid}"
	options := params{
		"comment": text(),
		"expire":  integer().min(0).or("same as user"),
		"privsep": flag().or("1"),
	}
	mine := when(either(userParam("self"), userGroup("User.Modify")))
	return []*Method{
		get(list, mine, nil),
		get(one, mine, nil),
		post(one, mine, options).root(),
		put(one, mine, merge(options, params{"delete": text().as("pve-configid-list").since(901)})).root(),
		del(one, mine, nil).root(),
	}
}

func groupMethods() []*Method {
	const list, one = "/access/groups", "/access/groups/{groupid}"
	write := allowed(list, "Group.Allocate")
	return []*Method{
		get(list, anybody(), nil),
		post(list, write, params{"comment": text(), "groupid": req(text().as("pve-groupid"))}).root(),
		get(one, anyOf(list, "Sys.Audit", "Group.Allocate"), nil),
		put(one, write, params{"comment": text()}).root(),
		del(one, write, nil).root(),
	}
}

func roleMethods() []*Method {
	const list, one = "/access/roles", "/access/roles/{roleid}"
	write := allowed("/access", "Sys.Modify")
	privs := text().as("pve-priv-list")
	return []*Method{
		get(list, anybody(), nil),
		post(list, write, params{"privs": privs, "roleid": req(text().as("pve-roleid"))}).root(),
		get(one, anybody(), nil),
		put(one, write, params{"append": flag().needs("privs"), "privs": privs}).root(),
		del(one, write, nil).root(),
	}
}

func aclMethods() []*Method {
	return []*Method{
		get("/access/acl", anybody(), nil),
		put("/access/acl", when(&Check{Kind: PermModify, Path: "{path}"}), params{
			"delete":    flag(),
			"groups":    text().as("pve-groupid-list"),
			"path":      req(text()),
			"propagate": flag().or("1"),
			"roles":     req(text().as("pve-roleid-list")),
			"tokens":    text().as("pve-tokenid-list"),
			"users":     text().as("pve-userid-list"),
		}).root(),
	}
}

// privileges are all that a role may hold in the newest release.
func privileges() []string {
	return []string{
		"Datastore.Allocate", "Datastore.AllocateSpace", "Datastore.AllocateTemplate", "Datastore.Audit",
		"Group.Allocate",
		"Mapping.Audit", "Mapping.Modify", "Mapping.Use",
		"Permissions.Modify",
		"Pool.Allocate", "Pool.Audit",
		"Realm.Allocate", "Realm.AllocateUser",
		"SDN.Allocate", "SDN.Audit", "SDN.Use",
		"Sys.AccessNetwork", "Sys.Audit", "Sys.Console", "Sys.Incoming", "Sys.Modify", "Sys.PowerMgmt", "Sys.Syslog",
		"User.Modify",
		"VM.Allocate", "VM.Audit", "VM.Backup", "VM.Clone",
		"VM.Config.CDROM", "VM.Config.CPU", "VM.Config.Cloudinit", "VM.Config.Disk", "VM.Config.HWType",
		"VM.Config.Memory", "VM.Config.Network", "VM.Config.Options",
		"VM.Console",
		"VM.GuestAgent.Audit", "VM.GuestAgent.FileRead", "VM.GuestAgent.FileSystemMgmt", "VM.GuestAgent.FileWrite",
		"VM.GuestAgent.Unrestricted",
		"VM.Migrate", "VM.PowerMgmt", "VM.Replicate", "VM.Snapshot", "VM.Snapshot.Rollback",
	}
}
