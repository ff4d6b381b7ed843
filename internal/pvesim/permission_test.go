package pvesim_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// separated is a cluster with a token that may do only what the entries grant it.
func separated(pool []int, acl ...pvesim.SeedACL) *pvesim.Seed {
	seed := pvesim.Cluster()
	seed.Token = pvesim.SeedToken{ID: "root@pam!robot", Privsep: 1}
	seed.ACL = acl
	seed.Pools = []pvesim.SeedPool{{ID: "apps", Members: pool}}
	return seed
}

func grant(path, role string, propagate int) pvesim.SeedACL {
	return pvesim.SeedACL{Path: path, Who: "root@pam!robot", Role: role, Propagate: propagate}
}

// What a token may see of container 100, by the entries of the access control list.
func TestAccessControlList(t *testing.T) {
	const refused, allowed = "403 Permission check failed (/vms/100, VM.Audit)", "200 OK"
	tests := []struct {
		name string
		pool []int
		acl  []pvesim.SeedACL
		want string
	}{
		{"nothing", nil, nil, refused},
		{"inherited", nil, []pvesim.SeedACL{grant("/", "PVEAuditor", 1)}, allowed},
		{"on the path itself", nil, []pvesim.SeedACL{grant("/vms/100", "PVEAuditor", 0)}, allowed},
		{"not propagated", nil, []pvesim.SeedACL{grant("/vms", "PVEAuditor", 0)}, refused},
		{"another path", nil, []pvesim.SeedACL{grant("/vms/101", "PVEAuditor", 1)}, refused},
		{"a role without it", nil, []pvesim.SeedACL{grant("/", "PVEDatastoreAdmin", 1)}, refused},
		{"deeper replaces", nil, []pvesim.SeedACL{grant("/", "PVEAuditor", 1), grant("/vms/100", "PVEDatastoreUser", 1)}, refused},
		{"denied below", nil, []pvesim.SeedACL{grant("/", "PVEAuditor", 1), grant("/vms", "NoAccess", 1)}, refused},
		{"by its pool", []int{100}, []pvesim.SeedACL{grant("/pool/apps", "PVEVMUser", 1)}, allowed},
		{"by another pool", []int{101}, []pvesim.SeedACL{grant("/pool/apps", "PVEVMUser", 1)}, refused},
		{"of somebody else", nil, []pvesim.SeedACL{{Path: "/", Who: "root@pam!other", Role: "PVEAuditor", Propagate: 1}}, refused},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			a := openSim(t, pvesim.Options{Seed: separated(test.pool, test.acl...)})
			status, _ := a.call("GET", "/nodes/pve1/lxc/100/config", nil)
			require.Equal(t, test.want, status)
			list := a.ok("GET", "/nodes/pve1/lxc", nil)
			require.Equal(t, test.want == allowed, len(list.([]any)) == 1, "lists are filtered, not refused")
		})
	}
}

// Each setting wants its own privilege.
func TestPrivilegesBySetting(t *testing.T) {
	tests := []struct{ key, value, priv string }{
		{"memory", "128", "VM.Config.Memory"},
		{"swap", "0", "VM.Config.Memory"},
		{"cores", "2", "VM.Config.CPU"},
		{"hostname", "other", "VM.Config.Network"},
		{"nameserver", "192.0.2.1", "VM.Config.Network"},
		{"net1", "name=eth1,bridge=vmbr0", "VM.Config.Network"},
		{"mp0", "local-lvm:1,mp=/data", "VM.Config.Disk"},
		{"tags", "a", "VM.Config.Options"},
		{"description", "a", "VM.Config.Options"},
	}
	for _, test := range tests {
		t.Run(test.key, func(t *testing.T) {
			all := []string{"VM.Config.CPU", "VM.Config.Disk", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options"}
			others := slices.DeleteFunc(slices.Clone(all), func(p string) bool { return p == test.priv })
			seed := separated(nil, grant("/vms", "almost", 1), grant("/sdn", "PVESDNUser", 1), grant("/storage", "PVEDatastoreUser", 1))
			seed.Roles = []pvesim.SeedRole{{ID: "almost", Privs: strings.Join(others, ",")}}
			form := url.Values{test.key: {test.value}}

			status, _ := openSim(t, pvesim.Options{Seed: seed}).call("PUT", "/nodes/pve1/lxc/100/config", form)
			require.Equal(t, "403 Permission check failed (/vms/100, "+test.priv+")", status)
			seed.Roles[0].Privs = test.priv
			openSim(t, pvesim.Options{Seed: seed}).ok("PUT", "/nodes/pve1/lxc/100/config", form)
		})
	}
}

func TestOrderOfChecks(t *testing.T) {
	a := openSim(t, pvesim.Options{Seed: separated(nil)})
	tests := []struct{ name, method, path, want string }{
		{"the path comes before the permission", "GET", "/nodes/pve1/nosuch", "501 Method 'GET /nodes/pve1/nosuch' not implemented"},
		{"the permission before the node", "GET", "/nodes/nonode/lxc/100/config", "403 Permission check failed (/vms/100, VM.Audit)"},
		{"the permission before the parameters", "GET", "/nodes/pve1/lxc/100/config?bogus=1", "403 Permission check failed (/vms/100, VM.Audit)"},
		{"the parameters before the handler", "GET", "/cluster/nextid?vmid=abc", "400 Parameter verification failed."},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			status, _ := a.call(test.method, test.path, nil)
			require.Equal(t, test.want, status)
		})
	}
}
