package faultschedule

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// problems collects what is not as it has to be.
type problems []error

func (p *problems) add(format string, args ...any) { *p = append(*p, fmt.Errorf(format, args...)) }

// settled brings a calm cluster to what is wanted: at most two runs, then a plan
// with nothing to do.
func (l *lab) settled() error {
	var last error
	for run := 1; run <= 3; run++ {
		p, err := l.converge(context.Background(), nil)
		if p == nil {
			return fmt.Errorf("run %d after the last fault: %w", run, err)
		}
		if err == nil && p.Steps.Len() == 0 {
			if len(p.Diagnostics) > 0 {
				return fmt.Errorf("the last plan is not sure of all:\n  %s", describe(p))
			}
			return nil
		}
		last = errors.Join(fmt.Errorf("run %d after the last fault had something to do:\n  %s", run, describe(p)), err)
	}
	return last
}

// check holds the world against the configuration, by what the simulator says
// of itself.
func (l *lab) check() error {
	world := l.idle()
	st, err := state.Read(context.Background(), l.store, state.Options{Kinds: kinds})
	if err != nil {
		return err
	}
	var p problems
	if len(st.Open) > 0 {
		p.add("%d steps are still open", len(st.Open))
	}
	p = append(p, l.strangers(world)...)
	ours := l.ours(&p, world, st.Lineage)
	for a, w := range l.want {
		switch g, there := ours[a]; {
		case a.Kind == "backup_policy":
			p = append(p, l.checkPolicy(world, st, a, w)...)
		case !there:
			p.add("%s is not there", a)
		default:
			for _, wrong := range differences(w.set, afterStart(g)) {
				p.add("%s (%d): %s", a, g.VMID, wrong)
			}
		}
	}
	for key, v := range world.Volumes { // a create or move that dies with its node leaves its volumes
		if _, there := world.Guests[v.VMID]; v.Content == "rootdir" && !there && l.chaos.tally["node down"] == 0 {
			p.add("volume %s is of no guest", key)
		}
	}
	return errors.Join(p...)
}

// ours finds the guests with our marker: each address once, and none that is
// not wanted.
func (l *lab) ours(p *problems, world pvesim.World, lineage string) map[addr.Addr]pvesim.Guest {
	found := map[addr.Addr]pvesim.Guest{}
	for _, id := range slices.Sorted(maps.Keys(world.Guests)) {
		g := world.Guests[id]
		_, marker := resource.Split(g.Config["description"])
		if g.Config["description"] == "" && g.Config["lock"] != "" {
			p.add("%d was left half made or half removed: %v", id, g.Config)
		}
		if marker.Lineage != lineage {
			continue
		}
		if other, twice := found[marker.Addr]; twice {
			p.add("%s is there twice: %d and %d", marker.Addr, other.VMID, id)
		}
		if _, wanted := l.want[marker.Addr]; !wanted {
			p.add("%s (%d) is left over", marker.Addr, id)
		}
		if lock := g.Config["lock"]; lock != "" {
			p.add("%s (%d) is locked: %s", marker.Addr, id, lock)
		}
		found[marker.Addr] = g
	}
	return found
}

// strangers must be as they were, to the byte. They do not run any more when
// their node was down.
func (l *lab) strangers(world pvesim.World) (p problems) {
	for id, g := range l.before.Guests {
		now := world.Guests[id]
		if l.chaos.tally["node down"] > 0 {
			g.Running = now.Running
		}
		if !reflect.DeepEqual(now, g) {
			p.add("foreign guest %d was touched: %v instead of %v", id, now, g)
		}
	}
	for id, g := range world.Guests {
		_, seeded := l.before.Guests[id]
		_, marker := resource.Split(g.Config["description"])
		isBare := g.Config["description"] == "" && g.Config["lock"] != "" // just being made or removed
		if seeded || marker.Lineage != "" || isBare {
			continue
		}
		config := strangerGuest(id, g.Node).Config
		delete(config, "rootfs")
		if !maps.Equal(config, g.Config) || g.Running || g.Pool != "" || len(g.Pending)+len(g.Snaps) > 0 {
			p.add("foreign guest %d was touched: %v", id, g)
		}
	}
	if !maps.Equal(l.before.Jobs["theirs"], world.Jobs["theirs"]) || !slices.Equal(l.before.Pools["theirs"], world.Pools["theirs"]) {
		p.add("the foreign job or pool was touched: %v, %v", world.Jobs["theirs"], world.Pools["theirs"])
	}
	return p
}

// afterStart is a container as it will be once it is started: one that died with
// its node has what waited for a stop still waiting.
func afterStart(g pvesim.Guest) pvesim.Guest {
	if g.Running {
		return g
	}
	g.Config = maps.Clone(g.Config)
	for key, value := range g.Pending {
		if g.Config[key] = value; value == "" {
			delete(g.Config, key)
		}
	}
	g.Pending = nil
	return g
}

// differences compares a container with what was wanted of it.
func differences(want values, g pvesim.Guest) (wrong []string) {
	is := func(what, now, wanted string) {
		if now != wanted {
			wrong = append(wrong, fmt.Sprintf("%s is %q instead of %q", what, now, wanted))
		}
	}
	object := cty.ObjectVal(want)
	text := func(name string) string { return resource.Text(object, name) }
	is("node", g.Node, text("node"))
	is("running", fmt.Sprint(g.Running), fmt.Sprint(want["running"].True()))
	is("memory", g.Config["memory"], fmt.Sprint(number(want["memory"])>>20))
	is("pool", g.Pool, text("pool"))
	is("timezone", g.Config["timezone"], text("timezone"))
	if text("hostname") != "" {
		is("hostname", g.Config["hostname"], text("hostname"))
	}
	if v, ok := want["cores"]; ok {
		is("cores", g.Config["cores"], fmt.Sprint(number(v)))
	}
	notes, _ := resource.Split(g.Config["description"])
	is("notes", notes, text("description"))
	is("waiting changes", fmt.Sprint(len(g.Pending)), "0")
	is("disk", mount(g.Config["rootfs"]), mountWanted(want["disk"]))
	for label, wanted := range elements(want["volume"]) {
		is("volume "+label, volumeAt(g, resource.Text(wanted, "path")), mountWanted(wanted))
	}
	is("volumes", fmt.Sprint(count(g, "mp")), fmt.Sprint(len(elements(want["volume"]))))
	for label, wanted := range elements(want["network"]) {
		is("network "+label, networkNamed(g, label), fmt.Sprint(resource.Text(wanted, "bridge"), " ", resource.Text(wanted, "ip")))
	}
	is("networks", fmt.Sprint(count(g, "net")), fmt.Sprint(len(elements(want["network"]))))
	return wrong
}

func number(v cty.Value) int64 {
	n, _ := v.AsBigFloat().Int64()
	return n
}

func elements(v cty.Value) map[string]cty.Value {
	if v == cty.NilVal {
		return nil
	}
	return v.AsValueMap()
}

// mount writes the storage and size of a line.
func mount(line string) string {
	l := pve.ParseLine(line, "volume")
	storage, _, _ := strings.Cut(l.Value("volume"), ":")
	return storage + " " + l.Value("size")
}

func mountWanted(v cty.Value) string {
	return fmt.Sprintf("%s %dG", resource.Text(v, "storage"), number(v.GetAttr("size"))>>30)
}

func volumeAt(g pvesim.Guest, path string) string {
	for key, line := range g.Config {
		if isSlot(key, "mp") && pve.ParseLine(line, "volume").Value("mp") == path {
			return mount(line)
		}
	}
	return ""
}

func networkNamed(g pvesim.Guest, name string) string {
	for key, line := range g.Config {
		if l := pve.ParseLine(line, "name"); isSlot(key, "net") && l.Value("name") == name {
			return l.Value("bridge") + " " + l.Value("ip")
		}
	}
	return ""
}

func isSlot(key, word string) bool {
	digits, found := strings.CutPrefix(key, word)
	_, err := strconv.Atoi(digits)
	return found && err == nil
}

func count(g pvesim.Guest, word string) (n int) {
	for key := range g.Config {
		if isSlot(key, word) {
			n++
		}
	}
	return n
}

// checkPolicy compares a backup job with its policy. A policy without guests
// has none.
func (l *lab) checkPolicy(world pvesim.World, st *state.State, a addr.Addr, w wish) (p problems) {
	id := st.Objects[a].ID
	job, there := world.Jobs[id]
	if there == (len(w.covers) == 0) {
		p.add("%s: its job %q is there: %t, and it covers %d apps", a, id, there, len(w.covers))
	}
	if !there {
		return p
	}
	var want []string
	for _, app := range w.covers {
		want = append(want, st.Objects[app].ID)
	}
	have := strings.Split(job["vmid"], ",")
	slices.Sort(want)
	slices.Sort(have)
	if !slices.Equal(want, have) || job["schedule"] != w.set["schedule"].AsString() || job["mode"] != w.set["mode"].AsString() {
		p.add("%s: the job is %v, and it covers %v", a, job, want)
	}
	return p
}
