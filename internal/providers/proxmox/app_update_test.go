package proxmox

import (
	"net/url"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

func volume(set values) values {
	all := values{"path": str("/data"), "size": gibibytes(8), "storage": str("local-lvm"), "backup": cty.True, "on_remove": str("keep")}
	for k, v := range set {
		all[k] = v
	}
	return all
}

func oneVolume(set values) values {
	return values{"volume": labelled("volume", map[string]values{"data": volume(set)})}
}

func oneNetwork(set values) values {
	return values{"network": labelled("network", map[string]values{"eth0": set})}
}

func without(block string) values {
	return values{block: cty.MapValEmpty(appKind().Schema.Blocks[block].Block.Type())}
}

// Every change of a running container is made, with the effect that the plan
// told, and nothing is left to do afterwards.
func TestChangesOfARunningApp(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after values
		effects       string // of the edits, in the order of their paths
		config        string // that the configuration has then, as "key: part of value"; empty: not looked at
	}{
		{"memory", values{"memory": mebis(256)}, values{"memory": mebis(512)}, "live", "memory: 512"},
		{"memory goes back to its default", values{"memory": mebis(256)}, nil, "live", "memory: 512"},
		{"cores and limits", nil, values{"cores": whole(2), "cpu_limit": whole(1), "cpu_units": whole(300)}, "live live live", "cpulimit: 1"},
		{"cores go away", values{"cores": whole(2)}, nil, "live", "cores: -"},
		{"host name", nil, values{"hostname": str("other")}, "live", "hostname: other"},
		{"host name goes back to its default", values{"hostname": str("other")}, nil, "live", "hostname: web"},
		{"description", values{"description": str("one")}, values{"description": str("two\n\nlines")}, "live", "description: two\n\nlines"},
		{"description goes away, the marker stays", values{"description": str("one")}, nil, "live", "description: <!-- proximity"},
		{"tags", values{"tags": textSet([]string{"a", "b"})}, values{"tags": textSet([]string{"b", "c"})}, "live", "tags: b;c"},
		{"protection", values{"protection": cty.True}, values{"protection": cty.False}, "live", "protection: 0"},
		{"start with the node", nil, values{"startup": object("startup", values{"on_boot": cty.True, "order": whole(5)})}, "live live", "onboot: 1"},
		{"time zone waits", nil, values{"timezone": str("UTC")}, "restart", "timezone: UTC"},
		{"dns waits", nil, values{"dns": object("dns", values{"servers": texts([]string{"9.9.9.9", "1.1.1.1"})})}, "restart", "nameserver: 9.9.9.9 1.1.1.1"},
		{"nesting waits", nil, values{"features": object("features", values{"nesting": cty.True})}, "restart", "features: nesting=1"},
		{"console waits", nil, values{"console": object("console", values{"mode": str("shell")})}, "restart", "cmode: shell"},
		{"environment waits", values{"env": cty.MapVal(map[string]cty.Value{"A": str("1"), "B": str("2")})},
			values{"env": cty.MapVal(map[string]cty.Value{"B": str("3"), "C": str("4")})}, "restart", "env: B=3\x00C=4"},
		{"environment goes away", values{"env": cty.MapVal(map[string]cty.Value{"A": str("1")})}, nil, "restart", "env: -"},

		{"the disk grows", nil, values{"disk": object("disk", values{"size": gibibytes(6), "storage": str("local-lvm")})}, "resize", "rootfs: size=6G"},
		{"options of the disk wait", nil, values{"disk": object("disk", values{"size": gibibytes(4), "storage": str("local-lvm"),
			"mount_options": textSet([]string{"noatime"})})}, "restart", "rootfs: mountoptions=noatime"},
		{"a volume comes", nil, oneVolume(nil), "live", "mp0: mp=/data"},
		{"a volume grows", oneVolume(nil), oneVolume(values{"size": gibibytes(9)}), "resize", "mp0: size=9G"},
		{"a volume gets another path", oneVolume(nil), oneVolume(values{"path": str("/srv")}), "restart", "mp0: mp=/srv"},
		{"a volume leaves the backups", oneVolume(nil), oneVolume(values{"backup": cty.False}), "restart", "mp0: backup=0"},
		{"a volume goes and stays as unused", oneVolume(nil), without("volume"), "restart", "unused0: local-lvm:"},
		{"a volume goes for good", oneVolume(values{"on_remove": str("destroy")}), without("volume"), "restart", "unused0: -"},

		{"an interface comes", nil, oneNetwork(values{"bridge": str("vmbr0"), "ip": str("dhcp")}), "live", "net0: name=eth0"},
		{"an interface gets another address", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.70/24")}),
			oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.71/24")}), "live", "net0: ip=192.0.2.71/24"},
		{"an interface loses its VLAN", oneNetwork(values{"bridge": str("vmbr0"), "vlan": whole(5)}), oneNetwork(values{"bridge": str("vmbr0")}), "live", "net0: name=eth0"},
		{"an interface goes", oneNetwork(values{"bridge": str("vmbr0")}), without("network"), "live", "net0: -"},

		{"it stops", nil, values{"running": cty.False}, "live", "hostname: web"},
		{"only we care", nil, values{"restart": str("manual")}, "record", ""},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", c.before), 2000)
			_, edits := l.change(app("web", c.after), made)
			require.Equal(t, c.effects, effectsOf(edits))
			l.hasConfig("2000", c.config)
		})
	}
}

// The same on a stopped container: nothing of it needs a restart, and it stays
// stopped.
func TestChangesOfAStoppedApp(t *testing.T) {
	stopped := func(set values) values {
		all := values{"running": cty.False}
		for k, v := range set {
			all[k] = v
		}
		return all
	}
	for _, c := range []struct {
		name          string
		before, after values
		effects       string
		config        string
	}{
		{"time zone", nil, values{"timezone": str("UTC")}, "live", "timezone: UTC"},
		{"a volume comes", nil, oneVolume(nil), "live", "mp0: mp=/data"},
		{"tags go, and no blank stays", values{"tags": textSet([]string{"a"})}, nil, "live", "tags: -"},
		{"dns goes, and no blank stays", values{"dns": object("dns", values{"servers": texts([]string{"9.9.9.9"})})}, nil, "live", "nameserver: -"},
		{"features go, and no blank stays", values{"features": object("features", values{"nesting": cty.True})}, nil, "live", "features: -"},
		{"the start order goes", values{"startup": object("startup", values{"order": whole(1)})}, nil, "live", "startup: -"},
		{"a volume goes for good", oneVolume(values{"on_remove": str("destroy")}), without("volume"), "live", "unused0: -"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", stopped(c.before)), 2000)
			after, edits := l.change(app("web", stopped(c.after)), made)
			require.Equal(t, c.effects, effectsOf(edits))
			require.Equal(t, "stopped", resource.Text(after.Attrs, "status"))
			l.hasConfig("2000", c.config)
		})
	}
}

// What cannot be done is refused in the plan, with a way out.
func TestRefusedChanges(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after values
		effect        string
	}{
		{"a smaller disk", nil, values{"disk": object("disk", values{"size": gibibytes(2), "storage": str("local-lvm")})}, "refused"},
		{"a smaller volume", oneVolume(nil), oneVolume(values{"size": gibibytes(1)}), "refused"},
		{"another password", values{"password": str("first-one")}, values{"password": str("second-one")}, "refused"},
		{"no password any more", values{"password": str("first-one")}, nil, "record"},
		{"privileged", nil, values{"unprivileged": cty.False}, "replace"},
		{"another template", nil, values{"template": str("alpine-3.22-default")}, "replace"},
		{"another VMID", nil, values{"vmid": whole(2500)}, "replace"},
		{"the VMID that it has", nil, values{"vmid": whole(2000)}, "record"},
	} {
		timeless(t, c.name, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			made := l.create(app("web", c.before), 2000)
			edits, _ := l.edits(app("web", c.after), made)
			require.Equal(t, c.effect, effectsOf(edits))
			for _, e := range edits {
				if e.Effect >= resource.Replace {
					require.NotEmpty(t, e.Reason)
				}
				if e.Effect == resource.Refused {
					require.NotEmpty(t, e.Hint)
				}
			}
		})
	}
}

// A line that people changed by hand keeps what the language has no words for,
// its order and its hardware address.
func TestForeignFieldsAreKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.70/24")})), 2000)
		mac := l.config("2000")["net0"]
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"net0": {mac + ",host-managed=1"}, "mp3": {"local-lvm:1,mp=/hers"}, "tags": {"hers"}})
		_, edits := l.change(app("web", oneNetwork(values{"bridge": str("vmbr0"), "ip": str("192.0.2.71/24")})), made)
		require.Equal(t, "live", effectsOf(edits))
		cfg := l.config("2000")
		require.Contains(t, cfg["net0"], "host-managed=1")
		require.Contains(t, cfg["net0"], hwaddr(mac))
		require.Contains(t, cfg["mp3"], "mp=/hers")
		require.Equal(t, "hers", cfg["tags"])
	})
}

// With restart = "manual" what waits stays waiting, and the next plan is empty.
func TestManualRestartLeavesChangesWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", values{"restart": str("manual")}), 2000)
		made, edits := l.change(app("web", values{"restart": str("manual"), "timezone": str("UTC")}), made)
		require.Equal(t, "pending", effectsOf(edits))
		want := app("web", values{"restart": str("manual"), "timezone": str("UTC")})
		require.Equal(t, []string{"timezone"}, l.see(&want, &made).Pending)

		want = app("web", values{"restart": str("manual"), "timezone": str("UTC"),
			"disk": object("disk", values{"size": gibibytes(4), "storage": str("nvme")})})
		edits, seen := l.edits(want, made)
		job := l.job(want, "2000")
		job.Prior, job.Edits, job.Digest = &made, edits, seen.Digest
		_, err := l.Update(t.Context(), job)
		require.ErrorIs(t, err, errMoveRunning)
	})
}

// A change that was cut short before its restart is still to do.
func TestWaitingChangesAreStillToDo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", nil), 2000)
		l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"timezone": {"UTC"}})
		_, edits := l.change(app("web", values{"timezone": str("UTC")}), made)
		require.Equal(t, "restart", effectsOf(edits))
	})
}

// LVM makes volumes of whole extents, so that they come out a little larger
// than asked for.
func TestRoundedSizesAreNoDifference(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", oneVolume(values{"size": mebis(1025)}))
		made := l.create(want, 2000)
		for _, c := range []struct {
			size  string
			edits int
		}{{"1025M", 0}, {"1028M", 0}, {"1029M", 1}, {"1024M", 1}} {
			line := pve.ParseLine(l.config("2000")["mp0"], "volume")
			line.Set("size", c.size)
			require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetConfig(2000, "mp0", line.String()) }))
			edits, _ := l.edits(want, made)
			require.Len(t, edits, c.edits, c.size)
		}
	})
}

func effectsOf(edits []resource.Edit) string {
	var all []string
	for _, e := range edits {
		all = append(all, e.Effect.String())
	}
	return strings.Join(all, " ")
}

func hwaddr(line string) string {
	_, after, _ := strings.Cut(line, "hwaddr=")
	return strings.SplitN(after, ",", 2)[0]
}

// config returns a container's configuration, wherever it is.
func (l *lab) config(id string) map[string]string {
	l.t.Helper()
	all, err := l.list(l.t.Context())
	require.NoError(l.t, err)
	guest, found := all.guest(id)
	require.True(l.t, found)
	cfg, err := l.readConfig(l.t.Context(), guest.Node, id, asSet)
	require.NoError(l.t, err)
	return cfg.coming
}

// hasConfig requires "key: part of its value", or "key: -" for no such key.
func (l *lab) hasConfig(id, want string) {
	l.t.Helper()
	if want == "" {
		return
	}
	key, part, _ := strings.Cut(want, ": ")
	if part == "-" {
		require.NotContains(l.t, l.config(id), key)
		return
	}
	require.Contains(l.t, l.config(id)[key], part)
}

// A change that is cut short between detaching a volume and destroying it
// leaves it unused. The next one destroys it, and nothing else that is unused.
func TestADetachedVolumeIsStillToBeDestroyed(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		made := l.create(app("web", oneVolume(values{"on_remove": str("destroy")})), 2000)
		volume := pve.ParseLine(l.sim.World().Guests[2000].Config["mp0"], "volume").Value("volume")
		require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) {
			e.SetConfig(2000, "mp0", "")
			e.SetConfig(2000, "unused0", "local-lvm:somebody-elses")
			e.SetConfig(2000, "unused1", volume)
		}))
		_, edits := l.change(app("web", without("volume")), made)
		require.Equal(t, "live", effectsOf(edits))
		config := l.sim.World().Guests[2000].Config
		require.NotContains(t, config, "unused1")
		require.Equal(t, "local-lvm:somebody-elses", config["unused0"])
	})
}
