package apply

import (
	"context"
	"fmt"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// Settled is what became of one step that an earlier run left open.
type Settled struct {
	Intent state.Intent
	// Object is what is there now and is ours; nil when there is nothing.
	Object *resource.Object
	Text   string // what was found and done about it, for people
	// Open tells that nothing could be found out: the intent stays, and until
	// then its resource counts as unknown.
	Open bool
}

// Look finds out what became of the steps that an earlier run left open. It
// waits for tasks that still run, and changes nothing. The kinds and providers
// are those of the configuration. Nothing is concluded without looking: what
// is on a node that is down, or on a host that cannot be asked, stays open. The
// error is the context's.
func Look(ctx context.Context, st *state.State, set providers.Set, kinds map[string]*resource.Kind) ([]Settled, error) {
	var all []Settled
	for _, intent := range st.Open {
		settled, err := look(ctx, st, intent, set, kinds)
		switch {
		case err != nil && ctx.Err() != nil:
			return nil, fmt.Errorf("%s was left open by an earlier run: %w", intent.Addr, err)
		case err != nil:
			settled = Settled{Intent: intent, Open: true, Text: err.Error() + "; it stays as it is until that is known"}
		}
		all = append(all, settled)
	}
	return all, nil
}

// Recover is Look, and writes down what was found. What stays open stays in the
// session's state.
func Recover(ctx context.Context, session *state.Session, set providers.Set, kinds map[string]*resource.Kind, o Observer) error {
	all, err := Look(ctx, session.State(), set, kinds)
	if err != nil {
		return err
	}
	for _, s := range all {
		if !s.Open {
			if err := session.Settled(context.WithoutCancel(ctx), s.Intent.Seq, s.Intent.Addr, s.Object, s.Text); err != nil {
				return err
			}
		}
		if o != nil {
			o.Observe(Recovered{s.Intent.Addr, s.Text})
		}
	}
	return nil
}

// Settle returns the state as Recover would leave it, without writing.
func Settle(st *state.State, all []Settled) *state.State {
	st = st.Clone()
	st.Open = nil
	for _, s := range all {
		switch {
		case s.Open:
			st.Open = append(st.Open, s.Intent)
		case s.Object == nil:
			delete(st.Objects, s.Intent.Addr)
		default:
			st.Objects[s.Intent.Addr] = *s.Object
		}
	}
	return st
}

func look(ctx context.Context, st *state.State, i state.Intent, set providers.Set, kinds map[string]*resource.Kind) (Settled, error) {
	kind := kinds[i.Addr.Kind]
	if kind.Lasting {
		return Settled{Intent: i, Text: "looked for again when it is needed"}, nil
	}
	prior := recordedBy(st, i)
	if kind.Hostless { // it is what is recorded: a step without an end never was
		return Settled{Intent: i, Object: prior, Text: "it is as recorded; what is left to do is in the plan"}, nil
	}
	provider, ok := set[i.Host]
	if !ok {
		return Settled{}, fmt.Errorf("host %q is not in the configuration", i.Host)
	}
	seen, err := provider.Settle(ctx, providers.Target{
		Addr:   i.Addr,
		Prior:  &resource.Object{Addr: i.Addr, Host: i.Host, ID: i.ID, Nonce: i.Nonce, Attrs: i.Attrs, Changed: i.At},
		Marker: resource.Marker{Lineage: st.Lineage, Addr: i.Addr, Nonce: i.Nonce}, Thorough: true,
	}, i.Task)
	if err != nil {
		return Settled{}, err
	}
	s := Settled{Intent: i}
	switch seen.Presence {
	case resource.Unknown:
		return s, fmt.Errorf("cannot look at it: %s", seen.Why)
	case resource.Present:
		s.Object, s.Text = found(kind, i, prior, seen)
		if i.Op == state.Put {
			s.Object.Unfinished = len(resource.Drifted(kind, *s.Object, seen, st.Sealer(), nil)) > 0
		}
		if prior == nil || prior.Nonce != i.Nonce {
			s.Object.Kept = st.Sealer().Lines(seen.Object.Kept)
		}
	case resource.Gone:
		s.Text = fmt.Sprintf("%s is not there", i.ID)
	case resource.Stranger:
		s.Text = fmt.Sprintf("%s is not ours (%s)", i.ID, seen.Why)
	}
	if s.Object == nil && prior != nil && prior.ID != i.ID {
		s.Object = prior // the intent was about another thing than the recorded one
	}
	return s, nil
}

// recordedBy returns the record of an intent's address, or nil.
func recordedBy(st *state.State, i state.Intent) *resource.Object {
	if o, ok := st.Objects[i.Addr]; ok {
		return &o
	}
	return nil
}

// found says what to record of a thing that is there. After a deletion that was
// cut short it stays as recorded; after a change both what was before and what
// was being added count as ours, and the next plan sees what is left to do.
// After a creation what is there counts as applied, so that whatever is still
// missing shows as a difference.
func found(kind *resource.Kind, i state.Intent, prior *resource.Object, seen resource.Seen) (*resource.Object, string) {
	if prior != nil && prior.Nonce == i.Nonce {
		if i.Op == state.Drop {
			return prior, fmt.Sprintf("%s is still there", i.ID)
		}
		o := *prior
		o.Attrs, o.Needs = resource.Merge(&kind.Schema, prior.Attrs, i.Attrs), union(prior.Needs, i.Needs)
		o.Changed = i.At
		return &o, fmt.Sprintf("%s is there; what is left to change is in the plan", i.ID)
	}
	o := &resource.Object{
		Addr: i.Addr, Host: i.Host, ID: i.ID, Nonce: i.Nonce, Needs: i.Needs, Schema: kind.Version,
		PreventDestroy: i.PreventDestroy, Changed: i.At, Damaged: seen.Object.Damaged,
		Attrs: applied(kind, i, seen),
	}
	if o.Damaged {
		return o, fmt.Sprintf("%s was made only in part and will be replaced", i.ID)
	}
	return o, fmt.Sprintf("%s was made", i.ID)
}

// applied is what a creation was asked for, save what is not there (yet) and
// could have been read back, with what the host computed.
func applied(kind *resource.Kind, i state.Intent, seen resource.Seen) value {
	set := map[string]value{}
	for name, part := range record(&kind.Schema, i.Attrs, seen.Object.Attrs).AsValueMap() {
		a := kind.Schema.Attrs[name]
		if a != nil && (a.AtCreate || a.Ours) || !resource.Attribute(seen.Object.Attrs, name).IsNull() {
			set[name] = part
		}
	}
	return kind.Schema.Value(set)
}
