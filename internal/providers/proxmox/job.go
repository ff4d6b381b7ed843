package proxmox

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

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

// remark separates a job's comment into what people wrote and our marker, whose
// address comes last since it may have blanks in it.
func (j backupJob) remark() (string, resource.Marker) {
	all := string(j.Comment)
	i := strings.LastIndex(all, markerWord)
	if i < 0 {
		return all, resource.Marker{}
	}
	var m resource.Marker
	parts := strings.SplitN(all[i+len(markerWord):], " ", 3)
	if len(parts) != 3 || m.Addr.UnmarshalText([]byte(parts[2])) != nil {
		return all, resource.Marker{}
	}
	m.Lineage, m.Nonce = parts[0], parts[1]
	return strings.TrimSpace(all[:i]), m
}

// markerWord begins the marker in a job's comment, which is one line that the
// web page shows.
const markerWord = "[proximity] "

func comment(text string, m resource.Marker) string {
	return strings.TrimSpace(fmt.Sprintf("%s %s%s %s %s", text, markerWord, m.Lineage, m.Nonce, m.Addr))
}

func (p *Provider) listJobs(ctx context.Context) ([]backupJob, error) {
	var jobs []backupJob
	err := p.Client.Read(ctx, "/cluster/backup", nil, &jobs)
	return jobs, err
}

// jobLister lists the backup jobs, once however often it is called. That they
// could not be listed is remembered too.
type jobLister func(ctx context.Context) ([]backupJob, error)

func (p *Provider) listJobsOnce() jobLister {
	type answer struct {
		jobs []backupJob
		err  error
	}
	ask := pve.Once(func(ctx context.Context) (answer, error) {
		jobs, err := p.listJobs(ctx)
		return answer{jobs, err}, nil
	})
	return func(ctx context.Context) ([]backupJob, error) {
		a, err := ask(ctx)
		return a.jobs, cmp.Or(a.err, err)
	}
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
		for _, f := range line.Fields() {
			counts[f.Key] = pve.Text(f.Value)
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

// jobForm is policyForm as the host's release takes it: before 8.1 there is no
// notification-mode, and what it does by default is all there is.
func (p *Provider) jobForm(ctx context.Context, job providers.Job) (form url.Values, unset []string, err error) {
	const mode = "notification-mode"
	form, unset = policyForm(job)
	version, err := p.Client.Version(ctx)
	if err == nil && !version.AtLeast(8, 1) {
		unset = slices.DeleteFunc(unset, func(key string) bool { return key == mode })
		if form.Get(mode) == "auto" {
			form.Del(mode)
		}
	}
	return form, unset, err
}
