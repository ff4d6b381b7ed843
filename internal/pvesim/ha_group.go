package pvesim

import "github.com/proximity-cli/proximity/internal/pvesim/schema"

func haGroupHandlers() map[string]handler {
	const list, one = "/cluster/ha/groups", "/cluster/ha/groups/{group}"
	return map[string]handler{
		"GET " + list:   (*tx).haGroupList,
		"POST " + list:  (*tx).haGroupCreate,
		"GET " + one:    (*tx).haGroupShow,
		"PUT " + one:    (*tx).haGroupUpdate,
		"DELETE " + one: (*tx).haGroupDelete,
	}
}

// haGroup is a set of nodes that resources may be bound to, until 9.0. Here it can be named, and binds nothing.
type haGroup struct {
	ID     string
	Config map[string]string
}

func (x *tx) haGroupRow(g *haGroup) map[string]any {
	row := map[string]any{"group": g.ID, "type": "group"}
	for key, value := range g.Config {
		row[key] = typed(x.method("POST", "/cluster/ha/groups").Params[key], value)
	}
	return row
}

func (g *haGroup) set(values schema.Values) {
	for key, value := range values {
		switch key {
		case "group", "type", "delete", "digest":
		default:
			g.Config[key] = value
		}
	}
	for _, key := range values.List("delete") {
		delete(g.Config, key)
	}
}

func (x *tx) haGroupList(*request) (any, error) {
	rows := []map[string]any{}
	for _, g := range x.haGroups.all() {
		rows = append(rows, x.haGroupRow(g))
	}
	return rows, nil
}

// haGroupOf is the group that the path names.
func (x *tx) haGroupOf(c *request) (*haGroup, error) {
	id := c.params.Str("group")
	if g := x.haGroups.at(id); g != nil {
		return g, nil
	}
	return nil, die("no such ha group '%s'", id)
}

func (x *tx) haGroupShow(c *request) (any, error) {
	g, err := x.haGroupOf(c)
	if err != nil {
		return nil, err
	}
	return x.haGroupRow(g), nil
}

func (x *tx) haGroupCreate(c *request) (any, error) {
	id := c.params.Str("group")
	switch {
	case x.has(haRules):
		return nil, die("cannot create group: ha groups have been migrated to rules")
	case x.haGroups.at(id) != nil:
		return nil, die("create ha group failed: ha group ID '%s' already defined", id)
	}
	g := &haGroup{ID: id, Config: map[string]string{}}
	g.set(c.params)
	x.haGroups.put(id, g)
	return nil, nil
}

func (x *tx) haGroupUpdate(c *request) (any, error) {
	g, err := x.haGroupOf(c)
	if err != nil {
		return nil, err
	}
	g.set(c.params)
	x.haGroups.touch(g.ID)
	return nil, nil
}

func (x *tx) haGroupDelete(c *request) (any, error) {
	g, err := x.haGroupOf(c)
	if err != nil {
		return nil, err
	}
	for _, h := range x.ha.all() {
		if h.Config["group"] == g.ID {
			return nil, die("ha group '%s' is used by service '%s'", g.ID, h.SID)
		}
	}
	x.haGroups.drop(g.ID)
	return nil, nil
}
