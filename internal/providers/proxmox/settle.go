package proxmox

import (
	"context"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

const (
	// settlePatience bounds the wait for a create without a known task. A create
	// that was killed leaves its lock for ever.
	settlePatience = 10 * time.Minute
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
	jobs := p.listJobsOnce()
	for patience := p.Now().Add(settlePatience); ; {
		all, err := p.list(ctx)
		if err != nil {
			return resource.Seen{}, err
		}
		seen := p.see(ctx, all, jobs, target)
		isUnderWay := seen.Presence == resource.Unknown && seen.Locked != "" && p.Now().Before(patience)
		mayCome := (seen.Presence == resource.Gone || seen.Presence == resource.Unknown) && p.Now().Before(comesUntil)
		if !isUnderWay && !mayCome {
			return seen, ctx.Err()
		}
		if err := pve.Pause(ctx, time.Second); err != nil {
			return resource.Seen{}, err
		}
	}
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
