package proxmox

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// appKind describes one LXC container.
func appKind() *resource.Kind {
	return &resource.Kind{
		Name:    "app",
		Version: 1,
		Schema: resource.Block{
			Doc:   "One container that runs something",
			Attrs: appAttrs(),
			Blocks: map[string]*resource.Nested{
				"disk":     {Block: diskBlock()},
				"volume":   {Block: volumeBlock(), Labelled: true},
				"bind":     {Block: bindBlock(), Labelled: true, CheckLabel: onLabel(isPath)},
				"device":   {Block: deviceBlock(), Labelled: true, CheckLabel: onLabel(isDevice)},
				"network":  {Block: networkBlock(), Labelled: true, DefaultLabel: "eth0"},
				"port":     {Block: portBlock(), Labelled: true},
				"dns":      {Block: dnsBlock()},
				"features": {Block: featuresBlock()},
				"startup":  {Block: startupBlock()},
				"console":  {Block: consoleBlock()},
			},
		},
		Implies: impliedTemplates,
		Foresee: foreseeApp,
		Judge:   judgePatiently,
	}
}

// The words are those of Proxmox's schema. A node detects and stores openeuler
// too, which it then refuses to be told.
var (
	osTypes = []string{"debian", "devuan", "ubuntu", "centos", "fedora", "opensuse", "archlinux", "alpine", "gentoo", "nixos", "unmanaged"}

	architectures = []string{"amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"}
)

func appAttrs() map[string]*resource.Attr {
	attrs := map[string]*resource.Attr{
		"host":        required(ours(text("The host block that it lives on", nil))),
		"node":        fromHost("node", text("The node of the cluster that it runs on; changing it migrates the container", isNode)),
		"vmid":        number("Its number on the host; else the lowest free one of the host's vmid_range", within(100, 999999999)),
		"hostname":    text("Its name in the network; else the app's name", isHostname),
		"pool":        text("The resource pool it belongs to", isID),
		"tags":        fromHost("tags", set(cty.String, "Its tags; tags of others are kept", isTag)),
		"description": alike(sameNotes, text("Notes shown on the Proxmox web page", notLonger(7680))),
		"protection":  flag("Proxmox refuses to remove it or its disks"),

		"template":         atCreate(text("The template it is made from: a name such as debian-13-standard, of which the newest is taken, or a volume id", isSpec)),
		"image":            atCreate(text("The OCI image it is made from, with its tag (Proxmox VE 9.1 or later)", isImage)),
		"clone":            atCreate(text("The container it is copied from: a VMID, or the name of a guest", nil)),
		"template_storage": fromHost("template_storage", ours(text("Where templates and images are kept", isID))),

		"cores":        number("How many CPU cores it sees", within(1, 8192)),
		"cpu_limit":    number("How much CPU time it may use, in cores; fractions are allowed", between(0, 8192)),
		"cpu_units":    alike(sameShares, number("Its share of CPU time beside other guests", within(0, 500000))),
		"memory":       size("Its memory", mebibytes(16)),
		"swap":         size("Its swap space", mebibytes(0)),
		"unprivileged": flagOr(true, "Its root is not the node's root"),
		"hook":         text("A script of a snippets storage that the node runs at start and stop (root@pam only)", isVolume),
		"timezone":     text("Its time zone, such as Europe/Berlin, or host", nil),
		"env":          {Doc: "Environment of its first process", Type: cty.Map(cty.String), Check: isEnv},
		"entrypoint":   text("The first process, with its arguments", isOneLine),
		"os_type":      text("What Proxmox takes for the system inside, and sets up accordingly; unmanaged leaves it alone", oneOf(osTypes...)),
		"arch":         text("The architecture of what runs inside", oneOf(architectures...)),
		"debug":        flag("Starts write a log on the node"),
		"password":     atCreate(text("The password of root", isPassword)),
		"ssh_keys":     atCreate(list("Public keys that may log in as root", isOneLine)),
		"running":      flagOr(true, "It runs; false stops it"),
		"restart":      ours(text("What to do when a change needs a restart: auto or manual", oneOf("auto", "manual"))),
		"backup":       ours(text("The backup policy that covers it", nil)),

		"id":        computed(cty.Number, "Its VMID"),
		"ip":        computed(cty.String, "Its first address, without prefix length"),
		"ips":       computed(cty.List(cty.String), "All its addresses, without prefix lengths"),
		"mac":       computed(cty.String, "The hardware address of its first network interface"),
		"url":       computed(cty.String, "Where its first HTTP port is reached, else its address as a URL"),
		"status":    computed(cty.String, "running or stopped"),
		"made_from": atCreate(computed(cty.String, "The file of the template or image that it was made from, as a volume id")),
	}
	attrs["tags"].Shared = true
	attrs["password"].Sensitive = true
	attrs["backup"].Refers = "backup_policy"
	attrs["restart"].Default = cty.StringVal("auto")
	attrs["restart"].Judged = true
	return attrs
}

func foreseeApp(want cty.Value, id string) map[string]cty.Value {
	known := map[string]cty.Value{}
	if n, err := cty.ParseNumberVal(id); err == nil {
		known["id"] = n
	}
	addresses, complete := staticAddresses(want)
	if len(addresses) > 0 {
		known["ip"] = cty.StringVal(addresses[0])
		known["url"] = appURL(want, addresses[0])
	}
	if complete && len(addresses) > 0 {
		known["ips"] = texts(addresses)
	}
	return known
}
