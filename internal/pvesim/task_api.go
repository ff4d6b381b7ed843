package pvesim

import (
	"cmp"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

func taskHandlers() map[string]handler {
	return map[string]handler{
		"GET /nodes/{node}/tasks":               (*tx).listTasks,
		"GET /nodes/{node}/tasks/{upid}":        index("name", "log", "status"),
		"GET /nodes/{node}/tasks/{upid}/status": (*tx).taskStatus,
		"GET /nodes/{node}/tasks/{upid}/log":    (*tx).taskLog,
		"DELETE /nodes/{node}/tasks/{upid}":     (*tx).stopTask,
	}
}

// upidText is what Proxmox takes for the id of a task.
var upidText = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^UPID:([a-zA-Z0-9][a-zA-Z0-9-]*):[0-9A-Fa-f]{8}:[0-9A-Fa-f]{8,9}:[0-9A-Fa-f]{8}:([^:\s]+):([^:\s]*):([^:\s]+):$`)
})

// row is a task as task lists and its status show it.
func (t *task) row() map[string]any {
	user, name := t.owner()
	row := map[string]any{
		"upid": t.UPID, "node": t.Node, "pid": t.PID, "pstart": t.PStart, "starttime": t.Start.Unix(), "type": t.Type,
		"id": t.ID, "user": user,
	}
	if name != "" {
		row["tokenid"] = name
	}
	return row
}

// findTask returns the task in the path; nil when Proxmox would not know it. The caller must be its owner or an auditor.
func (x *tx) findTask(c *request, priv string) (*task, error) {
	upid := c.params.Str("upid")
	parts := upidText().FindStringSubmatch(upid)
	if parts == nil {
		return nil, badParam("upid", "unable to parse worker upid")
	}
	if err := x.mayTouchTask(c, parts[4], priv); err != nil {
		return nil, err
	}
	t := x.tasks.at(upid)
	if t != nil && (t.Node != c.node || t.Lost) {
		return nil, nil
	}
	return t, nil
}

// mayTouchTask: a user may see its own tasks and those of its tokens, a token only its own.
func (x *tx) mayTouchTask(c *request, owner, priv string) error {
	user, _, _ := strings.Cut(owner, "!")
	if owner == c.who.id || c.who.token == "" && user == c.who.user {
		return nil
	}
	return x.check(c.who, "/nodes/"+c.node, priv)
}

func (x *tx) taskStatus(c *request) (any, error) {
	t, err := x.findTask(c, "Sys.Audit")
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, badParam("upid", "no such task")
	}
	row := t.row()
	row["status"] = "running"
	if t.ended() {
		row["status"], row["exitstatus"] = "stopped", t.Exit
	}
	return row, nil
}

func (x *tx) taskLog(c *request) (any, error) {
	t, err := x.findTask(c, "Sys.Audit")
	if err != nil {
		return nil, err
	}
	if c.params.Bool("download") {
		if c.params.Has("start") || c.params.Has("limit") {
			return nil, die("'download' cannot be used together with 'start' or 'limit' parameters")
		}
		return plainText(strings.Join(logLines(t), "\n") + "\n"), nil
	}
	lines := logLines(t)
	rows := []map[string]any{}
	start, limit := c.int("start"), c.params.Int("limit", 50)
	for i, line := range lines {
		if i >= start && (limit == 0 || i < start+limit) {
			rows = append(rows, map[string]any{"n": i + 1, "t": line})
		}
	}
	return listing{rows, len(lines)}, nil
}

// logLines is the log of a task, or what Proxmox shows in place of one.
func logLines(t *task) []string {
	switch {
	case t == nil:
		return []string{"unable to open file - No such file or directory"}
	case len(t.Log) == 0:
		return []string{"no content"}
	}
	return t.Log
}

// stopTask ends a running task; what it did is undone as far as the task itself would do that.
func (x *tx) stopTask(c *request) (any, error) {
	t, err := x.findTask(c, "Sys.Modify")
	if err != nil {
		return nil, err
	}
	if t == nil {
		return nil, badParam("upid", "no such task")
	}
	if !t.ended() {
		x.interrupt(t)
	}
	return nil, nil
}

// interrupt ends a task as a signal does.
func (x *tx) interrupt(t *task) { x.fail(t, errors.New(interruptedText(t))) }

// interruptedText is the error of a task that a signal ends.
func interruptedText(t *task) string {
	switch t.Type {
	case "vzclone":
		return "clone failed: interrupted by signal"
	case "vzdump":
		return "job errors"
	}
	return t.Doing + "received interrupt"
}

// listTasks lists tasks of a node, the newest first. Without source only ended ones show.
func (x *tx) listTasks(c *request) (any, error) {
	source := cmp.Or(c.params.Str("source"), "archive")
	all := []*task{}
	for _, t := range x.tasks.rows {
		show := !t.Lost && (source == "all" || t.ended() == (source == "archive"))
		if show && t.Node == c.node && x.mayTouchTask(c, t.User, "Sys.Audit") == nil && matchesTask(c.params, t) {
			all = append(all, t)
		}
	}
	// Running tasks come first, then those that ended last.
	slices.SortFunc(all, func(a, b *task) int {
		if a.ended() != b.ended() {
			return cmp.Compare(bit(a.ended()), bit(b.ended()))
		}
		return cmp.Or(b.End.Compare(a.End), cmp.Compare(b.Seq, a.Seq))
	})
	rows := []map[string]any{}
	start, limit := c.int("start"), c.params.Int("limit", 50)
	for i, t := range all {
		if i >= start && i < start+limit {
			rows = append(rows, listedTask(t))
		}
	}
	if len(all) == 0 {
		return rows, nil
	}
	return listing{rows, len(all)}, nil
}

func listedTask(t *task) map[string]any {
	row := t.row()
	if t.ended() {
		row["endtime"], row["status"] = t.End.Unix(), t.Exit
		return row
	}
	delete(row, "tokenid")
	row["user"], row["status"], row["saved"] = t.User, "RUNNING", "0"
	return row
}

func matchesTask(p schema.Values, t *task) bool {
	user, _ := t.owner()
	start := t.Start.Unix()
	switch {
	case p.Has("vmid") && t.ID != p.Str("vmid"),
		p.Has("typefilter") && t.Type != p.Str("typefilter"),
		p.Has("userfilter") && !strings.Contains(user, p.Str("userfilter")),
		p.Has("since") && start < int64(p.Int("since", 0)),
		p.Has("until") && start > int64(p.Int("until", 0)),
		p.Bool("errors") && t.verdict() == "ok",
		p.Has("statusfilter") && !slices.Contains(p.List("statusfilter"), t.verdict()):
		return false
	}
	return true
}

// verdict is the kind of a task's outcome, as status filters have it.
func (t *task) verdict() string {
	switch {
	case !t.ended():
		return "unknown"
	case t.Exit == "OK":
		return "ok"
	case strings.HasPrefix(t.Exit, "WARNINGS: "):
		return "warning"
	case t.Exit == "unexpected status":
		return "unknown"
	}
	return "error"
}

// clusterTasks lists running tasks and up to 25 recent ones of each node. A token sees none of its own: its name is cut off
// before the comparison.
func (x *tx) clusterTasks(c *request) (any, error) {
	all := x.tasks.all()
	slices.SortFunc(all, func(a, b *task) int { return cmp.Compare(b.Seq, a.Seq) })
	auditor := x.allowed(c.who, "/", "Sys.Audit")
	rows, perNode := []map[string]any{}, map[string]int{}
	for _, t := range all {
		if user, _ := t.owner(); t.Lost || !auditor && user != c.who.id {
			continue
		}
		row := t.row()
		delete(row, "pid")
		delete(row, "pstart")
		if t.ended() {
			if perNode[t.Node]++; perNode[t.Node] > 25 {
				continue
			}
			row["endtime"], row["status"], row["saved"] = t.End.Unix(), t.Exit, "1"
		}
		rows = append(rows, row)
	}
	return rows, nil
}
