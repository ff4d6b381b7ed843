package proxmox

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// volumeOptions returns the attributes that every kind of mount has.
func volumeOptions() map[string]*resource.Attr {
	return map[string]*resource.Attr{
		"acl":           flag("Keep access control lists; else as the file system does by itself"),
		"quota":         flag("Keep quotas (privileged containers only)"),
		"mount_options": set(cty.String, "Options of the mount", oneOf("discard", "lazytime", "noatime", "nodev", "noexec", "nosuid")),
		"replicate":     flag("Include it in replication; true unless said otherwise"),
		"read_only":     flag("Nothing inside may write to it"),
		"shared":        flag("It is there on every node, which Proxmox cannot see by itself"),
	}
}

func diskBlock() resource.Block {
	attrs := volumeOptions()
	attrs["size"] = alike(sameSize, size("Its size; it can grow, never shrink", mebibytes(1)))
	attrs["storage"] = fromHost("storage", text("The storage it lies on; changing it moves the disk", isID))
	return resource.Block{Doc: "The root disk", Attrs: attrs}
}

func volumeBlock() resource.Block {
	attrs := volumeOptions()
	attrs["path"] = required(alike(samePath, text("Where it is mounted inside", isPath)))
	attrs["size"] = required(alike(sameSize, size("Its size; it can grow, never shrink", mebibytes(1))))
	attrs["storage"] = fromHost("storage", text("The storage it lies on; changing it moves the volume", isID))
	attrs["backup"] = flagOr(true, "Backups include it")
	attrs["keep_attrs"] = keepAttrs()
	attrs["on_remove"] = ours(text("What becomes of the data when the block goes: keep (as an unused volume) or destroy", oneOf("keep", "destroy")))
	attrs["on_remove"].Default = cty.StringVal("keep")
	attrs["slot"] = slot()
	attrs["volid"] = computed(cty.String, "Its volume id")
	return resource.Block{Doc: "A volume of its own, by name", Attrs: attrs}
}

func keepAttrs() *resource.Attr {
	return flag("Its root takes owner and mode from the directory it is mounted on (Proxmox VE 9.1 or later)")
}

func bindBlock() resource.Block {
	attrs := volumeOptions()
	attrs["source"] = required(text("The directory or device of the node", isPath))
	attrs["keep_attrs"] = keepAttrs()
	attrs["slot"] = slot()
	return resource.Block{Doc: "A directory of the node, by its path inside (root@pam only)", Attrs: attrs}
}

func deviceBlock() resource.Block {
	return resource.Block{Doc: "A device of the node, by its path such as /dev/dri/renderD128 (root@pam only)",
		Attrs: map[string]*resource.Attr{
			"mode":       text("Its access mode inside, in octal such as 0660", isMode),
			"uid":        number("Its owner inside", atLeast(0)),
			"gid":        number("Its group inside", atLeast(0)),
			"deny_write": flag("Nothing inside may write to it"),
			"slot":       slot(),
		}}
}

func networkBlock() resource.Block {
	return resource.Block{Doc: "A network interface, by its name inside", Attrs: map[string]*resource.Attr{
		"bridge":    fromHost("bridge", text(`The bridge of the node; "" for none, with which Proxmox keeps a container but does not start it`, isBridge)),
		"ip":        alike(sameAddress, text("IPv4 address with prefix length, or dhcp or manual", isAddress4)),
		"gateway":   alike(sameAddress, text("IPv4 gateway", isGateway4)),
		"ip6":       alike(sameAddress, text("IPv6 address with prefix length, or auto, dhcp or manual", isAddress6)),
		"gateway6":  alike(sameAddress, text("IPv6 gateway", isGateway6)),
		"vlan":      number("VLAN tag", within(1, 4094)),
		"trunks":    set(cty.Number, "VLAN tags let through", within(1, 4094)),
		"mac":       alike(sameFold, text("Hardware address; else one is made and kept", isMAC)),
		"mtu":       number("Largest packet", within(64, 65535)),
		"rate":      number("Bandwidth limit in MB/s", between(0, 1<<20)),
		"firewall":  flag("The Proxmox firewall filters it"),
		"link_down": flag("Its cable is pulled"),
		"slot":      slot(),
		"host_managed": flag("The node gives it its addresses, for images that cannot do so themselves (Proxmox VE 9.1 or later); " +
			"else as Proxmox chooses"),
	}}
}

func portBlock() resource.Block {
	return resource.Block{Doc: "A port it listens on, by name; it tells others and changes nothing", Attrs: map[string]*resource.Attr{
		"number": required(ours(number("The TCP port", within(1, 65535)))),
		"http":   ours(flag("It speaks HTTP, and the app's url leads to it")),
		"https":  ours(flag("It speaks HTTPS, and the app's url leads to it")),
	}}
}

func dnsBlock() resource.Block {
	return resource.Block{Doc: "Name resolution; else the node's", Attrs: map[string]*resource.Attr{
		"servers": list("Addresses of name servers", isIP),
		"search":  list("Domains to search", isHostname),
	}}
}

func featuresBlock() resource.Block {
	return resource.Block{Doc: "What it may do beyond the usual; all but nesting for root@pam only", Attrs: map[string]*resource.Attr{
		"nesting":      flag("Run containers, or a systemd above version 241, inside"),
		"keyctl":       flag("Use the kernel's keyring"),
		"fuse":         flag("Mount FUSE file systems"),
		"mknod":        flag("Make device nodes"),
		"mount":        set(cty.String, "File systems it may mount, such as nfs", isFileSystem),
		"force_rw_sys": flag("Mount /sys writable"),
	}}
}

func startupBlock() resource.Block {
	return resource.Block{Doc: "Starting with the node", Attrs: map[string]*resource.Attr{
		"on_boot":    flag("Start it when the node boots"),
		"order":      number("Its place in the order of starts", atLeast(0)),
		"up_delay":   seconds("Wait after its start"),
		"down_delay": seconds("Wait for its shutdown"),
	}}
}

func consoleBlock() resource.Block {
	return resource.Block{Doc: "The console of the Proxmox web page", Attrs: map[string]*resource.Attr{
		"enabled": flag("It has one; true unless said otherwise"),
		"mode":    text("What it shows: tty, console or shell", oneOf("tty", "console", "shell")),
		"tty":     number("How many terminals it has", within(0, 6)),
	}}
}
