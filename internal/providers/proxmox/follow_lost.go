package proxmox

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

// surely sends a request that changes the container. When its answer or its
// task is lost it looks at the container, and only what had no effect is sent
// again. Kind is the type of the request's task, isDone tells from what was read
// whether the effect is there.
func (w *work) surely(ctx context.Context, kind string, send func() error, isDone func() bool) error {
	for try := 1; ; try++ {
		err := send()
		if !pve.IsUnclear(err) || try == 3 {
			return err
		}
		w.changed = true // for all that is known
		done, lookErr := w.hasHappened(ctx, kind, isDone)
		if lookErr != nil {
			return fmt.Errorf("%w (then could not look what became of it: %w)", err, lookErr)
		}
		if done {
			return nil
		}
	}
}

// hasHappened waits for the task of a request whose answer was lost, and looks
// at the container.
func (w *work) hasHappened(ctx context.Context, kind string, isDone func() bool) (bool, error) {
	return lookPatiently(ctx, func() (bool, error) {
		if err := w.p.outwait(ctx, w.job, w.guest.Node, kind); err != nil {
			return false, err
		}
		if err := w.find(ctx); err != nil {
			return false, err
		}
		return isDone(), nil
	})
}

// lookPatiently looks for the effect of a request whose answer was lost for some
// seconds, since the request may still be on its way.
func lookPatiently(ctx context.Context, look func() (bool, error)) (bool, error) {
	const looks = 5
	for n, delay := 1, 300*time.Millisecond; ; n, delay = n+1, 2*delay {
		if done, err := look(); done || err != nil || n == looks {
			return done, err
		}
		if err := pve.Pause(ctx, delay); err != nil {
			return false, err
		}
	}
}

// hasTakenEffect is an error when a container that did not run was started by
// somebody just before its configuration was changed: what takes effect with the
// next stop only then waits, and the next plan says what that takes.
func (w *work) hasTakenEffect(ctx context.Context) error {
	status, err := w.status(ctx)
	if err == nil && status == "running" {
		err = fmt.Errorf("container %s was started meanwhile: some of the change may wait for its next restart", w.job.ID)
	}
	return err
}

// bringIntoForce applies what still waits for a stop on volumes that are to
// move, as it does after the node of a running container died: the next start
// would bring back the line, with a volume that has moved away. Any change of a
// container that does not run applies all that waits.
func (w *work) bringIntoForce(ctx context.Context, c *change) error {
	if len(c.move) == 0 || w.guest.Status == "running" {
		return nil
	}
	cfg, err := w.p.readConfig(ctx, w.guest.Node, w.job.ID, withWaiting)
	if err != nil {
		return err
	}
	for _, slot := range cfg.waiting {
		if _, moves := c.move[slot]; moves && cfg.coming[slot] != "" {
			w.cfg = cfg
			return w.put(ctx, url.Values{slot: {cfg.coming[slot]}})
		}
	}
	return nil
}
