package pvesim

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"
)

func jobHandlers() map[string]handler {
	const job = "/cluster/backup/{id}"
	return map[string]handler{
		"GET /cluster/backup":                    (*tx).jobList,
		"POST /cluster/backup":                   (*tx).jobCreate,
		"GET " + job:                             (*tx).jobShow,
		"PUT " + job:                             (*tx).jobUpdate,
		"DELETE " + job:                          (*tx).jobDelete,
		"GET " + job + "/included_volumes":       (*tx).jobVolumes,
		"GET /cluster/backup-info":               index("subdir", "not-backed-up"),
		"GET /cluster/backup-info/not-backed-up": (*tx).notBackedUp,
		"GET /cluster/jobs":                      index("subdir", "schedule-analyze", "realm-sync"),
		"GET /cluster/jobs/schedule-analyze":     (*tx).analyzeSchedule,
	}
}

// row is a job as the API shows it: property strings have become objects.
func (x *tx) jobRow(j *job) map[string]any {
	method := x.method("POST", "/cluster/backup")
	row := map[string]any{"id": j.ID, "type": "vzdump"}
	for key, value := range j.Config {
		switch key {
		case "prune-backups", "fleecing", "performance":
			row[key] = object(value)
		default:
			row[key] = typed(method.Params[key], value)
		}
	}
	return row
}

// object splits a property string. Switches are numbers, numbers are strings, as Proxmox has it.
func object(text string) map[string]any {
	all := map[string]any{}
	for item := range strings.SplitSeq(text, ",") {
		key, value, ok := strings.Cut(strings.TrimSpace(item), "=")
		switch {
		case !ok:
			all["enabled"] = bit(truth(key))
		case key == "enabled" || key == "keep-all":
			all[key] = bit(truth(value))
		default:
			all[key] = value
		}
	}
	return all
}

// truth reads a switch inside a property string.
func truth(text string) bool { return slices.Contains([]string{"1", "yes", "on", "true"}, text) }

func (x *tx) jobList(*request) (any, error) {
	rows := []map[string]any{}
	for _, j := range x.jobs.all() {
		row := x.jobRow(j)
		if next := j.nextRun(x.now); !next.IsZero() {
			row["next-run"] = next.Unix()
		}
		rows = append(rows, row)
	}
	return rows, nil
}

func (j *job) nextRun(after time.Time) time.Time {
	event, err := parseCalendar(j.Config["schedule"])
	if err != nil {
		return time.Time{}
	}
	return event.next(after)
}

func (x *tx) jobShow(c *request) (any, error) {
	j, err := x.job(c)
	if err != nil {
		return nil, err
	}
	return x.jobRow(j), nil
}

func (x *tx) job(c *request) (*job, error) {
	id := c.params.Str("id")
	if j := x.jobs.at(id); j != nil {
		return j, nil
	}
	return nil, badParam("id", "No such job '%s'", id)
}

// stringified is an error raised under the lock of the jobs' file: it loses its status.
func stringified(err error) error { return die("%s", err.Error()) }

// rootOnly are options of a backup run that only root@pam may set.
func (c *request) rootOnly() error {
	for _, key := range []string{"dumpdir", "script", "tmpdir", "job-id"} {
		if c.params.Has(key) && !c.who.isRoot() {
			return badParam(key, "Only root may set this option.")
		}
	}
	return nil
}

// mayLimit wants more rights of who slows backups down.
func (x *tx) mayLimit(c *request) error {
	for _, key := range []string{"bwlimit", "ionice", "performance"} {
		if c.params.Has(key) {
			return x.check(c.who, "/", "Sys.Modify")
		}
	}
	return nil
}

// mayWriteJob checks what the declared permission does not.
func (x *tx) mayWriteJob(c *request) error {
	if err := cmp.Or(c.rootOnly(), x.mayLimit(c)); err != nil {
		return err
	}
	if id := c.params.Str("storage"); id != "" {
		if err := x.check(c.who, "/storage/"+id, "Datastore.Allocate"); err != nil {
			return err
		}
	}
	return x.mayBackUpPool(c)
}

func (x *tx) mayBackUpPool(c *request) error {
	id := c.params.Str("pool")
	switch {
	case id == "":
		return nil
	case x.pools.at(id) == nil:
		return forbidden("pool '%s' does not exist", id)
	}
	return x.check(c.who, "/pool/"+id, "VM.Backup")
}

// schedule is the schedule that a request means: old clients send a time and weekdays.
func (c *request) schedule() (string, error) {
	start := c.params.Str("starttime")
	switch {
	case c.params.Has("schedule") && start != "":
		return "", badParam("starttime", "'starttime' and 'schedule' cannot both be set")
	case c.params.Has("schedule") || start == "":
		return c.params.Str("schedule"), nil
	}
	return strings.TrimSpace(c.params.Str("dow") + " " + start), nil
}

// settings are the options of a request that are kept in a job.
func (c *request) settings() map[string]string {
	kept := maps.Clone(map[string]string(c.params))
	for _, key := range []string{"id", "delete", "starttime", "dow", "schedule"} {
		delete(kept, key)
	}
	return kept
}

// checkSelection finds contradictions in what is to be backed up. A list of exceptions means all others.
func checkSelection(config map[string]string, complete bool) error {
	if config["vmid"] != "" {
		for _, key := range []string{"all", "exclude", "pool"} {
			if value := config[key]; value != "" && value != "0" {
				return badParam(key, "option conflicts with option 'vmid'")
			}
		}
	}
	if config["exclude"] != "" && config["pool"] == "" {
		config["all"] = "1"
	}
	if template, ok := config["notes-template"]; ok {
		if err := checkNotes(template); err != nil {
			return badParam("notes-template", "%s\n", err)
		}
	}
	named := config["vmid"] != "" || config["all"] == "1" || config["pool"] != "" || config["stop"] == "1"
	if complete && !named {
		return badParam("vmid", "property is missing")
	}
	return nil
}

func (x *tx) jobCreate(c *request) (any, error) {
	if err := x.mayWriteJob(c); err != nil {
		return nil, err
	}
	schedule, err := c.schedule()
	if err == nil && schedule == "" {
		err = badParam("schedule", "neither 'starttime' nor 'schedule' were set")
	}
	if err != nil {
		return nil, err
	}
	id := c.params.Str("id")
	if id == "" {
		id = x.newUUID()
	}
	if x.jobs.at(id) != nil {
		return nil, die("Job '%s' already exists", id)
	}
	config := map[string]string{"enabled": "1"}
	maps.Copy(config, c.settings())
	config["schedule"] = schedule
	if err := checkSelection(config, true); err != nil {
		return nil, stringified(err)
	}
	x.putJob(&job{ID: id, Config: config})
	return nil, nil
}

// putJob stores a job and plans its next run from now on.
func (x *tx) putJob(j *job) {
	j.plan(x.now)
	x.jobs.put(j.ID, j)
}

func (x *tx) jobUpdate(c *request) (any, error) {
	if err := x.mayWriteJob(c); err != nil {
		return nil, err
	}
	schedule, err := c.schedule()
	if err != nil {
		return nil, err
	}
	j := x.jobs.at(c.params.Str("id"))
	if j == nil {
		return nil, die("no such vzdump job")
	}
	sent := c.settings()
	if schedule != "" {
		sent["schedule"] = schedule
	}
	if len(sent) == 0 && !c.params.Has("delete") {
		return nil, die("no options specified")
	}
	config := maps.Clone(j.Config)
	if err := cmp.Or(checkSelection(sent, false), dropSettings(c, config)); err != nil {
		return nil, stringified(err)
	}
	dropOtherSelection(config, sent)
	maps.Copy(config, sent)
	if err := checkSelection(config, true); err != nil {
		return nil, stringified(err)
	}
	x.putJob(&job{ID: j.ID, Config: config, Last: j.Last})
	return nil, nil
}

// dropSettings removes what the request deletes: options of the run, and few others.
func dropSettings(c *request, config map[string]string) error {
	fixed := []string{"schedule", "enabled", "id", "starttime", "dow", "delete"}
	for _, key := range c.params.List("delete") {
		if slices.Contains(fixed, key) || c.method.Params[key] == nil {
			return badParam("delete", "unknown option '%s'", key)
		}
		delete(config, key)
	}
	return nil
}

// dropOtherSelection forgets how guests were chosen before when a request chooses in another way.
func dropOtherSelection(config, sent map[string]string) {
	drop := func(keys ...string) {
		for _, key := range keys {
			delete(config, key)
		}
	}
	switch {
	case sent["vmid"] != "":
		drop("all", "exclude", "pool")
	case sent["all"] == "1":
		drop("vmid", "pool")
	case sent["pool"] != "" || config["pool"] != "":
		drop("vmid", "all", "exclude")
	}
}

func (x *tx) jobDelete(c *request) (any, error) {
	j, err := x.job(c)
	if err != nil {
		return nil, stringified(err)
	}
	x.jobs.drop(j.ID)
	return nil, nil
}
