package proxmox

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// rights are the privileges of the token or user by path, each with whether it
// holds below the path too. An entry of a path replaces those above it.
type rights map[string]map[string]pve.Bool

func (r rights) has(at, privilege string) bool {
	for p := at; ; p = path.Dir(p) {
		if here, listed := r[p]; listed {
			below, has := here[privilege]
			return has && (p == at || bool(below))
		}
		if p == "/" {
			return false
		}
	}
}

// learnRights reads what the token may do, for Precheck. Everybody may ask it
// of himself; without an answer nothing is checked.
func (p *Provider) learnRights(ctx context.Context) {
	var found rights
	if p.Client.Read(ctx, "/access/permissions", nil, &found) == nil {
		p.rights.Store(&found)
	}
}

// rightsOf tells which privileges new things would miss. It only warns: what
// counts is what Proxmox says to the request itself.
func (c *checker) rightsOf(all []providers.Proposal) {
	if c.rights == nil {
		return
	}
	var missing []string
	var first *hcl.Range
	for _, proposal := range all {
		for _, need := range neededRights(proposal) {
			if slices.ContainsFunc(need.paths, func(at string) bool { return c.rights.has(at, need.privilege) }) {
				continue
			}
			if first == nil {
				first = proposal.Want.Where(nil)
			}
			missing = append(missing, need.privilege+" on "+strings.Join(need.paths, " or "))
		}
	}
	if len(missing) == 0 {
		return
	}
	slices.Sort(missing)
	missing = slices.Compact(missing)
	rest := ""
	if len(missing) > 10 {
		missing, rest = missing[:10], ", and more"
	}
	c.warn(first, "the token lacks privileges for this plan",
		"grant them to the token, and to its user too where privileges are separated",
		"host %q will refuse some of it: %s", c.survey.Host, strings.Join(missing, ", ")+rest)
}

// need is a privilege that one of some paths has to give.
type need struct {
	privilege string
	paths     []string
}

// neededRights returns what Proxmox asks for before it makes something.
func neededRights(proposal providers.Proposal) []need {
	want := proposal.Want.Want
	switch {
	case proposal.Want.Addr.Kind == "backup_policy":
		return []need{{"Sys.Modify", []string{"/"}}}
	case !proposal.Create:
		return nil
	case proposal.Want.Addr.Kind == "template":
		return []need{{"Datastore.AllocateTemplate", []string{"/storage/" + resource.Text(want, "storage")}}}
	}
	guest := []string{"/vms/" + proposal.ID}
	if pool := resource.Text(want, "pool"); pool != "" {
		guest = append(guest, "/pool/"+pool)
	}
	var all []need
	for _, privilege := range []string{"VM.Allocate", "VM.Audit", "VM.Config.Disk", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options"} {
		all = append(all, need{privilege, guest})
	}
	if !isFalse(want, "running") {
		all = append(all, need{"VM.PowerMgmt", guest})
	}
	for _, v := range volumesOf(proposal) {
		if v.storage != "" {
			all = append(all, need{"Datastore.AllocateSpace", []string{"/storage/" + v.storage}})
		}
	}
	return all
}
