package proxmox

import (
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// need is a privilege that one of some paths has to give.
type need struct {
	privilege string
	paths     []string
	sure      bool // Proxmox refuses without it; else something only does not show
}

// String names the privilege and where it is needed.
func (n need) String() string { return n.privilege + " on " + strings.Join(n.paths, " or ") }

// configRights says which privilege a setting of a container takes; what is not
// listed takes VM.Config.Options.
var configRights = map[string]string{
	"cores": "VM.Config.CPU", "cpu_limit": "VM.Config.CPU", "cpu_units": "VM.Config.CPU",
	"memory": "VM.Config.Memory", "swap": "VM.Config.Memory",
	"network": "VM.Config.Network", "hostname": "VM.Config.Network", "dns": "VM.Config.Network",
	"disk": "VM.Config.Disk", "volume": "VM.Config.Disk", "bind": "VM.Config.Disk",
	"features": "VM.Allocate", "running": "VM.PowerMgmt", "node": "VM.Migrate",
}

// needs returns what Proxmox asks for before it carries out what a plan
// proposes.
func (c *checker) needs(proposal providers.Proposal) []need {
	switch proposal.Addr.Kind {
	case "backup_policy":
		return c.policyNeeds(proposal)
	case "template":
		return templateNeeds(proposal, c.isBefore(8, 1))
	case "app":
	default:
		return nil
	}
	n := needed{checker: c, proposal: proposal, guest: []string{"/vms/" + proposal.ID}}
	switch {
	case proposal.Delete:
		n.drop()
	case proposal.Create:
		if proposal.Prior != nil {
			n.drop()
		}
		n.create()
	default:
		n.update()
	}
	return n.all
}

// needed collects what one container needs.
type needed struct {
	*checker
	proposal providers.Proposal
	guest    []string // where privileges on it are given
	all      []need
}

func (n *needed) on(privilege string, paths ...string) {
	n.all = append(n.all, need{privilege, paths, true})
}

func (n *needed) onGuest(privileges ...string) {
	for _, privilege := range privileges {
		n.on(privilege, n.guest...)
	}
}

// drop: a container that runs is stopped first, and backup jobs that name it
// let it go.
func (n *needed) drop() {
	before := n.guest
	n.guest = []string{"/vms/" + priorID(n.proposal)}
	n.onGuest("VM.Audit", "VM.Allocate")
	if isTrue(n.proposal.Live, "running") {
		n.onGuest("VM.PowerMgmt")
	}
	n.guest = before
}

func (n *needed) create() {
	want := n.proposal.Want.Want
	pool := resource.Text(want, "pool")
	if pool != "" {
		n.guest = append(n.guest, "/pool/"+pool)
	}
	n.all = append(n.all, need{"VM.Audit", n.guest, false})
	n.onGuest("VM.Allocate", "VM.Config.Network", "VM.Config.Options") // a host name and notes are always set
	if clone := resource.Text(want, "clone"); clone != "" {
		for _, g := range n.sources(clone) {
			n.on("VM.Clone", "/vms/"+strconv.Itoa(g.ID))
		}
	} else {
		n.onGuest("VM.Config.Disk")
		n.origin(want)
		if isFalse(want, "unprivileged") && !n.isBefore(9, 0) {
			n.on("Sys.Modify", "/")
		}
	}
	for name, privilege := range configRights {
		if isSet(want, name) && name != "node" && name != "running" && name != "disk" {
			n.onGuest(privilege)
		}
	}
	if !isFalse(want, "running") {
		n.onGuest("VM.PowerMgmt")
	}
	for _, g := range n.growths(n.proposal) {
		if g.storage != "" {
			n.on("Datastore.AllocateSpace", "/storage/"+g.storage)
		}
	}
	for _, label := range sortedLabels(want, "network") {
		n.bridge(element(want, "network", label))
	}
}

// origin: the storage of the template has to be seen.
func (n *needed) origin(want cty.Value) {
	from, found := originOf(want)
	if !found {
		return
	}
	storage := templateStorage(want)
	if isVolumeID(from.spec) && from.attr == "template" {
		storage = storageOf(from.spec)
	}
	at := "/storage/" + storage
	if !n.answers.rights.has(at, "Datastore.AllocateSpace") {
		n.on("Datastore.Audit", at)
	}
}

// isSet reports whether an attribute or block asks for something.
func isSet(want cty.Value, name string) bool {
	v := unmarked(resource.Attribute(want, name))
	if v.IsNull() || !v.IsKnown() {
		return false
	}
	return v.Type().IsPrimitiveType() || v.LengthInt() > 0
}

// bridge: since Proxmox VE 8.0 bridges are given to people like everything else.
func (n *needed) bridge(nic cty.Value) {
	name := resource.Text(nic, "bridge")
	if name == "" || n.isBefore(8, 0) {
		return
	}
	paths := []string{"/sdn/zones/localnetwork/" + name}
	if vlan := numberText(resource.Attribute(nic, "vlan")); vlan != "" {
		paths = append(paths, paths[0]+"/"+vlan)
	}
	// A network of another zone has its privileges there, and which zone that is
	// nobody tells.
	_, isThere := n.answers.bridges[nodeOf(n.survey, n.proposal.Want)][name]
	n.all = append(n.all, need{"SDN.Use", paths, isThere})
}

// update adds up what each edit takes.
func (n *needed) update() {
	want := n.proposal.Want.Want
	if pool := resource.Text(n.proposal.Live, "pool"); pool != "" {
		n.guest = append(n.guest, "/pool/"+pool)
	}
	if slices.ContainsFunc(n.proposal.Edits, func(e resource.Edit) bool { return e.Effect != resource.Record }) {
		n.onGuest("VM.Audit")
	}
	for _, e := range n.proposal.Edits {
		if e.Effect == resource.Record {
			continue
		}
		if e.Effect == resource.Restart && resource.Text(want, "restart") != "manual" {
			n.onGuest("VM.PowerMgmt")
		}
		n.edit(e)
	}
	for _, g := range n.growths(n.proposal) {
		if g.storage != "" && !changes(n.proposal, "node") {
			n.on("Datastore.AllocateSpace", "/storage/"+g.storage)
		}
	}
}

func (n *needed) edit(e resource.Edit) {
	switch privilege := configRights[e.Path[0]]; {
	case e.Path[0] == "pool":
		for _, v := range []cty.Value{e.Old, e.New} {
			if pool := encode(v, ""); pool != "" {
				n.on("Pool.Allocate", "/pool/"+pool)
			}
		}
		n.onGuest("VM.Allocate")
	case e.Path[0] == "device" || e.Path[0] == "hook" || e.Path[0] == "bind" && !e.New.IsNull():
		// for root@pam only, which is said elsewhere
	case e.Effect == resource.Move:
		n.onGuest("VM.Config.Disk")
		if isTrue(n.proposal.Live, "running") {
			n.onGuest("VM.PowerMgmt")
		}
	case privilege != "":
		n.onGuest(privilege)
	default:
		n.onGuest("VM.Config.Options")
	}
	if e.Path[0] == "network" {
		for _, object := range []cty.Value{n.proposal.Live, n.proposal.Want.Want} {
			n.bridge(element(object, "network", e.Path[1]))
		}
	}
}

// policyNeeds: whoever writes backup jobs may do nearly everything.
func (c *checker) policyNeeds(proposal providers.Proposal) []need {
	all := []need{{"Sys.Audit", []string{"/"}, true}, {"Sys.Modify", []string{"/"}, true}}
	if proposal.Delete {
		return all
	}
	if storage := resource.Text(proposal.Want.Want, "storage"); storage != "" {
		all = append(all, need{"Datastore.Allocate", []string{"/storage/" + storage}, true})
	}
	if pool := resource.Text(proposal.Want.Want, "pool"); pool != "" {
		all = append(all, need{"VM.Backup", []string{"/pool/" + pool}, true})
	}
	return all
}

func templateNeeds(proposal providers.Proposal, isOld bool) []need {
	want := proposal.Want.Want
	all := []need{{"Datastore.AllocateTemplate", []string{"/storage/" + resource.Text(want, "storage")}, true}}
	if resource.Text(want, "image") != "" && !isOld {
		all = append(all, need{"Sys.AccessNetwork", []string{"/nodes/" + resource.Text(want, "node")}, true})
	}
	return all
}
