package schema

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestFormats(t *testing.T) {
	for _, tt := range []struct {
		format    string
		good, bad []string
	}{
		{"pve-vmid", []string{"100", "999999999"}, []string{"", "99", "0100", "1000000000", "1e3"}},
		{"pve-node", []string{"pve1", "a", "node-2"}, []string{"", "bad node", "-x", "x-", "a.b"}},
		{"pve-storage-id", []string{"local", "local-lvm", "a1", "My.Store"}, []string{"", "x", "1rec", "bad storage", "a-"}},
		{"pve-configid", []string{"ab", "A_1-b"}, []string{"", "a", "1a", "a b", "a.b"}},
		{"pve-poolid", []string{"web", "a/b/c"}, []string{"", "bad pool", "a/b/c/d", "/a"}},
		{"pve-userid", []string{"root@pam", "a.b@my-realm"}, []string{"", "a", "root", "a:b@pam", "@pam", "u@" + strings.Repeat("r", 70)}},
		{"pve-tokenid", []string{"root@pam!test"}, []string{"root@pam", "root@pam!", "root@pam!1x"}},
		{"pve-priv-list", []string{"VM.Audit,Sys.Audit", ""}, []string{"VM.Monitor", "vm.audit"}},
		{"dns-name", []string{"web", "a.b-c.d1", "1a"}, []string{"", "bad_host", "-x", "a..b", "a.", "über"}},
		{"ip", []string{"10.0.0.1", "fe80::1"}, []string{"", "10.0.0.256", "010.0.0.1", "host", "fe80::1%eth0"}},
		{"ipv4", []string{"10.0.0.1"}, []string{"::1", "10.0.0.1/24", "10.0.0"}},
		{"ipv6", []string{"::1", "fd00::1"}, []string{"10.0.0.1", "fd00::1/64"}},
		{"pve-ipv4-config", []string{"dhcp", "manual", "10.0.0.5/24", "10.0.0.0/8"}, []string{"", "auto", "10.0.0.5", "10.0.0.5/7", "10.0.0.5/33", "fd00::1/64"}},
		{"pve-ipv6-config", []string{"auto", "dhcp", "manual", "fd00::1/64"}, []string{"", "fd00::1", "fd00::1/7", "10.0.0.1/24"}},
		{"mac-addr", []string{"BC:24:11:00:00:01", "02:00:00:00:00:0a"}, []string{"", "01:00:00:00:00:01", "BC:24:11:00:00", "BC-24-11-00-00-01"}},
		{"CIDR", []string{"10.0.0.0/8", "fd00::/64"}, []string{"10.0.0.0", "10.0.0.0/7"}},
		{"lxc-ip-with-ll-iface-list", []string{"1.1.1.1 9.9.9.9", "fe80::1%eth0", ""}, []string{"one.one", "fd00::1%eth0"}},
		{"pve-tag-list", []string{"a;b", "web_1+x.y-z", "_a", ""}, []string{"a b!c", "-a"}},
		{"pve-volume-id", []string{"local:8", "local:vztmpl/x.tar.zst"}, []string{"local", "/dev/sda", "local:"}},
		{"pve-lxc-mp-string", []string{"/data", "local:8", "data", ".."}, []string{"/../x", "/a/./b", "/a/..", "../x"}},
		{"pve-lxc-dev-string", []string{"/dev/net/tun"}, []string{"/etc/passwd", "/dev/../etc", ""}},
		{"pve-startup-order", []string{"order=1", "5", "up=5,order=2,down=3"}, []string{"", "0", "order=x", "order=1, up=2"}},
		{"pve-ct-timezone", []string{"host", "UTC", "Europe/Berlin", "America/Argentina/Ushuaia"}, []string{"", "Mars/Base", "Etc/GMT", "CET", "../etc/passwd"}},
		{"pve-storage-content-list", []string{"vztmpl,iso", "none"}, []string{"nonsense"}},
		{"pve-storage-path", []string{"/var/lib/vz"}, []string{"relative", ""}},
		{"pve-task-status-type-list", []string{"ok,error"}, []string{"nonsense"}},
		{"pve-iface", []string{"vmbr0", "eth0.100", "eth0:1"}, []string{"e", "0eth", strings.Repeat("e", 21)}},
		{"email-opt", []string{"", "a@b.de"}, []string{"a", "a b@c"}},
		{"email-or-username-list", []string{"root@pam,a@b.de"}, []string{"a/b"}},
		{"disk-size", []string{"8G", "512M", "1.5T", "4096"}, []string{"", "8GB", "-1G"}},
		{"storage-pair-list", []string{"1", "local", "a1:b2,c3:d4"}, []string{"a:b:c"}},
	} {
		t.Run(tt.format, func(t *testing.T) {
			for _, value := range tt.good {
				require.NoError(t, checkFormat(tt.format, "x", value, Releases()[0]), "%q", value)
			}
			for _, value := range tt.bad {
				err := checkFormat(tt.format, "x", value, Releases()[0])
				require.Error(t, err, "%q", value)
				require.True(t, strings.HasSuffix(err.Error(), "\n"), "Proxmox's texts end with a newline: %q", err)
			}
		})
	}
}

func TestCalendarEvents(t *testing.T) {
	for _, good := range []string{
		"02:30", "daily", "hourly", "Weekly", "*/15", "mon,wed 4:05", "sun 01:00:30", "*-*-* 02:00", "2030-01-01 00:00",
		"mon..fri 22:30", "sat *-1..7 15:00", "mon,wed 8..17:0/30", "fri", "12-24", "mon..wed,sat", "0", "*:*:0/10",
	} {
		require.NoError(t, verifyCalendarEvent(good), good)
	}
	for bad, why := range map[string]string{
		"":             "event is empty",
		"25:00":        "value '25' out of range",
		"nonsense":     "unable to parse weekday 'nonsense'",
		"10:60":        "value '60' out of range",
		"*-13-1":       "value '13' out of range",
		"1-2-3-4":      "unable to parse date '1-2-3-4'",
		"1:2:3:4":      "unable to parse time '1:2:3:4'",
		"*/0":          "invalid step '0'",
		"10:00 monday": "unable to parse 'monday'",
		"10:x":         "unable to parse value 'x'",
		"mon..":        "unable to parse weekday 'mon..'",
	} {
		require.ErrorContains(t, verifyCalendarEvent(bad), why, bad)
	}
}

// No text makes the parser panic, and what it refuses it names.
func FuzzCalendarEvents(f *testing.F) {
	f.Add("mon..fri *-*-1..7 8..17:0/30")
	f.Add("a..-b-")
	f.Fuzz(func(t *testing.T, event string) {
		if err := verifyCalendarEvent(event); err != nil {
			require.ErrorContains(t, err, event)
		}
	})
}
