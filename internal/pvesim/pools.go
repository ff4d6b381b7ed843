package pvesim

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
)

func poolHandlers() map[string]handler {
	return map[string]handler{
		"GET /pools":             (*tx).poolList,
		"POST /pools":            (*tx).poolCreate,
		"PUT /pools":             (*tx).poolUpdate,
		"DELETE /pools":          (*tx).poolDelete,
		"GET /pools/{poolid}":    (*tx).poolShow,
		"PUT /pools/{poolid}":    (*tx).poolUpdate,
		"DELETE /pools/{poolid}": (*tx).poolDelete,
	}
}

func (p *pool) row() map[string]any {
	row := map[string]any{"poolid": p.ID}
	if p.Comment != "" {
		row["comment"] = p.Comment
	}
	return row
}

// poolList lists pools, or shows the one that is asked for with its members.
func (x *tx) poolList(c *request) (any, error) {
	if c.params.Has("poolid") {
		row, err := x.poolShow(c)
		return []any{row}, err
	}
	rows := []map[string]any{}
	for _, p := range x.pools.all() {
		if x.allowed(c.who, "/pool/"+p.ID, "Pool.Audit") {
			rows = append(rows, p.row())
		}
	}
	return rows, nil
}

func (x *tx) poolShow(c *request) (any, error) {
	id := c.params.Str("poolid")
	if err := x.check(c.who, "/pool/"+id, "Pool.Audit"); err != nil {
		return nil, err
	}
	p := x.pools.at(id)
	if p == nil {
		return nil, die("pool '%s' does not exist", id)
	}
	row := p.row()
	row["members"] = x.members(p, c.params.Str("type"))
	return row, nil
}

// members are the guests and storages of a pool that exist.
func (x *tx) members(p *pool, kind string) []map[string]any {
	rows := []map[string]any{}
	for _, vmid := range p.Guests {
		g := x.guests.at(vmidKey(vmid))
		if g == nil || kind != "" && kind != g.Kind {
			continue
		}
		row := x.guestResource(g, "")
		delete(row, "tags")
		delete(row, "lock")
		rows = append(rows, row)
	}
	for _, row := range x.storageResources(&identity{id: rootUser, user: rootUser}) {
		if id, ok := row["storage"].(string); ok && slices.Contains(p.Storages, id) && (kind == "" || kind == "storage") {
			rows = append(rows, row)
		}
	}
	return rows
}

func (x *tx) poolCreate(c *request) (any, error) {
	id := c.params.Str("poolid")
	if x.pools.at(id) != nil {
		return nil, die("create pool failed: pool '%s' already exists", id)
	}
	if i := strings.LastIndex(id, "/"); i >= 0 && x.pools.at(id[:i]) == nil {
		return nil, die("create pool failed: parent '%s' of pool '%s' does not exist", id[:i], id)
	}
	x.pools.put(id, &pool{ID: id, Comment: c.params.Str("comment")})
	return nil, nil
}

// poolUpdate changes the comment and adds or removes members. Members need not exist.
func (x *tx) poolUpdate(c *request) (any, error) {
	id := c.params.Str("poolid")
	p := x.pools.at(id)
	if p == nil {
		return nil, die("update pools failed: pool '%s' does not exist", id)
	}
	fresh := *p
	fresh.Guests, fresh.Storages = slices.Clone(p.Guests), slices.Clone(p.Storages)
	if err := x.changeMembers(c, &fresh); err != nil {
		return nil, die("update pools failed: %s", err.Error())
	}
	if c.params.Has("comment") {
		fresh.Comment = c.params.Str("comment")
	}
	if c.params.Bool("allow-move") && !c.params.Bool("delete") {
		x.leavePools(c.params.List("vms"))
	}
	x.pools.put(id, &fresh)
	return nil, nil
}

func (x *tx) changeMembers(c *request, p *pool) error {
	remove := c.params.Bool("delete")
	for _, text := range c.params.List("vms") {
		if err := x.changeGuest(c, p, text, remove); err != nil {
			return err
		}
	}
	for _, id := range c.params.List("storage") {
		member := slices.Index(p.Storages, id)
		if err := x.check(c.who, "/storage/"+id, "Datastore.Allocate"); err != nil {
			return err
		}
		switch {
		case remove && member < 0:
			return die("Storage '%s' is not a pool member", id)
		case remove:
			p.Storages = slices.Delete(p.Storages, member, member+1)
		case member >= 0:
			return die("Storage '%s' is already a pool member", id)
		default:
			p.Storages = append(p.Storages, id)
		}
	}
	return nil
}

func (x *tx) changeGuest(c *request, p *pool, text string, remove bool) error {
	if err := x.checkAny(c.who, "/vms/"+text, "Permissions.Modify", "VM.Allocate"); err != nil {
		return err
	}
	vmid, err := strconv.Atoi(text)
	if err != nil {
		return err
	}
	member := slices.Index(p.Guests, vmid)
	other := x.poolOfGuests()[vmid]
	switch {
	case remove && member < 0:
		return die("VM %s is not a pool member", text)
	case remove:
		p.Guests = slices.Delete(p.Guests, member, member+1)
	case member >= 0:
		return die("VM %s is already a pool member", text)
	case other != "" && !c.params.Bool("allow-move"):
		return die("VM %s belongs already to pool '%s' and 'allow-move' is not set", text, other)
	default:
		p.Guests = append(p.Guests, vmid)
		slices.Sort(p.Guests)
	}
	return nil
}

// leavePools takes guests out of all pools.
func (x *tx) leavePools(vmids []string) {
	for _, p := range x.pools.all() {
		rest := slices.DeleteFunc(slices.Clone(p.Guests), func(g int) bool { return slices.Contains(vmids, vmidKey(g)) })
		if len(rest) != len(p.Guests) {
			p.Guests = rest
			x.pools.touch(p.ID)
		}
	}
}

// joinPool makes a guest a member of a pool.
func (x *tx) joinPool(id string, vmid int) {
	p := x.pools.at(id)
	if p == nil || slices.Contains(p.Guests, vmid) {
		return
	}
	x.leavePools([]string{vmidKey(vmid)})
	p.Guests = append(p.Guests, vmid)
	slices.Sort(p.Guests)
	x.pools.touch(id)
}

func (x *tx) poolDelete(c *request) (any, error) {
	id := c.params.Str("poolid")
	p := x.pools.at(id)
	if p == nil {
		return nil, die("delete pool failed: pool '%s' does not exist", id)
	}
	if inside := cmp.Or(x.childOf(p), x.memberOf(p)); inside != "" {
		return nil, die("delete pool failed: pool '%s' is not empty (contains %s)", id, inside)
	}
	x.pools.drop(id)
	x.dropACL("/pool/" + id)
	return nil, nil
}

func (x *tx) childOf(p *pool) string {
	for _, other := range x.pools.all() {
		if strings.HasPrefix(other.ID, p.ID+"/") {
			return "pool '" + other.ID + "'"
		}
	}
	return ""
}

func (x *tx) memberOf(p *pool) string {
	for _, vmid := range p.Guests {
		if x.guests.at(vmidKey(vmid)) != nil {
			return "VM " + vmidKey(vmid)
		}
	}
	for _, id := range p.Storages {
		if x.storages.at(id) != nil {
			return "storage '" + id + "'"
		}
	}
	return ""
}
