package proxmox

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// work is one container being changed.
type work struct {
	p       *Provider
	job     providers.Job
	guest   row
	cfg     config
	edits   []resource.Edit
	changed bool // something was done to it
	// marks says that its marker is to be written: it is being taken over, or has
	// got another address.
	marks bool
}

// updateApp makes the job's edits, after it has seen that the container is ours
// and still as the plan saw it.
func (p *Provider) updateApp(ctx context.Context, job providers.Job) (resource.Object, error) {
	w := &work{p: p, job: job, edits: job.Edits}
	target := w.target()
	if err := w.find(ctx); err != nil {
		return resource.Object{}, err
	}
	if err := w.compare(ctx, target); err != nil {
		return resource.Object{}, err
	}
	if err := w.make(ctx); err != nil {
		if !w.changed || pve.IsWaiting(err) {
			return resource.Object{}, err
		}
		return resource.Object{Addr: job.Addr, Host: p.Host, ID: job.ID, Nonce: job.Marker.Nonce}, err
	}
	changes := func(e resource.Edit) bool { return e.Effect != resource.Record }
	return p.look(ctx, target, w.guest, w.changed && slices.ContainsFunc(job.Edits, changes)) // a marker changes no address
}

// target is the container as the job has it. Of one that is taken over nothing
// was applied before.
func (w *work) target() providers.Target {
	t := providers.Target{Addr: w.job.Addr, Want: &w.job.Want, Prior: w.job.Prior, Marker: w.job.Marker}
	if w.job.Adopt {
		t.Prior = nil
	}
	return t
}

// find locates the container, reads it and checks whose it is.
func (w *work) find(ctx context.Context) error {
	all, err := w.p.list(ctx)
	if err != nil {
		return err
	}
	guest, found := all.guest(w.job.ID)
	switch {
	case !found:
		return fmt.Errorf("container %s is gone", w.job.ID)
	case guest.Type != "lxc":
		return providers.ErrStranger{ID: w.job.ID, Why: "it is a virtual machine"}
	}
	w.guest = guest
	return w.read(ctx)
}

// read reads the container anew, and whether it runs from itself: the listing
// may be ten seconds old.
func (w *work) read(ctx context.Context) error {
	status, err := w.status(ctx)
	if err != nil {
		return err
	}
	w.guest.Status = status
	// Also one that does not run may have changes that wait: its node died.
	w.cfg, err = w.p.readConfig(ctx, w.guest.Node, w.job.ID, withWaiting)
	if err != nil {
		return err
	}
	_, marker := resource.Split(w.cfg.coming["description"])
	w.marks = marker != w.job.Marker
	if !isOurs(marker, w.job.Marker) && !(w.job.Adopt && marker == (resource.Marker{})) {
		return providers.ErrStranger{ID: w.job.ID, Why: describeOther(marker)}
	}
	return nil
}

// compare refuses to go on when what the edits touch is no longer as the plan
// saw it. Changes of anything else are no hindrance.
func (w *work) compare(ctx context.Context, t providers.Target) error {
	if w.nowWaits(ctx, t) {
		return providers.ErrChanged{ID: w.job.ID}
	}
	if w.job.Digest == "" || w.job.Digest == w.cfg.digest() {
		return nil
	}
	return w.recheck(ctx, t)
}

// nowWaits reports whether an edit that the plan made at once, of a container
// that did not run, would wait for a restart that nobody agreed to: somebody has
// started it since, or the host's listing did not know yet that it runs.
func (w *work) nowWaits(ctx context.Context, t providers.Target) bool {
	isAtOnce := func(e resource.Edit) bool { return e.Effect <= resource.Live }
	if w.guest.Status != "running" || !slices.ContainsFunc(w.edits, isAtOnce) {
		return false
	}
	now, waits := w.p.seen(ctx, t, w.guest, w.guest.Status, w.cfg), false
	for _, e := range w.edits {
		switch effect := judgeApp(e, w.job.Want, now).Effect; {
		case e.Effect == resource.Restart || e.Effect == resource.Move || e.Effect == resource.Migrate:
			return false // it stops in any case
		case e.Effect == resource.Live:
			waits = waits || effect == resource.Restart || effect == resource.Pending
		}
	}
	return waits
}

// recheck holds what was read last against what the edits start from.
func (w *work) recheck(ctx context.Context, t providers.Target) error {
	now := w.p.seen(ctx, t, w.guest, w.guest.Status, w.cfg).Object.Attrs
	for _, e := range w.edits {
		if e.Effect != resource.Record && !same(valueAt(now, e.Path), e.Old) {
			return providers.ErrChanged{ID: w.job.ID}
		}
	}
	return nil
}

// make carries the edits out: first what makes volumes larger, so that no line
// of the configuration tells an old size, then what the configuration takes, at
// last, and once, what needs a stop and a start.
func (w *work) make(ctx context.Context) error {
	wasStopped := w.guest.Status != "running" // as the edits were judged
	if err := w.resize(ctx); err != nil {
		return err
	}
	c, restart, err := w.configure(ctx)
	if err != nil {
		return err
	}
	if wasStopped && len(c.forms()) > 0 {
		if err := w.hasTakenEffect(ctx); err != nil {
			return err
		}
	}
	if err := w.setPool(ctx, c); err != nil {
		return err
	}
	manual := isManual(w.job.Want)
	wasRunning := w.guest.Status == "running"
	stops := c.power != nil && !*c.power
	switch {
	case !wasRunning:
	case len(c.move) > 0 && manual && !stops:
		return errMoveRunning
	case stops || len(c.move) > 0 || restart && !manual && !w.migrates(c):
		if err := w.shutdown(ctx); err != nil {
			return err
		}
	}
	if err := w.moveAll(ctx, c); err != nil {
		return err
	}
	if err := w.migrate(ctx, c); err != nil {
		return err
	}
	if err := w.destroyUnused(ctx, c); err != nil {
		return err
	}
	starts := c.power != nil && *c.power || wasRunning && !stops
	if starts && w.guest.Status != "running" {
		w.changed = true
		return w.start(ctx)
	}
	return nil
}

// resize makes volumes larger, and reads anew what it changed.
func (w *work) resize(ctx context.Context) error {
	c, _ := w.gather()
	for _, slot := range slices.Sorted(maps.Keys(c.grow)) {
		form := url.Values{"disk": {slot}, "size": {resizeText(c.grow[slot])}}
		path := containerPath(w.guest.Node, w.guest.VMID, "resize")
		err := w.surely(ctx, "resize", func() error {
			return w.p.do(ctx, w.job, func() (string, error) { return w.p.Client.Put(ctx, path, form) })
		}, func() bool {
			return parseSize(pve.ParseLine(w.cfg.coming[slot], "volume").Value("size")) >= c.grow[slot]
		})
		if err != nil && !pve.IsSameSize(err) {
			return err
		}
		w.changed = true
	}
	if len(c.grow) == 0 {
		return nil
	}
	return w.read(ctx)
}

func (w *work) setPool(ctx context.Context, c *change) error {
	if c.pool == nil || *c.pool == w.guest.Pool {
		return nil
	}
	form := url.Values{"poolid": {*c.pool}, "vms": {w.job.ID}, "allow-move": {"1"}}
	if *c.pool == "" {
		form = url.Values{"poolid": {w.guest.Pool}, "vms": {w.job.ID}, "delete": {"1"}}
	}
	err := w.surely(ctx, "", func() error {
		_, err := w.p.Client.Put(ctx, "/pools", form)
		return err
	}, func() bool { return w.guest.Pool == *c.pool })
	if err != nil {
		return err
	}
	w.guest.Pool, w.changed = *c.pool, true
	return nil
}

func (w *work) moveAll(ctx context.Context, c *change) error {
	if err := w.bringIntoForce(ctx, c); err != nil {
		return err
	}
	for _, slot := range slices.Sorted(maps.Keys(c.move)) {
		form := url.Values{"volume": {slot}, "storage": {c.move[slot]}, "delete": {"1"}}
		err := w.surely(ctx, "move_volume", func() error {
			_, err := w.request(ctx, form, "move_volume")
			return err
		}, func() bool {
			return storageOf(pve.ParseLine(w.cfg.coming[slot], "volume").Value("volume")) == c.move[slot]
		})
		if err != nil {
			return err
		}
		w.changed = true
	}
	return nil
}

func (w *work) migrates(c *change) bool { return c.node != "" && c.node != w.guest.Node }

// migrate takes the container to another node. A running one is stopped and
// started by that: Proxmox cannot migrate containers live.
func (w *work) migrate(ctx context.Context, c *change) error {
	if !w.migrates(c) {
		return nil
	}
	form := url.Values{"target": {c.node}}
	if w.guest.Status == "running" {
		form.Set("restart", "1")
	}
	queued := false
	err := w.surely(ctx, "vzmigrate", func() (err error) {
		queued, err = w.request(ctx, form, "migrate")
		return err
	}, func() bool { return w.guest.Node == c.node })
	if err != nil {
		return err
	}
	w.changed = true
	if queued {
		err = w.awaitHA(ctx, "it is on "+c.node, func() (bool, error) {
			all, err := w.p.list(ctx)
			guest, _ := all.guest(w.job.ID)
			return guest.Node == c.node, err
		})
	}
	w.guest.Node = c.node
	return err
}

// destroyUnused removes exactly the volumes whose blocks said so, once Proxmox
// lists them as unused. What is under a slot may be another volume a moment
// later: with the digest nothing goes but what was read.
func (w *work) destroyUnused(ctx context.Context, c *change) (err error) {
	if len(c.destroy) == 0 {
		return nil
	}
	for range 3 {
		if w.cfg, err = w.p.readConfig(ctx, w.guest.Node, w.job.ID, viewOf(w.guest.Status)); err != nil {
			return err
		}
		unused := w.unused(c.destroy)
		if len(unused) == 0 {
			return nil
		}
		err = w.put(ctx, url.Values{"delete": {strings.Join(unused, ",")}})
		if !pve.IsChanged(err) && !pve.IsUnclear(err) {
			return err
		}
	}
	return err
}

// unused returns the slots of those of the volumes that nothing uses any more,
// and tells of those that are still attached.
func (w *work) unused(volids []string) []string {
	var found []string
	for _, volid := range volids {
		for _, slot := range slots(w.cfg.current, "unused") {
			if w.cfg.current[slot] == volid {
				found = append(found, slot)
			}
		}
		for _, slot := range slots(w.cfg.current, "mp") {
			if pve.ParseLine(w.cfg.current[slot], "volume").Value("volume") == volid {
				w.job.Report.Warn(fmt.Sprintf("%s is still attached and is not destroyed; it becomes unused with the next stop", volid))
			}
		}
	}
	return found
}
