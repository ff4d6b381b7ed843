package pvesim

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// dumpArchive ends the backup of a guest: the archive is there, with notes and protection, and old ones are pruned.
func (x *tx) dumpArchive(t *task, d dumpOne) error {
	t.Undo = nil
	err := x.writeArchive(t, d)
	x.release(t, d)
	if err != nil {
		d.fail(t, x.now, err)
		return nil
	}
	t.logf("INFO: Finished Backup of VM %d (%s)", d.VMID, clockOf(x.now.Sub(d.Began)))
	t.logf("INFO: Backup finished at %s", stamp(x.now))
	return nil
}

func (x *tx) writeArchive(t *task, d dumpOne) error {
	s, err := x.storageFor(d.Run.storage(), t.Node)
	if err != nil {
		return err
	}
	size := d.Bytes
	if strings.Count(d.ending(), ".") > 1 {
		size = size * 45 / 100
	}
	t.logf("INFO: Total bytes written: %d (%.1fMiB, 150MiB/s)", d.Bytes, float64(d.Bytes)/(1<<20))
	t.logf("INFO: archive file size: %dMB", size>>20)
	name := strings.TrimPrefix(d.base(s), s.Path+"/dump/") + d.ending()
	v := &volume{
		Storage: s.ID, Node: s.home(t.Node), Name: "backup/" + name, Content: "backup", Format: d.ending()[1:],
		Size: size, Used: size, VMID: d.VMID, Archive: &d.Contents,
	}
	// A second backup within one second has the same name: it replaces the first, whose mark stays.
	if old := x.volume(t.Node, v.id()); old != nil {
		v.Protected = old.Protected
	}
	if err := x.store(s, v); err != nil {
		return err
	}
	v.Created = d.Began.Truncate(time.Second)
	if template := d.Run.Options["notes-template"]; template != "" {
		t.logf("INFO: adding notes to backup")
		v.Notes, err = expandNotes(template, x.noteVariables(t.Node, d))
	}
	if d.Run.Options["protected"] == "1" {
		t.logf("INFO: marking backup as protected")
		v.Protected = true
	}
	x.pruneAfter(t, s, d)
	return err
}

func (x *tx) noteVariables(node string, d dumpOne) map[string]string {
	cluster := "standalone node"
	if x.meta.at("").Clustered {
		cluster = clusterName
	}
	name := cmp.Or(d.Contents.Config["hostname"], d.Contents.Config["name"])
	return map[string]string{"cluster": cluster, "guestname": name, "node": node, "vmid": vmidKey(d.VMID)}
}

// pruneAfter removes old backups of the guest by the retention of the run or the storage.
func (x *tx) pruneAfter(t *task, s *storage, d dumpOne) {
	keep := d.Run.retention(s)
	if d.Run.Options["remove"] == "0" || len(keep) == 0 {
		return
	}
	t.logf("INFO: prune older backups with retention: %s", keep)
	pruned := 0
	for _, b := range x.judge(s, t.Node, keep, d.Contents.Kind, d.VMID) {
		if b.mark == markRemove {
			t.logf("INFO: removing backup '%s'", b.volume.id())
			x.dropVolume(b.volume)
			pruned++
		}
	}
	t.logf("INFO: pruned %d backup(s) not covered by keep-retention policy", pruned)
}

// String prints a retention as it is written in a configuration.
func (keep retention) String() string {
	var parts []string
	for _, rule := range rules() {
		if n := keep[rule.name]; n > 0 {
			parts = append(parts, fmt.Sprintf("keep-%s=%d", rule.name, n))
		}
	}
	return strings.Join(parts, ", ")
}

// release drops the lock of a guest that is or is not backed up and starts it when it ran before.
func (x *tx) release(t *task, d dumpOne) {
	g := x.guests.at(vmidKey(d.VMID))
	if g == nil {
		return
	}
	x.changed(g)
	delete(g.Config, "lock")
	switch {
	case d.Restart && !g.Running:
		t.logf("INFO: restarting vm")
		x.setRunning(g)
		t.logf("INFO: guest is online again after %d seconds", int(x.now.Sub(d.Down).Seconds()))
	case d.Mode == "snapshot" && g.Kind == "lxc":
		t.logf("INFO: cleanup temporary 'vzdump' snapshot")
	}
}

// dumpAbort is what an interrupted run leaves of the guest it was at: nothing.
func (x *tx) dumpAbort(t *task, d dumpOne) error {
	g := x.guests.at(vmidKey(d.VMID))
	if g == nil {
		return nil
	}
	cause := errors.New("interrupted by signal")
	if s := x.storages.at(d.Run.storage()); s != nil {
		cause = fmt.Errorf("command '%s' failed: %w", d.command(s), cause)
	}
	d.fail(t, x.now, cause)
	t.logf("INFO: Backup job finished with errors")
	d.Restart = slices.Contains(t.Log, "INFO: stopping virtual guest")
	x.release(t, d)
	return nil
}

// command is how an archive is made.
func (d dumpOne) command(s *storage) string {
	limit, pack, out := "", "", d.ending()
	if n := numbers(d.Run.Options["bwlimit"]); len(n) == 1 && n[0] > 0 {
		limit = fmt.Sprintf("cstream -t %d | ", n[0]<<10)
	}
	switch d.ending() {
	case ".tar.zst":
		pack, out = "zstd '--threads=1' ", ".tar"
	case ".tar.gz":
		pack, out = "gzip --rsyncable ", ".tar"
	case ".tar.lzo":
		pack, out = "lzop ", ".tar"
	case ".tar":
		out = ""
	}
	return "set -o pipefail && lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar cpf - --totals --one-file-system -p --sparse " +
		"--numeric-owner --acls --xattrs '--xattrs-include=user.*' '--xattrs-include=security.capability' '--warning=no-file-ignored' " +
		"'--warning=no-xattr-write' --one-file-system '--warning=no-file-ignored' '--directory=" + d.base(s) + ".tmp' " +
		"./etc/vzdump/pct.conf ./etc/vzdump/pct.fw '--directory=/mnt/vzsnap0' --no-anchored '--exclude=lost+found' --anchored " +
		"'--exclude=./tmp/?*' '--exclude=./var/tmp/?*' '--exclude=./var/run/?*.pid' ./ | " + limit + pack + ">" + d.base(s) + out + ".dat"
}
