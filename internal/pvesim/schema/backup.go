package schema

func backupMethods() []*Method {
	const (
		jobs = "/cluster/backup"
		job  = "/cluster/backup/{id}"
	)
	read, write := allowed("/", "Sys.Audit"), allowed("/", "Sys.Modify")
	oneJob := params{"id": req(text().like(`\S+`).most(50))}
	create := merge(vzdumpOptions(), jobOptions(), params{"id": configID()})
	create["dow"].or("mon,tue,wed,thu,fri,sat,sun")
	update := merge(vzdumpOptions(), jobOptions(), oneJob, params{"delete": text().as("pve-configid-list")})
	return []*Method{
		get(jobs, read, nil),
		post(jobs, write, create).root(),
		get(job, read, oneJob),
		put(job, write, update).root(),
		del(job, write, oneJob).root(),
		get(job+"/included_volumes", read, oneJob).root(),
		get("/cluster/backup-info", nil, nil),
		get("/cluster/backup-info/not-backed-up", read, nil).root(),
		get("/cluster/jobs", anybody(), nil),
		get("/cluster/jobs/schedule-analyze", anybody(), params{
			"iterations": integer().min(1).max(100).or("10"),
			"schedule":   req(schedule()),
			"starttime":  integer(),
		}),
		post("/nodes/{node}/vzdump", anybody(), merge(vzdumpOptions(), params{
			"job-id": text().like(`\S+`).most(50).since(803),
			"stdout": flag(),
		})).root().onNode(),
		get("/nodes/{node}/vzdump/defaults", anybody(), params{"storage": text().as("pve-storage-id")}).onNode(),
		get("/nodes/{node}/vzdump/extractconfig", anybody(), params{"volume": req(text())}).root().onNode(),
	}
}

func schedule() *Param { return text().as("pve-calendar-event").most(128) }

// jobOptions are what a backup job has beyond the options of a single run.
func jobOptions() params {
	return params{
		"comment":       text().most(512),
		"dow":           text().as("pve-day-of-week-list").needs("starttime"),
		"enabled":       flag().or("1"),
		"repeat-missed": flag().or("0"),
		"schedule":      schedule(),
		"starttime":     text().like(`\d{1,2}:\d{1,2}`),
	}
}

// vzdumpOptions are what a backup run takes: what to back up, how, and what to do afterwards.
func vzdumpOptions() params {
	return merge(backupSelection(), params{
		"bwlimit":                   integer().min(0).or("0"),
		"compress":                  choice("0", "1", "gzip", "lzo", "zstd").or("0"),
		"dumpdir":                   text(),
		"fleecing":                  text().as("backup-fleecing").since(802),
		"ionice":                    integer().min(0).max(8).or("7"),
		"lockwait":                  integer().min(0).or("180"),
		"mailnotification":          choice("always", "failure").or("always"),
		"mailto":                    text().as("email-or-username-list"),
		"maxfiles":                  integer().min(1),
		"mode":                      choice("snapshot", "suspend", "stop").or("snapshot"),
		"notes-template":            text().most(1024).needs("storage"),
		"notification-mode":         choice("auto", "legacy-sendmail", "notification-system").or("auto").since(801),
		"notification-policy":       choice("always", "failure", "never").or("always").since(801).until(900),
		"notification-target":       configID().since(801).until(900),
		"pbs-change-detection-mode": choice("legacy", "data", "metadata").since(803),
		"performance":               text().as("backup-performance"),
		"pigz":                      integer().or("0"),
		"protected":                 flag().needs("storage"),
		"prune-backups":             text().as("prune-backups").or("keep-all=1"),
		"quiet":                     flag().or("0"),
		"remove":                    flag().or("1"),
		"script":                    text(),
		"stop":                      flag().or("0"),
		"stopwait":                  integer().min(0).or("10"),
		"storage":                   text().as("pve-storage-id"),
		"tmpdir":                    text(),
		"zstd":                      integer().or("1"),
	})
}

// backupSelection says which guests and which of their files.
func backupSelection() params {
	return params{
		"all":          flag().or("0"),
		"exclude":      text().as("pve-vmid-list"),
		"exclude-path": array(req(text())).before(800, text()),
		"node":         text().as("pve-node"),
		"pool":         text(),
		"stdexcludes":  flag().or("1"),
		"vmid":         text().as("pve-vmid-list"),
	}
}

func fleecingLine() *Props {
	return keys(params{
		"enabled": flag().or("0").keyless(),
		"storage": text().as("pve-storage-id"),
	})
}

func performanceLine() *Props {
	return keys(params{
		"max-workers":     integer().min(1).max(256).or("16"),
		"pbs-entries-max": integer().min(1).or("1048576"),
	})
}

func pruneLine() *Props {
	p := keys(params{"keep-all": flag()})
	for _, unit := range []string{"last", "hourly", "daily", "weekly", "monthly", "yearly"} {
		p.Keys["keep-"+unit] = integer().min(0)
	}
	p.Verify = func(values map[string]string) error {
		if values["keep-all"] == "1" && len(values) > 1 {
			return refuse("keep-all cannot be set together with other options.")
		}
		return nil
	}
	return p
}
