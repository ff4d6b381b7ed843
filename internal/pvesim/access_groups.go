package pvesim

import (
	"slices"
	"strings"
)

func groupHandlers() map[string]handler {
	const group, role = "/access/groups/{groupid}", "/access/roles/{roleid}"
	return map[string]handler{
		"GET /access/groups":  (*tx).groupList,
		"POST /access/groups": (*tx).groupCreate,
		"GET " + group:        (*tx).groupShow,
		"PUT " + group:        (*tx).groupUpdate,
		"DELETE " + group:     (*tx).groupDelete,
		"GET /access/roles":   (*tx).roleList,
		"POST /access/roles":  (*tx).roleCreate,
		"GET " + role:         (*tx).roleShow,
		"PUT " + role:         (*tx).roleUpdate,
		"DELETE " + role:      (*tx).roleDelete,
	}
}

// membersOf are the users in a group.
func (x *tx) membersOf(group string) []string {
	members := []string{}
	for _, u := range x.users.all() {
		if slices.Contains(u.Groups, group) {
			members = append(members, u.ID)
		}
	}
	return members
}

func (x *tx) groupList(c *request) (any, error) {
	rows := []map[string]any{}
	for _, g := range x.groups.all() {
		if !x.allowedAny(c.who, "/access/groups/"+g.ID, "User.Modify", "Sys.Audit", "Group.Allocate") {
			continue
		}
		row := map[string]any{"groupid": g.ID, "users": strings.Join(x.membersOf(g.ID), ",")}
		if g.Comment != "" {
			row["comment"] = g.Comment
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (x *tx) groupCreate(c *request) (any, error) {
	id := c.params.Str("groupid")
	if x.groups.at(id) != nil {
		return nil, die("create group failed: group '%s' already exists", id)
	}
	x.groups.put(id, &group{ID: id, Comment: c.params.Str("comment")})
	return nil, nil
}

func (x *tx) groupShow(c *request) (any, error) {
	g := x.groups.at(c.params.Str("groupid"))
	if g == nil {
		return nil, die("group '%s' does not exist", c.params.Str("groupid"))
	}
	row := map[string]any{"members": x.membersOf(g.ID)}
	if g.Comment != "" {
		row["comment"] = g.Comment
	}
	return row, nil
}

func (x *tx) groupUpdate(c *request) (any, error) {
	g := x.groups.at(c.params.Str("groupid"))
	if g == nil {
		return nil, die("update group failed: group '%s' does not exist", c.params.Str("groupid"))
	}
	if c.params.Has("comment") {
		g.Comment = c.params.Str("comment")
		x.groups.touch(g.ID)
	}
	return nil, nil
}

func (x *tx) groupDelete(c *request) (any, error) {
	id := c.params.Str("groupid")
	if x.groups.at(id) == nil {
		return nil, die("delete group failed: group '%s' does not exist", id)
	}
	x.groups.drop(id)
	x.dropGrants(func(e *aclEntry) bool { return e.Kind == "group" && e.Who == id })
	for _, member := range x.membersOf(id) {
		u := x.users.at(member)
		u.Groups = slices.DeleteFunc(u.Groups, func(g string) bool { return g == id })
		x.users.touch(member)
	}
	return nil, nil
}

func (x *tx) isBuiltin(id string) bool {
	return slices.ContainsFunc(x.builtinRoles(), func(r *role) bool { return r.ID == id })
}

func (x *tx) roleList(*request) (any, error) {
	rows := []map[string]any{}
	for _, r := range x.roles.all() {
		privs := slices.Sorted(slices.Values(r.Privs))
		row := map[string]any{"roleid": r.ID, "privs": strings.Join(privs, ",")}
		if x.isBuiltin(r.ID) {
			row["special"] = 1
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (x *tx) roleCreate(c *request) (any, error) {
	id := c.params.Str("roleid")
	switch {
	case strings.HasPrefix(strings.ToUpper(id), "PVE"):
		return nil, badParam("roleid", "cannot use role ID starting with the (case-insensitive) 'PVE' namespace")
	case x.roles.at(id) != nil:
		return nil, die("create role failed: role '%s' already exists", id)
	}
	x.roles.put(id, &role{ID: id, Privs: c.params.List("privs")})
	return nil, nil
}

func (x *tx) roleShow(c *request) (any, error) {
	r := x.roles.at(c.params.Str("roleid"))
	if r == nil {
		return nil, die("role '%s' does not exist", c.params.Str("roleid"))
	}
	row := map[string]any{}
	for _, p := range r.Privs {
		row[p] = 1
	}
	return row, nil
}

func (x *tx) roleUpdate(c *request) (any, error) {
	id := c.params.Str("roleid")
	if x.isBuiltin(id) {
		return nil, die("auto-generated role '%s' cannot be modified", id)
	}
	r := x.roles.at(id)
	if r == nil {
		return nil, die("update role failed: role '%s' does not exist", id)
	}
	if !c.params.Bool("append") {
		r.Privs = nil
	}
	r.Privs = append(r.Privs, c.params.List("privs")...)
	slices.Sort(r.Privs)
	r.Privs = slices.Compact(r.Privs)
	x.roles.touch(id)
	return nil, nil
}

// roleDelete removes a role; entries that grant it are forgotten.
func (x *tx) roleDelete(c *request) (any, error) {
	id := c.params.Str("roleid")
	switch {
	case x.isBuiltin(id):
		return nil, die("auto-generated role '%s' cannot be deleted", id)
	case x.roles.at(id) == nil:
		return nil, die("delete role failed: role '%s' does not exist", id)
	}
	x.roles.drop(id)
	x.dropGrants(func(e *aclEntry) bool { return e.Role == id })
	return nil, nil
}
