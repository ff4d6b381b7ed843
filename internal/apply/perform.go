package apply

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

type value = cty.Value

// maxTaken is how many IDs a create tries when others take them first.
const maxTaken = 20

// create makes what is not there. When somebody else took the planned ID in
// the meantime it goes on with the next free one, unless the ID is fixed.
func (r *run) create(ctx context.Context, provider providers.Provider, s plan.Step, c *plan.Change, want resource.Resource) (string, error) {
	id := c.ID
	for range maxTaken {
		job := providers.Job{
			Addr: c.Addr, ID: id, Want: want,
			Marker: resource.Marker{Lineage: r.plan.Base.Lineage, Addr: c.Addr, Nonce: c.Nonce},
		}
		err := r.recorded(ctx, s, c, job, provider.Create)
		var taken providers.ErrTaken
		if !errors.As(err, &taken) || r.Kinds[c.Addr.Kind].ID != nil || !resource.Attribute(want.Want, "vmid").IsNull() {
			return id, err
		}
		next, err := r.nextID(c.Host, id)
		if err != nil {
			return id, err
		}
		r.tell(Warned{s, fmt.Sprintf("id %s was taken since the plan; using %s", id, next)}, nil)
		id = next
	}
	return id, fmt.Errorf("%d IDs in a row were taken by others since the plan", maxTaken)
}

// nextID returns the next ID of the host's range that neither the survey nor
// state nor this run knows to be in use. Others may not have it from then on.
func (r *run) nextID(host, after string) (string, error) {
	taken := map[string]bool{}
	for _, o := range r.Session.State().Objects {
		taken[o.ID] = taken[o.ID] || o.Host == host
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for i := range r.plan.Changes {
		taken[r.plan.Changes[i].ID] = true
	}
	survey := r.plan.Surveys[host]
	if r.used[host] == nil {
		r.used[host] = map[string]bool{}
	}
	r.used[host][after] = true
	maps.Copy(taken, r.used[host])
	id, found := survey.FreeIDs(taken)()
	if !found {
		return "", fmt.Errorf("no VMID is free in %d-%d", survey.Range.Low, survey.Range.High)
	}
	r.used[host][id] = true
	return id, nil
}

// update makes the plan's edits, with the values they have now.
func (r *run) update(ctx context.Context, provider providers.Provider, s plan.Step, c *plan.Change, want resource.Resource) error {
	before := c.Before
	if before == nil { // adopted: all that is known of it is what was seen
		seen := c.Seen.Object
		if c.Seen.Unmarked {
			seen.Nonce = c.Nonce
		}
		before = &seen
	}
	edits, err := r.finalEdits(c, want)
	if err != nil {
		return err
	}
	job := providers.Job{
		Addr: c.Addr, ID: c.ID, Want: want, Prior: before, Digest: c.Seen.Digest, Edits: edits,
		Adopt: c.Seen.Unmarked, Marker: resource.Marker{Lineage: r.plan.Base.Lineage, Addr: c.Addr, Nonce: before.Nonce},
	}
	return r.recorded(ctx, s, c, job, func(ctx context.Context, job providers.Job) (resource.Object, error) {
		if onlyRecords(job.Edits) && !job.Adopt && !c.Seen.Renamed {
			return c.Seen.Object, nil // nothing for the host to do
		}
		return provider.Update(ctx, job)
	})
}

// finalEdits are the plan's edits with what was unknown filled in. An edit
// whose value turned out to be there already falls away; one that turned out
// to need a replacement, or to be impossible, was not what the plan showed.
func (r *run) finalEdits(c *plan.Change, want resource.Resource) ([]resource.Edit, error) {
	hasUnknown := false
	for _, e := range c.Edits {
		hasUnknown = hasUnknown || !e.New.IsWhollyKnown()
	}
	if !hasUnknown {
		return c.Edits, nil
	}
	edits := resource.Diff(r.Kinds[c.Addr.Kind], c.Before, want, c.Seen, r.Session.Sealer())
	for _, e := range edits {
		if e.Effect >= resource.Replace {
			return nil, fmt.Errorf("%s: now that its value is known the change is %q (%s); plan again", e.Path, e.Effect, e.Reason)
		}
	}
	return edits, nil
}

func onlyRecords(edits []resource.Edit) bool {
	for _, e := range edits {
		if e.Effect != resource.Record {
			return false
		}
	}
	return true
}

// recorded carries out one job between the records of its beginning and its
// end. A step that ends with an error and without an object stays open: what
// it left behind is for the next run to look at, not for this one to guess.
func (r *run) recorded(ctx context.Context, s plan.Step, c *plan.Change, job providers.Job,
	do func(context.Context, providers.Job) (resource.Object, error)) error {
	kind, seal := r.Kinds[c.Addr.Kind], r.Session.Sealer()
	sealed := seal.Object(&kind.Schema, job.Want.Want)
	durable := context.WithoutCancel(ctx)
	seq, err := r.begin(durable, s, c, state.Intent{
		Addr: c.Addr, Op: state.Put, Host: c.Host, ID: job.ID, Nonce: job.Marker.Nonce, Attrs: sealed,
		Needs: job.Want.Needs, PreventDestroy: job.Want.Life.PreventDestroy,
	})
	if err != nil {
		return err
	}
	hidden := secretsOf(&kind.Schema, job.Want.Want)
	job.Report = r.reporter(durable, s, seq, hidden)
	made, err := guarded(ctx, job, do)
	err = hidden.scrub(err)
	if err != nil && made.ID == "" {
		if isCertain(err) {
			return errors.Join(err, r.Session.Failed(durable, seq, c.Addr, nil, err))
		}
		return err
	}
	if kind.Lasting {
		return errors.Join(err, r.Session.Done(durable, seq, c.Addr, nil))
	}
	object := resource.Object{
		Addr: c.Addr, Host: c.Host, ID: made.ID, Nonce: job.Marker.Nonce, Needs: job.Want.Needs, Schema: kind.Version,
		Damaged: made.Damaged, PreventDestroy: job.Want.Life.PreventDestroy, Changed: r.Now(),
		Attrs: record(&kind.Schema, sealed, made.Attrs), Kept: seal.Lines(made.Kept),
	}
	switch isSeen := err == nil && !onlyRecords(job.Edits); {
	case job.Prior == nil || isSeen: // the provider told
	case c.Before != nil:
		object.Kept = c.Before.Kept
	default: // it is being taken over
		object.Kept = seal.Lines(job.Prior.Kept)
	}
	if err != nil {
		object.Unfinished = true
		if c.Before != nil && job.Prior != nil { // some edits may not have been made
			object.Attrs = resource.Merge(&kind.Schema, c.Before.Attrs, sealed)
			object.Needs = union(c.Before.Needs, object.Needs)
		}
		return errors.Join(err, r.Session.Failed(durable, seq, c.Addr, &object, err))
	}
	return r.Session.Done(durable, seq, c.Addr, &object)
}

// record joins what was asked for, as sealed, with what the provider computed.
func record(b *resource.Block, sealed, made value) value {
	set := map[string]value{}
	for name, a := range b.Attrs {
		set[name] = resource.Attribute(sealed, name)
		if a.Role == resource.Computed {
			set[name] = resource.Attribute(made, name)
		}
	}
	for name, n := range b.Blocks {
		set[name] = recordNested(n, resource.Attribute(sealed, name), resource.Attribute(made, name))
	}
	for name, v := range set {
		if v.IsNull() {
			delete(set, name)
		}
	}
	return b.Value(set)
}

func recordNested(n *resource.Nested, sealed, made value) value {
	switch {
	case sealed.IsNull():
		return sealed
	case !n.Labelled:
		return record(&n.Block, sealed, made)
	case sealed.LengthInt() == 0:
		return sealed
	}
	all := sealed.AsValueMap()
	for label, part := range all {
		inner := cty.NullVal(n.Block.Type())
		if !made.IsNull() && made.HasIndex(cty.StringVal(label)).True() {
			inner = made.Index(cty.StringVal(label))
		}
		all[label] = record(&n.Block, part, inner)
	}
	return cty.MapVal(all)
}

func (r *run) drop(ctx context.Context, provider providers.Provider, s plan.Step, c *plan.Change) error {
	durable := context.WithoutCancel(ctx)
	o := c.Before
	seq, err := r.begin(durable, s, c, state.Intent{Addr: o.Addr, Op: state.Drop, Host: o.Host, ID: o.ID, Nonce: o.Nonce})
	if err != nil {
		return err
	}
	job := providers.Job{
		Addr: o.Addr, ID: o.ID, Prior: o, Digest: c.Seen.Digest, Report: r.reporter(durable, s, seq, nil),
		Marker: resource.Marker{Lineage: r.plan.Base.Lineage, Addr: o.Addr, Nonce: o.Nonce},
	}
	_, err = guarded(ctx, job, func(ctx context.Context, job providers.Job) (resource.Object, error) {
		return resource.Object{}, provider.Delete(ctx, job)
	})
	switch {
	case err == nil:
		return r.Session.Done(durable, seq, o.Addr, nil)
	case isCertain(err):
		return errors.Join(err, r.Session.Failed(durable, seq, o.Addr, nil, err))
	}
	return err
}

// forget takes out of state what is gone from the host already.
func (r *run) forget(ctx context.Context, s plan.Step, c *plan.Change) error {
	durable := context.WithoutCancel(ctx)
	seq, err := r.begin(durable, s, c, state.Intent{Addr: c.Addr, Op: state.Drop, Host: c.Host, ID: c.ID})
	if err != nil {
		return err
	}
	return r.Session.Done(durable, seq, c.Addr, nil)
}

// begin records that a step is about to be carried out, with what the trail is
// to say of it.
func (r *run) begin(durable context.Context, s plan.Step, c *plan.Change, i state.Intent) (uint64, error) {
	i.At, i.Action, i.Plan = r.Now(), c.Word(s.Op), r.Fingerprint
	if told := r.plan.Told(c, r.Kinds); len(told) > 0 {
		var err error
		if i.Edits, err = json.Marshal(told); err != nil {
			return 0, err
		}
	}
	return r.Session.Begin(durable, i)
}

// isCertain reports whether an error says by itself that nothing was changed.
func isCertain(err error) bool {
	var taken providers.ErrTaken
	var stranger providers.ErrStranger
	var changed providers.ErrChanged
	var nothing providers.ErrNothingMade
	return errors.As(err, &taken) || errors.As(err, &stranger) || errors.As(err, &changed) || errors.As(err, &nothing)
}

// guarded turns a panic of a provider, or of the library below it, into the
// error of the one step that it happened in.
func guarded(ctx context.Context, job providers.Job, do func(context.Context, providers.Job) (resource.Object, error)) (o resource.Object, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("a fault in the program: %v", p)
		}
	}()
	return do(ctx, job)
}

// reporter passes a provider's reports on to the journal and the observer.
type reporter struct {
	task      func(id string) error
	say, warn func(text string)
}

// reporter returns the reporter of one step. The context outlives an
// interrupt: a task must be recorded even then.
func (r *run) reporter(durable context.Context, s plan.Step, seq uint64, hidden secrets) *reporter {
	var said sync.Map // warnings: the tasks of one step often repeat each other's
	return &reporter{
		task: func(id string) error { return r.Session.Task(durable, seq, id) },
		say:  func(text string) { r.tell(Progress{s, hidden.hide(text)}, nil) },
		warn: func(text string) {
			if _, again := said.LoadOrStore(text, true); !again {
				r.tell(Warned{s, hidden.hide(text)}, nil)
			}
		},
	}
}

func (p *reporter) Task(id string) error { return p.task(id) }
func (p *reporter) Say(text string)      { p.say(text) }
func (p *reporter) Warn(text string)     { p.warn(text) }

// union returns the addresses of both lists, sorted, each once.
func union(a, b []addr.Addr) []addr.Addr {
	all := append(append([]addr.Addr(nil), a...), b...)
	addr.Sort(all)
	var out []addr.Addr
	for i, x := range all {
		if i == 0 || x != all[i-1] {
			out = append(out, x)
		}
	}
	return out
}
