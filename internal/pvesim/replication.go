package pvesim

import (
	"slices"
	"strconv"
	"strings"
)

func replicationHandlers() map[string]handler {
	return map[string]handler{
		"GET /cluster/replication":         (*tx).replicationList,
		"POST /cluster/replication":        (*tx).replicationCreate,
		"GET /cluster/replication/{id}":    (*tx).replicationShow,
		"DELETE /cluster/replication/{id}": (*tx).replicationDelete,
	}
}

// replication is a job that copies the volumes of a guest to another node. It is only there to be in the way: nothing is
// copied.
type replication struct {
	ID     string // <vmid>-<number>
	Config map[string]string
}

func (r *replication) vmid() string {
	vmid, _, _ := strings.Cut(r.ID, "-")
	return vmid
}

func (x *tx) replicationRow(r *replication) map[string]any {
	row := map[string]any{"id": r.ID, "type": "local", "jobnum": 0}
	if n, err := strconv.Atoi(r.vmid()); err == nil {
		row["guest"] = n
	}
	for key, value := range r.Config {
		row[key] = typed(x.method("POST", "/cluster/replication").Params[key], value)
	}
	return row
}

func (x *tx) replicationList(c *request) (any, error) {
	rows := []map[string]any{}
	for _, r := range x.replications.all() {
		if x.allowed(c.who, "/vms/"+r.vmid(), "VM.Audit") {
			rows = append(rows, x.replicationRow(r))
		}
	}
	return rows, nil
}

// mayReplicate wants the right to change the jobs of a guest.
func (x *tx) mayReplicate(c *request, vmid string) error {
	if !slices.Contains(x.administrator(), "VM.Replicate") {
		return x.check(c.who, "/storage", "Datastore.Allocate")
	}
	return x.check(c.who, "/vms/"+vmid, "VM.Replicate")
}

func (x *tx) replicationCreate(c *request) (any, error) {
	r := &replication{ID: c.params.Str("id"), Config: map[string]string{}}
	if err := x.mayReplicate(c, r.vmid()); err != nil {
		return nil, err
	}
	if x.replications.at(r.ID) != nil {
		return nil, die("replication job '%s' already exists", r.ID)
	}
	for key, value := range c.params {
		if key != "id" && key != "type" {
			r.Config[key] = value
		}
	}
	x.replications.put(r.ID, r)
	return nil, nil
}

func (x *tx) replicationShow(c *request) (any, error) {
	r := x.replications.at(c.params.Str("id"))
	if r == nil {
		return nil, die("no such replication job '%s'", c.params.Str("id"))
	}
	if err := x.check(c.who, "/vms/"+r.vmid(), "VM.Audit"); err != nil {
		return nil, err
	}
	return x.replicationRow(r), nil
}

func (x *tx) replicationDelete(c *request) (any, error) {
	id := c.params.Str("id")
	vmid, _, _ := strings.Cut(id, "-")
	if err := x.mayReplicate(c, vmid); err != nil {
		return nil, err
	}
	if x.replications.at(id) == nil {
		return nil, die("no such replication job '%s'", id)
	}
	x.replications.drop(id)
	return nil, nil
}

// replicationsOf are the jobs of a guest.
func (x *tx) replicationsOf(vmid int) []*replication {
	return slices.DeleteFunc(x.replications.all(), func(r *replication) bool { return r.vmid() != vmidKey(vmid) })
}

// tied is the error of a guest that other parts of the cluster refer to, which a delete without purge leaves alone.
func (x *tx) tied(g *guest) error {
	if x.ha.at(x.sidOf(vmidKey(g.VMID))) != nil {
		return die("unable to remove CT %d - used in HA resources and purge parameter not set.", g.VMID)
	}
	for _, r := range x.replicationsOf(g.VMID) {
		return die("There is a replication job '%s' for guest '%d' - Please remove that first.", r.ID, g.VMID)
	}
	return nil
}
