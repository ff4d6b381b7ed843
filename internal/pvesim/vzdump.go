package pvesim

import (
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

func vzdumpHandlers() map[string]handler {
	return map[string]handler{
		"POST /nodes/{node}/vzdump":              (*tx).vzdump,
		"GET /nodes/{node}/vzdump/defaults":      (*tx).vzdumpDefaults,
		"GET /nodes/{node}/vzdump/extractconfig": (*tx).extractConfig,
	}
}

func vzdumpEffects() map[string]effect {
	return map[string]effect{
		"vzdump.check":   effectOf((*tx).dumpCheck),
		"vzdump.job":     effectOf((*tx).dumpJob),
		"vzdump.guest":   effectOf((*tx).dumpGuest),
		"vzdump.suspend": effectOf((*tx).dumpSuspend),
		"vzdump.archive": effectOf((*tx).dumpArchive),
		"vzdump.abort":   effectOf((*tx).dumpAbort),
		"vzdump.end":     effectOf((*tx).dumpEnd),
	}
}

// dumpRun is one run of vzdump on one node.
type dumpRun struct {
	VMIDs   []int
	Options map[string]string // as sent, without the choice of guests
	Denied  string            // the error of a guest that may not be backed up
}

func (r dumpRun) storage() string { return cmp.Or(r.Options["storage"], "local") }

// vzdump backs guests up. What is wrong with the storage or a guest shows in the task.
func (x *tx) vzdump(c *request) (any, error) {
	config := maps.Clone(map[string]string(c.params))
	if err := cmp.Or(c.rootOnly(), x.mayLimit(c), checkSelection(config, true), x.mayBackUpPool(c), x.mayDumpTo(c)); err != nil {
		return nil, err
	}
	if config["stop"] == "1" {
		x.stopDump(c.node)
		if config["vmid"] == "" && config["all"] != "1" && config["pool"] == "" {
			return "OK", nil
		}
	}
	run := x.localRun(c.node, config, true)
	if len(run.VMIDs) == 0 {
		return "OK", nil
	}
	x.checkOwners(c.who, &run, config["vmid"] != "")
	id := ""
	if len(run.VMIDs) == 1 {
		id = vmidKey(run.VMIDs[0])
	}
	return x.spawn(c, "vzdump", id, run.steps(c.node)...), nil
}

// mayDumpTo wants the right to write to the storage, if that is there, and more for a retention.
func (x *tx) mayDumpTo(c *request) error {
	path := "/storage/" + c.params.Str("storage")
	if x.storages.at(c.params.Str("storage")) == nil {
		return nil
	}
	if c.params.Has("prune-backups") {
		if err := x.check(c.who, path, "Datastore.Allocate"); err != nil {
			return err
		}
	}
	return x.check(c.who, path, "Datastore.AllocateSpace")
}

// stopDump interrupts the backups that run on a node.
func (x *tx) stopDump(node string) {
	for _, t := range x.tasks.all() {
		if t.Type == "vzdump" && t.Node == node && !t.ended() {
			x.fail(t, die("job errors"))
		}
	}
}

// localRun is what a node does of a selection: the guests that it has and, when asked, those that nobody has.
func (x *tx) localRun(node string, config map[string]string, strangers bool) dumpRun {
	run := dumpRun{Options: maps.Clone(config)}
	for _, key := range []string{"vmid", "all", "exclude", "pool", "stop"} {
		delete(run.Options, key)
	}
	for _, vmid := range x.selected(config) {
		g := x.guests.at(vmidKey(vmid))
		if g == nil && strangers || g != nil && g.Node == node {
			run.VMIDs = append(run.VMIDs, vmid)
		}
	}
	return run
}

// checkOwners drops guests that the caller may not back up; naming one makes the task fail.
func (x *tx) checkOwners(who *identity, run *dumpRun, named bool) {
	var mine []int
	for _, vmid := range run.VMIDs {
		err := x.check(who, "/vms/"+vmidKey(vmid), "VM.Backup")
		if err == nil {
			mine = append(mine, vmid)
		} else if named {
			run.Denied = cmp.Or(run.Denied, err.Error())
		}
	}
	if run.Denied == "" {
		run.VMIDs = mine
	}
}

// steps are those of the task: one run at a time on each node.
func (r dumpRun) steps(node string) []step {
	wait := time.Duration(schema.Values(r.Options).Int("lockwait", 180)) * time.Minute
	wait = max(wait, time.Millisecond) // zero means the patience that locks usually have
	lock := step{}.locking("vzdump/" + node).patience(wait).orTimeout("unexpected status")
	lock.Waiting, lock.Got = "INFO: trying to get global lock - waiting...", "INFO: got global lock"
	// It has to begin before it can say anything: until then its log has "no content".
	return []step{call("vzdump.check", r).after(30 * time.Millisecond), lock, call("vzdump.job", r).after(70 * time.Millisecond)}
}

// dumpCheck finds out what is wrong with the storage, before anything is said.
func (x *tx) dumpCheck(t *task, r dumpRun) error {
	if r.Denied != "" {
		return die("%s", r.Denied)
	}
	id := r.storage()
	s, err := x.storageFor(id, t.Node)
	if err == nil {
		err = s.online()
	}
	if err != nil {
		const text = "could not activate storage '%s': %w could not get storage information for '%s': %w"
		return fmt.Errorf(text, id, err, id, err)
	}
	if !s.holds("backup") {
		return fmt.Errorf("could not get storage information for '%s': can't use storage '%s' for backups - wrong content type", id, id)
	}
	return nil
}

// dumpJob says what is going to be done and plans it, guest by guest.
func (x *tx) dumpJob(t *task, r dumpRun) error {
	t.logf("INFO: starting new backup job: vzdump %s", r.commandLine())
	var steps []step
	for _, vmid := range r.VMIDs {
		steps = append(steps, call("vzdump.guest", dumpOne{Run: r, VMID: vmid}))
	}
	t.then(append(steps, call("vzdump.end", r))...)
	return nil
}

// plainWord matches what a shell needs no quotes for.
var plainWord = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`) })

// commandLine is the run as a command.
func (r dumpRun) commandLine() string {
	var words []string
	for _, vmid := range r.VMIDs {
		words = append(words, vmidKey(vmid))
	}
	for _, key := range slices.Sorted(maps.Keys(r.Options)) {
		value := r.Options[key]
		if !plainWord().MatchString(value) {
			value = "'" + value + "'"
		}
		words = append(words, "--"+key, value)
	}
	return strings.Join(words, " ")
}

// dumpEnd tells how the run went: the log says whether a guest failed.
func (x *tx) dumpEnd(t *task, _ dumpRun) error {
	if slices.ContainsFunc(t.Log, func(line string) bool { return strings.HasPrefix(line, "ERROR: Backup of VM") }) {
		t.logf("INFO: Backup job finished with errors")
		return die("job errors")
	}
	t.logf("INFO: Backup job finished successfully")
	return nil
}

// clockOf prints a duration as hours, minutes and seconds.
func clockOf(d time.Duration) string {
	return time.Unix(int64(d.Seconds()), 0).UTC().Format(time.TimeOnly)
}

// stamp is a time as the log has it.
func stamp(at time.Time) string { return at.UTC().Format(time.DateTime) }

func (x *tx) vzdumpDefaults(c *request) (any, error) {
	id := cmp.Or(c.params.Str("storage"), "local")
	s := x.storages.at(id)
	if s == nil {
		return nil, die("storage '%s' does not exist", id)
	}
	defaults := map[string]any{
		"all": 0, "bwlimit": 0, "compress": "0", "fleecing": map[string]any{"enabled": 0}, "ionice": 7, "lockwait": 180,
		"mailnotification": "always", "mode": "snapshot", "notification-mode": "auto", "pigz": 0, "quiet": 0, "remove": 1,
		"performance": map[string]any{"max-workers": 16, "pbs-entries-max": 1048576},
		"stdexcludes": 1, "stop": 0, "stopwait": 10, "zstd": 1, "storage": id, "dumpdir": s.Path + "/dump",
		"prune-backups": cmp.Or(s.Options["prune-backups"], "keep-all=1"),
	}
	known := x.method("POST", "/nodes/{node}/vzdump")
	maps.DeleteFunc(defaults, func(key string, _ any) bool { return known.Param(key) == nil })
	return defaults, nil
}

// extractConfig shows the configuration that lies in a backup.
func (x *tx) extractConfig(c *request) (any, error) {
	volid := c.params.Str("volume")
	v, err := x.archiveAt(c, volid)
	if err != nil {
		return nil, err
	}
	if v == nil {
		return nil, die("volume '%s' does not exist", volid)
	}
	var b strings.Builder
	writeSection(&b, v.Archive.Config)
	return b.String(), nil
}

// archiveAt finds a backup that the caller may read; nil when there is none of that name.
func (x *tx) archiveAt(c *request, volid string) (*volume, error) {
	s, name, err := x.parseVolume(volid)
	if err != nil {
		return nil, err
	}
	if contentOf(name) != "backup" {
		return nil, die("unable to use volume %s - content type needs to be 'backup'", volid)
	}
	if err := x.mayRead(c.who, s, s.describe(name)); err != nil {
		return nil, err
	}
	v := x.volume(c.node, volid)
	if v == nil || v.Archive == nil {
		return nil, nil
	}
	return v, nil
}
