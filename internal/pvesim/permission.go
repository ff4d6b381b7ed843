package pvesim

import (
	"maps"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// privileges are privileges on a path, with whether they also hold below it.
type privileges map[string]bool

// allowed reports whether the caller has all of the privileges on a path.
func (x *tx) allowed(who *identity, path string, privs ...string) bool {
	if who.user == rootUser && !who.privsep {
		return true
	}
	has := x.privileges(who, path)
	for _, p := range privs {
		if _, ok := has[p]; !ok {
			return false
		}
	}
	return true
}

// allowedAny reports whether the caller has one of the privileges on a path.
func (x *tx) allowedAny(who *identity, path string, privs ...string) bool {
	return slices.ContainsFunc(privs, func(p string) bool { return x.allowed(who, path, p) })
}

// check is allowed as an error.
func (x *tx) check(who *identity, path string, privs ...string) error {
	for _, p := range privs {
		if !x.allowed(who, path, p) {
			return forbidden("%s, %s", path, p)
		}
	}
	return nil
}

// checkAny is allowedAny as an error.
func (x *tx) checkAny(who *identity, path string, privs ...string) error {
	if x.allowedAny(who, path, privs...) {
		return nil
	}
	return forbidden("%s, %s", path, strings.Join(privs, "|"))
}

// privileges returns what the caller may do on a path. A token with privilege separation may do what both it and its
// user may; what a pool grants for its members counts too.
func (x *tx) privileges(who *identity, path string) privileges {
	if who.token == "" {
		return x.granted(who.user, path)
	}
	of := x.granted(who.user, path)
	if !who.privsep {
		return of
	}
	own := x.granted(who.id, path)
	maps.DeleteFunc(own, func(p string, _ bool) bool { _, ok := of[p]; return !ok })
	return own
}

// granted returns what the ACL grants a user or token by itself.
func (x *tx) granted(who, path string) privileges {
	if who == rootUser {
		all := privileges{}
		for _, p := range x.administrator() {
			all[p] = true
		}
		return all
	}
	roles := x.rolesOn(who, path)
	out := privileges{}
	for id, propagate := range roles {
		x.addRole(out, id, propagate)
	}
	if _, none := roles["NoAccess"]; none {
		return out
	}
	for _, p := range x.poolsOf(path) {
		for id, propagate := range x.rolesOn(who, "/pool/"+p) {
			if propagate {
				x.addRole(out, id, propagate)
			}
		}
	}
	return out
}

func (x *tx) addRole(to privileges, id string, propagate bool) {
	r := x.roles.at(id)
	if r == nil {
		return
	}
	for _, p := range r.Privs {
		to[p] = to[p] || propagate
	}
}

// poolsOf returns the pools that a guest's or storage's path belongs to.
func (x *tx) poolsOf(path string) []string {
	vmid, isGuest := strings.CutPrefix(path, "/vms/")
	id, isStorage := strings.CutPrefix(path, "/storage/")
	if !isGuest && !isStorage {
		return nil
	}
	var ids []string
	for _, p := range x.pools.all() {
		member := slices.ContainsFunc(p.Guests, func(g int) bool { return isGuest && vmidKey(g) == vmid })
		if member || isStorage && slices.Contains(p.Storages, id) {
			ids = append(ids, p.ID)
		}
	}
	return ids
}

// rolesOn returns the roles in force on a path and whether they propagate. From / downwards each level with entries
// replaces what stood above it; on one level entries of the user itself win over those of groups.
func (x *tx) rolesOn(who, path string) map[string]bool {
	roles := map[string]bool{}
	for _, level := range levels(path) {
		direct, byGroup := map[string]bool{}, map[string]bool{}
		for _, e := range x.acl.rows {
			if e.Path != level || !e.Propagate && level != path {
				continue
			}
			switch {
			case e.Kind != "group" && e.Who == who:
				direct[e.Role] = e.Propagate
			case e.Kind == "group" && x.inGroup(who, e.Who):
				byGroup[e.Role] = e.Propagate
			}
		}
		switch {
		case len(direct) > 0:
			roles = onlyNoAccess(direct)
		case len(byGroup) > 0:
			roles = onlyNoAccess(byGroup)
		}
	}
	return roles
}

// onlyNoAccess drops all other roles when NoAccess is among them.
func onlyNoAccess(roles map[string]bool) map[string]bool {
	if propagate, ok := roles["NoAccess"]; ok {
		return map[string]bool{"NoAccess": propagate}
	}
	return roles
}

func (x *tx) inGroup(who, group string) bool {
	u := x.users.at(who)
	return u != nil && slices.Contains(u.Groups, group)
}

// levels returns /, /a, /a/b for /a/b.
func levels(path string) []string {
	all := []string{"/"}
	for i := 1; i < len(path); i++ {
		if path[i] == '/' {
			all = append(all, path[:i])
		}
	}
	if path != "/" {
		all = append(all, path)
	}
	return all
}

// declared checks what the operation declares: it is decided before parameters are checked.
func (x *tx) declared(c *request) error {
	p := c.method.Permission
	switch {
	case p == nil && !c.who.isRoot():
		return forbidden("user != root@pam")
	case p == nil || p.User == "all" || p.User == "world" || p.Check == nil || c.who.isRoot():
		return nil
	}
	return x.meets(c, p.Check)
}

// meets decides one condition, nil when it holds.
func (x *tx) meets(c *request, k *schema.Check) error {
	if k.RequireParam != "" && c.raw[k.RequireParam] == nil {
		return forbidden("")
	}
	switch k.Kind {
	case schema.And:
		for _, part := range k.Of {
			if err := x.meets(c, part); err != nil {
				return err
			}
		}
		return nil
	case schema.Or:
		for _, part := range k.Of {
			if x.meets(c, part) == nil {
				return nil
			}
		}
		return forbidden("")
	case schema.Perm:
		return x.meetsPerm(c, k)
	case schema.PermModify:
		return x.meetsModify(c, expand(k.Path, c.raw))
	case schema.UserIDParam:
		return x.meetsUserParam(c, k)
	default:
		return x.meetsUserGroup(c, k)
	}
}

func (x *tx) meetsPerm(c *request, k *schema.Check) error {
	path := expand(k.Path, c.raw)
	if !validPath(path) && !c.who.isRoot() {
		return forbidden(", %s", strings.Join(k.Privs, "|"))
	}
	if k.Any {
		return x.checkAny(c.who, path, k.Privs...)
	}
	return x.check(c.who, path, k.Privs...)
}

// meetsModify holds when the caller may change access to a path.
func (x *tx) meetsModify(c *request, path string) error {
	instead := map[string]string{"storage": "Datastore.Allocate", "vms": "VM.Allocate", "pool": "Pool.Allocate"}
	top, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	privs := []string{"Permissions.Modify"}
	if p, ok := instead[top]; ok {
		privs = append(privs, p)
	}
	return x.checkAny(c.who, path, privs...)
}

// validPath reports whether a path can be one of the access tree; nobody has rights on any other.
func validPath(path string) bool {
	return !strings.ContainsFunc(path, func(r rune) bool {
		letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9'
		return !letter && !strings.ContainsRune("._/-", r)
	})
}

func (x *tx) meetsUserParam(c *request, k *schema.Check) error {
	id := param(c.raw, "userid")
	if k.Privs[0] == "self" {
		if id == c.who.user {
			return nil
		}
		return forbidden("")
	}
	_, realm, ok := strings.Cut(id, "@")
	if !ok {
		return die("value '%s' does not look like a valid user name", id)
	}
	return x.check(c.who, "/access/realm/"+realm, k.Privs...)
}

func (x *tx) meetsUserGroup(c *request, k *schema.Check) error {
	if x.allowedAny(c.who, "/access/groups", k.Privs...) {
		return nil
	}
	groups := schema.SplitList(param(c.raw, "groups"))
	if k.GroupsParam != "create" {
		if u := x.users.at(param(c.raw, "userid")); u != nil {
			groups = append(groups, u.Groups...)
		}
	}
	for _, g := range groups {
		if x.allowedAny(c.who, "/access/groups/"+g, k.Privs...) {
			return nil
		}
	}
	return forbidden("/access/groups, %s", strings.Join(k.Privs, ", "))
}

// expand replaces the placeholders in a path of the access tree.
func expand(path string, raw map[string]any) string {
	for {
		before, rest, found := strings.Cut(path, "{")
		if !found {
			return path
		}
		name, after, _ := strings.Cut(rest, "}")
		path = before + param(raw, name) + after
	}
}

// param is a raw parameter as text, "" when absent or no text.
func param(raw map[string]any, name string) string {
	text, _ := raw[name].(string) // absent is ""
	return text
}
