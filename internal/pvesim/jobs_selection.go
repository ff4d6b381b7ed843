package pvesim

import (
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// selected are the VMIDs that a job or a run means, those of guests that do not exist among them.
func (x *tx) selected(config map[string]string) []int {
	var vmids []int
	switch {
	case config["pool"] != "":
		if p := x.pools.at(config["pool"]); p != nil {
			vmids = slices.Clone(p.Guests)
		}
	case config["vmid"] != "":
		vmids = numbers(config["vmid"])
	case config["all"] == "1":
		for _, g := range x.guestsByID() {
			vmids = append(vmids, g.VMID)
		}
	}
	left := numbers(config["exclude"])
	vmids = slices.DeleteFunc(vmids, func(id int) bool { return slices.Contains(left, id) })
	slices.Sort(vmids)
	return slices.Compact(vmids)
}

func numbers(list string) []int {
	var all []int
	for _, text := range schema.SplitList(list) {
		if n, err := strconv.Atoi(text); err == nil {
			all = append(all, n)
		}
	}
	return all
}

// jobVolumes tells of each volume of each guest of a job whether it is backed up, and why.
func (x *tx) jobVolumes(c *request) (any, error) {
	j, err := x.job(c)
	if err != nil {
		return nil, err
	}
	children := []map[string]any{}
	for _, vmid := range x.selected(j.Config) {
		g := x.guests.at(vmidKey(vmid))
		switch {
		case g == nil:
			children = append(children, map[string]any{"id": vmid, "type": "unknown", "leaf": 1})
		case j.Config["node"] == "" || j.Config["node"] == g.Node:
			children = append(children, map[string]any{
				"id": vmid, "type": g.Kind, "name": g.name(), "leaf": 0, "children": included(g),
			})
		}
	}
	return map[string]any{"children": children}, nil
}

func included(g *guest) []map[string]any {
	rows := []map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(g.Config)) {
		if !isDisk(key) && (g.Kind == "lxc" || !isQemuDisk(key)) || strings.HasPrefix(key, "unused") {
			continue
		}
		volid, _, _ := strings.Cut(g.Config[key], ",")
		reason := g.inclusion(key)
		rows = append(rows, map[string]any{
			"id": vmidKey(g.VMID) + ":" + key, "name": volid, "leaf": 1, "reason": reason,
			"included": bit(reason == "rootfs" || reason == "enabled"),
		})
	}
	return rows
}

// inclusion says why a disk is part of backups or not: rootfs and enabled are.
func (g *guest) inclusion(key string) string {
	volid, options, _ := strings.Cut(g.Config[key], ",")
	switch {
	case g.Kind == "qemu":
		return "enabled"
	case key == "rootfs":
		return "rootfs"
	case strings.HasPrefix(volid, "/"):
		return "not a volume"
	case slices.ContainsFunc(strings.Split(options, ","), func(o string) bool {
		name, value, _ := strings.Cut(o, "=")
		return name == "backup" && truth(value)
	}):
		return "enabled"
	}
	return "disabled"
}

// notBackedUp are the guests that no job takes; a disabled job counts.
func (x *tx) notBackedUp(c *request) (any, error) {
	taken := map[int]bool{}
	for _, j := range x.jobs.all() {
		for _, vmid := range x.selected(j.Config) {
			taken[vmid] = true
		}
	}
	rows := []map[string]any{}
	for _, g := range x.guestsByID() {
		if !taken[g.VMID] && x.allowed(c.who, "/vms/"+vmidKey(g.VMID), "VM.Audit") {
			rows = append(rows, map[string]any{"vmid": g.VMID, "type": g.Kind, "name": g.name()})
		}
	}
	return rows, nil
}

func (x *tx) analyzeSchedule(c *request) (any, error) {
	event, err := parseCalendar(c.params.Str("schedule"))
	if err != nil {
		return nil, badParam("schedule", "%s", err)
	}
	at := x.now
	if c.params.Has("starttime") {
		at = time.Unix(int64(c.params.Int("starttime", 0)), 0)
	}
	rows := []map[string]any{}
	for range c.params.Int("iterations", 10) {
		if at = event.next(at); at.IsZero() {
			break
		}
		rows = append(rows, map[string]any{"timestamp": at.Unix(), "utc": at.Format(time.ANSIC)})
	}
	return rows, nil
}
