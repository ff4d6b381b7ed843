package pvesim

import (
	"regexp"
	"strings"
	"sync"
)

// accessPath matches the paths that rights can be granted on.
var accessPath = sync.OnceValue(func() *regexp.Regexp {
	const part = `[A-Za-z0-9._-]+`
	return regexp.MustCompile(`^/(?:|access(?:/groups(?:/` + part + `)?|/realm(?:/` + part + `)?)?|mapping(?:/` + part + `){0,2}` +
		`|nodes(?:/` + part + `)?|pool(?:/` + part + `){0,3}|sdn(?:/` + part + `){0,5}|storage(?:/` + part + `)?` +
		`|vms(?:/[1-9][0-9]{2,})?)$`)
})

func (x *tx) aclList(c *request) (any, error) {
	rows := []map[string]any{}
	for _, e := range x.acl.all() {
		mayAudit := x.allowedAny(c.who, "/access", "Sys.Audit", "Permissions.Modify")
		if !mayAudit && !x.allowed(c.who, e.Path, "Permissions.Modify") {
			continue
		}
		rows = append(rows, map[string]any{
			"path": e.Path, "type": e.Kind, "ugid": e.Who, "roleid": e.Role, "propagate": bit(e.Propagate),
		})
	}
	return rows, nil
}

// aclUpdate grants or takes roles. Taking what is not there is fine.
func (x *tx) aclUpdate(c *request) (any, error) {
	path := "/" + strings.Trim(c.params.Str("path"), "/")
	if !accessPath().MatchString(path) {
		return nil, badParam("path", "invalid ACL path '%s'", c.params.Str("path"))
	}
	entries, err := x.aclEntries(c, path)
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		if x.roles.at(e.Role) == nil {
			return nil, die("ACL update failed: role '%s' does not exist", e.Role)
		}
	}
	for _, e := range entries {
		if x.acl.put(e.key(), e); c.params.Bool("delete") {
			x.acl.drop(e.key())
		}
	}
	return nil, nil
}

// aclEntries are the entries that a request names: each role for each user, group and token.
func (x *tx) aclEntries(c *request, path string) ([]*aclEntry, error) {
	propagate := !c.params.Has("propagate") || c.params.Bool("propagate")
	missing := map[string]string{}
	var entries []*aclEntry
	for _, kind := range []string{"user", "group", "token"} {
		missing[kind+"s"] = "either 'users', 'groups' or 'tokens' is required."
		for _, who := range c.params.List(kind + "s") {
			if err := x.grantable(kind, who); err != nil {
				return nil, die("ACL update failed: %s", err)
			}
			for _, role := range c.params.List("roles") {
				entries = append(entries, &aclEntry{Path: path, Kind: kind, Who: who, Role: role, Propagate: propagate})
			}
		}
	}
	if len(entries) == 0 {
		return nil, badParams(missing)
	}
	return entries, nil
}

// grantable is the error of a user, group or token that does not exist.
func (x *tx) grantable(kind, who string) error {
	switch {
	case kind == "user" && x.users.at(who) == nil:
		return die("user '%s' does not exist", who)
	case kind == "group" && x.groups.at(who) == nil:
		return die("group '%s' does not exist", who)
	case kind == "token" && x.tokens.at(who) == nil:
		user, name, _ := strings.Cut(who, "!")
		return die("no such token '%s' for user '%s'", name, user)
	}
	return nil
}

// permissions tells what the caller, or somebody else, may do: on one path, or on all that matter.
func (x *tx) permissions(c *request) (any, error) {
	who := c.who
	if id := c.params.Str("userid"); id != "" && id != who.id {
		user, name, _ := strings.Cut(id, "!")
		if user != c.who.user {
			if err := x.check(c.who, "/access", "Sys.Audit"); err != nil {
				return nil, err
			}
		}
		who = &identity{id: id, user: user, token: name}
		if t := x.tokens.at(id); t != nil {
			who.privsep = t.Privsep
		}
	}
	paths := []string{c.params.Str("path")}
	if paths[0] == "" {
		paths = x.pathsThatMatter()
	}
	all := map[string]map[string]int{}
	for _, path := range paths {
		row := map[string]int{}
		for priv, propagate := range x.privileges(who, path) {
			row[priv] = bit(propagate)
		}
		if len(row) > 0 {
			all[path] = row
		}
	}
	return all, nil
}

// pathsThatMatter are the roots of the access tree and every path with an entry or in a pool.
func (x *tx) pathsThatMatter() []string {
	paths := []string{"/", "/access", "/access/groups", "/nodes", "/pool", "/sdn", "/storage", "/vms"}
	for _, e := range x.acl.all() {
		paths = append(paths, e.Path)
	}
	for _, p := range x.pools.all() {
		for _, vmid := range p.Guests {
			paths = append(paths, "/vms/"+vmidKey(vmid))
		}
		for _, id := range p.Storages {
			paths = append(paths, "/storage/"+id)
		}
	}
	return paths
}
