package schema

import (
	"testing"

	"github.com/stretchr/testify/require"
)

func TestParsePropsRefuses(t *testing.T) {
	for _, tt := range []struct{ format, text, want string }{
		{"net0", "bridge=vmbr0", "format error\nnet0.name: property is missing and it is not optional\n"},
		{"net0", "eth0", "value without key, but schema does not define a default key\n"},
		{"net0", "name=eth0,name=eth1", "duplicate key in comma-separated list property: name\n"},
		{"net0", "name=eth0,ip=", "missing key in comma-separated list property\n"},
		{"net0", "name=eth0, bridge=vmbr0", "format error\nnet0. bridge: " + undefined + "\n"},
		{"net0", "name=eth0,hwaddr=01:00:00:00:00:01", "format error\nnet0.hwaddr: invalid format - value does not look like a valid unicast MAC address\n\n"},
		{"features", "nesting=2", "format error\nfeatures.nesting: type check ('boolean') failed - got '2'\n"},
		{"mp0", "local:1,mp=/../x", "format error\nmp0.mp: invalid format - /../x contains illegal character sequences\n\n"},
		{"mp0", "local:1,local:2,mp=/a", "duplicate key in comma-separated list property: volume\n"},
		{"rootfs", "", "format error\nrootfs.volume: property is missing and it is not optional\n"},
		{"prune-backups", "keep-all=1,keep-last=2", "keep-all cannot be set together with other options.\n"},
		{"dev0", "/etc/passwd", "format error\ndev0.path: invalid format - /etc/passwd is not a valid device path\n\n"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			_, err := ParseProps(tt.format, tt.text)
			require.EqualError(t, err, tt.want)
		})
	}
}

// Printing what was parsed gives Proxmox's own order and its words for booleans.
func TestPropsAreReprintedAsProxmoxDoes(t *testing.T) {
	for _, tt := range []struct{ format, text, want string }{
		{"rootfs", "ro=yes,volume=local:8,acl=off", "local:8,acl=0,ro=1"},
		{"mp0", "size=10G,mp=/data,backup=on,local-lvm:vm-100-disk-1", "local-lvm:vm-100-disk-1,mp=/data,backup=1,size=10G"},
		{"net0", "type=veth,ip=dhcp,bridge=vmbr0,firewall=true,name=eth0", "name=eth0,bridge=vmbr0,firewall=1,ip=dhcp,type=veth"},
		{"unused3", "local:100/vm-100-disk-1.raw", "local:100/vm-100-disk-1.raw"},
		{"startup", "up=5,order=2,down=3", "2,down=3,up=5"},
		{"prune-backups", "keep-weekly=2,,keep-daily=7", "keep-daily=7,keep-weekly=2"},
		{"backup-fleecing", "1,storage=local", "1,storage=local"},
		{"bwlimit", "restore=100,default=50", "default=50,restore=100"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			values, err := ParseProps(tt.format, tt.text)
			require.NoError(t, err)
			require.Equal(t, tt.want, PrintProps(tt.format, values))
		})
	}
}

func TestUnknownPropertyStringsPanic(t *testing.T) {
	require.PanicsWithValue(t, "schema: no such property string: nosuch", func() { ParseProps("nosuch", "") })
}

// Whatever is accepted keeps its meaning when printed and parsed again.
func FuzzProps(f *testing.F) {
	f.Add("net0", "name=eth0,bridge=vmbr0,ip=10.0.0.5/24,firewall=yes")
	f.Add("mp0", "local:8,mp=/data,mountoptions=noatime;nodev")
	f.Add("prune-backups", "keep-last=3,keep-daily=0")
	f.Add("dev0", "/dev/net/tun,mode=0666")
	f.Fuzz(func(t *testing.T, format, text string) {
		if namedProps()[format] == nil {
			format = "net"
		}
		values, err := ParseProps(format, text)
		if err != nil {
			return
		}
		again, err := ParseProps(format, PrintProps(format, values))
		require.NoError(t, err)
		require.Equal(t, values, again)
	})
}
