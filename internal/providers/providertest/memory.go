// Package providertest holds what tests of providers and of the engine share:
// a host kept in memory that passes the same conformance suite as the real
// one, the suite itself, and a layer that makes any provider fail.
package providertest

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Thing is what exists in a World.
type Thing struct {
	ID     string
	Marker resource.Marker
	Attrs  map[string]cty.Value // in clear, without computed attributes
	Edits  int                  // how often it was changed
}

// World is a host in memory. Others may change it through its methods while a
// Memory provider works on it.
type World struct {
	mu     sync.Mutex
	things map[string]Thing
}

// NewWorld returns an empty world.
func NewWorld() *World { return &World{things: map[string]Thing{}} }

// Things returns a copy of all that exists, by ID.
func (w *World) Things() map[string]Thing {
	w.mu.Lock()
	defer w.mu.Unlock()
	return maps.Clone(w.things)
}

// Put makes or replaces a thing, behind the provider's back.
func (w *World) Put(t Thing) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.things[t.ID] = t
}

// Remove removes a thing, behind the provider's back.
func (w *World) Remove(id string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.things, id)
}

// Kinds returns what a Memory provider makes. A "thing" is numbered from the
// host's range and has an attribute of every sort: size is live, label needs a
// restart, model forces a replace, tags are shared with others, secret is
// sealed, origin cannot be read back. A "group" is named after its address and
// refers to things.
func Kinds() map[string]*resource.Kind {
	thing := &resource.Kind{
		Name: "thing", Version: 1,
		Schema: resource.Block{
			Attrs: map[string]*resource.Attr{
				"vmid":   {Type: cty.Number},
				"size":   {Type: cty.Number},
				"label":  {Type: cty.String},
				"model":  {Type: cty.String},
				"tags":   {Type: cty.Set(cty.String), Shared: true},
				"secret": {Type: cty.String, Sensitive: true},
				"origin": {Type: cty.String, AtCreate: true},
				"peer":   {Type: cty.Number, Refers: "thing"},
				"id":     {Type: cty.Number, Role: resource.Computed},
				"serial": {Type: cty.String, Role: resource.Computed},
			},
			Blocks: map[string]*resource.Nested{
				"part": {Labelled: true, Block: resource.Block{Attrs: map[string]*resource.Attr{
					"size": {Type: cty.Number, Role: resource.Required},
				}}},
			},
		},
		Foresee: foresee,
		Judge:   judge,
	}
	group := &resource.Kind{
		Name: "group", Version: 1,
		Schema: resource.Block{Attrs: map[string]*resource.Attr{
			"members": {Type: cty.Set(cty.Number), Refers: "thing"},
		}},
		ID: func(lineage string, a addr.Addr) string { return lineage + "-" + a.Name },
	}
	return map[string]*resource.Kind{"thing": thing, "group": group}
}

func foresee(_ cty.Value, id string) map[string]cty.Value {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return nil
	}
	return map[string]cty.Value{"id": cty.NumberIntVal(n)}
}

func judge(e resource.Edit, _ resource.Resource, _ resource.Seen) resource.Verdict {
	switch e.Path[0] {
	case "label":
		return resource.Verdict{Effect: resource.Restart}
	case "model":
		return resource.Verdict{Effect: resource.Replace, Reason: "a thing has its model for life"}
	case "origin":
		return resource.Verdict{Effect: resource.Record}
	}
	return resource.Verdict{Effect: resource.Live}
}

// Memory is a provider for a World.
type Memory struct {
	World *World
	Host  string
	Range resource.IDRange
	kinds map[string]*resource.Kind
}

// NewMemory returns a provider of things 100 to 999 in the world.
func NewMemory(w *World, host string) *Memory {
	return &Memory{World: w, Host: host, Range: resource.IDRange{Low: 100, High: 999}, kinds: Kinds()}
}

var _ providers.Provider = (*Memory)(nil)

// Observe implements providers.Provider.
func (m *Memory) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	if err := ctx.Err(); err != nil {
		return providers.Observation{}, err
	}
	m.World.mu.Lock()
	defer m.World.mu.Unlock()
	out := providers.Observation{
		Seen:   map[addr.Addr]resource.Seen{},
		Survey: resource.Survey{Host: m.Host, Range: m.Range},
	}
	for _, id := range slices.Sorted(maps.Keys(m.World.things)) {
		if n, err := strconv.Atoi(id); err == nil {
			out.Survey.Guests = append(out.Survey.Guests, resource.Guest{ID: n})
		}
	}
	for _, t := range targets {
		out.Seen[t.Addr] = m.look(t)
	}
	return out, nil
}

func (m *Memory) look(t providers.Target) resource.Seen {
	id := ""
	if t.Prior != nil {
		id = t.Prior.ID
	} else if kind := m.kinds[t.Addr.Kind]; kind.ID != nil {
		id = kind.ID(t.Marker.Lineage, t.Addr)
	}
	thing, ok := m.World.things[id]
	switch {
	case !ok:
		return resource.Seen{Presence: resource.Gone}
	case thing.Marker.Lineage != t.Marker.Lineage || t.Prior != nil && thing.Marker.Nonce != t.Marker.Nonce:
		return resource.Seen{Presence: resource.Stranger, Why: "its marker is not ours"}
	}
	o := m.object(t.Addr, thing)
	o.Nonce = thing.Marker.Nonce
	return resource.Seen{Presence: resource.Present, Object: o, Digest: strconv.Itoa(thing.Edits)}
}

func (m *Memory) object(a addr.Addr, t Thing) resource.Object {
	kind := m.kinds[a.Kind]
	attrs := maps.Clone(t.Attrs)
	for name, v := range foresee(cty.NilVal, t.ID) {
		if kind.Schema.Attrs[name] != nil {
			attrs[name] = v
		}
	}
	if kind.Schema.Attrs["serial"] != nil {
		attrs["serial"] = cty.StringVal(t.Marker.Nonce)
	}
	return resource.Object{Addr: a, Host: m.Host, ID: t.ID, Attrs: kind.Schema.Value(attrs)}
}

// Create implements providers.Provider.
func (m *Memory) Create(ctx context.Context, job providers.Job) (resource.Object, error) {
	if err := ctx.Err(); err != nil {
		return resource.Object{}, err
	}
	m.World.mu.Lock()
	defer m.World.mu.Unlock()
	if _, taken := m.World.things[job.ID]; taken {
		return resource.Object{}, providers.ErrTaken{ID: job.ID}
	}
	if err := job.Report.Task("make " + job.ID); err != nil {
		return resource.Object{}, err
	}
	t := Thing{ID: job.ID, Marker: job.Marker, Attrs: map[string]cty.Value{}}
	want, _ := job.Want.Want.UnmarkDeep()
	for name, v := range want.AsValueMap() {
		if a := m.kinds[job.Addr.Kind].Schema.Attrs[name]; a == nil || a.Role != resource.Computed && !a.AtCreate {
			t.Attrs[name] = v
		}
	}
	m.World.things[job.ID] = t
	return m.object(job.Addr, t), nil
}

// Update implements providers.Provider.
func (m *Memory) Update(ctx context.Context, job providers.Job) (resource.Object, error) {
	if err := ctx.Err(); err != nil {
		return resource.Object{}, err
	}
	m.World.mu.Lock()
	defer m.World.mu.Unlock()
	t, err := m.ours(job)
	if err != nil {
		return resource.Object{}, err
	}
	if job.Digest != "" && job.Digest != strconv.Itoa(t.Edits) {
		return resource.Object{}, providers.ErrChanged{ID: job.ID}
	}
	t.Attrs, t.Edits = maps.Clone(t.Attrs), t.Edits+1
	for _, e := range job.Edits {
		switch {
		case e.Effect == resource.Record:
		case len(e.Path) == 1:
			t.Attrs[e.Path[0]] = e.New
		default:
			t.Attrs[e.Path[0]] = withPart(t.Attrs[e.Path[0]], e)
		}
	}
	m.World.things[job.ID] = t
	return m.object(job.Addr, t), nil
}

// withPart returns a labelled block with one edit made: of a whole element or
// of one attribute in it.
func withPart(parts cty.Value, e resource.Edit) cty.Value {
	all := map[string]cty.Value{}
	if parts != cty.NilVal && !parts.IsNull() {
		maps.Copy(all, parts.AsValueMap())
	}
	switch {
	case len(e.Path) == 3:
		inner := all[e.Path[1]].AsValueMap()
		inner[e.Path[2]] = e.New
		all[e.Path[1]] = cty.ObjectVal(inner)
	case e.New.IsNull():
		delete(all, e.Path[1])
	default:
		all[e.Path[1]] = e.New
	}
	if len(all) == 0 {
		return cty.MapValEmpty(parts.Type().ElementType())
	}
	return cty.MapVal(all)
}

// Delete implements providers.Provider.
func (m *Memory) Delete(ctx context.Context, job providers.Job) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	m.World.mu.Lock()
	defer m.World.mu.Unlock()
	if _, there := m.World.things[job.ID]; !there {
		return nil
	}
	if _, err := m.ours(job); err != nil {
		return err
	}
	delete(m.World.things, job.ID)
	return nil
}

func (m *Memory) ours(job providers.Job) (Thing, error) {
	t, there := m.World.things[job.ID]
	switch {
	case !there:
		return t, providers.ErrChanged{ID: job.ID}
	case t.Marker.Lineage != job.Marker.Lineage || t.Marker.Nonce != job.Marker.Nonce:
		return t, providers.ErrStranger{ID: job.ID, Why: "its marker is not ours"}
	}
	return t, nil
}

// Settle implements providers.Provider.
func (m *Memory) Settle(ctx context.Context, target providers.Target, _ string) (resource.Seen, error) {
	if err := ctx.Err(); err != nil {
		return resource.Seen{}, err
	}
	m.World.mu.Lock()
	defer m.World.mu.Unlock()
	return m.look(target), nil
}
