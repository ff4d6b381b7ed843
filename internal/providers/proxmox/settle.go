package proxmox

import (
	"context"
	"fmt"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

const (
	// settlePatience bounds the wait for a clone without a known task: that goes by
	// the VMID of its source. barePatience is for what no task works on that
	// anybody can see: a create or removal that was killed leaves its lock for ever.
	settlePatience = 10 * time.Minute
	barePatience   = time.Minute
	// requestPatience is how long after the beginning of a step its request may
	// still take effect although nobody waits for the answer: Proxmox checks the
	// storages before it makes the configuration.
	requestPatience = 10 * time.Second
)

// Settle implements providers.Provider.
func (p *Provider) Settle(ctx context.Context, target providers.Target, task string) (resource.Seen, error) {
	if err := p.outlast(ctx, task); err != nil {
		return resource.Seen{}, err
	}
	var comesUntil time.Time
	if target.Prior != nil && task == "" && target.Prior.Attrs != cty.NilVal {
		begun := target.Prior.Changed
		if now := p.Now(); now.Before(begun) {
			begun = now // the clock was set back since
		}
		comesUntil = begun.Add(requestPatience)
	}
	patience := barePatience
	if target.Prior != nil && resource.Text(target.Prior.Attrs, "clone") != "" {
		patience = settlePatience
	}
	for end := p.Now().Add(patience); ; {
		seen, isWorkedOn, err := p.seeNow(ctx, target)
		if err != nil {
			return resource.Seen{}, err
		}
		isBare := seen.Presence == resource.Unknown && seen.Locked != ""
		mayCome := (seen.Presence == resource.Gone || seen.Presence == resource.Unknown) && p.Now().Before(comesUntil)
		if !isWorkedOn && !mayCome && (!isBare || p.Now().After(end)) {
			if isBare {
				seen.Why += fmt.Sprintf(", and no task works on it; on its node: pct unlock %s && pct destroy %s", appID(target), appID(target))
			}
			return seen, ctx.Err()
		}
		if err := pve.Pause(ctx, time.Second); err != nil {
			return resource.Seen{}, err
		}
	}
}

// seeNow looks at a target that a step was at work on until just now, and whether
// a task still is. A create that ends between the listing and the look at the
// container itself, with its pool, counts as still at work: what is not seen of
// it would not be recorded as ours.
func (p *Provider) seeNow(ctx context.Context, target providers.Target) (seen resource.Seen, isWorkedOn bool, err error) {
	all, err := p.list(ctx)
	if err != nil {
		return seen, false, err
	}
	isWorkedOn = p.isWorkedOn(ctx, all, target)
	if target.Prior != nil {
		prior := *target.Prior
		prior.Changed = p.Now() // the listing's status may be older than what the task did
		target.Prior = &prior
	}
	seen = p.see(ctx, all, p.listJobsOnce(), target)
	after, err := p.list(ctx)
	if err != nil {
		return seen, false, err
	}
	was, _ := all.guest(appID(target))
	is, _ := after.guest(appID(target))
	return seen, isWorkedOn || was.Pool != is.Pool || was.Node != is.Node, nil
}

// ourTasks are the types of the tasks that a step may have left at work on a
// container. A backup is nobody's step, and takes long.
var ourTasks = []string{
	"vzcreate", "vzrestore", "vzclone", "vzdestroy", "vzstart", "vzstop", "vzshutdown", "vzmigrate", "resize", "move_volume",
}

// isWorkedOn reports whether a task is at work on the container that anybody can
// see: the answer that named it may have been lost.
func (p *Provider) isWorkedOn(ctx context.Context, all listing, target providers.Target) bool {
	guest, found := all.guest(appID(target))
	if !found || target.Addr.Kind != "app" || all.isOffline(guest.Node) {
		return false
	}
	upid, err := p.activeTask(ctx, appID(target), guest.Node, ourTasks...)
	return err == nil && upid != ""
}

// outlast waits for the end of a task. One that cannot be asked for any more,
// because it was another token's, its log was removed or its node is gone, is
// not waited for: the target itself tells what it did.
func (p *Provider) outlast(ctx context.Context, task string) error {
	upid, err := pve.ParseUPID(task)
	if err != nil {
		return nil
	}
	all, err := p.list(ctx)
	if err != nil || all.isOffline(upid.Node) {
		return err
	}
	if _, err = p.Client.Wait(ctx, task, nil); pve.IsWaiting(err) {
		return err
	}
	return ctx.Err()
}
