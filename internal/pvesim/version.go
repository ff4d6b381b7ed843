package pvesim

import (
	"fmt"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// profile is a release of Proxmox VE that can be simulated. What its API takes stands in the tables of package schema,
// what it does beyond that in the traits below.
type profile struct {
	name string // as in Options.PVE
	full string // as GET /version has it
	schema.Release
}

// profiles are all releases that can be simulated, the newest first.
func profiles() []profile {
	return []profile{
		{"9.2", "9.2.11", 902},
		{"9.1", "9.1.9", 901},
		{"9.0", "9.0.11", 900},
		{"8.4", "8.4.14", 804},
		{"7.4", "7.4-18", 704},
	}
}

// Versions are the names of the releases that can be simulated, the newest first.
func Versions() []string {
	var names []string
	for _, p := range profiles() {
		names = append(names, p.name)
	}
	return names
}

// profileOf finds a release by its name; "" is the newest.
func profileOf(name string) (profile, error) {
	all := profiles()
	if name == "" {
		return all[0], nil
	}
	if at := slices.IndexFunc(all, func(p profile) bool { return p.name == name }); at >= 0 {
		return all[at], nil
	}
	return profile{}, fmt.Errorf("no version profile %q: there are %s", name, strings.Join(Versions(), ", "))
}

// trait is something that Proxmox does since a release. The API facts, section 17, say which.
type trait schema.Release

const (
	bridgeRights      trait = 800 // the use of a bridge needs SDN.Use
	lockInWorker      trait = 800 // power tasks take the container's lock, not the requests that start them
	fixedMACs         trait = 801 // made MAC addresses begin with BC:24:11, not with a local one
	numericVMIDs      trait = 802 // GET /nodes/{node}/lxc has numbers for VMIDs, not strings
	messagesInBody    trait = 803 // error answers have their text in the body, not in the status line alone
	bzip2Templates    trait = 803 // vztmpl may be .tar.bz2
	largeBodies       trait = 804 // of 512 KiB, not 64
	addressLists      trait = 804 // interfaces have ip-addresses and hardware-address
	unprivileged      trait = 900 // is the default, and else Sys.Modify on / is needed
	hotplugDevices    trait = 900 // a new devN takes effect on a running container
	pressureFields    trait = 900 // of status, and memhost of the cluster's listing
	haRules           trait = 900 // in place of HA groups
	networkRows       trait = 901 // GET /cluster/resources has networks, not zones of SDN
	storageFormats    trait = 901 // GET /nodes/{node}/storage has formats
	plainTarTemplates trait = 901 // vztmpl may be .tar
	oneAuthFailure    trait = 901 // says no cause
	nestingWarnings   trait = 901 // tasks warn of systemd without nesting
)

// has reports whether the estate's release does something.
func (s *Sim) has(t trait) bool { return s.profile.Release >= schema.Release(t) }

func (x *tx) has(t trait) bool { return x.sim.has(t) }

// api is what the estate's release has.
func (s *Sim) api() *schema.API { return schema.At(s.profile.Release) }

// method is an operation that every release has.
func (x *tx) method(verb, path string) *schema.Method {
	m, _ := x.sim.api().Find(verb, path)
	return m
}

// httpLayer is an answer of the HTTP server itself as the estate's release gives it: until 8.3 without a body, and 501
// for its own failures.
func (s *Sim) httpLayer(a *answer) *answer {
	if a == nil || s.has(messagesInBody) {
		return a
	}
	a.body = nil
	if a.status == 500 {
		a.status = 501
	}
	return a
}
