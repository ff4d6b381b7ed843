package proxmox

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

const shutdownPatience = time.Minute

// start starts the container. That it runs already is what was asked for.
func (w *work) start(ctx context.Context) error {
	err := w.power(ctx, "start", nil)
	if err != nil && !pve.IsRunning(err) {
		return err
	}
	w.guest.Status = "running"
	return nil
}

// shutdown lets the container shut down, and stops it when it does not within
// a minute.
func (w *work) shutdown(ctx context.Context) error {
	form := url.Values{"timeout": {strconv.Itoa(int(shutdownPatience.Seconds()))}, "forceStop": {"1"}}
	err := w.power(ctx, "shutdown", form)
	if err != nil && !pve.IsStopped(err) {
		return err
	}
	w.guest.Status = "stopped"
	w.changed = true
	return nil
}

// stop takes the container's power away.
func (w *work) stop(ctx context.Context) error {
	err := w.power(ctx, "stop", nil)
	if err != nil && !pve.IsStopped(err) {
		return err
	}
	w.guest.Status = "stopped"
	return nil
}

// power sends a request for a status and sees that the container gets it.
func (w *work) power(ctx context.Context, verb string, form url.Values) error {
	wanted := "stopped"
	if verb == "start" {
		wanted = "running"
	}
	queued := false
	err := w.surely(ctx, "vz"+verb, func() (err error) {
		queued, err = w.request(ctx, form, "status", verb)
		return err
	}, func() bool { return w.guest.Status == wanted })
	if err != nil || !queued {
		return err
	}
	return w.awaitHA(ctx, "it is "+wanted, func() (bool, error) {
		status, err := w.status(ctx)
		return status == wanted, err
	})
}

// request sends one request to the container and follows its task. Queued tells
// that the effect comes after the task: that of a container under high
// availability ends when its manager has been told.
func (w *work) request(ctx context.Context, form url.Values, verb ...string) (queued bool, err error) {
	path := containerPath(w.guest.Node, w.guest.VMID, verb...)
	err = w.p.do(ctx, w.job, func() (string, error) {
		upid, err := w.p.Client.Post(ctx, path, form)
		if task, parseErr := pve.ParseUPID(upid); parseErr == nil {
			queued = strings.HasPrefix(task.Type, "ha") // hastart, hastop, hamigrate
		}
		return upid, err
	})
	return queued, err
}

func (w *work) status(ctx context.Context) (string, error) {
	var now struct{ Status string }
	err := w.p.Client.Read(ctx, containerPath(w.guest.Node, w.guest.VMID, "status", "current"), nil, &now)
	return now.Status, err
}

// haPatience bounds the wait for high availability: what it cannot do it puts
// into an error state, which no task tells.
const haPatience = 10 * time.Minute

func (w *work) awaitHA(ctx context.Context, what string, isDone func() (bool, error)) error {
	for end := w.p.Now().Add(haPatience); ; {
		done, err := isDone()
		switch {
		case err != nil || done:
			return err
		case w.p.Now().After(end):
			return fmt.Errorf("container %s: high availability did not see to it within %s that %s", w.job.ID, haPatience, what)
		}
		w.job.Report.Say("waiting for high availability until " + what)
		if err := pve.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
