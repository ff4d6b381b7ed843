package pvesim

import (
	"cmp"
	"fmt"
	"maps"
	"time"
)

// dumpOne is the backup of one guest.
type dumpOne struct {
	Run      dumpRun
	VMID     int
	Mode     string
	Began    time.Time
	Down     time.Time // a running guest was stopped or frozen then
	Restart  bool      // it ran before and is started again
	Contents archive   // what goes into the archive, taken when the backup began
	Bytes    int64     // of the archive before it is packed
}

func (d dumpOne) fail(t *task, now time.Time, cause error) {
	t.logf("ERROR: Backup of VM %d failed - %v", d.VMID, cause)
	t.logf("INFO: Failed at %s", stamp(now))
}

// dumpGuest begins the backup of a guest. What goes wrong concerns this guest only.
func (x *tx) dumpGuest(t *task, d dumpOne) error {
	g := x.guests.at(vmidKey(d.VMID))
	d.Began = x.now
	if g == nil {
		d.fail(t, x.now, fmt.Errorf("unable to find VM '%d'", d.VMID))
		return nil
	}
	t.logf("INFO: Starting Backup of VM %d (%s)", d.VMID, g.Kind)
	t.logf("INFO: Backup started at %s", stamp(x.now))
	t.logf("INFO: status = %s", status(g))
	s, err := x.storageFor(d.Run.storage(), t.Node)
	if err == nil {
		err = cmp.Or(g.unlocked(), x.roomForOneMore(s, g, d.Run))
	}
	if err != nil {
		d.fail(t, x.now, err)
		return nil
	}
	x.changed(g)
	g.Config["lock"] = "backup"
	d.take(x, g)
	d.Mode = x.dumpMode(t, g, d)
	t.Undo = []step{call("vzdump.abort", d)}
	t.then(x.archiving(t, g, s, d)...)
	return nil
}

func status(g *guest) string {
	if g.Running {
		return "running"
	}
	return "stopped"
}

// roomForOneMore is the error of a run that may not remove old backups although there are enough.
func (x *tx) roomForOneMore(s *storage, g *guest, r dumpRun) error {
	keep := r.retention(s)
	if r.Options["remove"] != "0" || len(keep) == 0 {
		return nil
	}
	limit, count := 0, 0
	for _, n := range keep {
		limit += n
	}
	for _, v := range x.volumesOn(s, g.Node) {
		if v.Content == "backup" && v.VMID == g.VMID && !v.Protected {
			count++
		}
	}
	if count >= limit {
		return die("There is a max backup limit of %d enforced by the target storage or the vzdump parameters."+
			" Either increase the limit or delete old backups.", limit)
	}
	return nil
}

// retention is what the run says, else the storage; empty keeps all.
func (r dumpRun) retention(s *storage) retention {
	return parseRetention(cmp.Or(r.Options["prune-backups"], s.Options["prune-backups"]))
}

// take copies what the archive will hold: settings in force and the content of the disks that are backed up.
func (d *dumpOne) take(x *tx, g *guest) {
	d.Contents = archive{Config: maps.Clone(g.Config), Disks: map[string]disk{}, Software: g.Software, Kind: g.Kind}
	delete(d.Contents.Config, "lock")
	delete(d.Contents.Config, "parent")
	d.Bytes = 10240
	for key, text := range g.Config {
		v := x.volume(g.Node, volumeOf(text))
		if v == nil || !isDisk(key) && g.Kind == "lxc" || !backedUp(g, key) {
			continue
		}
		d.Contents.Disks[key] = disk{Size: v.Size, Files: maps.Clone(v.Files)}
		d.Bytes += v.Used
	}
}

func backedUp(g *guest, key string) bool {
	reason := g.inclusion(key)
	return reason == "rootfs" || reason == "enabled"
}

// dumpMode decides how a guest is backed up and says so: a stopped one in mode stop whatever was asked for, one whose
// volumes cannot have snapshots suspended instead.
func (x *tx) dumpMode(t *task, g *guest, d dumpOne) string {
	mode := cmp.Or(d.Run.Options["mode"], "snapshot")
	if !g.Running {
		mode = "stop"
	}
	if mode != "snapshot" || g.Kind != "lxc" {
		d.announce(t, mode)
		describeGuest(t, g)
		return mode
	}
	describeGuest(t, g)
	if x.canSnapshot(g) {
		d.announce(t, mode)
		return mode
	}
	t.logf("INFO: mode failure - some volumes do not support snapshots")
	t.logf("INFO: trying 'suspend' mode instead")
	d.announce(t, "suspend")
	describeGuest(t, g)
	return "suspend"
}

func (d dumpOne) announce(t *task, mode string) {
	t.logf("INFO: backup mode: %s", mode)
	if limit := d.Run.Options["bwlimit"]; limit != "" && limit != "0" {
		t.logf("INFO: bandwidth limit: %s KiB/s", limit)
	}
	t.logf("INFO: ionice priority: %s", cmp.Or(d.Run.Options["ionice"], "7"))
}

// describeGuest names the guest and which of its disks are backed up.
func describeGuest(t *task, g *guest) {
	if g.Kind == "qemu" {
		t.logf("INFO: VM Name: %s", g.name())
		return
	}
	t.logf("INFO: CT Name: %s", g.name())
	for _, key := range diskOrder(g.Config) {
		at := cmp.Or(parseMount(key, g.Config[key])["mp"], "/")
		switch reason := g.inclusion(key); reason {
		case "rootfs", "enabled":
			t.logf("INFO: including mount point %s ('%s') in backup", key, at)
		case "disabled":
			t.logf("INFO: excluding volume mount point %s ('%s') from backup (disabled)", key, at)
		default:
			kind := mountKind(volumeOf(g.Config[key]))
			t.logf("INFO: excluding %s mount point %s ('%s') from backup (%s)", kind, key, at, reason)
		}
	}
}

// canSnapshot reports whether all volumes that are backed up can have snapshots.
func (x *tx) canSnapshot(g *guest) bool {
	for _, key := range diskOrder(g.Config) {
		v := x.volume(g.Node, volumeOf(g.Config[key]))
		if backedUp(g, key) && (v == nil || !x.storages.at(v.Storage).Snapshots) {
			return false
		}
	}
	return true
}

// base is the path of the archive without its endings.
func (d dumpOne) base(s *storage) string {
	return fmt.Sprintf("%s/dump/vzdump-%s-%d-%s", s.Path, d.Contents.Kind, d.VMID, d.Began.UTC().Format("2006_01_02-15_04_05"))
}

// ending is that of the archive's name.
func (d dumpOne) ending() string {
	pack := map[string]string{"1": ".lzo", "lzo": ".lzo", "gzip": ".gz", "zstd": ".zst"}[d.Run.Options["compress"]]
	if d.Contents.Kind == "qemu" {
		return ".vma" + pack
	}
	return ".tar" + pack
}

// duration is how long the archive takes: by the bandwidth limit, else some 150 MiB a second.
func (d dumpOne) duration() time.Duration {
	if limit := numbers(d.Run.Options["bwlimit"]); len(limit) == 1 && limit[0] > 0 {
		return seconds(float64(d.Bytes) / float64(limit[0]<<10))
	}
	return seconds(0.2 + float64(d.Bytes)/(150<<20))
}

// archiving plans the rest of a guest's backup.
func (x *tx) archiving(t *task, g *guest, s *storage, d dumpOne) []step {
	creating := fmt.Sprintf("INFO: creating vzdump archive '%s%s'", d.base(s), d.ending())
	d.Restart = g.Running && d.Mode == "stop"
	if g.Running {
		d.Down = x.now
	}
	write := func() step { return call("vzdump.archive", d).after(d.duration()) }
	switch {
	case d.Restart:
		t.logf("INFO: stopping virtual guest")
		wait := 1200 * time.Millisecond
		if g.Software.IgnoreShutdown {
			wait = 10 * time.Second // then lxc-stop kills it
		}
		stop := call("vzdump.suspend", d).after(wait).logging()
		return []step{stop, step{}.logging(creating), write()}
	case d.Mode == "suspend" && g.Kind == "lxc":
		root, target := fmt.Sprintf("/proc/%d/root/", g.PID), d.base(s)+".tmp"
		t.logf("INFO: starting first sync %s to %s", root, target)
		return []step{
			step{After: d.duration()}.logging(
				fmt.Sprintf("INFO: first sync finished - transferred %.2fM bytes in %.0fs", float64(d.Bytes)/1e6, d.duration().Seconds()),
				"INFO: suspending guest",
				fmt.Sprintf("INFO: starting final sync %s to %s", root, target),
				"INFO: final sync finished - transferred 0 bytes in 0s",
				"INFO: resuming guest",
				"INFO: guest is online again after <1 seconds",
				creating),
			write(),
		}
	case d.Mode == "snapshot" && g.Kind == "lxc":
		t.logf("INFO: create storage snapshot 'vzdump'")
	}
	t.logf("%s", creating)
	return []step{write()}
}

// dumpSuspend stops a running guest for the time of its backup.
func (x *tx) dumpSuspend(_ *task, d dumpOne) error {
	if g := x.guests.at(vmidKey(d.VMID)); g != nil && g.Running {
		x.setStopped(g)
	}
	return nil
}
