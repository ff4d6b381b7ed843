package proxmox

import (
	"slices"
	"strings"
)

// Privilege is one that a token needs, on which part of the access tree, what
// for, and when it can be left out.
type Privilege struct {
	Name, On, For string
	Unless        string // "" when it is always needed
}

// Role returns the privileges that suffice for everything this program does, in
// the order of docs/permissions.md.
func Role() []Privilege {
	return []Privilege{
		{"VM.Allocate", "/vms", "creating and deleting containers; `features { nesting }`", ""},
		{"VM.Audit", "/vms", "seeing containers and their configuration", ""},
		{"VM.Backup", "/pool", "backup policies of a `pool`", "no policy names a pool"},
		{"VM.Clone", "/vms", "the origin `clone`", "nothing is cloned"},
		{"VM.Config.CPU", "/vms", "`cores`, `cpu_limit`, `cpu_units`", "they are not set"},
		{"VM.Config.Disk", "/vms", "disks and volumes: making, growing, moving, their options", ""},
		{"VM.Config.Memory", "/vms", "`memory`, `swap`", "they are not set"},
		{"VM.Config.Network", "/vms", "`hostname`, `network`, `dns`", ""},
		{"VM.Config.Options", "/vms", "everything else: notes, `tags`, `startup`, `env`", ""},
		{"VM.Migrate", "/vms", "a change of `node`", "nothing changes its node"},
		{"VM.PowerMgmt", "/vms", "start, shutdown, restart", ""},
		{"Datastore.Allocate", "/storage", "writing backup jobs", "there are no backup policies"},
		{"Datastore.AllocateSpace", "/storage", "disks and volumes", ""},
		{"Datastore.AllocateTemplate", "/storage", "downloading templates and images", "all templates are there already"},
		{"Datastore.Audit", "/storage", "seeing storages, templates and free space", "Datastore.AllocateSpace is there for the same storage"},
		{"Pool.Allocate", "/pool", "changing `pool`", "no container changes its pool"},
		{"SDN.Use", "/sdn/zones/localnetwork", "putting an interface on a bridge (since Proxmox VE 8.0)", ""},
		{"Sys.AccessNetwork", "/nodes", "pulling images", "there are no images"},
		{"Sys.Audit", "/", "reading nodes and backup jobs", ""},
		{"Sys.Modify", "/", "writing backup jobs; `unprivileged = false`", "there are no backup policies and no privileged containers"},
	}
}

// neededOn returns the paths that a privilege of the role is asked for on this
// host: each storage and node by itself, since they may be granted so.
func (p Privilege) neededOn(storages, nodes []string) []string {
	below := map[string][]string{"/storage": storages, "/nodes": nodes}[p.On]
	var paths []string
	for _, name := range below {
		paths = append(paths, p.On+"/"+name)
	}
	if len(paths) == 0 {
		return []string{p.On}
	}
	slices.Sort(paths)
	return slices.Compact(paths)
}

// RoleCommand is the command that makes the role.
func RoleCommand() string {
	var names []string
	for _, p := range Role() {
		names = append(names, p.Name)
	}
	return "pveum role add " + ourRole + " --privs \"" + strings.Join(names, ",") + "\""
}
