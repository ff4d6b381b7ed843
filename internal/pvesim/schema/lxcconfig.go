package schema

import "strconv"

// mountPoints is how many mount points, devices and unused volumes a container may have.
const mountPoints = 256

// lxcConfig is what a container's configuration consists of: the options of create, restore and update. The defaults are
// the schema's; creation treats some of them otherwise, above all unprivileged, which it takes for 1 since version 9.0.
func lxcConfig() params {
	return params{
		"arch":         choice("amd64", "i386", "arm64", "armhf", "riscv32", "riscv64").or("amd64"),
		"cmode":        choice("shell", "console", "tty").or("tty"),
		"console":      flag().or("1"),
		"cores":        integer().min(1).max(8192),
		"cpulimit":     number().min(0).max(8192).or("0"),
		"cpuunits":     integer().min(0).max(500000).or("cgroup v1: 1024, cgroup v2: 100"),
		"debug":        flag().or("0"),
		"description":  text().most(8192),
		"dev[256]":     props(deviceLine()).since(801),
		"entrypoint":   text().like(`[^\x00-\x08\x10-\x1F\x7F]+`).or("/sbin/init").since(901),
		"env":          text().like(`(?:\w+=[^\x00-\x08\x10-\x1F\x7F]*)(?:\0\w+=[^\x00-\x08\x10-\x1F\x7F]*)*`).since(901),
		"features":     props(featuresLine()),
		"hookscript":   text().as("pve-volume-id"),
		"hostname":     text().as("dns-name").most(255),
		"lock":         choice("backup", "create", "destroyed", "disk", "fstrim", "migrate", "mounted", "rollback", "snapshot", "snapshot-delete"),
		"memory":       integer().min(16).or("512"),
		"mp[256]":      props(mountLine()),
		"nameserver":   text().as("lxc-ip-with-ll-iface-list"),
		"net[32]":      props(netLine()),
		"onboot":       flag().or("0"),
		"ostype":       choice("debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine", "gentoo", "nixos", "unmanaged"),
		"protection":   flag().or("0"),
		"rootfs":       props(rootfsLine()),
		"searchdomain": text().as("dns-name-list"),
		"startup":      text().as("pve-startup-order"),
		"swap":         integer().min(0).or("512"),
		"tags":         text().as("pve-tag-list"),
		"template":     flag().or("0"),
		"timezone":     text().as("pve-ct-timezone"),
		"tty":          integer().min(0).max(6).or("2"),
		"unprivileged": flag().or("0"),
		"unused[256]":  props(unusedLine()),
	}
}

// volumeKeys are the keys that rootfs and mount points share.
func volumeKeys() params {
	const option = `(?:(discard|lazytime|noatime|nodev|noexec|nosuid))`
	return params{
		"acl":          flag(),
		"mountoptions": text().like(`(?:` + option + `(;` + option + `)*)`),
		"quota":        flag(),
		"replicate":    flag().or("1"),
		"ro":           flag(),
		"shared":       flag().or("0"),
		"size":         text().as("disk-size"),
		"volume":       req(text().as("pve-lxc-mp-string")).keyless(),
	}
}

func rootfsLine() *Props { return keys(volumeKeys()) }

func mountLine() *Props {
	return keys(merge(volumeKeys(), params{
		"backup":    flag(),
		"keepattrs": flag().or("0").since(901),
		"mp":        req(text().as("pve-lxc-mp-string")),
	}))
}

func unusedLine() *Props {
	return keys(params{"volume": req(text().as("pve-volume-id")).keyless()})
}

func netLine() *Props {
	const name = `[-_.\w\d]+`
	return keys(params{
		"bridge":       text().like(name),
		"firewall":     flag(),
		"gw":           text().as("ipv4"),
		"gw6":          text().as("ipv6"),
		"host-managed": flag().since(901),
		"hwaddr":       text().as("mac-addr"),
		"ip":           text().as("pve-ipv4-config"),
		"ip6":          text().as("pve-ipv6-config"),
		"link_down":    flag(),
		"mtu":          integer().min(64).max(65535),
		"name":         req(text().like(name)),
		"rate":         number(),
		"tag":          integer().min(1).max(4094),
		"trunks":       text().like(`\d+(?:;\d+)*`),
		"type":         choice("veth"),
	})
}

func deviceLine() *Props {
	return keys(params{
		"deny-write": flag().or("0").since(803),
		"gid":        integer().min(0),
		"mode":       text().like(`0[0-7]{3}`),
		"path":       text().as("pve-lxc-dev-string").keyless(),
		"uid":        integer().min(0),
	})
}

func featuresLine() *Props {
	return keys(params{
		"force_rw_sys": flag().or("0"),
		"fuse":         flag().or("0"),
		"keyctl":       flag().or("0"),
		"mknod":        flag().or("0"),
		"mount":        text().like(`[a-zA-Z0-9_; ]+`),
		"nesting":      flag().or("0"),
	})
}

// disks names rootfs and all mount points, in Proxmox's order.
func disks() []string {
	names := []string{"rootfs"}
	for i := range mountPoints {
		names = append(names, "mp"+strconv.Itoa(i))
	}
	return names
}

// volumes is disks and all unused volumes.
func volumes() []string {
	names := disks()
	for i := range mountPoints {
		names = append(names, "unused"+strconv.Itoa(i))
	}
	return names
}

// startupLine is no property string to Proxmox, which has a parser of its own, but reads like one.
func startupLine() *Props {
	return keys(params{
		"down":  integer().min(0),
		"order": integer().min(0).keyless(),
		"up":    integer().min(0),
	})
}
