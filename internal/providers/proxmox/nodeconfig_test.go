package proxmox

import (
	"fmt"
	"slices"
	"strings"

	"pgregory.net/rapid"
)

// release says which settings nodeConfig makes: those of the newest Proxmox
// that is known, or keys and fields of one to come as well.
type release int

const (
	today release = iota
	tomorrow
)

// nodeConfig makes a configuration such as a real node can hold of container
// 2000: everything its files, older releases, its web page and people with an
// editor put there, as /config and /pending show it. The lines of lxc itself are
// under "lxc", as the simulator keeps them.
func nodeConfig(t *rapid.T, of release) map[string]string {
	g := &generator{T: t, of: of, cfg: map[string]string{}}
	g.scalars()
	g.texts()
	g.cfg["rootfs"] = g.shuffled(g.volumeID(0), append(g.mountOptions("rootfs"), g.maybe("rootfs size", "size="+g.size()))...)
	g.lines("net", []int{0, 1, 9, 10, 31}, g.nic)
	g.lines("mp", []int{0, 1, 2, 77, 255}, g.mount)
	g.lines("dev", []int{0, 1, 255}, g.device)
	g.lines("unused", []int{0, 3}, func(n int) string { return g.volumeID(500 + n) })
	if of == tomorrow {
		g.option("shiny-new", "1", "name=a,b=c", "")
	}
	return g.cfg
}

type generator struct {
	*rapid.T
	of  release
	cfg map[string]string
}

// pick returns one of the texts.
func (g *generator) pick(what string, texts ...string) string {
	return rapid.SampledFrom(texts).Draw(g.T, what)
}

// maybe returns the text, or nothing.
func (g *generator) maybe(what, text string) string {
	if rapid.Bool().Draw(g.T, what+"?") {
		return text
	}
	return ""
}

// option sets a key to one of the texts, or leaves it out.
func (g *generator) option(key string, texts ...string) {
	if rapid.Bool().Draw(g.T, key+"?") {
		g.cfg[key] = g.pick(key, texts...)
	}
}

func (g *generator) scalars() {
	g.option("arch", "amd64", "i386", "arm64")
	g.option("ostype", "debian", "alpine", "unmanaged", "openeuler")
	g.option("hostname", "web", "CT2000", "a.b.example", "UPPER-Case")
	g.option("memory", "16", "512", "4096")
	g.option("swap", "0", "512", "1")
	g.option("cores", "1", "8192")
	g.option("cpulimit", "0", "2", "2.0", "1.50", "0.5")
	g.option("cpuunits", "2", "100", "10000", "262144", "500000")
	g.option("unprivileged", "1")
	g.option("onboot", "0", "1")
	g.option("protection", "0", "1")
	g.option("debug", "0", "1")
	g.option("console", "0", "1")
	g.option("tty", "0", "2", "6")
	g.option("cmode", "tty", "shell", "console")
	g.option("timezone", "host", "UTC", "Europe/Berlin")
	g.option("hookscript", "local:snippets/hook.pl")
	g.option("startup", "order=2,up=5,down=10", "5", "up=5,order=2,down=3", "up=30", "up=30,4", "order=0", "")
	g.option("nameserver", "1.1.1.1", "9.9.9.9 1.1.1.1", "fe80::1%eth0", "1.1.1.1,9.9.9.9", " ")
	g.option("searchdomain", "home.arpa", "example.org home.arpa", " ")
	g.option("features", "nesting=1", "nesting=on,keyctl=true", "mount=nfs;cifs,fuse=1", "nesting=0", "mknod=yes,force_rw_sys=off", " ")
	g.option("lock", "backup", "snapshot", "mounted")
	g.option("parent", "before-upgrade")
	g.option("template", "1", "0")
	g.option("lxc", "lxc.apparmor.profile = unconfined", "lxc.mount.entry = /srv srv none bind 0 0\nlxc.mount.entry = /opt opt none bind,ro 0 0")
}

func (g *generator) texts() {
	g.option("tags", "a", "a;b", "x_1;y+2;z.3", "Web;web", " ")
	g.option("description", "one\n", "\n\nlater\n", "# head\r\n\t100% \"quoted\" ünïcödé 🙂\n", "a\n\n\nb\n", "<!-- a comment -->\n",
		strings.Repeat("long ", 1000)+"\n")
	g.option("entrypoint", "/sbin/init", "sh -c 'a=b; c,d'", "/bin/ü --x=\"y\"")
	var env []string
	pairs := []string{"PATH=/usr/bin:/bin", "EMPTY=", "EQUALS=a=b=c", "SEMI=a;b,c", "UNICODE=Grüße e\u0301", "_x9= blank", "TAB=a\tb",
		"PATH=/again", "ODD=a\x0eb"}
	if g.of == tomorrow {
		pairs = append(pairs, "Ä=1", "NOTHING")
	}
	for _, pair := range pairs {
		if rapid.IntRange(0, 2).Draw(g.T, "env "+pair) == 0 {
			env = append(env, pair)
		}
	}
	if len(env) > 0 {
		g.cfg["env"] = strings.Join(env, "\x00")
	}
}

// lines makes lines in some of the slots.
func (g *generator) lines(word string, slots []int, line func(n int) string) {
	for _, n := range slots {
		if key := fmt.Sprintf("%s%d", word, n); rapid.IntRange(0, 2).Draw(g.T, key+"?") == 0 {
			g.cfg[key] = line(n)
		}
	}
}

// shuffled joins the fields of a line that are there: the first one first, the
// others in any order.
func (g *generator) shuffled(first string, fields ...string) string {
	if g.of == tomorrow {
		fields = append(fields, g.maybe("future field", "idmap=u:0:100000:65536"))
	}
	fields = slices.DeleteFunc(fields, func(f string) bool { return f == "" })
	if len(fields) > 0 {
		fields = rapid.Permutation(fields).Draw(g.T, "order")
	}
	return strings.Join(append([]string{first}, fields...), ",")
}

func (g *generator) nic(n int) string {
	name := g.pick("name", "eth0", "eth1", "wan.1", "a-name-of-22-characters", fmt.Sprintf("eth%d", n))
	return g.shuffled("name="+name,
		g.maybe("bridge", "bridge=vmbr0"),
		g.maybe("hwaddr", "hwaddr="+g.pick("mac", "BC:24:11:00:00:01", "bc:24:11:aa:bb:cc", "Bc:24:11:aA:00:02")),
		g.maybe("type", "type=veth"),
		g.maybe("ip", "ip="+g.pick("ip", "dhcp", "manual", "192.0.2.70/24")),
		g.maybe("gw", "gw=192.0.2.1"),
		g.maybe("ip6", "ip6="+g.pick("ip6", "auto", "dhcp", "manual", "FD00::70/64", "fd00:0::71/64")),
		g.maybe("gw6", "gw6=fe80::1"),
		g.maybe("tag", "tag=20"),
		g.maybe("trunks", "trunks="+g.pick("trunks", "5", "7;5;6")),
		g.maybe("mtu", "mtu=1400"),
		g.maybe("rate", "rate="+g.pick("rate", "2.50", "100", "-1")),
		g.maybe("firewall", "firewall="+g.pick("firewall", "0", "1")),
		g.maybe("link_down", "link_down="+g.pick("link_down", "0", "1")),
		g.maybe("host-managed", "host-managed="+g.pick("host-managed", "0", "1")))
}

// volumeID returns the id of a volume of the container, with or without its
// key.
func (g *generator) volumeID(n int) string {
	id := g.pick("volume", "local-lvm:vm-2000-disk-%d", "nvme:subvol-2000-disk-%d", "nvme:vm-1999-disk-%d")
	return fmt.Sprintf(id, n)
}

// size returns a size as a line may have it: 0 is a directory without a limit.
func (g *generator) size() string {
	return g.pick("size", "8G", "512M", "1T", "1.5G", "1073741825", "1049601K", "512K", "0T")
}

func (g *generator) mountOptions(what string) []string {
	return []string{
		g.maybe(what+" acl", "acl="+g.pick("acl", "0", "1")),
		g.maybe(what+" quota", "quota="+g.pick("quota", "0", "1")),
		g.maybe(what+" replicate", "replicate="+g.pick("replicate", "0", "1")),
		g.maybe(what+" ro", "ro="+g.pick("ro", "0", "1")),
		g.maybe(what+" shared", "shared="+g.pick("shared", "0", "1")),
		g.maybe(what+" mountoptions", "mountoptions="+g.pick("mountoptions", "noatime", "discard;nodev;nosuid")),
	}
}

func (g *generator) mount(n int) string {
	what := g.pick("mounted", g.volumeID(n+1), g.volumeID(n+1), "/srv/media", "/dev/sdb1", "/srv/mit leer")
	return g.shuffled(what, append(g.mountOptions("mp"),
		"mp="+g.pick("mp", "/data", "/var/lib/x", "relative", "/srv/ümlaut", "/srv/u\u0308mlaut", "/with blank", "/data/", "/", fmt.Sprintf("/m%d", n)),
		g.maybe("mp size", "size="+g.size()),
		g.maybe("backup", "backup="+g.pick("backup", "0", "1")),
		g.maybe("keepattrs", "keepattrs="+g.pick("keepattrs", "0", "1")))...)
}

func (g *generator) device(n int) string {
	return g.shuffled(g.pick("device", "/dev/dri/renderD128", "/dev/ttyUSB0", "path=/dev/fuse", fmt.Sprintf("/dev/odd%d", n)),
		g.maybe("mode", "mode=0660"),
		g.maybe("uid", "uid=0"),
		g.maybe("gid", "gid=44"),
		g.maybe("deny-write", "deny-write="+g.pick("deny-write", "0", "1")))
}
