package pvesim_test

import (
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// column collects one field of rows.
func column(rows any, field string) []any {
	values := []any{}
	for _, row := range rows.([]any) {
		values = append(values, row.(map[string]any)[field])
	}
	return values
}

func (a *api) sleep(d time.Duration) {
	a.t.Helper()
	require.NoError(a.t, a.clock.Sleep(context.Background(), d))
}

func TestScheduledJobsRunWhenDue(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	a.ok("POST", "/cluster/backup", url.Values{
		"id": {"nightly"}, "schedule": {"02:30"}, "storage": {"backup"}, "all": {"1"}, "mode": {"snapshot"}, "compress": {"zstd"},
		"prune-backups": {"keep-last=2"},
	})
	a.sleep(5 * 24 * time.Hour)

	for _, vmid := range []string{"100", "101", "102"} {
		kept := a.ok("GET", "/nodes/pve1/storage/backup/content?content=backup&vmid="+vmid, nil).([]any)
		require.Len(t, kept, 2, "guest %s, whichever node it is on", vmid)
		for _, name := range column(kept, "volid") {
			require.Contains(t, name, "-02_30_00.")
		}
	}
	tasks := a.ok("GET", "/nodes/pve2/tasks?typefilter=vzdump", nil)
	require.Equal(t, []any{"OK", "OK", "OK", "OK", "OK"}, column(tasks, "status"))
	require.Equal(t, []any{"root@pam", "root@pam", "root@pam", "root@pam", "root@pam"}, column(tasks, "user"))
}

func TestDisabledJobsRest(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	a.ok("POST", "/cluster/backup", url.Values{
		"id": {"resting"}, "schedule": {"hourly"}, "storage": {"backup"}, "all": {"1"}, "enabled": {"0"},
	})
	a.sleep(48 * time.Hour)
	require.Empty(t, a.ok("GET", "/nodes/pve1/storage/backup/content", nil))
}

// A job goes on for an estate that lay still for a year, but not without bound.
func TestMissedRunsAreBounded(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	a.ok("POST", "/cluster/backup", url.Values{
		"id": {"often"}, "schedule": {"minutely"}, "storage": {"backup"}, "vmid": {"100"}, "prune-backups": {"keep-last=1"},
	})
	a.sleep(365 * 24 * time.Hour)
	require.Len(t, a.ok("GET", "/nodes/pve1/storage/backup/content", nil), 1)
}

func TestOneBackupAtATimePerNode(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", smallest("200"))))
	first := a.ok("POST", "/nodes/pve1/vzdump", url.Values{"vmid": {"100"}, "storage": {"backup"}, "bwlimit": {"10240"}})
	second := a.ok("POST", "/nodes/pve1/vzdump", url.Values{"vmid": {"200"}, "storage": {"backup"}})
	a.sleep(time.Second)
	log := column(a.ok("GET", "/nodes/pve1/tasks/"+second.(string)+"/log", nil), "t")
	require.Equal(t, []any{"INFO: trying to get global lock - waiting..."}, log)
	require.Equal(t, "OK", a.wait(first))
	require.Equal(t, "OK", a.wait(second))
}

func TestImpatientBackupGivesUp(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	a.ok("POST", "/nodes/pve1/vzdump", url.Values{"vmid": {"100"}, "storage": {"backup"}, "bwlimit": {"1024"}})
	impatient := a.ok("POST", "/nodes/pve1/vzdump", url.Values{"vmid": {"100"}, "storage": {"backup"}, "lockwait": {"0"}})
	require.Equal(t, "unexpected status", a.wait(impatient))
}

// What a container held when it was backed up is there again, and what it got since is gone.
func TestRestoreBringsContentBack(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.ok("POST", "/nodes/pve1/vzdump", url.Values{"vmid": {"101"}, "storage": {"backup"}}),
		"a guest of another node: no task at all")
	upid := a.ok("POST", "/nodes/pve2/vzdump", url.Values{"vmid": {"101"}, "storage": {"backup"}, "protected": {"1"}})
	require.Equal(t, "OK", a.wait(upid))
	archive := column(a.ok("GET", "/nodes/pve2/storage/backup/content?content=backup", nil), "volid")[0].(string)

	upid = a.ok("POST", "/nodes/pve3/lxc", url.Values{
		"vmid": {"300"}, "restore": {"1"}, "ostemplate": {archive}, "storage": {"local-lvm"}, "unique": {"1"},
	})
	require.Equal(t, "OK", a.wait(upid), "from a shared storage on any node")
	config := a.ok("GET", "/nodes/pve3/lxc/300/config", nil).(map[string]any)
	require.Equal(t, "wiki-old", config["hostname"])
	require.Equal(t, "local-lvm:vm-300-disk-0,size=16G", config["rootfs"])
	require.NotContains(t, config["net0"], "BC:24:11:5A:10:0B")
}

func TestMigration(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", smallest("200"))))
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc/200/status/start", nil)))

	status, _ := a.call("POST", "/nodes/pve1/lxc/200/migrate", url.Values{"target": {"pve2"}})
	require.Equal(t, "500 can't migrate running container without --online or --restart", status)
	status, _ = a.call("POST", "/nodes/pve1/lxc/200/migrate", url.Values{"target": {"pve1"}})
	require.Equal(t, "400 Parameter verification failed.", status)
	upid := a.ok("POST", "/nodes/pve1/lxc/200/migrate", url.Values{"target": {"pve2"}, "online": {"1"}})
	require.Equal(t, "migration aborted", a.wait(upid), "containers cannot go live")

	upid = a.ok("POST", "/nodes/pve1/lxc/200/migrate", url.Values{"target": {"pve2"}, "restart": {"1"}})
	a.sleep(500 * time.Millisecond)
	config := a.ok("GET", "/nodes/pve1/lxc/200/config", nil).(map[string]any)
	require.Equal(t, "migrate", config["lock"])
	require.Equal(t, "OK", a.wait(upid))

	status, _ = a.call("GET", "/nodes/pve1/lxc/200/config", nil)
	require.Equal(t, "500 Configuration file 'nodes/pve1/lxc/200.conf' does not exist", status)
	now := a.ok("GET", "/nodes/pve2/lxc/200/status/current", nil).(map[string]any)
	require.Equal(t, "running", now["status"])
	require.Contains(t, column(a.ok("GET", "/nodes/pve2/storage/local-lvm/content", nil), "volid"), "local-lvm:vm-200-disk-0")
	require.NotContains(t, column(a.ok("GET", "/nodes/pve1/storage/local-lvm/content", nil), "volid"), "local-lvm:vm-200-disk-0")
}

func TestMoveVolume(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", smallest("200"))))
	move := url.Values{"volume": {"rootfs"}, "storage": {"nvme"}}
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc/200/move_volume", move)))
	config := a.ok("GET", "/nodes/pve1/lxc/200/config", nil).(map[string]any)
	require.Equal(t, "nvme:subvol-200-disk-0,size=1G", config["rootfs"])
	require.Equal(t, "local-lvm:vm-200-disk-0", config["unused0"])

	back := url.Values{"volume": {"rootfs"}, "storage": {"local-lvm"}, "delete": {"1"}}
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc/200/move_volume", back)))
	config = a.ok("GET", "/nodes/pve1/lxc/200/config", nil).(map[string]any)
	require.Equal(t, "local-lvm:vm-200-disk-1,size=1G", config["rootfs"])
	require.NotContains(t, config, "unused1")
}

func TestDownloads(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	const at = "/nodes/pve1/storage/local"
	pull := func(reference string) any {
		return a.ok("POST", at+"/oci-registry-pull", url.Values{"reference": {reference}})
	}
	require.Equal(t, "OK", a.wait(pull("docker.io/library/nginx:1.27")))
	require.Contains(t, column(a.ok("GET", at+"/content?content=vztmpl", nil), "volid"), "local:vztmpl/nginx_1.27.tar")
	status, _ := a.call("POST", at+"/oci-registry-pull", url.Values{"reference": {"docker.io/library/nginx:1.27"}})
	require.Equal(t, "500 refusing to override existing file 'nginx_1.27.tar'", status)
	require.True(t, strings.HasSuffix(a.wait(pull("example.org/no-such:1")), "failed: exit code 1"))
	require.Contains(t, a.ok("GET", "/nodes/pve1/query-oci-repo-tags?reference=nginx", nil), "latest")

	form := url.Values{"content": {"vztmpl"}, "filename": {"mine.tar.zst"}, "url": {"https://example.org/mine.tar.zst"}}
	require.Equal(t, "OK", a.wait(a.ok("POST", at+"/download-url", form)))
	require.Equal(t, "refusing to override existing file '/var/lib/vz/template/cache/mine.tar.zst'",
		a.wait(a.ok("POST", at+"/download-url", form)))
	form.Set("filename", "other.tar.zst")
	form.Set("checksum", "00")
	form.Set("checksum-algorithm", "sha256")
	require.Contains(t, a.wait(a.ok("POST", at+"/download-url", form)), "checksum mismatch: got '")

	template := column(a.ok("GET", "/nodes/pve1/aplinfo", nil), "template")[1]
	apl := url.Values{"storage": {"local"}, "template": {template.(string)}}
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/aplinfo", apl)))
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/aplinfo", apl)), "it is there already")
}

// A container of an OCI image runs what the image says.
func TestContainerOfAnImage(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	upid := a.ok("POST", "/nodes/pve1/storage/local/oci-registry-pull", url.Values{"reference": {"ghcr.io/gethomepage/homepage:v1"}})
	require.Equal(t, "OK", a.wait(upid))
	form := smallest("200")
	form.Set("ostemplate", "local:vztmpl/homepage_v1.tar")
	form.Set("rootfs", "local-lvm:2")
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", form)))
	config := a.ok("GET", "/nodes/pve1/lxc/200/config", nil).(map[string]any)
	require.Equal(t, "/docker-entrypoint.sh homepage", config["entrypoint"])
	require.Contains(t, config["env"], "HOMEPAGE_VERSION=v1")
}

// A storage that is taken out of the configuration makes tasks fail that need it, and nothing worse.
func TestTasksWithoutTheirStorage(t *testing.T) {
	for _, test := range []struct {
		name, storage, path string
		form                url.Values
	}{
		{"backup", "backup", "/nodes/pve1/vzdump", url.Values{"vmid": {"200"}, "storage": {"backup"}}},
		{"clone", "nvme", "/nodes/pve1/lxc/200/clone", url.Values{"newid": {"201"}, "storage": {"nvme"}, "full": {"1"}}},
		{"moved volume", "nvme", "/nodes/pve1/lxc/200/move_volume", url.Values{"volume": {"rootfs"}, "storage": {"nvme"}}},
		{"template", "local", "/nodes/pve1/aplinfo", url.Values{
			"storage": {"local"}, "template": {"fedora-42-default_20250428_amd64.tar.xz"},
		}},
		{"migration", "local-lvm", "/nodes/pve1/lxc/200/migrate", url.Values{"target": {"pve2"}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			a := openSim(t, pvesim.Options{})
			require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", smallest("200"))))
			upid := a.ok("POST", test.path, test.form)
			a.ok("DELETE", "/storage/"+test.storage, nil)
			require.NotEqual(t, "OK", a.wait(upid))
			config := a.ok("GET", "/nodes/pve1/lxc/200/config", nil).(map[string]any)
			require.NotContains(t, config, "lock")
			status, _ := a.call("GET", "/nodes/pve1/lxc/201/config", nil)
			require.Equal(t, "500 Configuration file 'nodes/pve1/lxc/201.conf' does not exist", status)
		})
	}
}

// A linked clone stands on its template: the template stays as long as the clone is there.
func TestLinkedCloneHoldsItsTemplate(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc", smallest("200"))))
	a.ok("POST", "/nodes/pve1/lxc/200/template", nil)
	a.sleep(time.Second)
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve1/lxc/200/clone", url.Values{"newid": {"201"}})))
	volumes := a.ok("GET", "/nodes/pve1/storage/local-lvm/content?vmid=201", nil)
	require.Equal(t, []any{"base-200-disk-0"}, column(volumes, "parent"))

	status, _ := a.call("DELETE", "/nodes/pve1/lxc/200", nil)
	require.Contains(t, status, "is still in use by linked clones")
	require.Equal(t, "OK", a.wait(a.ok("DELETE", "/nodes/pve1/lxc/201", nil)))
	require.Equal(t, "OK", a.wait(a.ok("DELETE", "/nodes/pve1/lxc/200", nil)))
}

// An interrupted restore in place leaves the container as it was.
func TestInterruptedRestoreKeepsTheContainer(t *testing.T) {
	a := openSim(t, pvesim.Options{})
	require.Equal(t, "OK", a.wait(a.ok("POST", "/nodes/pve2/vzdump", url.Values{"vmid": {"101"}, "storage": {"backup"}})))
	archive := column(a.ok("GET", "/nodes/pve2/storage/backup/content", nil), "volid")[0].(string)
	before := a.ok("GET", "/nodes/pve2/lxc/101/config", nil)

	upid := a.ok("POST", "/nodes/pve2/lxc", url.Values{
		"vmid": {"101"}, "restore": {"1"}, "force": {"1"}, "ostemplate": {archive}, "storage": {"nvme"},
	}).(string)
	a.sleep(200 * time.Millisecond)
	a.ok("DELETE", "/nodes/pve2/tasks/"+upid, nil)
	require.Equal(t, before, a.ok("GET", "/nodes/pve2/lxc/101/config", nil))
	require.Equal(t, []any{"nvme:subvol-101-disk-0"}, column(a.ok("GET", "/nodes/pve2/storage/nvme/content", nil), "volid"))
}
