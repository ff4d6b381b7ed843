package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// wanted is a configuration that is drawn, and then changed again and again.
type wanted struct {
	apps     map[string]*wantedApp
	policies map[string][]string // apps by policy
	secrets  bool                // there is one, which is made once
	value    string              // of the secret, as it was first seen
}

type wantedApp struct {
	instances    int // 0: it has no count
	node         string
	storage      string
	memory, disk int // MiB, GiB
	timezone     string
	secret       bool // it is told the secret
	running      bool
	volumes      map[string]int // GiB by name
}

var wantedNodes = []string{"pve1", "pve2", "pve3"}

func newWanted() *wanted {
	return &wanted{apps: map[string]*wantedApp{}, policies: map[string][]string{}}
}

// draw draws the first configuration.
func (w *wanted) draw(r *rand.Rand) {
	for range 2 + r.IntN(3) {
		w.change(r)
	}
}

// change draws something else to be wanted, which always gives a plan something
// to do.
func (w *wanted) change(r *rand.Rand) {
	names := slices.Sorted(maps.Keys(w.apps))
	if n := r.IntN(12); n < 4 || len(names) == 0 {
		w.add(r)
	} else {
		w.changeApp(r, n, names[r.IntN(len(names))])
	}
	for _, policy := range []string{"nightly", "weekly"} {
		if r.IntN(4) > 0 {
			continue
		}
		delete(w.policies, policy)
		for name := range w.apps {
			if r.IntN(2) == 0 {
				w.policies[policy] = append(w.policies[policy], name)
			}
		}
		slices.Sort(w.policies[policy])
	}
}

func (w *wanted) add(r *rand.Rand) {
	name := fmt.Sprintf("a%d", r.IntN(1000))
	w.apps[name] = &wantedApp{
		instances: max(0, r.IntN(5)-2), node: wantedNodes[r.IntN(3)], storage: []string{"local-lvm", "nvme"}[r.IntN(2)],
		memory: 64 * (1 + r.IntN(8)), disk: 1 + r.IntN(3), running: r.IntN(4) > 0, volumes: map[string]int{},
		secret: r.IntN(2) == 0 && w.secrets,
	}
	for _, volume := range []string{"data", "logs"} {
		if r.IntN(3) == 0 {
			w.apps[name].volumes[volume] = 1
		}
	}
}

func (w *wanted) changeApp(r *rand.Rand, what int, name string) {
	a := w.apps[name]
	switch what {
	case 4:
		a.memory += 64
	case 5:
		a.disk++
	case 6:
		a.node = wantedNodes[(slices.Index(wantedNodes, a.node)+1)%3]
	case 7:
		a.storage = map[string]string{"nvme": "local-lvm", "local-lvm": "nvme"}[a.storage]
	case 8:
		a.timezone = map[string]string{"": "UTC", "UTC": "Europe/Berlin", "Europe/Berlin": ""}[a.timezone]
	case 9:
		a.running = !a.running
	case 10:
		if a.volumes["data"]++; r.IntN(2) == 0 {
			delete(a.volumes, "data")
			a.disk++
		}
	default:
		delete(w.apps, name)
		for policy, apps := range w.policies {
			w.policies[policy] = slices.DeleteFunc(apps, func(n string) bool { return n == name })
		}
	}
}

// hcl writes it down.
func (w *wanted) hcl() string {
	var b strings.Builder
	b.WriteString("host \"pve\" {\n  endpoint = \"sim:\"\n  defaults { bridge = \"vmbr0\" }\n}\n")
	if w.secrets {
		b.WriteString("secret \"shared\" { length = 24 }\n")
	}
	for _, name := range slices.Sorted(maps.Keys(w.apps)) {
		a := w.apps[name]
		fmt.Fprintf(&b, "app %q {\n  host = host.pve\n  node = %q\n  template = \"debian-13-standard\"\n  template_storage = \"local\"\n", name, a.node)
		fmt.Fprintf(&b, "  memory = \"%dMiB\"\n  running = %t\n  disk {\n    size = \"%dGiB\"\n    storage = %q\n  }\n", a.memory, a.running, a.disk, a.storage)
		if a.instances > 0 {
			fmt.Fprintf(&b, "  count = %d\n", a.instances)
		}
		if a.secret {
			b.WriteString("  env = { TOKEN = secret.shared.value }\n")
		}
		if a.timezone != "" {
			fmt.Fprintf(&b, "  timezone = %q\n", a.timezone)
		}
		for _, volume := range slices.Sorted(maps.Keys(a.volumes)) {
			fmt.Fprintf(&b, "  volume %q {\n    path = \"/srv/%s\"\n    size = \"%dGiB\"\n    storage = %q\n    on_remove = \"destroy\"\n  }\n",
				volume, volume, a.volumes[volume], a.storage)
		}
		b.WriteString("}\n")
	}
	for _, policy := range slices.Sorted(maps.Keys(w.policies)) {
		if apps := w.policies[policy]; len(apps) > 0 {
			fmt.Fprintf(&b, "backup_policy %q {\n  host = host.pve\n  schedule = \"02:30\"\n  storage = \"backup\"\n  enabled = false\n  apps = [app.%s]\n}\n",
				policy, strings.Join(apps, ", app."))
		}
	}
	return b.String()
}

// addresses returns the apps by the addresses of their instances.
func (w *wanted) addresses() map[string]*wantedApp {
	all := map[string]*wantedApp{}
	for name, a := range w.apps {
		if a.instances == 0 {
			all["app."+name] = a
		}
		for i := range a.instances {
			all[fmt.Sprintf("app.%s[%d]", name, i)] = a
		}
	}
	return all
}

// against says how a cluster differs from what is wanted, and from what others
// had on it before.
func (w *wanted) against(now, before pvesim.World, l *toll) (wrong []string) {
	found, c := map[string]pvesim.Guest{}, count(now)
	wrong = append(wrong, c.strays...)
	l.orphans.Add(int64(len(c.strays)))
	want := w.addresses()
	for id, g := range now.Guests {
		address := addressOf(g.Config["description"])
		switch _, twice := found[address]; {
		case address == "":
			if !reflect.DeepEqual(g, before.Guests[id]) {
				wrong = append(wrong, fmt.Sprintf("guest %d is somebody else's and was touched: %v", id, g))
			}
			continue
		case twice:
			l.duplicates.Add(1)
			wrong = append(wrong, address+" is there twice")
		case want[address] == nil:
			l.orphans.Add(1)
			wrong = append(wrong, fmt.Sprintf("%s (%d) is left over", address, id))
		}
		found[address] = g
	}
	for address, a := range want {
		if g, there := found[address]; !there {
			wrong = append(wrong, address+" is lost")
		} else if not := a.differs(g); not != "" {
			wrong = append(wrong, address+": "+not)
		} else if not := w.differsInSecret(a, g); not != "" {
			wrong = append(wrong, address+": "+not)
		}
	}
	return append(wrong, w.jobs(now, found)...)
}

// differsInSecret says that a container has not the secret that was made first,
// or has it without being told, or "".
func (w *wanted) differsInSecret(a *wantedApp, g pvesim.Guest) string {
	_, value, has := strings.Cut(g.Config["env"], "TOKEN=")
	switch {
	case has != a.secret:
		return fmt.Sprintf("it has the secret: %t", has)
	case has && w.value == "":
		w.value = value
	case has && value != w.value:
		return "the secret was made anew"
	}
	return ""
}

// differs says what of a container is not as it is wanted, or "".
func (a *wantedApp) differs(g pvesim.Guest) string {
	disks := map[string]int{"/": a.disk}
	for name, size := range a.volumes {
		disks["/srv/"+name] = size
	}
	there := 0
	for key, line := range g.Config {
		if key != "rootfs" && !strings.HasPrefix(key, "mp") && !strings.HasPrefix(key, "unused") {
			continue
		}
		there++
		path := "/"
		if _, rest, isMount := strings.Cut(line, "mp="); isMount {
			path, _, _ = strings.Cut(rest, ",")
		}
		if !strings.HasPrefix(line, a.storage+":") || !strings.Contains(line, fmt.Sprintf("size=%dG", disks[path])) {
			return key + " is " + line
		}
	}
	is := fmt.Sprint(g.Node, " ", g.Config["memory"], " ", g.Running, " ", g.Config["timezone"], " ", there)
	want := fmt.Sprint(a.node, " ", a.memory, " ", a.running, " ", a.timezone, " ", len(disks))
	if is != want {
		return fmt.Sprintf("node, memory, running, timezone and disks are %s, not %s", is, want)
	}
	return ""
}

// jobs says which backup jobs do not cover what they should.
func (w *wanted) jobs(now pvesim.World, found map[string]pvesim.Guest) (wrong []string) {
	ids := map[string]string{}
	for policy, names := range w.policies {
		var covered []string
		for address, g := range found {
			name, _, _ := strings.Cut(strings.TrimPrefix(address, "app."), "[")
			if slices.Contains(names, name) {
				covered = append(covered, fmt.Sprint(g.VMID))
			}
		}
		slices.Sort(covered)
		if ids["backup_policy."+policy] = strings.Join(covered, ","); len(covered) == 0 {
			delete(ids, "backup_policy."+policy)
		}
	}
	for id, job := range now.Jobs {
		address := job["comment"][strings.LastIndex(job["comment"], " ")+1:]
		covers := strings.Split(job["vmid"], ",")
		slices.Sort(covers)
		if ids[address] != strings.Join(covers, ",") {
			wrong = append(wrong, fmt.Sprintf("job %s (%s) covers %v, not %s", id, address, covers, ids[address]))
		}
		delete(ids, address)
	}
	for address := range ids {
		wrong = append(wrong, address+" has no job")
	}
	return wrong
}
