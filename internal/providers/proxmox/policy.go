package proxmox

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// backupJob is one job of /cluster/backup. What comes as an object there
// (prune-backups) is sent as a property string.
type backupJob struct {
	ID, Schedule, Storage, Mode, Compress, Node, Pool, Comment pve.Text
	VMID, Exclude, MailTo                                      pve.Text
	NotesTemplate                                              pve.Text `json:"notes-template"`
	MailNotification                                           pve.Text `json:"mailnotification"`
	NotificationMode                                           pve.Text `json:"notification-mode"`
	BwLimit                                                    pve.Text
	All, Protected                                             pve.Bool
	Enabled                                                    *pve.Bool
	RepeatMissed                                               pve.Bool        `json:"repeat-missed"`
	Prune                                                      json.RawMessage `json:"prune-backups"`
}

func (j backupJob) names(id string) bool { return slices.Contains(words(string(j.VMID)), id) }

// remark separates a job's comment into what people wrote and our marker.
func (j backupJob) remark() (string, resource.Marker) {
	text, after, found := strings.Cut(string(j.Comment), " "+markerWord)
	if !found {
		text, after, found = "", strings.TrimPrefix(string(j.Comment), markerWord), strings.HasPrefix(string(j.Comment), markerWord)
	}
	if !found {
		return string(j.Comment), resource.Marker{}
	}
	var m resource.Marker
	parts := strings.Fields(after)
	if len(parts) != 3 || m.Addr.UnmarshalText([]byte(parts[1])) != nil {
		return string(j.Comment), resource.Marker{}
	}
	m.Lineage, m.Nonce = parts[0], parts[2]
	return text, m
}

// markerWord begins the marker in a job's comment, which is one line that the
// web page shows.
const markerWord = "[proximity] "

func comment(text string, m resource.Marker) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s%s %s %s", text, markerWord, m.Lineage, m.Addr, m.Nonce))
}

func (p *Provider) listJobs(ctx context.Context) ([]backupJob, error) {
	var jobs []backupJob
	err := p.Client.Get(ctx, "/cluster/backup", nil, &jobs)
	return jobs, err
}

// jobLister lists the backup jobs, once however often it is called.
type jobLister func(ctx context.Context) ([]backupJob, error)

func (p *Provider) listJobsOnce() jobLister {
	var once sync.Once
	var jobs []backupJob
	var err error
	return func(ctx context.Context) ([]backupJob, error) {
		once.Do(func() { jobs, err = p.listJobs(ctx) })
		return jobs, err
	}
}

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
	if i < 0 {
		if t.Want != nil && t.Prior != nil && coversNothing(t.Want.Want) {
			return p.emptyPolicy(t) // the job is away because nothing is left to back up
		}
		return resource.Seen{Presence: resource.Gone}
	}
	text, marker := jobs[i].remark()
	if !isOurs(marker, t.Marker) {
		return p.notOurs(t, describeOther(marker))
	}
	set := jobs[i].attrs(text)
	if t.Prior != nil {
		set["max_age"] = resource.Attribute(t.Prior.Attrs, "max_age")
	}
	seen := p.policySeen(t, id, marker.Nonce, set)
	seen.Digest = jobs[i].digest()
	return seen
}

// digest stands in for the one that Proxmox does not give to jobs.
func (j backupJob) digest() string {
	text, err := json.Marshal(j)
	if err != nil {
		return "" // cannot happen: all fields are texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

func (p *Provider) policySeen(t providers.Target, id, nonce string, set map[string]cty.Value) resource.Seen {
	set["id"], set["host"] = cty.StringVal(id), cty.StringVal(p.Host)
	for name, v := range set {
		if v.IsNull() {
			delete(set, name)
		}
	}
	kind := p.kinds["backup_policy"]
	o := resource.Object{Addr: t.Addr, Host: p.Host, ID: id, Nonce: nonce, Schema: kind.Version, Attrs: kind.Schema.Value(set)}
	if t.Prior != nil {
		o.Changed = t.Prior.Changed
	}
	return resource.Seen{Presence: resource.Present, Object: o}
}

// emptyPolicy is a policy without guests: Proxmox cannot keep such a job, so it
// counts as there while it has nothing to do.
func (p *Provider) emptyPolicy(t providers.Target) resource.Seen {
	set := map[string]cty.Value{}
	for name, v := range unmarked(t.Want.Want).AsValueMap() {
		if v.IsKnown() {
			set[name] = v
		}
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

func (j backupJob) attrs(comment string) map[string]cty.Value {
	set := map[string]cty.Value{
		"schedule": textOrNull(string(j.Schedule)), "storage": textOrNull(string(j.Storage)),
		"mode": textOr(string(j.Mode), "snapshot"), "compress": textOr(string(j.Compress), "0"),
		"apps": numberSet(string(j.VMID)), "exclude": numberSet(string(j.Exclude)), "all": cty.BoolVal(bool(j.All)),
		"pool": textOrNull(string(j.Pool)), "node": textOrNull(string(j.Node)),
		"enabled": cty.BoolVal(j.Enabled == nil || bool(*j.Enabled)), "comment": cty.StringVal(comment),
		"notes_template": textOrNull(string(j.NotesTemplate)), "mail_to": texts(words(string(j.MailTo))),
		"mail_when": textOr(string(j.MailNotification), "always"), "notification_mode": textOr(string(j.NotificationMode), "auto"),
		"bandwidth": numberOr(string(j.BwLimit), 0), "protected": cty.BoolVal(bool(j.Protected)),
		"repeat_missed": cty.BoolVal(bool(j.RepeatMissed)), "keep": j.keep(),
	}
	return set
}

func (j backupJob) keep() cty.Value {
	block := keepBlock()
	var counts map[string]pve.Text
	if json.Unmarshal(j.Prune, &counts) != nil { // a property string, before 8.0
		var text pve.Text
		if json.Unmarshal(j.Prune, &text) != nil {
			return cty.NullVal(block.Type())
		}
		line := pve.ParseLine(string(text), "")
		counts = map[string]pve.Text{}
		for _, key := range line.Keys() {
			counts[key] = pve.Text(line.Value(key))
		}
	}
	set := map[string]cty.Value{}
	for name := range block.Attrs {
		set[name] = numberOrNull(string(counts["keep-"+name]))
	}
	return block.Value(set)
}

func textOr(text, otherwise string) cty.Value {
	if text == "" {
		text = otherwise
	}
	return cty.StringVal(text)
}

func numberOr(text string, otherwise int64) cty.Value {
	if v := numberOrNull(text); !v.IsNull() {
		return v
	}
	return cty.NumberIntVal(otherwise)
}

var policyKeys = map[string]string{
	"schedule": "schedule", "storage": "storage", "mode": "mode", "compress": "compress", "pool": "pool", "node": "node",
	"enabled": "enabled", "notes_template": "notes-template", "mail_to": "mailto", "mail_when": "mailnotification",
	"notification_mode": "notification-mode", "bandwidth": "bwlimit", "protected": "protected",
	"repeat_missed": "repeat-missed", "apps": "vmid", "exclude": "exclude", "all": "all",
}

// policyForm writes a whole job, and what it must not have. Jobs have no
// digest, so that a change always sends all of it.
func policyForm(job providers.Job) (form url.Values, unset []string) {
	want := job.Want.Want
	form = url.Values{"comment": {comment(resource.Text(want, "comment"), job.Marker)}}
	for _, name := range slices.Sorted(maps.Keys(policyKeys)) {
		text := encode(resource.Attribute(want, name), ",")
		if text == "" || name == "all" && text == "0" {
			unset = append(unset, policyKeys[name])
			continue
		}
		form.Set(policyKeys[name], text)
	}
	keep := pve.ParseLine("", "")
	for _, name := range []string{"last", "hourly", "daily", "weekly", "monthly", "yearly"} {
		keep.Set("keep-"+name, encode(resource.Attribute(resource.Attribute(want, "keep"), name), ""))
	}
	if text := keep.String(); text != "" {
		form.Set("prune-backups", text)
	} else {
		unset = append(unset, "prune-backups")
	}
	return form, unset
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
	form, _ := policyForm(job)
	form.Set("id", job.ID)
	_, err := p.Client.Post(ctx, "/cluster/backup", form)
	if pve.IsTaken(err) || pve.IsUnclear(err) {
		there, lookErr := p.findJob(ctx, job.ID)
		switch {
		case lookErr != nil:
			return resource.Object{}, fmt.Errorf("%w (then could not look what became of it: %w)", err, lookErr)
		case there == nil:
			_, err = p.Client.Post(ctx, "/cluster/backup", form)
		default:
			if _, marker := there.remark(); marker != job.Marker {
				return resource.Object{}, providers.ErrTaken{ID: job.ID}
			}
			err = nil
		}
	}
	if err != nil {
		return resource.Object{}, err
	}
	return p.policyObject(job), nil
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
		now := valueAt(seen.Object.Attrs, e.Path)
		if job.Digest != "" && job.Digest != there.digest() && e.Effect != resource.Record && !now.RawEquals(e.Old) && !(now.IsNull() && e.Old.IsNull()) {
			return resource.Object{}, providers.ErrChanged{ID: job.ID}
		}
	}
	if coversNothing(job.Want.Want) {
		job.Report.Warn("it covers no guest any more; the job is removed until it does")
		_, err := p.Client.Delete(ctx, pve.Path("cluster", "backup", job.ID), nil)
		if err != nil && !pve.IsGone(err) {
			return resource.Object{}, err
		}
		return p.policyObject(job), nil
	}
	form, unset := policyForm(job)
	if len(unset) > 0 {
		form.Set("delete", strings.Join(unset, ","))
	}
	if _, err := p.Client.Put(ctx, pve.Path("cluster", "backup", job.ID), form); err != nil {
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
	_, err = p.Client.Delete(ctx, pve.Path("cluster", "backup", job.ID), nil)
	if pve.IsGone(err) {
		return nil
	}
	return err
}
