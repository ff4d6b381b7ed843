package proxmox

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/resource"
)

// Inspection is what a host is like, as far as a plan for it depends on that.
type Inspection struct {
	Survey   resource.Survey
	Lacks    []string            // what the release cannot do, and from which on it can
	Bridges  map[string][]string // by node; a node that does not say has no entry
	Missing  []Privilege         // that are always needed; On tells where they are missing
	Optional []Privilege         // that only some things need
	Commands []string            // which grant what is missing, to be run on a node
	More     []string            // which grant the optional ones
	Problems []string            // what has to be put right, the missing privileges left out
}

// Inspect looks at a host as such. What it must not see shows as missing
// privileges; the error is for a host that does not answer.
func (p *Provider) Inspect(ctx context.Context) (Inspection, error) {
	all, err := p.list(ctx)
	if err != nil {
		return Inspection{}, err
	}
	version, err := p.Client.Version(ctx)
	if err != nil {
		return Inspection{}, err
	}
	found := Inspection{Survey: all.survey(p.Host, version.Text, p.Range), Bridges: map[string][]string{}}
	for _, l := range lacks {
		if !version.AtLeast(l.major, l.minor) {
			found.Lacks = append(found.Lacks, fmt.Sprintf("%s (since %d.%d)", l.what, l.major, l.minor))
		}
	}
	for _, node := range found.Survey.Nodes {
		if !node.Online {
			found.Problems = append(found.Problems, fmt.Sprintf("node %q is offline", node.Name))
			continue
		}
		if bridges := p.askBridges(ctx, node.Name); bridges != nil {
			found.Bridges[node.Name] = slices.Sorted(maps.Keys(bridges))
		}
	}
	found.Problems = append(found.Problems, storageProblems(found.Survey)...)
	if !version.AtLeast(7, 4) {
		found.Problems = append(found.Problems, fmt.Sprintf("Proxmox VE %s is older than 7.4, which is the oldest that is known here", version.Text))
	}
	if !p.Client.IsRoot() {
		p.inspectRights(ctx, &found)
	}
	return found, nil
}

// lacks are the differences between releases that people meet.
var lacks = []struct {
	what         string
	major, minor int
}{
	{"device blocks", 8, 1},
	{"addresses that DHCP gave to running containers", 8, 1},
	{"notification_mode of backup policies", 8, 1},
	{"a change of pool", 8, 1},
	{"deny_write of devices", 8, 3},
	{"new devices without a restart", 9, 0},
	{"images, env and entrypoint", 9, 1},
}

func storageProblems(s resource.Survey) []string {
	var problems []string
	holds := map[string]bool{}
	for _, storage := range s.Storages {
		node := s.Node(storage.Node)
		if node == nil || !node.Online {
			continue
		}
		if !storage.Active {
			problems = append(problems, fmt.Sprintf("storage %q is not available on node %q", storage.Name, storage.Node))
			continue
		}
		for _, content := range storage.Content {
			holds[content] = true
		}
	}
	for _, need := range []struct{ content, what string }{{"rootdir", "disks of containers"}, {"vztmpl", "templates"}} {
		if !holds[need.content] {
			problems = append(problems, fmt.Sprintf("no storage that can be seen holds %s (content %s)", need.what, need.content))
		}
	}
	return problems
}

// inspectRights compares what the token may do with the role that suffices for
// everything.
func (p *Provider) inspectRights(ctx context.Context, found *Inspection) {
	has := p.askRights(ctx, "")
	if has == nil {
		found.Problems = append(found.Problems, "the host does not tell what the token may do")
		return
	}
	var missing, optional []need
	for _, privilege := range Role() {
		if privilege.Name == "SDN.Use" && olderThan(found.Survey.Version, 8, 0) {
			continue // bridges are free for all
		}
		if privilege.Name == "Sys.AccessNetwork" && olderThan(found.Survey.Version, 9, 1) {
			continue // no images, for which alone it is needed
		}
		var lacking []need
		for _, at := range privilege.neededOn(storagesFor(privilege.Name, found.Survey), nodeNames(found.Survey)) {
			lacking = append(lacking, need{privilege: privilege.Name, paths: has.alternatives(at)})
		}
		lacking = has.lacking(lacking)
		if len(lacking) == 0 {
			continue
		}
		var where []string
		for _, n := range lacking {
			where = append(where, n.paths[0])
		}
		privilege.On = strings.Join(where, ", ")
		if privilege.Unless == "" {
			missing, found.Missing = append(missing, lacking...), append(found.Missing, privilege)
		} else {
			optional, found.Optional = append(optional, lacking...), append(found.Optional, privilege)
		}
	}
	if len(missing)+len(optional) == 0 {
		return
	}
	g := p.grantee(ctx, has)
	found.Commands, found.More = g.commands(missing), g.commands(optional)
}

// alternatives are the paths that may give what is needed on one: privileges on
// guests also come from pools, those on bridges from single ones.
func (r rights) alternatives(at string) []string {
	below := map[string]string{"/vms": "/pool/", "/pool": "/pool/", "/sdn/zones/localnetwork": "/sdn/zones/"}[at]
	paths := []string{at}
	for _, path := range slices.Sorted(maps.Keys(r)) {
		if below != "" && strings.HasPrefix(path, below) && path != at {
			paths = append(paths, path)
		}
	}
	return paths
}

// storagesFor returns the storages that a privilege matters on.
func storagesFor(privilege string, s resource.Survey) []string {
	content := map[string]string{
		"Datastore.AllocateSpace": "rootdir", "Datastore.AllocateTemplate": "vztmpl", "Datastore.Allocate": "backup",
	}[privilege]
	var names []string
	for _, storage := range s.Storages {
		if content == "" || slices.Contains(storage.Content, content) {
			names = append(names, storage.Name)
		}
	}
	return names
}

func nodeNames(s resource.Survey) []string {
	var names []string
	for _, n := range s.Nodes {
		names = append(names, n.Name)
	}
	return names
}
