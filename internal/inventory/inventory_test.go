package inventory_test

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/hashicorp/go-multierror"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// host is a provider that remembers what it was asked for. It finds every
// target, and says of what survey it speaks.
type host struct {
	providers.Provider // a look calls nothing else
	name               string
	observe            func(ctx context.Context) error // nil: it can be reached
	targets            [][]providers.Target
	prechecked         map[string][]providers.Proposal // by the host of the survey
}

func (h *host) Observe(ctx context.Context, targets []providers.Target) (providers.Observation, error) {
	h.targets = append(h.targets, targets)
	if h.observe != nil {
		if err := h.observe(ctx); err != nil {
			return providers.Observation{}, err
		}
	}
	out := providers.Observation{Seen: map[addr.Addr]resource.Seen{}, Survey: resource.Survey{Host: h.name}}
	for _, t := range targets {
		out.Seen[t.Addr] = resource.Seen{Presence: resource.Present, Digest: "seen on " + h.name}
	}
	return out, nil
}

func (h *host) Precheck(_ context.Context, survey resource.Survey, proposals []providers.Proposal) diag.List {
	h.prechecked = map[string][]providers.Proposal{survey.Host: proposals}
	return diag.List{diag.Warningf(nil, "checked on "+h.name, "")}
}

func at(name string) addr.Addr { return addr.New("thing", name) }

func wanted(name, host string) resource.Resource {
	return resource.Resource{Addr: at(name), Host: host}
}

func recorded(objects ...resource.Object) *state.State {
	st := state.New()
	st.Lineage = "l"
	for _, o := range objects {
		st.Objects[o.Addr] = o
	}
	return st
}

func object(name, host string) resource.Object {
	return resource.Object{Addr: at(name), Host: host, ID: "100", Nonce: "n-" + name}
}

// looked tells for each host what it was asked to look at, and why: wanted,
// recorded or both.
func looked(hosts ...*host) map[string][]string {
	out := map[string][]string{}
	for _, h := range hosts {
		for _, targets := range h.targets {
			for _, t := range targets {
				text := t.Addr.Name
				if t.Want != nil {
					text += " wanted"
				}
				if t.Prior != nil {
					text += " recorded"
				}
				out[h.name] = append(out[h.name], text)
			}
		}
	}
	return out
}

func TestEverythingIsLookedAtWhereItIs(t *testing.T) {
	for _, c := range []struct {
		name    string
		desired []resource.Resource
		state   *state.State
		want    map[string][]string // by host, in order
		surveys []string
	}{
		{"nothing wanted, nothing recorded", nil, recorded(), map[string][]string{}, nil},
		{"in the order of addresses, in one look",
			[]resource.Resource{wanted("c", "one"), wanted("a", "one"), wanted("d", "two")}, recorded(object("b", "one")),
			map[string][]string{"one": {"a wanted", "b recorded", "c wanted"}, "two": {"d wanted"}}, []string{"one", "two"}},
		{"what is no longer wanted", nil, recorded(object("a", "two")),
			map[string][]string{"two": {"a recorded"}}, []string{"two"}},
		{"what moves is looked at where it is, and its new host is surveyed",
			[]resource.Resource{wanted("a", "two")}, recorded(object("a", "one")),
			map[string][]string{"one": {"a wanted recorded"}}, []string{"one", "two"}},
		{"two that change places",
			[]resource.Resource{wanted("a", "two"), wanted("b", "one")}, recorded(object("a", "one"), object("b", "two")),
			map[string][]string{"one": {"a wanted recorded"}, "two": {"b wanted recorded"}}, []string{"one", "two"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			one, two := &host{name: "one"}, &host{name: "two"}
			inv, err := inventory.Observe(t.Context(), providers.Set{"one": one, "two": two}, c.desired, c.state)
			require.NoError(t, err)
			require.Equal(t, c.want, looked(one, two))
			require.Equal(t, c.surveys, slices.Sorted(maps.Keys(inv.Surveys)))
			for name, survey := range inv.Surveys {
				require.Equal(t, name, survey.Host)
			}
			for name, h := range map[string]*host{"one": one, "two": two} {
				require.LessOrEqual(t, len(h.targets), 1, "one look at each host")
				for _, target := range slices.Concat(h.targets...) {
					require.Equal(t, "seen on "+name, inv.Seen[target.Addr].Digest)
				}
			}
			for _, r := range c.desired {
				require.Contains(t, inv.Seen, r.Addr)
			}
			for a := range c.state.Objects {
				require.Contains(t, inv.Seen, a)
			}
		})
	}
}

func TestTargetsCarryWhatMakesThemOurs(t *testing.T) {
	one := &host{name: "one"}
	known, left := object("known", "one"), object("left", "one")
	want := []resource.Resource{wanted("known", "one"), wanted("new", "one")}
	_, err := inventory.Observe(t.Context(), providers.Set{"one": one}, want, recorded(known, left))
	require.NoError(t, err)
	marker := func(name, nonce string) resource.Marker {
		return resource.Marker{Lineage: "l", Addr: at(name), Nonce: nonce}
	}
	require.Equal(t, [][]providers.Target{{
		{Addr: at("known"), Want: &want[0], Prior: &known, Marker: marker("known", "n-known")},
		{Addr: at("left"), Prior: &left, Marker: marker("left", "n-left")},
		{Addr: at("new"), Want: &want[1], Marker: marker("new", "")},
	}}, one.targets)
}

// What is to be made anew is looked at as such, by its own address or that of its
// block.
func TestObserveTellsWhatIsMadeAnew(t *testing.T) {
	one := &host{name: "one"}
	key := func(k string) resource.Resource {
		return resource.Resource{Addr: addr.Addr{Kind: "thing", Name: "many", Key: k}, Host: "one"}
	}
	desired := []resource.Resource{wanted("a", "one"), wanted("b", "one"), key(`"x"`), key(`"y"`)}
	for _, c := range []struct {
		anew []addr.Addr
		want []string
	}{
		{nil, nil},
		{[]addr.Addr{at("b")}, []string{"thing.b"}},
		{[]addr.Addr{at("many")}, []string{`thing.many["x"]`, `thing.many["y"]`}},
		{[]addr.Addr{desired[3].Addr, at("a")}, []string{"thing.a", `thing.many["y"]`}},
	} {
		one.targets = nil
		_, err := inventory.Ask{Anew: c.anew}.Observe(t.Context(), providers.Set{"one": one}, desired, recorded())
		require.NoError(t, err)
		var anew []string
		for _, target := range one.targets[0] {
			if target.Anew {
				anew = append(anew, target.Addr.String())
			}
		}
		require.Equal(t, c.want, anew)
	}
}

// TestHostsAreLookedAtAtTheSameTime lets no host answer before all were asked:
// one after the other they would wait for ever, which the bubble reports.
func TestHostsAreLookedAtAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var all sync.WaitGroup
		set, desired := providers.Set{}, []resource.Resource{}
		for _, name := range []string{"one", "two", "three", "four"} {
			all.Add(1)
			set[name] = &host{name: name, observe: func(context.Context) error {
				all.Done()
				all.Wait()
				return nil
			}}
			desired = append(desired, wanted("on-"+name, name))
		}
		inv, err := inventory.Observe(t.Context(), set, desired, recorded())
		require.NoError(t, err)
		require.Len(t, inv.Surveys, 4)
	})
}

func TestUnreachableHostsAreNamedTogether(t *testing.T) {
	down := errors.New("no route to host")
	set, desired := providers.Set{}, []resource.Resource{}
	for _, name := range []string{"d", "b", "a", "c"} {
		h := &host{name: name}
		if name != "c" {
			h.observe = func(context.Context) error { return down }
		}
		set[name] = h
		desired = append(desired, wanted("on-"+name, name))
	}
	inv, err := inventory.Observe(t.Context(), set, desired, recorded())
	var all *multierror.Error
	require.ErrorAs(t, err, &all)
	var texts []string
	for _, one := range all.Errors {
		require.ErrorIs(t, one, down)
		texts = append(texts, one.Error())
	}
	require.Equal(t, []string{
		`host "a": no route to host`, `host "b": no route to host`, `host "d": no route to host`,
	}, texts)
	require.Equal(t, resource.Present, inv.Seen[at("on-c")].Presence, "one host's silence does not hide another's answer")
	require.NotContains(t, inv.Seen, at("on-a"), "nothing is concluded from silence")
}

// A host that does not answer holds up nothing on those that do. When none
// answers there is nothing to go by.
func TestAHostThatIsDownHoldsUpNothingElse(t *testing.T) {
	down := providers.ErrUnreachable{Cause: errors.New("no route to host")}
	silent := &host{name: "one", observe: func(context.Context) error { return down }}
	desired := []resource.Resource{wanted("a", "one"), wanted("b", "two")}
	inv, err := inventory.Observe(t.Context(), providers.Set{"one": silent, "two": &host{name: "two"}}, desired, recorded())
	require.NoError(t, err)
	require.Equal(t, resource.Seen{Why: `host "one" does not answer: no route to host`}, inv.Seen[at("a")])
	require.Equal(t, resource.Present, inv.Seen[at("b")].Presence)
	require.NotContains(t, inv.Surveys, "one")

	_, err = inventory.Observe(t.Context(), providers.Set{"one": silent}, desired[:1], recorded())
	require.ErrorIs(t, err, down.Cause)
}

// What lies on no host can always be looked at: that says nothing of hosts.
func TestWhatLiesOnNoHostIsNoHost(t *testing.T) {
	down := providers.ErrUnreachable{Cause: errors.New("no route to host")}
	silent := &host{name: "one", observe: func(context.Context) error { return down }}
	set := providers.Set{resource.NoHost: &host{}, "one": silent}
	desired := []resource.Resource{wanted("a", "one"), wanted("s", resource.NoHost)}
	_, err := inventory.Observe(t.Context(), set, desired, recorded())
	require.ErrorIs(t, err, down.Cause)

	inv, err := inventory.Observe(t.Context(), set, desired[1:], recorded())
	require.NoError(t, err)
	require.Equal(t, resource.Present, inv.Seen[at("s")].Presence)
	require.Empty(t, inv.Surveys)
}

func TestAHostThatIsNotInTheConfigurationIsUnknown(t *testing.T) {
	one := &host{name: "one"}
	inv, err := inventory.Observe(t.Context(), providers.Set{"one": one},
		[]resource.Resource{wanted("moves", "one"), wanted("stays", "one")},
		recorded(object("moves", "sold"), object("left", "sold"), object("stays", "one")))
	require.NoError(t, err)
	sold := resource.Seen{Presence: resource.Unknown, Why: `host "sold" is not in the configuration`}
	require.Equal(t, sold, inv.Seen[at("moves")])
	require.Equal(t, sold, inv.Seen[at("left")])
	require.Equal(t, resource.Present, inv.Seen[at("stays")].Presence)
	require.NotContains(t, inv.Surveys, "sold")
}

// What an earlier run may have done to a thing is not known as long as its step
// is open, whatever the look shows; a better reason is kept.
func TestWhatIsLeftOpenIsUnknown(t *testing.T) {
	one := &host{name: "one"}
	st := recorded(object("changed", "one"), object("sold", "sold"), object("other", "one"))
	for _, name := range []string{"changed", "made", "sold", "nobody-wants-it"} {
		st.Open = append(st.Open, state.Intent{Addr: at(name), ID: "100"})
	}
	inv, err := inventory.Observe(t.Context(), providers.Set{"one": one}, []resource.Resource{wanted("made", "one"), wanted("other", "one")}, st)
	require.NoError(t, err)
	unknown := resource.Seen{Presence: resource.Unknown, Why: "what an earlier run did to it (100) is not known yet"}
	require.Equal(t, unknown, inv.Seen[at("changed")])
	require.Equal(t, unknown, inv.Seen[at("made")])
	require.Equal(t, `host "sold" is not in the configuration`, inv.Seen[at("sold")].Why)
	require.Equal(t, resource.Present, inv.Seen[at("other")].Presence)
	require.NotContains(t, inv.Seen, at("nobody-wants-it"))
}

func TestALookEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	one := &host{name: "one", observe: func(ctx context.Context) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	_, err := inventory.Observe(ctx, providers.Set{"one": one}, []resource.Resource{wanted("a", "one")}, recorded())
	require.ErrorIs(t, err, context.Canceled)
}

func TestPrecheckAsksTheHostOfEachChange(t *testing.T) {
	after := func(name, host string) *resource.Resource {
		r := wanted(name, host)
		return &r
	}
	edits, before := []resource.Edit{{Path: resource.Path{"label"}}}, &resource.Object{ID: "recorded"}
	p := &plan.Plan{
		Changes: []plan.Change{
			{Addr: at("adopted"), Action: plan.Adopt, Host: "one", ID: "104", After: after("adopted", "one")},
			{Addr: at("created"), Action: plan.Create, Host: "two", ID: "100", Before: before, After: after("created", "two")},
			{Addr: at("deleted"), Action: plan.Delete, Host: "one", ID: "101", Before: before},
			{Addr: at("forgotten"), Action: plan.Forget, Host: "one", ID: "105"},
			{Addr: at("replaced"), Action: plan.Replace, Host: "one", ID: "102", Before: before, After: after("replaced", "one"), Edits: edits},
			{Addr: at("sold"), Action: plan.Create, Host: "plain", ID: "106", After: after("sold", "plain")},
			{Addr: at("updated"), Action: plan.Update, Host: "two", ID: "103", Before: before, After: after("updated", "two"), Edits: edits},
		},
		Surveys: map[string]resource.Survey{"one": {Host: "one"}, "two": {Host: "two"}, "idle": {Host: "idle"}},
	}
	one, two, idle := &host{name: "one"}, &host{name: "two"}, &host{name: "idle"}
	plain := struct{ providers.Provider }{} // cannot tell anything beforehand
	found := inventory.Precheck(t.Context(), providers.Set{"two": two, "one": one, "idle": idle, "plain": plain}, p)
	require.Equal(t, map[string][]providers.Proposal{"one": {
		{Addr: at("adopted"), ID: "104", Want: wanted("adopted", "one")},
		{Addr: at("deleted"), ID: "101", Delete: true, Prior: before},
		{Addr: at("replaced"), ID: "102", Create: true, Want: wanted("replaced", "one"), Prior: before, Edits: edits},
	}}, one.prechecked)
	require.Equal(t, map[string][]providers.Proposal{"two": {
		{Addr: at("created"), ID: "100", Create: true, Want: wanted("created", "two")},
		{Addr: at("updated"), ID: "103", Want: wanted("updated", "two"), Prior: before, Edits: edits},
	}}, two.prechecked)
	require.Nil(t, idle.prechecked, "nothing is proposed there")
	require.Equal(t, []string{"checked on one", "checked on two"}, []string{found[0].Summary, found[1].Summary})
	require.Empty(t, one.targets, "nothing is looked at anew")
}
