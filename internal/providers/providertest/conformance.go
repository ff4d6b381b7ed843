package providertest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Harness is a fresh host for one case of the suite, and what a person could
// do to it.
type Harness struct {
	Provider providers.Provider
	Kind     *resource.Kind // whose IDs are numbers from the host's range
	IDs      []string       // at least six that are free
	// Want returns a resource of the kind that fits the host; Secret is part of
	// it wherever it may be. Changed returns it with a change that needs neither
	// a restart nor a replacement.
	Want    func(name string) resource.Resource
	Changed func(want resource.Resource) resource.Resource
	// Occupy makes something of somebody else's under an ID, Remove removes what
	// has the ID, and Tamper changes by hand just what Changed changes.
	Occupy, Remove, Tamper func(id string)
}

// Secret is the text that must turn up nowhere.
const Secret = "canary-7hF2-secret"

// Run holds a provider to the contract that package providers states. Open
// returns a fresh harness each time.
func Run(t *testing.T, open func(t *testing.T) Harness) {
	cases := []struct {
		name string
		run  func(t *testing.T, c *conformance)
	}{
		{"what was created is observed as wanted", createdIsAsWanted},
		{"what was never made is gone", neverMadeIsGone},
		{"an ID that is taken is an error of its own", takenID},
		{"two creates of one ID: one wins", oneWins},
		{"creates of different IDs do not disturb each other", manyAtOnce},
		{"a change is made, and may be made again", updateTwice},
		{"a change to what was changed by hand is refused", updateChanged},
		{"what was removed by hand is gone", removedByHand},
		{"a stranger is seen as one and is never touched", strangers},
		{"a later thing with the same ID is a stranger", laterThing},
		{"what is deleted is gone, and may be deleted again", deleteTwice},
		{"settling finds what is there", settle},
		{"a call ends with its context", cancelled},
		{"secrets turn up in no error and no report", secrets},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) { c.run(t, &conformance{Harness: open(t), lineage: "l1"}) })
	}
}

type conformance struct {
	Harness
	lineage string
}

// Recorder is a Reporter that remembers.
type Recorder struct {
	mu    sync.Mutex
	Tasks []string
	Texts []string
}

// Task implements providers.Reporter.
func (r *Recorder) Task(id string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Tasks = append(r.Tasks, id)
	return nil
}

// Say implements providers.Reporter.
func (r *Recorder) Say(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.Texts = append(r.Texts, text)
}

// Warn implements providers.Reporter.
func (r *Recorder) Warn(text string) { r.Say(text) }

func (c *conformance) marker(a addr.Addr, nonce string) resource.Marker {
	return resource.Marker{Lineage: c.lineage, Addr: a, Nonce: nonce}
}

func (c *conformance) job(want resource.Resource, id string) providers.Job {
	return providers.Job{Addr: want.Addr, ID: id, Want: want, Marker: c.marker(want.Addr, "n"+id), Report: &Recorder{}}
}

// create makes a thing and returns its record as the engine would keep it.
func (c *conformance) create(t *testing.T, name, id string) (resource.Resource, resource.Object) {
	want := c.Want(name)
	made, err := c.Provider.Create(t.Context(), c.job(want, id))
	require.NoError(t, err)
	return want, c.record(want, made)
}

func (c *conformance) record(want resource.Resource, made resource.Object) resource.Object {
	attrs := (resource.Sealer{}).Object(&c.Kind.Schema, want.Want).AsValueMap()
	for name, a := range c.Kind.Schema.Attrs {
		if a.Role == resource.Computed {
			attrs[name] = resource.Attribute(made.Attrs, name)
		}
	}
	for name, v := range attrs {
		if v.IsNull() {
			delete(attrs, name)
		}
	}
	return resource.Object{
		Addr: want.Addr, Host: want.Host, ID: made.ID, Nonce: "n" + made.ID,
		Attrs: c.Kind.Schema.Value(attrs), Schema: c.Kind.Version,
	}
}

func (c *conformance) see(t *testing.T, want *resource.Resource, prior *resource.Object) resource.Seen {
	target := c.target(want, prior)
	found, err := c.Provider.Observe(t.Context(), []providers.Target{target})
	require.NoError(t, err)
	require.Contains(t, found.Seen, target.Addr)
	return found.Seen[target.Addr]
}

func (c *conformance) target(want *resource.Resource, prior *resource.Object) providers.Target {
	target := providers.Target{Want: want, Prior: prior}
	if want != nil {
		target.Addr = want.Addr
	}
	if prior != nil {
		target.Addr = prior.Addr
		target.Marker.Nonce = prior.Nonce
	}
	target.Marker.Lineage, target.Marker.Addr = c.lineage, target.Addr
	return target
}

func (c *conformance) diff(prior resource.Object, want resource.Resource, seen resource.Seen) []resource.Edit {
	return resource.Diff(c.Kind, &prior, want, seen, resource.Sealer{})
}

func createdIsAsWanted(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	seen := c.see(t, &want, &record)
	require.Equal(t, resource.Present, seen.Presence, seen.Why)
	require.Equal(t, c.IDs[0], seen.Object.ID)
	require.Empty(t, c.diff(record, want, seen))
}

func neverMadeIsGone(t *testing.T, c *conformance) {
	want := c.Want("a")
	require.Equal(t, resource.Gone, c.see(t, &want, nil).Presence)
}

func takenID(t *testing.T, c *conformance) {
	c.Occupy(c.IDs[0])
	_, err := c.Provider.Create(t.Context(), c.job(c.Want("a"), c.IDs[0]))
	var taken providers.ErrTaken
	require.ErrorAs(t, err, &taken)
	require.Equal(t, c.IDs[0], taken.ID)
}

func oneWins(t *testing.T, c *conformance) {
	var wg sync.WaitGroup
	failed := make([]error, 2)
	for i := range failed {
		wg.Go(func() {
			want := c.Want(fmt.Sprintf("a%d", i))
			job := c.job(want, c.IDs[0])
			job.Marker.Nonce = fmt.Sprint("n", i)
			_, failed[i] = c.Provider.Create(t.Context(), job)
		})
	}
	wg.Wait()
	var taken providers.ErrTaken
	if failed[0] == nil {
		slices.Reverse(failed)
	}
	require.NoError(t, failed[1])
	require.ErrorAs(t, failed[0], &taken)
}

func manyAtOnce(t *testing.T, c *conformance) {
	var wg sync.WaitGroup
	failed, records := make([]error, len(c.IDs)), make([]resource.Object, len(c.IDs))
	wants := make([]resource.Resource, len(c.IDs))
	for i, id := range c.IDs {
		wants[i] = c.Want(fmt.Sprintf("a%d", i))
		wg.Go(func() {
			var made resource.Object
			made, failed[i] = c.Provider.Create(t.Context(), c.job(wants[i], id))
			records[i] = c.record(wants[i], made)
		})
	}
	wg.Wait()
	require.NoError(t, errors.Join(failed...))
	for i := range records {
		seen := c.see(t, &wants[i], &records[i])
		require.Equal(t, resource.Present, seen.Presence)
		require.Empty(t, c.diff(records[i], wants[i], seen))
	}
}

// change returns the job that brings what is there to what is wanted.
func (c *conformance) change(t *testing.T, want resource.Resource, record resource.Object) providers.Job {
	seen := c.see(t, &want, &record)
	job := c.job(want, record.ID)
	job.Prior, job.Digest, job.Edits = &record, seen.Digest, c.diff(record, want, seen)
	require.NotEmpty(t, job.Edits, "Changed changes nothing")
	return job
}

func updateTwice(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	want = c.Changed(want)
	job := c.change(t, want, record)
	made, err := c.Provider.Update(t.Context(), job)
	require.NoError(t, err)
	require.Equal(t, record.ID, made.ID)
	record = c.record(want, made)
	require.Empty(t, c.diff(record, want, c.see(t, &want, &record)))

	job.Digest = ""
	_, err = c.Provider.Update(t.Context(), job)
	require.NoError(t, err, "a repeated update")
	require.Empty(t, c.diff(record, want, c.see(t, &want, &record)))
}

func updateChanged(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	want = c.Changed(want)
	job := c.change(t, want, record)
	c.Tamper(record.ID)
	_, err := c.Provider.Update(t.Context(), job)
	var changed providers.ErrChanged
	require.ErrorAs(t, err, &changed)
}

func removedByHand(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	c.Remove(record.ID)
	require.Equal(t, resource.Gone, c.see(t, &want, &record).Presence)
	require.Equal(t, resource.Gone, c.see(t, nil, &record).Presence)
}

func strangers(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	changed := c.Changed(want)
	job := c.change(t, changed, record)
	job.Digest = ""
	c.Remove(record.ID)
	c.Occupy(record.ID)
	seen := c.see(t, &want, &record)
	require.Equal(t, resource.Stranger, seen.Presence)
	require.NotEmpty(t, seen.Why)

	var stranger providers.ErrStranger
	_, err := c.Provider.Update(t.Context(), job)
	require.ErrorAs(t, err, &stranger)
	require.ErrorAs(t, c.Provider.Delete(t.Context(), job), &stranger)
	require.Equal(t, resource.Stranger, c.see(t, &want, &record).Presence, "it is still there")
}

func laterThing(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	record.Nonce = "of an earlier one"
	require.Equal(t, resource.Stranger, c.see(t, &want, &record).Presence)
	job := c.job(want, record.ID)
	job.Prior, job.Marker.Nonce = &record, record.Nonce
	var stranger providers.ErrStranger
	require.ErrorAs(t, c.Provider.Delete(t.Context(), job), &stranger)
}

func deleteTwice(t *testing.T, c *conformance) {
	want, record := c.create(t, "a", c.IDs[0])
	job := c.job(resource.Resource{Addr: want.Addr, Host: want.Host}, record.ID)
	job.Prior = &record
	require.NoError(t, c.Provider.Delete(t.Context(), job))
	require.Equal(t, resource.Gone, c.see(t, nil, &record).Presence)
	require.NoError(t, c.Provider.Delete(t.Context(), job))
}

func settle(t *testing.T, c *conformance) {
	want := c.Want("a")
	nothing := resource.Object{Addr: want.Addr, Host: want.Host, ID: c.IDs[0], Nonce: "n" + c.IDs[0]}
	seen, err := c.Provider.Settle(t.Context(), c.target(&want, &nothing), "")
	require.NoError(t, err)
	require.Equal(t, resource.Gone, seen.Presence)

	job, report := c.job(want, c.IDs[0]), &Recorder{}
	job.Report = report
	_, err = c.Provider.Create(t.Context(), job)
	require.NoError(t, err)
	require.NotEmpty(t, report.Tasks, "a create tells its task")
	for _, task := range append(report.Tasks, "") {
		seen, err = c.Provider.Settle(t.Context(), c.target(&want, &nothing), task)
		require.NoError(t, err)
		require.Equal(t, resource.Present, seen.Presence, seen.Why)
	}
}

func cancelled(t *testing.T, c *conformance) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	want := c.Want("a")
	_, err := c.Provider.Create(ctx, c.job(want, c.IDs[0]))
	require.Error(t, err)
	require.Error(t, c.Provider.Delete(ctx, c.job(want, c.IDs[0])))
	_, err = c.Provider.Observe(ctx, []providers.Target{c.target(&want, nil)})
	require.Error(t, err)
	require.Equal(t, resource.Gone, c.see(t, &want, nil).Presence, "nothing was made")
}

func secrets(t *testing.T, c *conformance) {
	c.Occupy(c.IDs[0])
	want, report := c.Want("a"), &Recorder{}
	job := c.job(want, c.IDs[0])
	job.Report = report
	_, err := c.Provider.Create(t.Context(), job)
	require.Error(t, err)
	job.ID = c.IDs[1]
	job.Marker.Nonce = "n" + job.ID
	_, made := c.Provider.Create(t.Context(), job)
	require.NoError(t, made)
	require.NotContains(t, err.Error(), Secret)
	require.NotContains(t, strings.Join(append(report.Texts, report.Tasks...), "\n"), Secret)
}
