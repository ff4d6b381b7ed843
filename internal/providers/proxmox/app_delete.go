package proxmox

import (
	"context"
	"fmt"
	"net/url"
	"time"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

// removal is the patience with removals whose answer was lost. Each try first
// looks where the container is and whose, so that trying again does no harm.
var removal = pve.Patience{First: time.Second, Most: 5 * time.Second, Limit: time.Hour}

const removals = 5 // tries

// deleteApp removes a container with its volumes, after it has seen that it is
// ours. A container that is gone is what was asked for; one that its node does
// not know any more may have moved to another.
func (p *Provider) deleteApp(ctx context.Context, job providers.Job) error {
	tries := 0
	return removal.Repeat(ctx, func() error {
		tries++
		return p.deleteOnce(ctx, job)
	}, func(err error) bool { return tries < removals && (pve.IsUnclear(err) || pve.IsGone(err)) })
}

func (p *Provider) deleteOnce(ctx context.Context, job providers.Job) error {
	w, err := p.toDelete(ctx, job)
	if err != nil || w == nil {
		return err
	}
	query, err := p.purging(ctx, job) // before the stop: what fails should fail while it still runs
	if err == nil && query == nil {
		err = w.untie(ctx)
	}
	if err != nil {
		return err
	}
	// Its volumes go with it, so nothing is gained by waiting for a shutdown.
	if w.guest.Status == "running" {
		if err := w.stop(ctx); err != nil {
			return err
		}
	}
	path := containerPath(w.guest.Node, w.guest.VMID)
	err = p.do(ctx, job, func() (string, error) { return p.Client.Delete(ctx, path, query) })
	if pve.IsUnclear(err) {
		if err := p.outwait(ctx, job, w.guest.Node, "vzdestroy"); err != nil {
			return err
		}
	}
	return err
}

// toDelete finds the container to delete, sees that it is ours and may go, and
// waits for a removal that is under way. It returns nil when there is none.
func (p *Provider) toDelete(ctx context.Context, job providers.Job) (*work, error) {
	all, err := p.list(ctx)
	if err != nil {
		return nil, err
	}
	guest, found := all.guest(job.ID)
	if !found {
		return nil, p.isGone(ctx, job.ID)
	}
	if guest.Type != "lxc" {
		return nil, providers.ErrStranger{ID: job.ID, Why: "it is a virtual machine"}
	}
	w := &work{p: p, job: job, guest: guest}
	if guest.Lock == "destroyed" {
		if err := p.outwait(ctx, job, guest.Node, "vzdestroy"); err != nil {
			return nil, err
		}
	}
	if err := w.read(ctx); err != nil {
		return nil, err
	}
	if pve.IsOn(w.cfg.coming["protection"]) {
		return nil, fmt.Errorf("container %s is protected; set protection = false, apply, then remove it", job.ID)
	}
	return w, nil
}

// isGone is the error of a container that is not listed and yet is there.
func (p *Provider) isGone(ctx context.Context, id string) error {
	taken, err := p.isTaken(ctx, id)
	if err == nil && taken {
		err = fmt.Errorf("guest %s is there, but the token may not see it (VM.Audit on /vms/%s)", id, id)
	}
	return err
}

// purging decides whether Proxmox takes the container out of everything that
// refers to it. That would delete a backup job that covers nothing else, and
// change the jobs that our own policies describe behind their back; then it is
// left to the policies, and people are told of the rest.
func (p *Provider) purging(ctx context.Context, job providers.Job) (url.Values, error) {
	purge := url.Values{"purge": {"1"}}
	jobs, err := p.listJobs(ctx)
	if pve.IsForbidden(err) {
		return nil, nil // unseen, a job of somebody else might go with it
	}
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		if !j.names(job.ID) {
			continue
		}
		_, marker := j.remark()
		if marker.Lineage == job.Marker.Lineage {
			purge = nil
			continue
		}
		if len(words(string(j.VMID))) == 1 {
			purge = nil
			job.Report.Warn(fmt.Sprintf("backup job %s covers only container %s, which goes; it is left as it is", j.ID, job.ID))
		}
	}
	return purge, nil
}

// untie takes the container out of what Proxmox would refuse to delete it for,
// where it may not purge. A replication job has copies on other nodes, which
// people have to decide about.
func (w *work) untie(ctx context.Context) error {
	var copies []struct {
		ID    string
		Guest pve.Int
	}
	_ = w.p.Client.Read(ctx, "/cluster/replication", nil, &copies) // what cannot be seen here Proxmox says itself
	for _, c := range copies {
		if c.Guest == w.guest.VMID {
			return fmt.Errorf("container %s is replicated by job %s; on a node: pvesr delete %s", w.job.ID, c.ID, c.ID)
		}
	}
	if w.guest.HAState == "" {
		return nil
	}
	err := w.p.do(ctx, w.job, func() (string, error) {
		return w.p.Client.Delete(ctx, pve.Path("cluster", "ha", "resources", "ct:"+w.job.ID), nil)
	})
	if err != nil {
		return fmt.Errorf("take container %s out of high availability first (on a node: ha-manager remove ct:%s): %w", w.job.ID, w.job.ID, err)
	}
	return nil
}
