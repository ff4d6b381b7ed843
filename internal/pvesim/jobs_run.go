package pvesim

import "time"

// mostRuns is how many runs of jobs are caught up with at once, after an estate lay still for long. What was due before is
// dropped, as Proxmox drops what a node missed.
const mostRuns = 1000

// planJobs gives jobs that were never planned their next run after a time.
func (x *tx) planJobs(after time.Time) {
	for id, j := range x.jobs.rows {
		if j.Next.IsZero() {
			j.plan(after)
			x.jobs.touch(id)
		}
	}
}

// plan sets the next run; a schedule that never comes again is put far off.
func (j *job) plan(after time.Time) {
	if j.Next = j.nextRun(after); j.Next.IsZero() {
		j.Next = after.AddDate(100, 0, 0)
	}
}

// nextJob returns the enabled job that is due first, the one with the lesser id of two.
func (x *tx) nextJob() *job {
	var next *job
	for _, j := range x.jobs.rows {
		first := next == nil || j.Next.Before(next.Next) || j.Next.Equal(next.Next) && j.ID < next.ID
		if j.Config["enabled"] != "0" && first {
			next = j
		}
	}
	return next
}

// runJob starts what is due: one backup run on each node that has guests of the job, as root@pam. A guest that does not
// exist any more fails on every node. Where the last run still goes on, none is started.
func (x *tx) runJob(j *job) {
	for _, n := range x.nodes.all() {
		if n.Offline || j.Config["node"] != "" && j.Config["node"] != n.Name {
			continue
		}
		if last := x.tasks.at(j.Last[n.Name]); last != nil && !last.ended() {
			continue
		}
		run := x.localRun(n.Name, j.Config, true)
		for _, key := range []string{"schedule", "enabled", "comment", "repeat-missed"} {
			delete(run.Options, key)
		}
		if len(run.VMIDs) == 0 {
			continue
		}
		id := ""
		if len(run.VMIDs) == 1 {
			id = vmidKey(run.VMIDs[0])
		}
		t := x.newTask(n.Name, "vzdump", id, rootUser)
		x.launch(t, run.steps(n.Name))
		if j.Last == nil {
			j.Last = map[string]string{}
		}
		j.Last[n.Name] = t.UPID
	}
	j.plan(x.now)
	x.jobs.touch(j.ID)
}
