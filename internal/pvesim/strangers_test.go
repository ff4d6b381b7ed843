package pvesim_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// odd is a container with everything that somebody may have written into a configuration file.
const odd = `{
 "vmid": 300, "node": "pve2", "running": true, "pool": "theirs", "ha": "started",
 "config": {
  "arch": "amd64", "ostype": "debian", "hostname": "odd", "memory": 2048, "swap": 0, "cores": 2, "cpulimit": "1.5", "cpuunits": 200,
  "unprivileged": false, "onboot": true, "protection": 1, "console": 0, "tty": 3, "cmode": "shell", "debug": 1, "template": 0,
  "timezone": "Europe/Berlin", "nameserver": "192.0.2.1 2001:db8::1", "searchdomain": "a.example b.example",
  "startup": "order=3,up=20,down=30", "tags": "a;b-c;d.e", "lock": "backup", "hookscript": "local:snippets/hook.sh",
  "features": "nesting=1,keyctl=1,fuse=1,mknod=1,force_rw_sys=1,mount=nfs;cifs",
  "entrypoint": "/bin/app --serve", "env": "A=b\u0000C=d e",
  "description": "# heading\n<!-- a comment -->\n\n\ttab, 100 %, ünïcode & \"quotes\" \\ \n",
  "rootfs": "local-lvm:vm-300-disk-0,acl=1,mountoptions=noatime;nodev,quota=0,replicate=0,size=16G",
  "mp0": "local-lvm:vm-300-disk-1,mp=/data,backup=1,size=1G", "mp255": "nvme:subvol-300-disk-0,mp=/last,ro=1,size=512M",
  "mp7": "/srv/share,mp=/share,shared=1", "mp8": "/dev/sdb1,mp=/raw",
  "net0": "name=eth0,bridge=vmbr0,firewall=1,gw=192.0.2.1,hwaddr=BC:24:11:00:03:00,ip=192.0.2.30/24,ip6=auto,tag=7,trunks=1;2,type=veth",
  "net31": "name=eth31,bridge=vmbr1,hwaddr=BC:24:11:00:03:1F,ip=dhcp,link_down=1,mtu=1400,rate=12.5,type=veth",
  "dev0": "/dev/net/tun", "dev255": "path=/dev/dri/renderD128,gid=104,mode=0660,uid=0,deny-write=1",
  "unused0": "local-lvm:vm-300-disk-9", "unused200": "nvme:subvol-300-disk-3"
 },
 "lxc": [["lxc.apparmor.profile", "unconfined"], ["lxc.mount.entry", "/a a none bind"], ["lxc.mount.entry", "/b b none bind"]],
 "pending": {"features": "nesting=1", "nameserver": "192.0.2.9"}, "delete": ["mp8"],
 "snapshots": [{"name": "first", "description": "before", "age": 7200}, {"name": "second", "parent": "first", "age": 60}]
}`

func oddCluster(t *testing.T) *api {
	t.Helper()
	seed := pvesim.Cluster()
	var guest pvesim.SeedGuest
	require.NoError(t, json.Unmarshal([]byte(odd), &guest))
	seed.Guests = append(seed.Guests, guest)
	return openSim(t, pvesim.Options{Seed: seed})
}

// A guest of a stranger reads back as its file has it, whatever is in it.
func TestStrangersReadBack(t *testing.T) {
	a := oddCluster(t)
	read := a.ok("GET", "/nodes/pve2/lxc/300/config?current=1", nil).(map[string]any)
	var want struct{ Config map[string]any }
	require.NoError(t, json.Unmarshal([]byte(odd), &want))
	want.Config["parent"], want.Config["digest"] = "second", read["digest"]
	want.Config["unprivileged"], want.Config["onboot"] = 0.0, 1.0
	want.Config["lxc"] = []any{
		[]any{"lxc.apparmor.profile", "unconfined"}, []any{"lxc.mount.entry", "/a a none bind"}, []any{"lxc.mount.entry", "/b b none bind"},
	}
	require.Equal(t, want.Config, read)

	shown := a.ok("GET", "/nodes/pve2/lxc/300/config", nil).(map[string]any)
	require.Equal(t, "nesting=1", shown["features"], "what waits is merged in")
	require.NotContains(t, shown, "mp8")

	pending := map[string]map[string]any{}
	for _, row := range a.ok("GET", "/nodes/pve2/lxc/300/pending", nil).([]any) {
		pending[row.(map[string]any)["key"].(string)] = row.(map[string]any)
	}
	require.NotContains(t, pending, "lxc", "lists are left out here")
	require.Equal(t, "192.0.2.9", pending["nameserver"]["pending"])
	require.Equal(t, 1.0, pending["mp8"]["delete"])
	require.Len(t, pending, len(read)-1)
}

func TestStrangersAreListed(t *testing.T) {
	a := oddCluster(t)
	row := a.listed(300)
	for key, want := range map[string]any{
		"node": "pve2", "status": "running", "lock": "backup", "tags": "a;b-c;d.e", "pool": "theirs", "hastate": "started", "name": "odd",
	} {
		require.Equal(t, want, row[key], key)
	}
	var parents []string
	for _, s := range a.ok("GET", "/nodes/pve2/lxc/300/snapshot", nil).([]any) {
		parents = append(parents, fmt.Sprint(s.(map[string]any)["name"], "<", s.(map[string]any)["parent"]))
	}
	require.Equal(t, []string{"first<<nil>", "second<first", "current<second"}, parents)
	snapshot := a.ok("GET", "/nodes/pve2/lxc/300/snapshot/first/config", nil).(map[string]any)
	require.Equal(t, "before\n", snapshot["description"])
	require.Len(t, snapshot["lxc"], 3)
	for _, volid := range []string{"local-lvm:vm-300-disk-9", "nvme:subvol-300-disk-3", "nvme:subvol-300-disk-0"} {
		require.Contains(t, a.sim.World().Volumes, "pve2/"+volid)
	}
	require.EqualValues(t, 512<<20, a.sim.World().Volumes["pve2/nvme:subvol-300-disk-0"].Size, "as its setting says")
}

// A seed that cannot be is refused with the guest and what is wrong.
func TestSeedsAreChecked(t *testing.T) {
	for want, guest := range map[string]string{
		"seed: guest 300: there is no node \"pve9\"":      `{"vmid": 300, "node": "pve9"}`,
		"seed: guest 300: mp3: no storage \"gone\"":       `{"vmid": 300, "config": {"mp3": "gone:vm-300-disk-0,mp=/x"}}`,
		"snapshot \"b\": it comes twice, or before its":   `{"vmid": 300, "snapshots": [{"name": "b", "parent": "a"}]}`,
		"seed: guest 0: it has no vmid":                   `{}`,
		"no version profile \"6.4\": there are 9.2, 9.1,": ``,
	} {
		seed := pvesim.Cluster()
		if guest == "" {
			seed.PVE = "6.4"
		} else {
			var g pvesim.SeedGuest
			require.NoError(t, json.Unmarshal([]byte(guest), &g))
			seed.Guests = append(seed.Guests, g)
		}
		_, err := pvesim.Open(pvesim.Options{Seed: seed, Clock: newStepClock()})
		require.ErrorContains(t, err, want)
	}
}

// listed is a guest's row in the listing of the cluster, nil for none.
func (a *api) listed(vmid int) map[string]any {
	a.t.Helper()
	for _, row := range a.ok("GET", "/cluster/resources?type=vm", nil).([]any) {
		if row := row.(map[string]any); row["vmid"] == float64(vmid) {
			return row
		}
	}
	return nil
}
