package pvesim

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

func pruneHandlers() map[string]handler {
	const at = "/nodes/{node}/storage/{storage}/prunebackups"
	return map[string]handler{"GET " + at: (*tx).pruneList, "DELETE " + at: (*tx).prune}
}

func pruneEffects() map[string]effect {
	return map[string]effect{"prune": effectOf((*tx).pruneNow)}
}

// retention says how many backups are kept, by rule: last, hourly, daily, weekly, monthly, yearly. Without any number above
// zero all are kept.
type retention map[string]int

// parseRetention reads what the schema has checked.
func parseRetention(text string) retention {
	keep := retention{}
	for item := range strings.SplitSeq(text, ",") {
		key, value, _ := strings.Cut(strings.TrimSpace(item), "=")
		rule, ok := strings.CutPrefix(key, "keep-")
		n, err := strconv.Atoi(value)
		if ok && err == nil && rule != "all" && n > 0 {
			keep[rule] = n
		}
	}
	return keep
}

// rules are the rules in the order in which they are applied, each with the name of the period that a time lies in.
func rules() []struct {
	name   string
	period func(time.Time) string
} {
	layout := func(l string) func(time.Time) string { return func(t time.Time) string { return t.Format(l) } }
	return []struct {
		name   string
		period func(time.Time) string
	}{
		{"last", layout(time.RFC3339Nano)},
		{"hourly", layout("2006-01-02 15")},
		{"daily", layout("2006-01-02")},
		{"weekly", func(t time.Time) string { year, week := t.ISOWeek(); return fmt.Sprintf("%d/%d", year, week) }},
		{"monthly", layout("2006-01")},
		{"yearly", layout("2006")},
	}
}

// Marks of backups.
const (
	markKeep      = "keep"
	markRemove    = "remove"
	markProtected = "protected"
	markRenamed   = "renamed" // a name that no backup run makes: never removed
)

// mark decides about the backups of one guest, newest first. Each rule keeps the newest backup of so many periods, and
// leaves out periods that a rule before it has covered.
func (keep retention) mark(times []time.Time) []string {
	marks := make([]string, len(times))
	if len(keep) == 0 {
		for i := range marks {
			marks[i] = markKeep
		}
		return marks
	}
	for _, rule := range rules() {
		keep.apply(rule.name, rule.period, times, marks)
	}
	for i, m := range marks {
		marks[i] = cmp.Or(m, markRemove)
	}
	return marks
}

func (keep retention) apply(rule string, period func(time.Time) string, times []time.Time, marks []string) {
	covered := map[string]bool{}
	for i, m := range marks {
		if m == markKeep {
			covered[period(times[i])] = true
		}
	}
	mine := map[string]bool{}
	for i, at := range times {
		p := period(at)
		if marks[i] != "" || covered[p] {
			continue
		}
		if !mine[p] && len(mine) >= keep[rule] {
			return
		}
		if mine[p] {
			marks[i] = markRemove
			continue
		}
		mine[p] = true
		marks[i] = markKeep
	}
}

// verdict is a backup with its mark.
type verdict struct {
	volume *volume
	kind   string
	mark   string
}

// judge marks the backups of a storage: those of a kind of guest or of one guest when asked.
func (x *tx) judge(s *storage, node string, keep retention, kind string, vmid int) []verdict {
	groups := map[string][]verdict{}
	var others []verdict
	for _, v := range x.volumesOn(s, node) {
		of := guestKind(v)
		if v.Content != "backup" || kind != "" && kind != of || vmid != 0 && vmid != v.VMID {
			continue
		}
		switch {
		case v.Protected:
			others = append(others, verdict{v, of, markProtected})
		case !archiveName().MatchString(strings.TrimPrefix(v.Name, "backup/")):
			others = append(others, verdict{v, of, markRenamed})
		default:
			group := of + "/" + vmidKey(v.VMID)
			groups[group] = append(groups[group], verdict{v, of, ""})
		}
	}
	for _, group := range groups {
		others = append(others, keep.judge(group)...)
	}
	slices.SortFunc(others, func(a, b verdict) int { return a.volume.Created.Compare(b.volume.Created) })
	return others
}

func (keep retention) judge(group []verdict) []verdict {
	slices.SortFunc(group, func(a, b verdict) int { return b.volume.Created.Compare(a.volume.Created) })
	times := make([]time.Time, len(group))
	for i, b := range group {
		times[i] = b.volume.Created
	}
	for i, mark := range keep.mark(times) {
		group[i].mark = mark
	}
	return group
}

// guestKind is lxc or qemu, after the name of a backup.
func guestKind(v *volume) string {
	if m := archiveName().FindStringSubmatch(strings.TrimPrefix(v.Name, "backup/")); m != nil {
		return m[1]
	}
	return "unknown"
}

// retentionOf is what a request or else the storage says, an error when neither does.
func retentionOf(s *storage, asked string, isAsked bool) (retention, error) {
	if isAsked {
		return parseRetention(asked), nil
	}
	if text, ok := s.Options["prune-backups"]; ok {
		return parseRetention(text), nil
	}
	return nil, die("no prune-backups options configured for storage '%s'", s.ID)
}

func (x *tx) pruneList(c *request) (any, error) {
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	if err != nil {
		return nil, err
	}
	keep, err := retentionOf(s, c.params.Str("prune-backups"), c.params.Has("prune-backups"))
	switch {
	case err != nil:
		return nil, err
	case !s.holds("backup"):
		return nil, die("storage '%s' does not support backups", s.ID)
	}
	rows := []map[string]any{}
	for _, b := range x.judge(s, c.node, keep, c.params.Str("type"), c.params.Int("vmid", 0)) {
		row := map[string]any{"volid": b.volume.id(), "ctime": b.volume.Created.Unix(), "mark": b.mark, "type": b.kind}
		if b.volume.VMID != 0 {
			row["vmid"] = b.volume.VMID
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// pruning is what a task is to prune.
type pruning struct {
	Storage string
	Keep    string
	Asked   bool // Keep was sent
	Kind    string
	VMID    int
}

func (x *tx) prune(c *request) (any, error) {
	what := pruning{
		Storage: c.params.Str("storage"), Keep: c.params.Str("prune-backups"), Asked: c.params.Has("prune-backups"),
		Kind: c.params.Str("type"), VMID: c.params.Int("vmid", 0),
	}
	id, at := what.Storage, "/storage/"+what.Storage
	err := x.check(c.who, at, "Datastore.Allocate")
	if what.VMID != 0 {
		id = vmidKey(what.VMID) + "@" + id
		err = cmp.Or(x.check(c.who, at, "Datastore.AllocateSpace"), x.check(c.who, "/vms/"+vmidKey(what.VMID), "VM.Backup"))
	}
	if err != nil {
		return nil, err
	}
	return x.spawn(c, "prunebackups", id, call("prune", what).after(seconds(0.1))), nil
}

func (x *tx) pruneNow(t *task, what pruning) error {
	s, err := x.storageFor(what.Storage, t.Node)
	if err != nil {
		return err
	}
	keep, err := retentionOf(s, what.Keep, what.Asked)
	if err != nil {
		return err
	}
	for _, b := range x.judge(s, t.Node, keep, what.Kind, what.VMID) {
		if b.mark == markRemove {
			t.logf("removing backup '%s'", b.volume.id())
			x.dropVolume(b.volume)
		}
	}
	return nil
}
