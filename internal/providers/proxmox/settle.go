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
	if target.Prior != nil {
		prior := *target.Prior
		if task == "" && prior.Attrs != cty.NilVal {
			comesUntil = prior.Changed.Add(requestPatience)
		}
		prior.Changed = p.Now() // the listing may be older than what the task did
		target.Prior = &prior
	}
	jobs, patience := p.listJobsOnce(), barePatience
	if target.Prior != nil && resource.Text(target.Prior.Attrs, "clone") != "" {
		patience = settlePatience
	}
	for end := p.Now().Add(patience); ; {
		all, err := p.list(ctx)
		if err != nil {
			return resource.Seen{}, err
		}
		seen := p.see(ctx, all, jobs, target)
		isBare := seen.Presence == resource.Unknown && seen.Locked != ""
		isUnderWay := isBare && (p.Now().Before(end) || p.isWorkedOn(ctx, all, target))
		mayCome := (seen.Presence == resource.Gone || seen.Presence == resource.Unknown) && p.Now().Before(comesUntil)
		if !isUnderWay && !mayCome {
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

// isWorkedOn reports whether a task is at work on the container that anybody can
// see.
func (p *Provider) isWorkedOn(ctx context.Context, all listing, target providers.Target) bool {
	guest, found := all.guest(appID(target))
	if !found {
		return false
	}
	for _, kind := range []string{"vzcreate", "vzdestroy", "vzrestore"} {
		if upid, err := p.activeTask(ctx, appID(target), guest.Node, kind); err == nil && upid != "" {
			return true
		}
	}
	return false
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
