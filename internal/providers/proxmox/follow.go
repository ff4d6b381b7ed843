package proxmox

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// reportError is a task that could not be recorded. It ends the job, since
// after a crash nobody would know of the task.
type reportError struct{ cause error }

func (e reportError) Error() string { return e.cause.Error() }
func (e reportError) Unwrap() error { return e.cause }

func isReporting(err error) bool {
	var e reportError
	return errors.As(err, &e)
}

// follow records a task, passes on its words and waits until it has ended. An
// empty UPID is work that is done already.
func (p *Provider) follow(ctx context.Context, job providers.Job, upid string) error {
	if _, err := pve.ParseUPID(upid); err != nil {
		return nil // null, or an answer that names no task
	}
	if err := job.Report.Task(upid); err != nil {
		return reportError{err}
	}
	warnings, err := p.Client.Wait(ctx, upid, job.Report.Say)
	for _, w := range warnings {
		job.Report.Warn(w)
	}
	return err
}

// held is the patience with a guest that somebody else is working on.
var held = pve.Patience{First: time.Second, Most: 10 * time.Second, Limit: 15 * time.Minute}

// do sends a request and follows its task. A lock that somebody else holds is
// waited for: nothing was done yet.
func (p *Provider) do(ctx context.Context, job providers.Job, send func() (string, error)) error {
	return held.Repeat(ctx, func() error {
		upid, err := send()
		if err != nil {
			return err
		}
		return p.follow(ctx, job, upid)
	}, func(err error) bool {
		if !pve.IsBusy(err) && !pve.IsLocked(err) {
			return false
		}
		job.Report.Say("waiting: " + err.Error())
		return true
	})
}

// finding is what became of a create whose answer was lost or said "taken".
type finding int

const (
	foundNothing finding = iota
	foundOurs
	foundOther
)

// lookFor tells whether a VMID is free, ours or somebody else's. It waits for a
// create that is still running. After a lost answer the request may still be
// on its way, so that the VMID must stay free for a while before it counts as
// free.
func (p *Provider) lookFor(ctx context.Context, job providers.Job, node string, patient bool) (finding, error) {
	looks := 1
	if patient {
		looks = 5
	}
	for delay := 300 * time.Millisecond; ; delay *= 2 {
		found, err := p.lookOnce(ctx, job, node)
		looks--
		if err != nil || found == foundOurs || looks == 0 {
			return found, err // what looks like another's may be ours before its task is listed
		}
		if err := pve.Pause(ctx, delay); err != nil {
			return foundNothing, err
		}
	}
}

// lookOnce waits for a create that is under way, then tells whose the VMID is.
// What stays bare without a task that anybody can see died with its node: that
// is somebody's to clear up, and its VMID is taken.
func (p *Provider) lookOnce(ctx context.Context, job providers.Job, node string) (finding, error) {
	patience := barePatience
	if resource.Text(job.Want.Want, "clone") != "" {
		patience = settlePatience // the task of a clone goes by the VMID of its source
	}
	for end := p.Now().Add(patience); ; {
		if err := p.outwait(ctx, job, node, "vzcreate"); err != nil {
			return foundNothing, err
		}
		cfg, err := p.readConfig(ctx, node, job.ID, asSet)
		switch {
		case pve.IsGone(err), pve.IsForbidden(err):
			return p.takenElsewhere(ctx, job)
		case err != nil:
			return foundNothing, err
		case isBare(cfg) && p.Now().Before(end):
			if err := pve.Pause(ctx, time.Second); err != nil {
				return foundNothing, err
			}
			continue
		}
		return whose(cfg, job), nil
	}
}

// outwait waits for a task of that type that works on the container, if there is
// one. How it ends does not matter: what it left is looked at afterwards. One
// whose state nobody tells is waited for as long as it is listed as running.
func (p *Provider) outwait(ctx context.Context, job providers.Job, node, kind string) error {
	for {
		upid, err := p.activeTask(ctx, job.ID, node, kind)
		if err != nil || upid == "" {
			return err
		}
		err = p.follow(ctx, job, upid)
		switch {
		case pve.IsWaiting(err) || isReporting(err):
			return err
		case !pve.IsLost(err):
			return nil
		}
		if err := pve.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}

// activeTask returns a running task of those types that works on a VMID, or "".
func (p *Provider) activeTask(ctx context.Context, id, node string, kinds ...string) (string, error) {
	var tasks []struct{ UPID, Type string }
	query := url.Values{"source": {"active"}, "vmid": {id}}
	if err := p.Client.Read(ctx, pve.Path("nodes", node, "tasks"), query, &tasks); err != nil {
		return "", fmt.Errorf("look for the task that works on %s: %w", id, err)
	}
	for _, t := range tasks {
		if slices.Contains(kinds, t.Type) {
			return t.UPID, nil
		}
	}
	return "", nil
}

// takenElsewhere tells whose the VMID is when it is no container of the node, or
// one that the token may not see. Ours may have been moved already.
func (p *Provider) takenElsewhere(ctx context.Context, job providers.Job) (finding, error) {
	all, err := p.list(ctx)
	if err != nil {
		return foundNothing, err
	}
	guest, listed := all.guest(job.ID)
	if !listed {
		if taken, err := p.isTaken(ctx, job.ID); err != nil || !taken {
			return foundNothing, err
		}
		return foundOther, nil
	}
	if guest.Type != "lxc" {
		return foundOther, nil
	}
	cfg, err := p.readConfig(ctx, guest.Node, job.ID, asSet)
	if pve.IsForbidden(err) {
		return foundOther, nil
	}
	if err != nil {
		return foundNothing, err
	}
	return whose(cfg, job), nil
}

func whose(cfg config, job providers.Job) finding {
	if _, marker := resource.Split(cfg.coming["description"]); marker == job.Marker {
		return foundOurs
	}
	return foundOther
}
