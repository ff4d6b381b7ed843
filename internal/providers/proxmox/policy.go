package proxmox

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

func (p *Provider) seePolicy(ctx context.Context, list jobLister, t providers.Target) resource.Seen {
	id := jobID(t.Marker.Lineage, t.Addr)
	if t.Prior != nil {
		id = t.Prior.ID
	}
	jobs, err := list(ctx)
	if err != nil {
		return unknown(err)
	}
	i := slices.IndexFunc(jobs, func(j backupJob) bool { return string(j.ID) == id })
	if i < 0 && t.Prior == nil { // one that had another address when it was made has another ID
		i = slices.IndexFunc(jobs, func(j backupJob) bool { _, marker := j.remark(); return isOurs(marker, t.Marker) })
	}
	if i < 0 {
		if t.Prior != nil && (coversNothing(t.Prior.Attrs) || t.Want != nil && coversNothing(t.Want.Want)) {
			return p.emptyPolicy(t)
		}
		return resource.Seen{Presence: resource.Gone}
	}
	text, marker := jobs[i].remark()
	if !isOurs(marker, t.Marker) {
		return notOurs(t, describeOther(marker))
	}
	set := jobs[i].attrs(text)
	if t.Prior != nil {
		set["max_age"] = resource.Attribute(t.Prior.Attrs, "max_age")
	}
	seen := p.policySeen(t, string(jobs[i].ID), marker.Nonce, set)
	seen.Digest, seen.Renamed = jobs[i].digest(), marker.Addr != t.Addr
	return seen
}

// emptyPolicy is a policy without guests: Proxmox cannot keep such a job, so it
// counts as there, as recorded, while it has nothing to do.
func (p *Provider) emptyPolicy(t providers.Target) resource.Seen {
	set := map[string]cty.Value{}
	if t.Prior.Attrs != cty.NilVal && !t.Prior.Attrs.IsNull() {
		set = t.Prior.Attrs.AsValueMap()
	}
	set["apps"] = cty.SetValEmpty(cty.Number)
	return p.policySeen(t, t.Prior.ID, t.Prior.Nonce, set)
}

// coversNothing reports whether a policy names no guest at all.
func coversNothing(want cty.Value) bool {
	apps := unmarked(resource.Attribute(want, "apps"))
	none := apps.IsNull() || apps.IsKnown() && apps.LengthInt() == 0
	return none && !isTrue(want, "all") && resource.Text(want, "pool") == "" &&
		resource.Attribute(want, "exclude").IsNull()
}

func (p *Provider) policyObject(job providers.Job) resource.Object {
	kind := p.kinds["backup_policy"]
	set := unmarked(job.Want.Want).AsValueMap()
	set["id"] = cty.StringVal(job.ID)
	return resource.Object{
		Addr: job.Addr, Host: p.Host, ID: job.ID, Nonce: job.Marker.Nonce, Schema: kind.Version, Attrs: kind.Schema.Value(set),
	}
}

// findJob returns the job of that ID, or nil.
func (p *Provider) findJob(ctx context.Context, id string) (*backupJob, error) {
	jobs, err := p.listJobs(ctx)
	for i := range jobs {
		if string(jobs[i].ID) == id {
			return &jobs[i], err
		}
	}
	return nil, err
}

func (p *Provider) createPolicy(ctx context.Context, job providers.Job) (resource.Object, error) {
	if coversNothing(job.Want.Want) {
		job.Report.Warn("it covers no guest yet; the job is made with its first one")
		return p.policyObject(job), nil
	}
	form, _, err := p.jobForm(ctx, job)
	if err != nil {
		return resource.Object{}, err
	}
	form.Set("id", job.ID)
	err = p.writeJob(ctx, job.ID, func() error {
		_, err := p.Client.Post(ctx, "/cluster/backup", form)
		return err
	}, func(there *backupJob) (bool, error) {
		if there == nil {
			return false, nil
		}
		if _, marker := there.remark(); marker != job.Marker {
			return false, providers.ErrTaken{ID: job.ID}
		}
		return true, nil
	})
	if err != nil {
		return resource.Object{}, err
	}
	return p.policyObject(job), nil
}

// writeJob sends a change of a backup job. When its answer was lost, or the name
// is taken, isDone looks at the job, which is nil when there is none, and only
// what had no effect is sent again.
func (p *Provider) writeJob(ctx context.Context, id string, send func() error, isDone func(*backupJob) (bool, error)) error {
	for try := 1; ; try++ {
		err := send()
		if !pve.IsUnclear(err) && !pve.IsTaken(err) || try == 3 {
			return err
		}
		look := func() (bool, error) {
			there, lookErr := p.findJob(ctx, id)
			if lookErr != nil {
				return false, fmt.Errorf("%w (then could not look what became of it: %w)", err, lookErr)
			}
			return isDone(there)
		}
		if done, err := lookPatiently(ctx, look); done || err != nil {
			return err
		}
	}
}

// updatePolicy sends the whole job anew. One that covers nothing any more is
// removed, since Proxmox refuses jobs without guests, and made again later.
func (p *Provider) updatePolicy(ctx context.Context, job providers.Job) (resource.Object, error) {
	there, err := p.findJob(ctx, job.ID)
	if err != nil {
		return resource.Object{}, err
	}
	if there == nil {
		return p.createPolicy(ctx, job)
	}
	text, marker := there.remark()
	if !isOurs(marker, job.Marker) {
		return resource.Object{}, providers.ErrStranger{ID: job.ID, Why: describeOther(marker)}
	}
	seen := p.policySeen(providers.Target{Addr: job.Addr, Prior: job.Prior}, job.ID, marker.Nonce, there.attrs(text))
	for _, e := range job.Edits {
		isStale := job.Digest != "" && job.Digest != there.digest()
		if isStale && e.Effect != resource.Record && !same(valueAt(seen.Object.Attrs, e.Path), e.Old) {
			return resource.Object{}, providers.ErrChanged{ID: job.ID}
		}
	}
	if coversNothing(job.Want.Want) {
		job.Report.Warn("it covers no guest any more; the job is removed until it does")
		return p.policyObject(job), p.removeJob(ctx, job.ID)
	}
	form, unset, err := p.jobForm(ctx, job)
	if err != nil {
		return resource.Object{}, err
	}
	if len(unset) > 0 {
		form.Set("delete", strings.Join(unset, ","))
	}
	err = p.writeJob(ctx, job.ID, func() error {
		_, err := p.Client.Put(ctx, pve.Path("cluster", "backup", job.ID), form)
		return err
	}, func(now *backupJob) (bool, error) {
		return now == nil || now.digest() != there.digest(), nil
	})
	if err != nil {
		return resource.Object{}, err
	}
	return p.policyObject(job), nil
}

func (p *Provider) deletePolicy(ctx context.Context, job providers.Job) error {
	there, err := p.findJob(ctx, job.ID)
	if err != nil || there == nil {
		return err
	}
	if _, marker := there.remark(); !isOurs(marker, job.Marker) {
		return providers.ErrStranger{ID: job.ID, Why: describeOther(marker)}
	}
	return p.removeJob(ctx, job.ID)
}

// removeJob removes a job. One that is gone is what was asked for.
func (p *Provider) removeJob(ctx context.Context, id string) error {
	err := p.writeJob(ctx, id, func() error {
		_, err := p.Client.Delete(ctx, pve.Path("cluster", "backup", id), nil)
		return err
	}, func(there *backupJob) (bool, error) { return there == nil, nil })
	if pve.IsGone(err) {
		return nil
	}
	return err
}
