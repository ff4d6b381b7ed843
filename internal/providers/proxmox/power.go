package proxmox

import (
	"context"
	"net/url"
	"strconv"
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

func (w *work) power(ctx context.Context, verb string, form url.Values) error {
	ha := false
	err := w.p.do(ctx, w.job, func() (string, error) {
		upid, err := w.p.Client.Post(ctx, containerPath(w.guest.Node, w.guest.VMID, "status", verb), form)
		if task, parseErr := pve.ParseUPID(upid); parseErr == nil {
			ha = task.Type == "hastart" || task.Type == "hastop"
		}
		return upid, err
	})
	if err != nil || !ha {
		return err
	}
	// The task of a container under high availability ends when the request is
	// queued; what is asked for comes later.
	status := "stopped"
	if verb == "start" {
		status = "running"
	}
	return w.awaitStatus(ctx, status)
}

func (w *work) awaitStatus(ctx context.Context, status string) error {
	for {
		var now struct{ Status string }
		err := w.p.Client.Get(ctx, containerPath(w.guest.Node, w.guest.VMID, "status", "current"), nil, &now)
		if err != nil || now.Status == status {
			return err
		}
		w.job.Report.Say("waiting for high availability: " + now.Status)
		if err := pve.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
