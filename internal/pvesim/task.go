package pvesim

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// task is a worker of Proxmox as a record. It is running as long as End is zero.
type task struct {
	UPID     string
	Node     string
	Type     string
	ID       string
	User     string // with the token, if any
	PID      int
	PStart   int64
	Start    time.Time
	End      time.Time
	Exit     string
	Log      []string
	Warnings int

	Seq   uint64    // order of making
	Steps []step    // still to be done
	Due   time.Time // of the first of them
	Undo  []step    // done when the task fails or is stopped, without delay
	Holds []string  // locks
	Wait  *wait     // the lock it waits for
	Fault string    // a failure that was asked for
	Kill  bool      // it dies before its last change
	Lost  bool      // the node does not know of it
	Doing string    // begins the error when a signal ends the task
}

// wait is a task's place in the queue of a lock.
type wait struct {
	Lock  string
	Until time.Time
	Vain  bool // too many wait already: this one will not get it
}

// step is one part of a task's work, done in the order of its fields.
type step struct {
	After    time.Duration // since the step before
	Lock     string        // taken first
	Patience time.Duration // how long to wait for Lock; 0: ten seconds
	Admits   int           // tasks that may have or await Lock at a time, others wait in vain; 0: any number
	Timeout  string        // the task's error when Lock was not got
	Waiting  string        // logged when Lock is not free; "": Proxmox's usual words
	Got      string        // logged when Lock was got after all
	Log      []string
	Do       string // name of an effect
	Args     json.RawMessage
	Unlock   string // dropped last
}

func (t *task) ended() bool { return !t.End.IsZero() }

// effectsLeft counts the steps that still change something.
func (t *task) effectsLeft() int {
	n := 0
	for _, s := range t.Steps {
		n += bit(s.Do != "")
	}
	return n
}

func (t *task) logf(format string, args ...any) { t.Log = append(t.Log, fmt.Sprintf(format, args...)) }

func (t *task) warnf(format string, args ...any) {
	t.logf("WARN: "+format, args...)
	t.Warnings++
}

// then puts steps before those still to be done.
func (t *task) then(steps ...step) { t.Steps = append(append([]step{}, steps...), t.Steps...) }

// effect is what a step does. An error ends the task with that text.
type effect func(x *tx, t *task, args json.RawMessage) error

// effectOf makes an effect of a function with typed arguments.
func effectOf[A any](do func(x *tx, t *task, args A) error) effect {
	return func(x *tx, t *task, raw json.RawMessage) error {
		var args A
		if err := json.Unmarshal(raw, &args); err != nil {
			return fmt.Errorf("arguments of a step: %w", err)
		}
		return do(x, t, args)
	}
}

// call is a step with an effect and its arguments, which must be something that JSON can hold.
func call(name string, args any) step {
	raw, err := json.Marshal(args)
	if err != nil {
		panic("pvesim: arguments of " + name + ": " + err.Error())
	}
	return step{Do: name, Args: raw}
}

func (s step) after(d time.Duration) step     { s.After = d; return s }
func (s step) logging(lines ...string) step   { s.Log = lines; return s }
func (s step) locking(lock string) step       { s.Lock = lock; return s }
func (s step) unlocking(lock string) step     { s.Unlock = lock; return s }
func (s step) orTimeout(text string) step     { s.Timeout = text; return s }
func (s step) patience(d time.Duration) step  { s.Patience = d; return s }
func pause(d time.Duration) step              { return step{After: d} }
func seconds(n float64) time.Duration         { return time.Duration(n * float64(time.Second)) }
func guestLock(vmid int) string               { return "guest/" + strconv.Itoa(vmid) }
func guestLockFile(vmid int) string           { return fmt.Sprintf("/run/lock/lxc/pve-config-%d.lock", vmid) }
func storageLock(node, storage string) string { return "storage/" + node + "/" + storage }
func lockTimeout(file string) string          { return fmt.Sprintf("can't lock file '%s' - got timeout", file) }

// spawn starts a task on a node for the caller and returns its UPID.
func (x *tx) spawn(c *request, kind, id string, steps ...step) string {
	t := x.newTask(c.node, kind, id, c.who.id)
	t.Fault, t.Kill, t.Lost = x.fate.fail, x.fate.kill, x.fate.lose
	for range x.fate.warn {
		t.warnf("something is not as it should be")
	}
	x.launch(t, steps)
	return t.UPID
}

// newTask makes a task that launch sets going.
func (x *tx) newTask(on, kind, id, who string) *task {
	n := x.nodes.at(on)
	n.PID += 1 + int(x.random()%7)
	x.nodes.touch(on)
	m := x.meta.at("")
	m.Seq++
	x.meta.touch("")
	t := &task{
		Node: on, Type: kind, ID: id, User: who, PID: n.PID, Start: x.now, Seq: m.Seq,
		PStart: x.now.Sub(n.Boot).Milliseconds() / 10,
	}
	t.UPID = fmt.Sprintf("UPID:%s:%08X:%08X:%08X:%s:%s:%s:", on, t.PID, t.PStart, t.Start.Unix(), kind, id, who)
	return t
}

func (x *tx) launch(t *task, steps []step) {
	t.Steps = x.paced(t.Type, steps)
	t.Due = x.now
	if len(t.Steps) > 0 {
		t.Due = x.now.Add(t.Steps[0].After)
	}
	x.tasks.put(t.UPID, t)
	x.countTasks(t.Node)
}

// paced stretches steps to the duration that the options ask for.
func (x *tx) paced(kind string, steps []step) []step {
	if x.sim.options.Tasks == nil {
		return steps
	}
	var total time.Duration
	for _, s := range steps {
		total += s.After
	}
	want := x.sim.options.Tasks(kind)
	out := append([]step{}, steps...)
	for i := range out {
		switch {
		case total > 0:
			out[i].After = time.Duration(float64(out[i].After) * float64(want) / float64(total))
		case i == 0:
			out[i].After = want
		}
	}
	return out
}

// owner splits the user of a task into user and token.
func (t *task) owner() (user, token string) {
	user, token, _ = strings.Cut(t.User, "!")
	return user, token
}
