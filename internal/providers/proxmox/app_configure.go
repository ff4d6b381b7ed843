package proxmox

import (
	"context"
	"fmt"
	"net/url"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// gather turns the edits into requests on what is there now, and tells whether
// one of them waits for a restart.
func (w *work) gather() (c *change, restart bool) {
	c = w.newChange()
	for _, e := range w.edits {
		if e.Effect != resource.Record {
			c.add(e)
			restart = restart || e.Effect == resource.Restart
		}
	}
	if w.marks {
		c.mark()
	}
	return c, restart
}

// configure changes the configuration. When somebody was faster it reads what
// is there, and goes on where that is no matter of the edits. After a lost
// answer it sends what is left; the request may take effect even after that, so
// that a change in between is taken for our own.
func (w *work) configure(ctx context.Context) (c *change, restart bool, err error) {
	c, restart = w.gather()
	err = w.sendConfig(ctx, c)
	for try, lost := 1, pve.IsUnclear(err); try < 3 && (pve.IsUnclear(err) || pve.IsChanged(err)); try++ {
		if err := w.read(ctx); err != nil {
			return nil, false, err
		}
		if lost = lost || pve.IsUnclear(err); !lost {
			if err := w.recheck(ctx, w.target()); err != nil {
				return nil, false, err
			}
		}
		c, _ = w.gather()
		err = w.sendConfig(ctx, c)
	}
	if pve.IsFault(err) {
		err = w.despite(ctx, err)
	}
	if pve.IsChanged(err) {
		err = providers.ErrChanged{ID: w.job.ID}
	}
	return c, restart, err
}

// despite looks whether a change was made although the node answered with an
// error, as it does while an interface of a stopped container has a bridge that
// is not there (seen on 9.2). Then the error is about something else, which
// people should know and which does not hold this change up.
func (w *work) despite(ctx context.Context, cause error) error {
	before := w.cfg.digest()
	if err := w.read(ctx); err != nil {
		return cause
	}
	if w.cfg.digest() == before || !w.isMade() {
		return cause
	}
	w.changed = true
	w.job.Report.Warn(fmt.Sprintf("the change was made, but Proxmox says: %v", cause))
	return nil
}

// isMade reports whether the configuration holds what the edits want of it.
func (w *work) isMade() bool {
	kind, c := w.p.kinds["app"], w.newChange()
	now := attrsOf(kind, w.cfg.coming, w.job.Want.Want, c.prior)
	for _, e := range w.edits {
		a, have := kind.Schema.At(e.Path), valueAt(now, e.Path)
		switch {
		case e.Effect < resource.Live || e.Effect > resource.Restart:
		case a == nil && e.New.IsNull(): // another line may have had the same name
			if _, still := w.cfg.coming[resource.Text(e.Old, "slot")]; still {
				return false
			}
		case a == nil && have.IsNull():
			return false
		case a != nil && c.keyOf(e.Path) != "" && !e.New.IsNull() && !means(a, e.New, have):
			return false
		}
	}
	return true
}

// sendConfig sends the change of the configuration: in one request, or where a
// waiting change has to be taken back before in two.
func (w *work) sendConfig(ctx context.Context, c *change) error {
	forms := c.forms()
	if len(forms) > 1 {
		if err := w.put(ctx, forms[0]); err != nil {
			return err
		}
		if err := w.read(ctx); err != nil {
			return err
		}
		next, _ := w.gather()
		forms = next.forms()
	}
	for _, form := range forms {
		if err := w.put(ctx, form); err != nil {
			return err
		}
	}
	return nil
}

// put changes the configuration, with the digest of what was read, so that
// nobody's change in between is lost.
func (w *work) put(ctx context.Context, form url.Values) error {
	if digest := w.cfg.digest(); digest != "" {
		form.Set("digest", digest)
	}
	path := containerPath(w.guest.Node, w.guest.VMID, "config")
	err := w.p.do(ctx, w.job, func() (string, error) { return w.p.Client.Put(ctx, path, form) })
	w.changed = w.changed || err == nil || pve.IsUnclear(err)
	return err
}
