package pvesim

import (
	"cmp"
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"
)

// advance brings the world forward to a time: steps of tasks, runs of backup jobs and looks of the manager of high
// availability that are due by then are done in the order of their times.
func (x *tx) advance(to time.Time) {
	x.planJobs(to)
	for runs := 0; ; {
		t, j, h := x.nextTask(), x.nextJob(), x.nextHA()
		switch {
		case h != nil && !h.Due.After(to) && (t == nil || h.Due.Before(t.Due)) && (j == nil || h.Due.Before(j.Next)):
			x.now = later(x.now, h.Due)
			x.manage(h)
		case j != nil && !j.Next.After(to) && (t == nil || !t.Due.Before(j.Next)):
			x.now = later(x.now, j.Next)
			x.runJob(j)
			if runs++; runs >= mostRuns {
				x.now = to
				j.plan(to)
			}
		case t != nil && !t.Due.After(to):
			x.now = later(x.now, t.Due)
			x.proceed(t)
		default:
			x.now = later(x.now, to)
			return
		}
	}
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// nextTask returns the running task that is due first, the older one of two.
func (x *tx) nextTask() *task {
	var next *task
	for _, t := range x.active {
		if next == nil || t.Due.Before(next.Due) || t.Due.Equal(next.Due) && t.Seq < next.Seq {
			next = t
		}
	}
	return next
}

// proceed does the first step of a task, or ends it when none is left.
func (x *tx) proceed(t *task) {
	defer x.tasks.touch(t.UPID)
	if len(t.Steps) > 0 && t.Steps[0].Lock != "" && !x.acquire(t, t.Steps[0]) {
		return
	}
	if t.Kill && t.effectsLeft() <= 1 {
		x.kill(t)
		return
	}
	if t.Fault != "" && t.effectsLeft() <= 1 {
		x.fail(t, errors.New(t.Fault))
		return
	}
	if len(t.Steps) == 0 {
		x.finish(t)
		return
	}
	s := t.Steps[0]
	t.Steps = t.Steps[1:]
	t.Log = append(t.Log, s.Log...)
	if s.Do != "" {
		if err := x.sim.effects[s.Do](x, t, s.Args); err != nil {
			x.fail(t, err)
			return
		}
	}
	if s.Unlock != "" {
		x.unlock(t, s.Unlock)
	}
	if t.ended() {
		return
	}
	if len(t.Steps) == 0 {
		x.finish(t)
		return
	}
	t.Due = x.now.Add(t.Steps[0].After)
}

// lockPatience is how long Proxmox waits for a lock of a container or storage.
const lockPatience = 10 * time.Second

// acquire takes the lock of a step. When another task has it, this one waits until it is dropped or patience ends.
func (x *tx) acquire(t *task, s step) bool {
	waited := t.Wait != nil
	if x.free(t, s.Lock) {
		if waited {
			t.logf("%s", cmp.Or(s.Got, " OK"))
			t.Wait = nil
		}
		t.Holds = append(t.Holds, s.Lock)
		return true
	}
	if !waited {
		t.logf("%s", cmp.Or(s.Waiting, "trying to acquire lock..."))
		t.Wait = &wait{Lock: s.Lock, Until: x.now.Add(cmp.Or(s.Patience, lockPatience)), Vain: x.crowded(s)}
		t.Due = t.Wait.Until
		return false
	}
	if x.now.Before(t.Wait.Until) {
		t.Due = t.Wait.Until
		return false
	}
	t.Wait = nil
	x.fail(t, errors.New(s.Timeout))
	return false
}

// holder returns the task that has a lock, or nil.
func (x *tx) holder(lock string) *task {
	for _, t := range x.active {
		if slices.Contains(t.Holds, lock) {
			return t
		}
	}
	return nil
}

// waiting returns the tasks that wait for a lock, the oldest first.
func (x *tx) waiting(lock string) []*task {
	var queue []*task
	for _, t := range x.active {
		if t.Wait != nil && t.Wait.Lock == lock && !t.Wait.Vain {
			queue = append(queue, t)
		}
	}
	slices.SortFunc(queue, func(a, b *task) int { return cmp.Compare(a.Seq, b.Seq) })
	return queue
}

// free reports whether a task can take a lock: nobody has it, nobody waits longer, and its own wait is not in vain.
func (x *tx) free(t *task, lock string) bool {
	if x.holder(lock) != nil || t.Wait != nil && t.Wait.Vain {
		return false
	}
	queue := x.waiting(lock)
	return len(queue) == 0 || queue[0] == t
}

// crowded reports whether as many tasks as the lock of a step admits have it or wait for it already.
func (x *tx) crowded(s step) bool {
	return s.Admits > 0 && len(x.waiting(s.Lock))+1 >= s.Admits
}

// unlock drops a lock and wakes the task that waits for it longest.
func (x *tx) unlock(t *task, lock string) {
	t.Holds = slices.DeleteFunc(t.Holds, func(l string) bool { return l == lock })
	if queue := x.waiting(lock); len(queue) > 0 {
		queue[0].Due = x.now
		x.tasks.touch(queue[0].UPID)
	}
}

// finish ends a task that did all its steps.
func (x *tx) finish(t *task) {
	t.Exit = "OK"
	if t.Warnings > 0 {
		t.Exit = "WARNINGS: " + strconv.Itoa(t.Warnings)
	}
	t.logf("TASK %s", t.Exit)
	x.end(t)
}

// fail undoes what the task says is to be undone and ends it.
func (x *tx) fail(t *task, cause error) {
	for _, s := range t.Undo {
		if err := x.sim.effects[s.Do](x, t, s.Args); err != nil {
			t.logf("%v", err)
		}
	}
	t.Exit = strings.ReplaceAll(strings.TrimRight(cause.Error(), "\n"), "\n", " ")
	t.logf("TASK ERROR: %s", t.Exit)
	x.end(t)
}

func (x *tx) end(t *task) {
	t.End, t.Steps, t.Undo, t.Wait = x.now, nil, nil, nil
	for _, lock := range slices.Clone(t.Holds) {
		x.unlock(t, lock)
	}
	x.tasks.touch(t.UPID)
	x.forgetOldTasks(t.Node)
}

// keptTasks is how many ended tasks a node remembers; Proxmox keeps about as many lines in its index.
const keptTasks = 2000

func (x *tx) forgetOldTasks(on string) {
	if len(x.tasks.rows)-len(x.active) <= keptTasks {
		return
	}
	var oldest *task
	for _, t := range x.tasks.rows {
		if t.ended() && t.Node == on && (oldest == nil || t.Seq < oldest.Seq) {
			oldest = t
		}
	}
	if oldest != nil {
		x.tasks.drop(oldest.UPID)
	}
}
