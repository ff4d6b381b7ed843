package proxmox

import (
	"context"
	"maps"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

// rights are the privileges of the token or user by path, each with whether it
// holds below the path too. An entry of a path replaces those above it.
type rights map[string]map[string]pve.Bool

func (r rights) has(at, privilege string) bool {
	below, has := r.on(at)[privilege]
	return has && (bool(below) || r[at] != nil)
}

// on returns the privileges of the deepest entry on the way to a path.
func (r rights) on(at string) map[string]pve.Bool {
	for p := at; ; p = path.Dir(p) {
		if here, listed := r[p]; listed {
			return here
		}
		if p == "/" {
			return nil
		}
	}
}

// askRights reads what the token, or its user, may do. Everybody may ask it of
// himself; without an answer it is nil.
func (p *Provider) askRights(ctx context.Context, user string) rights {
	query := url.Values{}
	if user != "" {
		query.Set("userid", user)
	}
	var found rights
	if p.Client.Read(ctx, "/access/permissions", query, &found) != nil {
		return nil
	}
	return found
}

// askRoles reads which roles there are, with their privileges. Everybody may
// ask that too.
func (p *Provider) askRoles(ctx context.Context) map[string][]string {
	var rows []struct{ RoleID, Privs string }
	roles := map[string][]string{}
	if p.Client.Read(ctx, "/access/roles", nil, &rows) != nil {
		return roles
	}
	for _, r := range rows {
		roles[r.RoleID] = words(r.Privs)
	}
	return roles
}

// lacking returns the needs that the rights do not meet, each once, in order.
func (r rights) lacking(needs []need) []need {
	var all []need
	for _, n := range needs {
		if !slices.ContainsFunc(n.paths, func(at string) bool { return r.has(at, n.privilege) }) {
			all = append(all, n)
		}
	}
	slices.SortStableFunc(all, func(a, b need) int { return strings.Compare(a.String(), b.String()) })
	return slices.CompactFunc(all, func(a, b need) bool { return a.String() == b.String() })
}

// privileges tells which privileges the plan's steps miss: one error for all
// that Proxmox would surely refuse, one warning for the rest.
func (c *checker) privileges(proposals []providers.Proposal) {
	if c.answers.rights == nil {
		return
	}
	for _, sure := range []bool{true, false} {
		var missing []need
		var first providers.Proposal
		for _, proposal := range proposals {
			found := c.answers.rights.lacking(c.needs(proposal))
			found = slices.DeleteFunc(found, func(n need) bool { return n.sure != sure })
			if len(found) > 0 && len(missing) == 0 {
				first = proposal
			}
			missing = append(missing, found...)
		}
		if len(missing) > 0 {
			c.tellMissing(first, rights{}.lacking(missing), sure)
		}
	}
}

func (c *checker) tellMissing(first providers.Proposal, missing []need, sure bool) {
	var texts []string
	privileges := map[string][]string{}
	for _, n := range missing {
		at := strings.Join(n.paths, " or ")
		privileges[at] = append(privileges[at], n.privilege)
	}
	for _, at := range slices.Sorted(maps.Keys(privileges)) {
		texts = append(texts, strings.Join(privileges[at], " and ")+" on "+at)
	}
	rest := ""
	if len(texts) > 10 {
		texts, rest = texts[:10], "; and more"
	}
	say, outcome := c.warn, "may refuse some of it"
	if sure {
		say, outcome = c.err, "will refuse some of it"
	}
	say(first.Want.Where(nil), c.who+" lacks privileges for this plan",
		strings.Join(c.answers.grantee().commands(missing), "\n"),
		"host %q %s: %s", c.survey.Host, outcome, strings.Join(texts, "; ")+rest)
}

// ourRole is the role that the documentation makes.
const ourRole = "Proximity"

// grantee is who is to get privileges, with what he has by now.
type grantee struct {
	who   string              // the token or user
	has   rights              // of the token or user itself
	user  rights              // of a token's user; nil: not known, or it is no token
	roles map[string][]string // that there are; those that are made are added
}

// grantee asks for everything that is needed to write the commands. What a
// token's user may do the token may ask only where it may see access at all.
func (p *Provider) grantee(ctx context.Context, has rights) grantee {
	g := grantee{who: p.Client.Who(), has: has, roles: p.askRoles(ctx)}
	if user, _, isToken := strings.Cut(g.who, "!"); isToken {
		g.user = p.askRights(ctx, user)
	}
	return g
}

// commands returns what to type on a node so that the missing privileges are
// there. A role that is in force where they are missing is extended. Else roles
// are made: since an entry of a path replaces what holds from above, each has
// besides what is missing also what there is.
func (g grantee) commands(missing []need) []string {
	if len(missing) == 0 {
		return nil
	}
	if role := g.roles[ourRole]; len(role) > 0 && inForce(g.has, role, missing) {
		return []string{"pveum role modify " + ourRole + " --append 1 --privs " + strings.Join(privilegesOf(missing), ",")}
	}
	byPath := map[string][]need{}
	for _, n := range missing {
		at := grantPath(n, g.has)
		byPath[at] = append(byPath[at], n)
	}
	var lines []string
	made := map[string]string{} // by its privileges: the role that has them
	for _, at := range slices.Sorted(maps.Keys(byPath)) {
		user, _, isToken := strings.Cut(g.who, "!")
		if isToken {
			lines = append(lines, g.grant(at, byPath[at], g.has, made, "--tokens '"+g.who+"'")...)
		}
		switch {
		case !isToken:
			lines = append(lines, g.grant(at, byPath[at], g.has, made, "--users "+user)...)
		case g.user == nil:
			line := g.grant(at, byPath[at], g.has, made, "--users "+user)
			lines = append(lines, line[len(line)-1]+"  # unless the user has more than that there")
		case len(g.user.lacking(byPath[at])) > 0:
			lines = append(lines, g.grant(at, byPath[at], g.user, made, "--users "+user)...)
		}
	}
	return lines
}

// grant returns the lines that add what is missing on a path to what there is,
// with a role that was made already or a new one.
func (g grantee) grant(at string, missing []need, has rights, made map[string]string, to string) []string {
	privs := privilegesOf(missing)
	for name := range has.on(at) {
		privs = append(privs, name)
	}
	slices.Sort(privs)
	list := strings.Join(slices.Compact(privs), ",")
	var lines []string
	if made[list] == "" {
		made[list] = freeRole(at, g.roles)
		g.roles[made[list]] = privs
		lines = append(lines, "pveum role add "+made[list]+" --privs "+list)
	}
	return append(lines, "pveum acl modify "+at+" "+to+" --roles "+made[list])
}

// inForce reports whether a role seems to be given wherever something is
// missing: all its privileges are there.
func inForce(has rights, role []string, missing []need) bool {
	for _, n := range missing {
		if !slices.ContainsFunc(n.paths, func(at string) bool {
			return !slices.ContainsFunc(role, func(privilege string) bool { return !has.has(at, privilege) })
		}) {
			return false
		}
	}
	return true
}

func privilegesOf(needs []need) []string {
	var all []string
	for _, n := range needs {
		all = append(all, n.privilege)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// grantPath is where to grant what a need asks for. Entries of single guests go
// with them, so that all guests are meant, or the pool when it is one that the
// token already has something in.
func grantPath(n need, has rights) string {
	for _, at := range n.paths {
		if strings.HasPrefix(at, "/pool/") && has[at] != nil {
			return at
		}
	}
	switch at := n.paths[0]; {
	case strings.HasPrefix(at, "/vms/"):
		return "/vms"
	case strings.HasPrefix(at, "/sdn/"):
		return "/sdn/zones/localnetwork"
	default:
		return at
	}
}

// freeRole names a role after what it is for, with a number when that is taken.
func freeRole(at string, roles map[string][]string) string {
	area, _, _ := strings.Cut(strings.TrimPrefix(at, "/"), "/")
	base := ourRole + map[string]string{"": "Host", "vms": "Guests", "storage": "Storage", "sdn": "Network", "nodes": "Node", "pool": "Pool"}[area]
	name := base
	for n := 2; roles[name] != nil; n++ {
		name = base + strconv.Itoa(n)
	}
	return name
}
