package pvesim

import (
	"maps"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

func accessHandlers() map[string]handler {
	const user, tokens, acl = "/access/users/{userid}", "/access/users/{userid}/token", "/access/acl"
	all := map[string]handler{
		"GET /access/users":               (*tx).userList,
		"POST /access/users":              (*tx).userCreate,
		"GET " + user:                     (*tx).userShow,
		"PUT " + user:                     (*tx).userUpdate,
		"DELETE " + user:                  (*tx).userDelete,
		"GET " + tokens:                   (*tx).tokenList,
		"GET " + tokens + "/{tokenid}":    (*tx).tokenShow,
		"POST " + tokens + "/{tokenid}":   (*tx).tokenCreate,
		"PUT " + tokens + "/{tokenid}":    (*tx).tokenUpdate,
		"DELETE " + tokens + "/{tokenid}": (*tx).tokenDelete,
		"GET " + acl:                      (*tx).aclList,
		"PUT " + acl:                      (*tx).aclUpdate,
		"GET /access/permissions":         (*tx).permissions,
		"PUT /access/password":            (*tx).changePassword,
	}
	maps.Copy(all, groupHandlers())
	return all
}

// row is a user as lists show it.
func (u *user) row() map[string]any {
	row := map[string]any{"enable": bit(u.Enabled), "expire": u.Expire}
	for key, value := range u.Fields {
		row[key] = value
	}
	return row
}

// tokensOf are the tokens of a user as the API shows them, nil for none.
func (x *tx) tokensOf(id string) any {
	var rows []map[string]any
	for _, t := range x.tokens.all() {
		if t.User == id {
			row := t.row()
			row["tokenid"] = t.ID
			rows = append(rows, row)
		}
	}
	if rows == nil {
		return nil
	}
	return rows
}

func (t *token) row() map[string]any {
	row := map[string]any{"privsep": bit(t.Privsep), "expire": t.Expire}
	if t.Comment != "" {
		row["comment"] = t.Comment
	}
	return row
}

func (x *tx) userList(c *request) (any, error) {
	rows := []map[string]any{}
	for _, u := range x.users.all() {
		mine := u.ID == c.who.user || x.allowedAny(c.who, "/access/groups", "User.Modify", "Sys.Audit")
		if !mine || c.params.Has("enabled") && c.params.Bool("enabled") != u.Enabled {
			continue
		}
		row := u.row()
		row["userid"] = u.ID
		if _, realm, _ := strings.Cut(u.ID, "@"); realm == "pam" || realm == "pve" {
			row["realm-type"] = realm
		}
		if c.params.Bool("full") {
			row["groups"], row["tokens"] = strings.Join(u.Groups, ","), x.tokensOf(u.ID)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// userOf is the user that the path names.
func (x *tx) userOf(c *request) (*user, error) {
	id := c.params.Str("userid")
	if u := x.users.at(id); u != nil {
		return u, nil
	}
	return nil, die("no such user ('%s')", id)
}

func (x *tx) userShow(c *request) (any, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	row := u.row()
	row["groups"], row["tokens"] = append([]string{}, u.Groups...), x.tokensOf(u.ID)
	return row, nil
}

func (x *tx) userCreate(c *request) (any, error) {
	id := c.params.Str("userid")
	if x.users.at(id) != nil {
		return nil, die("create user failed: user '%s' already exists", id)
	}
	if err := x.groupsExist(c); err != nil {
		return nil, die("create user failed: %s", err)
	}
	u := &user{ID: id, Enabled: true, Fields: map[string]string{}}
	u.set(c.params)
	if c.params.Has("password") {
		u.Password = hashPassword(c.params.Str("password"))
	}
	x.users.put(id, u)
	return nil, nil
}

func (x *tx) groupsExist(c *request) error {
	for _, id := range c.params.List("groups") {
		if x.groups.at(id) == nil {
			return die("no such group '%s'", id)
		}
	}
	return nil
}

// set takes over what a request says about a user.
func (u *user) set(params schema.Values) {
	for key, value := range params {
		switch key {
		case "enable":
			u.Enabled = value == "1"
		case "expire":
			u.Expire = int64(params.Int(key, 0))
		case "comment", "email", "firstname", "lastname", "keys":
			setOrDelete(u.Fields, key, value)
		case "groups":
			if !params.Bool("append") {
				u.Groups = nil
			}
			u.Groups = append(u.Groups, schema.SplitList(value)...)
			slices.Sort(u.Groups)
			u.Groups = slices.Compact(u.Groups)
		}
	}
}

func (x *tx) userUpdate(c *request) (any, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	if err := x.groupsExist(c); err != nil {
		return nil, die("update user failed: %s", err)
	}
	u.set(c.params)
	x.users.touch(u.ID)
	return nil, nil
}

// userDelete removes a user with its tokens and all ACL entries of both.
func (x *tx) userDelete(c *request) (any, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	x.users.drop(u.ID)
	x.dropGrants(func(e *aclEntry) bool { return e.Kind == "user" && e.Who == u.ID })
	for _, t := range x.tokens.all() {
		if t.User == u.ID {
			x.dropToken(t)
		}
	}
	return nil, nil
}

func (x *tx) dropToken(t *token) {
	x.tokens.drop(t.full())
	x.dropGrants(func(e *aclEntry) bool { return e.Kind == "token" && e.Who == t.full() })
}

// dropGrants removes the ACL entries that are of a kind.
func (x *tx) dropGrants(which func(*aclEntry) bool) {
	for _, e := range x.acl.all() {
		if which(e) {
			x.acl.drop(e.key())
		}
	}
}

func (x *tx) changePassword(c *request) (any, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	u.Password = hashPassword(c.params.Str("password"))
	x.users.touch(u.ID)
	return nil, nil
}

func (x *tx) tokenList(c *request) (any, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	if rows := x.tokensOf(u.ID); rows != nil {
		return rows, nil
	}
	return []any{}, nil
}

// tokenOf is the token that the path names.
func (x *tx) tokenOf(c *request) (*token, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	if t := x.tokens.at(u.ID + "!" + c.params.Str("tokenid")); t != nil {
		return t, nil
	}
	return nil, die("no such token '%s' for user '%s'", c.params.Str("tokenid"), u.ID)
}

func (x *tx) tokenShow(c *request) (any, error) {
	t, err := x.tokenOf(c)
	if err != nil {
		return nil, err
	}
	return t.row(), nil
}

// tokenCreate makes a token. Its secret is answered this once; switches come back as strings.
func (x *tx) tokenCreate(c *request) (any, error) {
	u, err := x.userOf(c)
	if err != nil {
		return nil, err
	}
	t := &token{User: u.ID, ID: c.params.Str("tokenid"), Privsep: true, Expire: u.Expire, Secret: x.newUUID()}
	if x.tokens.at(t.full()) != nil {
		return nil, badParam("tokenid", "Token already exists.")
	}
	t.set(c.params)
	info := map[string]any{"privsep": "1"}
	for _, key := range []string{"privsep", "expire", "comment"} {
		if c.params.Has(key) {
			info[key] = c.params.Str(key)
		}
	}
	x.tokens.put(t.full(), t)
	return map[string]any{"full-tokenid": t.full(), "info": info, "value": t.Secret}, nil
}

func (t *token) set(params schema.Values) {
	if params.Has("privsep") {
		t.Privsep = params.Bool("privsep")
	}
	t.Expire = int64(params.Int("expire", int(t.Expire)))
	if params.Has("comment") {
		t.Comment = params.Str("comment")
	}
}

func (x *tx) tokenUpdate(c *request) (any, error) {
	t, err := x.tokenOf(c)
	if err != nil {
		return nil, err
	}
	if slices.Contains(c.params.List("delete"), "comment") {
		t.Comment = ""
	}
	t.set(c.params)
	x.tokens.touch(t.full())
	return t.row(), nil
}

func (x *tx) tokenDelete(c *request) (any, error) {
	t, err := x.tokenOf(c)
	if err != nil {
		return nil, err
	}
	x.dropToken(t)
	return nil, nil
}
