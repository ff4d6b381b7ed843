package pvesim

import (
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// Privileges by area, and the roles that are always there.
const (
	privsVM = `VM.Allocate VM.Audit VM.Backup VM.Clone VM.Config.CDROM VM.Config.CPU VM.Config.Cloudinit VM.Config.Disk
		VM.Config.HWType VM.Config.Memory VM.Config.Network VM.Config.Options VM.Console VM.GuestAgent.Audit
		VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.GuestAgent.Unrestricted VM.Migrate
		VM.PowerMgmt VM.Replicate VM.Snapshot VM.Snapshot.Rollback`
	privsSys       = `Sys.Audit Sys.Console Sys.Modify Sys.PowerMgmt Sys.Syslog Sys.Incoming Sys.AccessNetwork`
	privsDatastore = `Datastore.Allocate Datastore.AllocateSpace Datastore.AllocateTemplate Datastore.Audit`
	privsPool      = `Pool.Allocate Pool.Audit`
	privsSDN       = `SDN.Allocate SDN.Audit SDN.Use`
	privsMapping   = `Mapping.Audit Mapping.Modify Mapping.Use`
)

// administrator is every privilege that there is.
func (x *tx) administrator() []string { return schema.Privileges(x.sim.profile.Release) }

// without returns the privileges but for some.
func without(privs []string, those ...string) []string {
	return slices.DeleteFunc(slices.Clone(privs), func(p string) bool { return slices.Contains(those, p) })
}

// builtinRoles returns the roles that cannot be changed.
func (x *tx) builtinRoles() []*role {
	vmUser := "VM.Audit VM.Backup VM.Config.CDROM VM.Config.Cloudinit VM.Console VM.GuestAgent.Audit " +
		"VM.GuestAgent.FileRead VM.GuestAgent.FileSystemMgmt VM.GuestAgent.FileWrite VM.PowerMgmt"
	roles := map[string][]string{
		"Administrator": x.administrator(),
		"NoAccess":      nil,
		"PVEAdmin": without(x.administrator(), "Permissions.Modify", "Sys.Modify", "Sys.PowerMgmt", "Realm.Allocate",
			"Sys.AccessNetwork", "Sys.Incoming"),
		"PVEAuditor":        strings.Fields("Datastore.Audit Mapping.Audit Pool.Audit SDN.Audit Sys.Audit VM.Audit VM.GuestAgent.Audit"),
		"PVEDatastoreAdmin": strings.Fields(privsDatastore),
		"PVEDatastoreUser":  strings.Fields("Datastore.AllocateSpace Datastore.Audit"),
		"PVEMappingAdmin":   strings.Fields(privsMapping),
		"PVEMappingAuditor": {"Mapping.Audit"},
		"PVEMappingUser":    strings.Fields("Mapping.Audit Mapping.Use"),
		"PVEPoolAdmin":      strings.Fields(privsPool),
		"PVEPoolUser":       {"Pool.Audit"},
		"PVESDNAdmin":       strings.Fields(privsSDN),
		"PVESDNUser":        strings.Fields("SDN.Audit SDN.Use"),
		"PVESysAdmin":       strings.Fields("Sys.Audit Sys.Console Sys.Syslog"),
		"PVETemplateUser":   strings.Fields("VM.Audit VM.Clone"),
		"PVEUserAdmin":      strings.Fields("Group.Allocate Realm.AllocateUser User.Modify"),
		"PVEVMAdmin":        strings.Fields(privsVM + " VM.Monitor"),
		"PVEVMUser":         strings.Fields(vmUser),
	}
	var all []*role
	known := x.administrator()
	for id, privs := range roles {
		privs = slices.DeleteFunc(privs, func(p string) bool { return !slices.Contains(known, p) })
		all = append(all, &role{ID: id, Privs: privs})
	}
	slices.SortFunc(all, func(a, b *role) int { return strings.Compare(a.ID, b.ID) })
	return all
}

// capabilities is the part "cap" of a login: what the web page may show.
func (x *tx) capabilities(who *identity) map[string]map[string]int {
	areas := []struct{ name, path, privs string }{
		{"vms", "/vms", privsVM + " Permissions.Modify"},
		{"storage", "/storage", privsDatastore + " Permissions.Modify"},
		{"access", "/access", "User.Modify Group.Allocate Permissions.Modify"},
		{"dc", "/", "Sys.Audit Sys.Modify " + privsSDN},
		{"nodes", "/nodes", privsSys + " Permissions.Modify"},
		{"sdn", "/sdn", privsSDN + " Permissions.Modify"},
		{"mapping", "/mapping", privsMapping + " Permissions.Modify"},
	}
	caps := map[string]map[string]int{}
	for _, a := range areas {
		caps[a.name] = map[string]int{}
		for _, p := range strings.Fields(a.privs) {
			if x.allowed(who, a.path, p) {
				caps[a.name][p] = 1
			}
		}
	}
	return caps
}
