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

// power sends a request for a status and sees that the container gets it. To
// send it twice does no harm, so a lost answer is followed by a look, and where
// nothing came of the request by another one.
func (w *work) power(ctx context.Context, verb string, form url.Values) error {
	wanted := "stopped"
	if verb == "start" {
		wanted = "running"
	}
	for try := 1; ; try++ {
		later, err := w.request(ctx, verb, form)
		if !pve.IsUnclear(err) || try == 3 {
			if err != nil || !later {
				return err
			}
			return w.await(ctx, wanted)
		}
		if err := w.p.outwait(ctx, w.job, w.guest.Node, "vz"+verb); err != nil {
			return err
		}
		if status, err := w.status(ctx); err != nil || status == wanted {
			return err
		}
	}
}

// request sends one request. Later tells that its effect comes after its task:
// that of a container under high availability ends when the request is queued.
func (w *work) request(ctx context.Context, verb string, form url.Values) (later bool, err error) {
	err = w.p.do(ctx, w.job, func() (string, error) {
		upid, err := w.p.Client.Post(ctx, containerPath(w.guest.Node, w.guest.VMID, "status", verb), form)
		if task, parseErr := pve.ParseUPID(upid); parseErr == nil {
			later = task.Type == "hastart" || task.Type == "hastop"
		}
		return upid, err
	})
	return later, err
}

func (w *work) status(ctx context.Context) (string, error) {
	var now struct{ Status string }
	err := w.p.Client.Read(ctx, containerPath(w.guest.Node, w.guest.VMID, "status", "current"), nil, &now)
	return now.Status, err
}

func (w *work) await(ctx context.Context, wanted string) error {
	for {
		status, err := w.status(ctx)
		if err != nil || status == wanted {
			return err
		}
		w.job.Report.Say("waiting for high availability: it is " + status)
		if err := pve.Pause(ctx, time.Second); err != nil {
			return err
		}
	}
}
