package proxmox

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/providertest"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// lab is a provider on a simulated host, and a client for what other people do
// there by hand.
type lab struct {
	*Provider
	t   testing.TB
	sim *pvesim.Sim
}

// openLab opens a simulated cluster whose tasks are over at once.
func openLab(t testing.TB, options pvesim.Options) *lab {
	t.Helper()
	if options.Tasks == nil {
		options.Tasks = func(string) time.Duration { return time.Millisecond }
	}
	sim, err := pvesim.Open(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, sim.Close()) })
	return newLab(t, sim, sim.Transport())
}

// timeless runs a test in a bubble of its own, where waiting takes no time.
func timeless(t *testing.T, name string, test func(t *testing.T)) {
	t.Helper()
	t.Run(name, func(t *testing.T) { synctest.Test(t, test) })
}

func newLab(t testing.TB, sim *pvesim.Sim, transport http.RoundTripper) *lab {
	t.Helper()
	id, secret := sim.Token()
	client, err := pve.New(pve.Options{TokenID: id, TokenSecret: secret, Transport: transport})
	require.NoError(t, err)
	return &lab{New(Options{Host: "pve", Client: client, Range: resource.IDRange{Low: 2000, High: 2999}}), t, sim}
}

// by sends a request by hand and waits for its task.
func (l *lab) by(method, path string, form url.Values) {
	l.t.Helper()
	send := map[string]func() (string, error){
		"POST":   func() (string, error) { return l.Client.Post(l.t.Context(), path, form) },
		"PUT":    func() (string, error) { return l.Client.Put(l.t.Context(), path, form) },
		"DELETE": func() (string, error) { return l.Client.Delete(l.t.Context(), path, form) },
	}[method]
	upid, err := send()
	require.NoError(l.t, err)
	if upid != "" {
		_, err = l.Client.Wait(l.t.Context(), upid, nil)
		require.NoError(l.t, err)
	}
}

type values map[string]cty.Value

// app returns an app with these attributes and blocks besides the usual ones.
func app(name string, set values) resource.Resource {
	block := appKind().Schema
	all := values{
		"host": str("pve"), "node": str("pve1"), "template": str("debian-13-standard"),
		"template_storage": str("local"), "unprivileged": cty.True, "running": cty.True, "restart": str("auto"),
		"disk": object("disk", values{"size": gibibytes(4), "storage": str("local-lvm")}),
	}
	for key, v := range set {
		all[key] = v
	}
	for key, v := range all {
		if v == cty.NilVal {
			delete(all, key)
		}
	}
	return resource.Resource{Addr: addr.New("app", name), Host: "pve", Want: block.Value(all)}
}

func str(s string) cty.Value              { return cty.StringVal(s) }
func gibibytes(n int64) cty.Value         { return cty.NumberIntVal(n << 30) }
func mebis(n int64) cty.Value             { return cty.NumberIntVal(n << 20) }
func whole(n int64) cty.Value             { return cty.NumberIntVal(n) }
func object(b string, v values) cty.Value { return appKind().Schema.Blocks[b].Value(v) }

// labelled returns a labelled block with one element for each label.
func labelled(block string, elements map[string]values) cty.Value {
	all := map[string]cty.Value{}
	for label, v := range elements {
		all[label] = object(block, v)
	}
	return cty.MapVal(all)
}

// job returns what the engine would ask for first.
func (l *lab) job(want resource.Resource, id string) providers.Job {
	return providers.Job{
		Addr: want.Addr, ID: id, Want: want, Report: &providertest.Recorder{},
		Marker: resource.Marker{Lineage: "l1", Addr: want.Addr, Nonce: "n" + id},
	}
}

// record returns what the engine would keep of what was made.
func record(want resource.Resource, made resource.Object) resource.Object {
	kind := appKind()
	if want.Addr.Kind == "backup_policy" {
		kind = policyKind()
	}
	return resource.Object{
		Addr: want.Addr, Host: want.Host, ID: made.ID, Nonce: made.Nonce, Schema: kind.Version, Changed: time.Now(),
		Attrs: withComputed(&kind.Schema, (resource.Sealer{}).Object(&kind.Schema, want.Want), made.Attrs),
	}
}

// withComputed adds what only the provider tells, in blocks as well.
func withComputed(b *resource.Block, kept, made cty.Value) cty.Value {
	set := kept.AsValueMap()
	for name, a := range b.Attrs {
		if a.Role == resource.Computed {
			set[name] = resource.Attribute(made, name)
		}
	}
	for name, n := range b.Blocks {
		if !n.Labelled || set[name].IsNull() || set[name].LengthInt() == 0 {
			continue
		}
		elements := set[name].AsValueMap()
		for label, element := range elements {
			inner := cty.NullVal(n.Block.Type())
			if all := resource.Attribute(made, name); !all.IsNull() && all.HasIndex(cty.StringVal(label)).True() {
				inner = all.Index(cty.StringVal(label))
			}
			elements[label] = withComputed(&n.Block, element, inner)
		}
		set[name] = cty.MapVal(elements)
	}
	for name, v := range set {
		if v.IsNull() {
			delete(set, name)
		}
	}
	return b.Value(set)
}

func (l *lab) create(want resource.Resource, id int) resource.Object {
	l.t.Helper()
	made, err := l.Create(l.t.Context(), l.job(want, strconv.Itoa(id)))
	require.NoError(l.t, err)
	return record(want, made)
}

func (l *lab) see(want *resource.Resource, prior *resource.Object) resource.Seen {
	l.t.Helper()
	target := providers.Target{Want: want, Prior: prior, Marker: resource.Marker{Lineage: "l1"}}
	if want != nil {
		target.Addr = want.Addr
	}
	if prior != nil {
		target.Addr, target.Marker.Nonce = prior.Addr, prior.Nonce
	}
	target.Marker.Addr = target.Addr
	found, err := l.Observe(l.t.Context(), []providers.Target{target})
	require.NoError(l.t, err)
	return found.Seen[target.Addr]
}

// edits returns what a plan would show.
func (l *lab) edits(want resource.Resource, prior resource.Object) ([]resource.Edit, resource.Seen) {
	l.t.Helper()
	seen := l.see(&want, &prior)
	require.Equal(l.t, resource.Present, seen.Presence, seen.Why)
	return resource.Diff(l.kinds[want.Addr.Kind], &prior, want, seen, resource.Sealer{}), seen
}

// change applies a new wish, requires that nothing is left to do afterwards,
// and returns the record with the edits that were made.
func (l *lab) change(want resource.Resource, prior resource.Object) (resource.Object, []resource.Edit) {
	l.t.Helper()
	edits, seen := l.edits(want, prior)
	job := l.job(want, prior.ID)
	job.Prior, job.Edits, job.Digest = &prior, edits, seen.Digest
	made, err := l.Update(l.t.Context(), job)
	require.NoError(l.t, err)
	after := record(want, made)
	left, _ := l.edits(want, after)
	require.Empty(l.t, left, "a second plan is not empty")
	return after, edits
}

// tokenOf makes a token of a user and returns a client that has it.
func (l *lab) tokenOf(user, name, privsep string) *pve.Client {
	l.t.Helper()
	id, secret := l.sim.Token()
	request, err := http.NewRequestWithContext(l.t.Context(), "POST", "https://simulator/api2/json/access/users/"+user+"/token/"+name,
		strings.NewReader("privsep="+privsep))
	require.NoError(l.t, err)
	request.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	response, err := l.sim.Transport().RoundTrip(request)
	require.NoError(l.t, err)
	defer response.Body.Close()
	var answer struct{ Data struct{ Value string } }
	require.NoError(l.t, json.NewDecoder(response.Body).Decode(&answer))
	client, err := pve.New(pve.Options{TokenID: user + "!" + name, TokenSecret: answer.Data.Value, Transport: l.sim.Transport()})
	require.NoError(l.t, err)
	return client
}
