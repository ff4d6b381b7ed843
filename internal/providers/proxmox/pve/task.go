package pve

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// UPID is the name of a task, taken apart.
type UPID struct {
	Node, Type, ID, User string
	Start                time.Time
}

// ParseUPID reads UPID:node:pid:pstart:starttime:type:id:user: with numbers in
// hexadecimal.
func ParseUPID(text string) (UPID, error) {
	parts := strings.Split(text, ":")
	if len(parts) != 9 || parts[0] != "UPID" || parts[1] == "" || parts[8] != "" {
		return UPID{}, fmt.Errorf("task %q: not the name of a task", text)
	}
	start, err := strconv.ParseUint(parts[4], 16, 40)
	if err != nil {
		return UPID{}, fmt.Errorf("task %q: its start time is no number", text)
	}
	return UPID{Node: parts[1], Type: parts[5], ID: parts[6], User: parts[7], Start: time.Unix(int64(start), 0)}, nil
}

// Wait waits until a task has ended, however long that takes, and returns the
// lines of its log that warn. It tells log the lines as they come, when the task
// takes longer than a second; log may be nil. A task that failed is an *Error
// with its last words; one that cannot be asked for is an error that IsLost.
// Lost connections are waited out; only the context ends the wait early, and
// the task goes on then.
func (c *Client) Wait(ctx context.Context, upid string, log func(line string)) (warnings []string, err error) {
	u, err := ParseUPID(upid)
	if err != nil {
		return nil, err
	}
	w := waiter{client: c, upid: upid, task: u, log: log, begun: time.Now()}
	exit, err := w.poll(ctx)
	if err != nil {
		return nil, err
	}
	if exit == "OK" {
		return nil, nil
	}
	for w.readLog(ctx) == logPage {
	}
	if strings.HasPrefix(exit, "WARNINGS") {
		return w.warnings, nil
	}
	return nil, &Error{Status: 200, Message: c.redact(exit, nil), Task: upid, Log: lastWords(w.last, exit)}
}

type waiter struct {
	client *Client
	upid   string
	task   UPID
	log    func(string)
	begun  time.Time
	logged time.Time
	// What was read of the log so far: how many lines, those that warn, and the
	// last few of all.
	told           int
	warnings, last []string
}

const (
	logPage  = 500 // lines in one answer
	lastKept = 10  // enough for the last words
)

// poll asks for the task's state until it has one that does not change.
func (w *waiter) poll(ctx context.Context) (exit string, err error) {
	trouble := newBackoff(500*time.Millisecond, 5*time.Second)
	for delay := shortestDelay; ; {
		if err := Pause(ctx, delay); err != nil {
			return "", w.left(ctx)
		}
		var state struct{ Status, ExitStatus string }
		err := w.client.Read(ctx, Path("nodes", w.task.Node, "tasks", w.upid, "status"), nil, &state)
		elapsed := time.Since(w.begun)
		switch {
		case ctx.Err() != nil:
			return "", w.left(ctx)
		case isTransient(err):
			delay = trouble.NextBackOff()
			continue
		case err != nil:
			return "", w.lost(err)
		case state.Status == "stopped":
			w.client.pace.learn(w.task.Type, elapsed)
			return state.ExitStatus, nil
		}
		delay = w.client.pace.next(w.task.Type, elapsed)
		if w.log != nil && elapsed > time.Second && time.Since(w.logged) > time.Second {
			w.readLog(ctx)
		}
	}
}

// left is the error of a wait that ended, with its context, before its task did.
func (w *waiter) left(ctx context.Context) error {
	why := "by an interrupt"
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) { // such as a lock that was lost
		why = cause.Error()
	}
	return &Error{Message: "it goes on, the wait for it ended: " + why, Task: w.upid, cause: ctx.Err()}
}

// lost is the error of a task whose state nobody tells.
func (w *waiter) lost(cause error) error {
	e := &Error{Message: "what became of it is not known: " + cause.Error(), Task: w.upid, lost: true, cause: cause}
	if of := (*Error)(nil); errors.As(cause, &of) {
		e.Status = of.Status
	}
	return e
}

// readLog reads the lines of the log that are new, at most a page of them, tells
// them and returns how many there were. That the log cannot be read is no fault
// of the task.
func (w *waiter) readLog(ctx context.Context) (n int) {
	w.logged = time.Now()
	var rows []struct {
		N Int
		T Text
	}
	query := url.Values{"start": {strconv.Itoa(w.told)}, "limit": {strconv.Itoa(logPage)}}
	err := w.client.Read(ctx, Path("nodes", w.task.Node, "tasks", w.upid, "log"), query, &rows)
	if err != nil {
		return 0
	}
	for _, row := range rows {
		text := string(row.T)
		if isNone := text == "no content" && w.told == 0; isNone || int(row.N) <= w.told {
			continue
		}
		w.told = int(row.N)
		w.take(w.client.redact(text, nil))
		n++
	}
	return n
}

// take remembers a line of the log, and tells it.
func (w *waiter) take(line string) {
	for _, prefix := range []string{"WARN: ", "WARNING: "} {
		if text, found := strings.CutPrefix(line, prefix); found {
			w.warnings = append(w.warnings, text)
		}
	}
	w.last = append(w.last, line)
	w.last = w.last[max(0, len(w.last)-lastKept):]
	if w.log != nil {
		w.log(line)
	}
}

// lastWords returns the end of a log without its verdict, which repeats the
// exit status.
func lastWords(lines []string, exit string) []string {
	const most = 3
	var words []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "TASK ") && !strings.Contains(exit, line) {
			words = append(words, line)
		}
	}
	return words[max(0, len(words)-most):]
}

// IsWaiting reports whether err is of a wait that ended before its task did:
// the task may still succeed.
func IsWaiting(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Task != "" && e.Status == 0 && !e.lost
}
