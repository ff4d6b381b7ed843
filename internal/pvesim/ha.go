package pvesim

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

func haHandlers() map[string]handler {
	const list, one = "/cluster/ha/resources", "/cluster/ha/resources/{sid}"
	return map[string]handler{
		"GET /cluster/ha":                index("subdir", "status", "resources", "groups", "rules"),
		"GET /cluster/ha/status":         index("name", "current", "manager_status"),
		"GET /cluster/ha/status/current": (*tx).haStatus,
		"GET " + list:                    (*tx).haList,
		"POST " + list:                   (*tx).haCreate,
		"GET " + one:                     (*tx).haShow,
		"PUT " + one:                     (*tx).haUpdate,
		"DELETE " + one:                  (*tx).haDelete,
		"POST " + one + "/migrate":       (*tx).haMigrate,
		"POST " + one + "/relocate":      (*tx).haMigrate,
		"GET /cluster/ha/rules":          func(*tx, *request) (any, error) { return []any{}, nil },
	}
}

// haResource is a guest that high availability looks after.
type haResource struct {
	SID    string // ct:100
	VMID   int
	Config map[string]string // state, comment, max_restart and so on

	Current string    // as the manager sees it; "" as long as it has not looked
	Target  string    // the node it is to go to; "": where it is
	Failed  int       // attempts in a row
	Worker  string    // the task that carries out what the manager decided
	Due     time.Time // when the manager looks again; zero: when something happens
}

// sidOf is the id of the resource that a request names, which may be a bare VMID.
func (x *tx) sidOf(text string) string {
	if g := x.guests.at(text); g != nil && g.Kind == "qemu" {
		return "vm:" + text
	}
	if _, err := strconv.Atoi(text); err == nil {
		return "ct:" + text
	}
	return text
}

// managed returns the resource of a guest that high availability starts and stops, nil for any other.
func (x *tx) managed(g *guest) *haResource {
	h := x.ha.at(x.sidOf(vmidKey(g.VMID)))
	if h == nil || h.Config["state"] == "ignored" {
		return nil
	}
	return h
}

// state is what the API says of a resource: what the manager sees, and what is wanted where that is news.
func (h *haResource) state(g *guest) string {
	want := h.Config["state"]
	switch {
	case want == "ignored":
		return "ignored"
	case g == nil:
		return "not found"
	case h.Current == "":
		return "queued"
	case h.Current == "stopped" && want == "started":
		return "starting"
	case h.Current == "stopped" && want == "disabled":
		return "disabled"
	case h.Current == "started" && want != "started":
		return "stopping"
	case h.Current == "started" && !g.Running:
		return "starting"
	}
	return h.Current
}

// haField is the field "ha" of a guest's status.
func (x *tx) haField(g *guest) map[string]any {
	h := x.ha.at(x.sidOf(vmidKey(g.VMID)))
	if h == nil {
		return map[string]any{"managed": 0}
	}
	field := map[string]any{"managed": 1, "state": h.state(g)}
	if group := h.Config["group"]; group != "" {
		field["group"] = group
	}
	return field
}

func (x *tx) haRow(h *haResource) map[string]any {
	kind, _, _ := strings.Cut(h.SID, ":")
	row := map[string]any{"sid": h.SID, "type": kind, "digest": x.haDigest()}
	for key, value := range h.Config {
		row[key] = typed(x.method("POST", "/cluster/ha/resources").Params[key], value)
	}
	return row
}

// haDigest stands for the checksum of the file that all resources stand in.
func (x *tx) haDigest() string {
	configs := map[string]map[string]string{}
	for _, h := range x.ha.rows {
		configs[h.SID] = h.Config
	}
	return fileDigest(configs)
}

func (x *tx) haList(c *request) (any, error) {
	rows := []map[string]any{}
	for _, h := range x.ha.all() {
		if kind := c.params.Str("type"); kind == "" || strings.HasPrefix(h.SID, kind+":") {
			rows = append(rows, x.haRow(h))
		}
	}
	return rows, nil
}

// haOf is the resource that the path names.
func (x *tx) haOf(c *request, prefix string) (*haResource, error) {
	sid := x.sidOf(c.params.Str("sid"))
	if h := x.ha.at(sid); h != nil {
		return h, nil
	}
	return nil, die("%sno such resource '%s'", prefix, sid)
}

func (x *tx) haShow(c *request) (any, error) {
	h, err := x.haOf(c, "")
	if err != nil {
		return nil, err
	}
	return x.haRow(h), nil
}

// noGroup is the error of a group that is named: since 9.0 there is no such thing.
func (x *tx) noGroup(c *request) error {
	switch {
	case !c.params.Has("group"):
		return nil
	case x.has(haRules):
		return die("invalid parameter 'group': ha groups have been migrated to rules")
	case x.haGroups.at(c.params.Str("group")) != nil:
		return nil
	}
	return die("ha group '%s' does not exist", c.params.Str("group"))
}

func (x *tx) haCreate(c *request) (any, error) {
	sid := x.sidOf(c.params.Str("sid"))
	_, name, _ := strings.Cut(sid, ":")
	vmid, err := strconv.Atoi(name)
	switch {
	case err != nil:
		return nil, die("unable to parse VMID '%s'", name)
	case x.guests.at(name) == nil:
		return nil, die("resource '%s' does not exist in cluster", sid)
	case x.noGroup(c) != nil:
		return nil, x.noGroup(c)
	case x.ha.at(sid) != nil:
		return nil, die("create resource failed: resource ID '%s' already defined", sid)
	}
	h := x.lookAfter(vmid, cmp.Or(c.params.Str("state"), "started"))
	h.set(c)
	return nil, nil
}

// lookAfter makes a guest a resource.
func (x *tx) lookAfter(vmid int, state string) *haResource {
	h := &haResource{SID: x.sidOf(vmidKey(vmid)), VMID: vmid, Config: map[string]string{"state": state}, Due: x.now.Add(haCycle)}
	x.ha.put(h.SID, h)
	return h
}

func (h *haResource) set(c *request) {
	for key, value := range c.params {
		switch {
		case key == "sid" || key == "type" || key == "delete" || key == "digest":
		case key == "state" && value == "enabled":
			h.Config[key] = "started"
		default:
			h.Config[key] = value
		}
	}
}

func (x *tx) haUpdate(c *request) (any, error) {
	h, err := x.haOf(c, "update resource failed: ")
	if err != nil {
		return nil, err
	}
	if err := x.noGroup(c); err != nil {
		return nil, err
	}
	if sent := c.params.Str("digest"); sent != "" && sent != x.haDigest() {
		return nil, die("update resource failed: detected modified configuration - file changed by other user? Try again.")
	}
	for _, key := range c.params.List("delete") {
		delete(h.Config, key)
	}
	h.Config["state"] = cmp.Or(h.Config["state"], "started")
	h.set(c)
	h.Failed = 0 // as after a change by hand it is tried again
	x.haSoon(h)
	return nil, nil
}

func (x *tx) haDelete(c *request) (any, error) {
	sid := x.sidOf(c.params.Str("sid"))
	if x.ha.at(sid) == nil {
		return nil, die("cannot delete service '%s', not HA managed!", sid)
	}
	x.ha.drop(sid)
	return nil, nil
}

func (x *tx) haMigrate(c *request) (any, error) {
	h, err := x.haOf(c, "")
	if err != nil {
		return nil, err
	}
	node := c.params.Str("node")
	if x.nodes.at(node) == nil {
		return nil, die("no such cluster node '%s'", node)
	}
	x.haMove(h, node)
	if !x.has(haRules) {
		return nil, nil
	}
	return map[string]any{"sid": h.SID, "requested-node": node}, nil
}

// haStatus is the overview of the manager.
func (x *tx) haStatus(*request) (any, error) {
	local := x.localNode()
	rows := []map[string]any{
		{"id": "quorum", "type": "quorum", "node": local, "status": "OK", "quorate": 1},
		{"id": "master", "type": "master", "node": local, "status": local + " (active)", "timestamp": x.now.Unix()},
	}
	for _, n := range x.nodes.all() {
		status := n.Name + " (active)"
		if n.Offline {
			status = n.Name + " (old timestamp - dead?)"
		}
		rows = append(rows, map[string]any{"id": "lrm:" + n.Name, "type": "lrm", "node": n.Name, "status": status, "timestamp": x.now.Unix()})
	}
	for _, h := range x.ha.all() {
		g := x.guests.at(vmidKey(h.VMID))
		row := map[string]any{"id": "service:" + h.SID, "type": "service", "sid": h.SID, "state": h.state(g), "request_state": h.Config["state"]}
		if g != nil {
			row["node"], row["status"] = g.Node, h.SID+" ("+g.Node+", "+h.state(g)+")"
		}
		if h.Current != "" {
			row["crm_state"] = h.Current
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// dropHA makes high availability forget a guest.
func (x *tx) dropHA(vmid int) {
	for _, sid := range slices.Sorted(maps.Keys(x.ha.rows)) {
		if x.ha.at(sid).VMID == vmid {
			x.ha.drop(sid)
		}
	}
}
