package cli

import (
	"context"
	"errors"
	"fmt"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

// engine is what a run works with once the configuration is loaded. Soft and
// hard are its two contexts: soft ends with the first interrupt, hard with the
// second.
type engine struct {
	*app
	soft, hard context.Context
	kinds      map[string]*resource.Kind
	hosts      providers.Set
	store      state.Store
	vault      state.Vault // nil: nothing is encrypted
	close      func()
}

// options are what reading and writing the state takes.
func (e *engine) options() state.Options { return state.Options{Kinds: e.kinds, Vault: e.vault} }

// proposal is a plan together with the plain data that people see of it.
type proposal struct {
	plan *plan.Plan
	doc  plan.Document
}

// converge makes the world match the configuration: lock, settle what an
// earlier run left open, look, plan, ask, apply. Nothing changes that the plan
// which was agreed to does not name.
func (e *engine) converge(sel plan.Selection, agree func(context.Context, proposal) error) error {
	return e.withSession(func(locked, ctx context.Context, session *state.Session) error {
		if err := apply.Recover(ctx, session, e.hosts, e.kinds, e.talker()); err != nil {
			return err
		}
		p, err := e.propose(ctx, session.State(), sel)
		if err != nil {
			return err
		}
		if err := agree(ctx, p); err != nil || p.plan.Empty() {
			return err
		}
		return e.carryOut(locked, session, p)
	})
}

// withSession does something under the lock. Locked ends with the lock and with
// the second interrupt, ctx with the first one as well.
func (e *engine) withSession(do func(locked, ctx context.Context, session *state.Session) error) (err error) {
	locked, session, err := state.Open(e.hard, e.store, e.who(), e.options())
	if err != nil {
		return err
	}
	defer func() { err = e.release(locked, session, err) }()
	if note := session.Note(); note != "" {
		e.say(note)
	}
	ctx, cancel := both(locked, e.soft)
	defer cancel()
	return do(locked, ctx, session)
}

// release folds the journal and gives the lock back. An error of that is told
// beside the one that the run ended with, and what the store did not take is
// put aside.
func (e *engine) release(ctx context.Context, session *state.Session, ended error) error {
	err := session.Close(context.WithoutCancel(ctx))
	if err == nil {
		return ended
	}
	err = e.rescue(session, err)
	if ended == nil {
		return err
	}
	e.say(err.Error())
	var hint ui.Hinter
	if errors.As(err, &hint) {
		e.say(hint.Hint())
	}
	return ended
}

// both returns a context that ends with either of two.
func both(a, b context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(a)
	unhook := context.AfterFunc(b, func() { cancel(context.Cause(b)) })
	return ctx, func() { unhook(); cancel(nil) }
}

// foresee plans without the lock, from the state as it would be after settling
// what an earlier run left open. It writes nothing.
func (e *engine) foresee(sel plan.Selection) (proposal, error) {
	st, err := e.settled()
	if err != nil {
		return proposal{}, err
	}
	return e.propose(e.soft, st, sel)
}

// settled returns the state as it would be after settling what an earlier run
// left open. It writes nothing.
func (e *engine) settled() (*state.State, error) {
	st, err := state.Read(e.soft, e.store, e.options())
	if err != nil {
		return nil, err
	}
	left, err := apply.Look(e.soft, st, e.hosts, e.kinds)
	if err != nil {
		return nil, err
	}
	for _, s := range left {
		e.talker().Observe(apply.Recovered{Addr: s.Intent.Addr, Text: s.Text})
	}
	return apply.Settle(st, left), nil
}

// settle writes down what an earlier run left open, and a first state file
// when there is none, so that a saved plan has something to be based on.
func (e *engine) settle() (err error) {
	locked, session, err := state.Open(e.soft, e.store, e.who(), e.options())
	if err != nil {
		return err
	}
	defer func() { err = e.release(locked, session, err) }()
	if err := session.Init(locked); err != nil {
		return err
	}
	return apply.Recover(locked, session, e.hosts, e.kinds, e.talker())
}

// propose looks at the hosts and plans. A plan that has errors among its
// diagnostics is returned as well: it can be shown, not carried out.
func (e *engine) propose(ctx context.Context, st *state.State, sel plan.Selection) (proposal, error) {
	if unmatched := sel.Unmatched(e.config.Resources, st.Objects); len(unmatched) > 0 {
		return proposal{}, unknownAddresses(unmatched, e.addresses(st))
	}
	desired := e.config.Resources
	if sel.Destroy {
		desired = nil
	}
	inv, err := inventory.Ask{Adopt: sel.Adopt, Anew: sel.Replace}.Observe(ctx, e.hosts, desired, st)
	if err != nil {
		return proposal{}, err
	}
	p := plan.New(plan.Input{
		Kinds: e.kinds, Desired: desired, Resolver: e.config, Config: e.config.Sources.Hash(),
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: st.Objects, Seal: st.Sealer()},
		Seen:  inv.Seen, Surveys: inv.Surveys, Select: sel,
	})
	p.Diagnostics = append(p.Diagnostics, inventory.Precheck(ctx, e.hosts, p)...).Sort()
	doc := p.Document(e.kinds, st.Sealer())
	doc.Destroy = sel.Destroy
	e.log.Debug("planned", "changes", len(p.Changes), "kept", p.Kept)
	return proposal{p, doc}, nil
}

// carryOut applies a plan and tells how it goes and how it ended.
func (e *engine) carryOut(ctx context.Context, session *state.Session, p proposal) error {
	var tally ui.Tally
	if !e.json {
		fmt.Fprintln(e.err)
	}
	watch, done := e.watch(p.plan.Steps.Len())
	summary, err := apply.Run(ctx, p.plan, apply.Options{
		Session: session, Fingerprint: p.doc.Fingerprint(), Providers: e.hosts, Resolver: e.config, Kinds: e.kinds,
		Observer: observers{watch, &tally}, Drain: e.soft.Done(),
	})
	done()
	if e.json {
		e.lines.Summary(summary)
	} else {
		fmt.Fprint(e.err, tally.Failures(e.source, e.err.Style()))
		if err := e.print(tally.Summary(summary.Took, e.out.Style())); err != nil {
			return err
		}
	}
	if err != nil || !summary.Complete() {
		return &exit{code: exitPartial} // what failed has been told
	}
	return nil
}

// addresses returns all that is wanted or recorded.
func (e *engine) addresses(st *state.State) []addr.Addr {
	all := map[addr.Addr]bool{}
	for _, r := range e.config.Resources {
		all[r.Addr] = !e.kinds[r.Addr.Kind].Lasting
	}
	for a := range st.Objects {
		all[a] = true
	}
	var list []addr.Addr
	for a, counts := range all {
		if counts {
			list = append(list, a)
		}
	}
	addr.Sort(list)
	return list
}
