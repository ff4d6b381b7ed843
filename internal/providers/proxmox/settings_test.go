package proxmox

import (
	"sync"

	"github.com/zclconf/go-cty/cty"
)

// setting is two values of one attribute, for tests that add it, change it and
// take it away. One that is always there is only changed.
type setting struct {
	first, second cty.Value
	always        bool
}

// settings has a row for every attribute of an app that people can set, by its
// path; a star stands for the label of an element. A star at the end is the
// whole element.
var settings = sync.OnceValue(func() map[string]setting {
	yes := setting{first: cty.True, second: cty.False}
	return map[string]setting{
		"host":             {first: str("pve"), second: str("pve")},
		"node":             {first: str("pve1"), second: str("pve2"), always: true},
		"vmid":             {first: whole(2000), second: whole(2500)},
		"hostname":         {first: str("one"), second: str("Two.home.arpa")},
		"pool":             {first: str("blue"), second: str("green")},
		"tags":             {first: textSet([]string{"a", "B"}), second: textSet([]string{"B", "c"})},
		"description":      {first: str("\n# one\r\n\t100%\n"), second: str("two")},
		"protection":       yes,
		"template":         {first: str("debian-13-standard"), second: str("alpine-3.22-default"), always: true},
		"image":            {first: str("docker.io/library/nginx:1.27"), second: str("docker.io/library/nginx:1.28")},
		"clone":            {first: str("100"), second: str("101")},
		"template_storage": {first: str("local"), second: str("other")},
		"cores":            {first: whole(2), second: whole(3)},
		"cpu_limit":        {first: cty.MustParseNumberVal("1.5"), second: whole(2)},
		"cpu_units":        {first: whole(200), second: whole(50000)},
		"memory":           {first: mebis(256), second: mebis(1024)},
		"swap":             {first: mebis(0), second: mebis(256)},
		"unprivileged":     yes,
		"hook":             {first: str("local:snippets/one.pl"), second: str("local:snippets/two.pl")},
		"timezone":         {first: str("host"), second: str("Europe/Berlin")},
		"env":              {first: textMap("A", "x=y;z", "B", "ü"), second: textMap("B", "", "C", "1")},
		"entrypoint":       {first: str("/bin/one --a=b"), second: str("/bin/two 'c; d'")},
		"os_type":          {first: str("unmanaged"), second: str("debian")},
		"arch":             {first: str("i386"), second: str("amd64")},
		"debug":            yes,
		"password":         {first: str("first-one"), second: str("second-one")},
		"ssh_keys":         {first: texts([]string{"ssh-ed25519 AAAAone a"}), second: texts([]string{"ssh-ed25519 AAAAtwo b"})},
		"running":          yes,
		"restart":          {first: str("auto"), second: str("manual")},
		"backup":           {first: str("one"), second: str("two")},

		"disk.size":          {first: gibibytes(4), second: gibibytes(5)},
		"disk.storage":       {first: str("local-lvm"), second: str("nvme"), always: true},
		"disk.acl":           yes,
		"disk.quota":         yes,
		"disk.replicate":     {first: cty.False, second: cty.True},
		"disk.read_only":     yes,
		"disk.shared":        yes,
		"disk.mount_options": {first: textSet([]string{"noatime"}), second: textSet([]string{"discard", "nodev"})},

		"volume.*":               {first: object("volume", volume(values{"path": str("/more")}))},
		"volume.*.path":          {first: str("/data"), second: str("/other")},
		"volume.*.size":          {first: gibibytes(8), second: gibibytes(9)},
		"volume.*.storage":       {first: str("local-lvm"), second: str("nvme"), always: true},
		"volume.*.acl":           yes,
		"volume.*.quota":         yes,
		"volume.*.replicate":     {first: cty.False, second: cty.True},
		"volume.*.backup":        yes,
		"volume.*.read_only":     yes,
		"volume.*.shared":        yes,
		"volume.*.keep_attrs":    yes,
		"volume.*.mount_options": {first: textSet([]string{"noatime"}), second: textSet([]string{"nosuid", "noexec"})},
		"volume.*.on_remove":     {first: str("keep"), second: str("destroy")},

		"bind.*":               {first: object("bind", values{"source": str("/srv/more")})},
		"bind.*.source":        {first: str("/srv/media"), second: str("/srv/other")},
		"bind.*.acl":           yes,
		"bind.*.quota":         yes,
		"bind.*.replicate":     {first: cty.False, second: cty.True},
		"bind.*.read_only":     yes,
		"bind.*.shared":        yes,
		"bind.*.keep_attrs":    yes,
		"bind.*.mount_options": {first: textSet([]string{"lazytime"}), second: textSet([]string{"nosuid"})},

		"device.*":            {first: object("device", values{"gid": whole(44)})},
		"device.*.mode":       {first: str("0660"), second: str("0666")},
		"device.*.uid":        {first: whole(0), second: whole(1000)},
		"device.*.gid":        {first: whole(44), second: whole(0)},
		"device.*.deny_write": yes,

		"network.*":              {first: object("network", values{"bridge": str("vmbr1"), "ip": str("dhcp")})},
		"network.*.bridge":       {first: str("vmbr0"), second: str("vmbr1"), always: true},
		"network.*.ip":           {first: str("192.0.2.70/24"), second: str("manual")},
		"network.*.gateway":      {first: str("192.0.2.1"), second: str("192.0.2.2")},
		"network.*.ip6":          {first: str("FD00::70/64"), second: str("auto")},
		"network.*.gateway6":     {first: str("fd00::1"), second: str("fe80::1")},
		"network.*.vlan":         {first: whole(5), second: whole(4094)},
		"network.*.trunks":       {first: cty.SetVal([]cty.Value{whole(5)}), second: cty.SetVal([]cty.Value{whole(7), whole(6)})},
		"network.*.mac":          {first: str("bc:24:11:00:00:01"), second: str("BC:24:11:00:00:02")},
		"network.*.mtu":          {first: whole(1400), second: whole(1280)},
		"network.*.rate":         {first: cty.MustParseNumberVal("2.5"), second: whole(100)},
		"network.*.firewall":     yes,
		"network.*.link_down":    yes,
		"network.*.host_managed": yes,

		"port.*":        {first: object("port", values{"number": whole(81)})},
		"port.*.number": {first: whole(80), second: whole(8080)},
		"port.*.http":   yes,
		"port.*.https":  yes,

		"dns.servers": {first: texts([]string{"9.9.9.9", "1.1.1.1"}), second: texts([]string{"fe80::1%eth0"})},
		"dns.search":  {first: texts([]string{"home.arpa"}), second: texts([]string{"example.org", "home.arpa"})},

		"features.nesting":      yes,
		"features.keyctl":       yes,
		"features.fuse":         yes,
		"features.mknod":        yes,
		"features.force_rw_sys": yes,
		"features.mount":        {first: textSet([]string{"nfs"}), second: textSet([]string{"cifs", "nfs"})},

		"startup.on_boot":    yes,
		"startup.order":      {first: whole(3), second: whole(0)},
		"startup.up_delay":   {first: whole(30), second: whole(60)},
		"startup.down_delay": {first: whole(30), second: whole(60)},

		"console.enabled": {first: cty.False, second: cty.True},
		"console.mode":    {first: str("shell"), second: str("console")},
		"console.tty":     {first: whole(0), second: whole(6)},
	}
})

// kindOfApp is made once: tests that compare thousands of values need it often.
var kindOfApp = sync.OnceValue(appKind)
