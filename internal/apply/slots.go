package apply

import (
	"context"
	"slices"

	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// slots are the places that steps take up while they run: per storage, node
// and host as the providers say, and one for the whole run. All of them are
// known before the first step starts.
type slots struct {
	places map[string]chan struct{}
	taken  map[plan.Step][]string // by each step, narrowest first
}

const everywhere = "" // the name of the slots of the whole run

func newSlots(p *plan.Plan, o Options) slots {
	s := slots{places: map[string]chan struct{}{}, taken: map[plan.Step][]string{}}
	for i := range p.Changes {
		c := &p.Changes[i]
		if c.Action.Drops() && c.Action != plan.Forget {
			s.add(plan.Step{Addr: c.Addr, Op: plan.Drop}, o,
				resource.Resource{Addr: c.Addr, Host: c.Before.Host, Want: c.Before.Attrs})
		}
		if c.Action.Puts() {
			s.add(plan.Step{Addr: c.Addr, Op: plan.Put}, o, *c.After)
		}
	}
	return s
}

func (s *slots) add(step plan.Step, o Options, want resource.Resource) {
	var needed []providers.Slot
	if limiter, ok := o.Providers[want.Host].(providers.Limiter); ok {
		needed = limiter.Slots(want)
	}
	if o.Parallel > 0 {
		needed = append(needed, providers.Slot{Name: everywhere, Max: o.Parallel})
	}
	for _, slot := range needed {
		if slot.Name != everywhere {
			slot.Name = want.Host + " " + slot.Name
		}
		if slices.Contains(s.taken[step], slot.Name) {
			continue // to wait for oneself would be for ever
		}
		if s.places[slot.Name] == nil {
			s.places[slot.Name] = make(chan struct{}, max(slot.Max, 1))
		}
		s.taken[step] = append(s.taken[step], slot.Name)
	}
}

// acquire takes all places of a step, narrowest first and always in the same
// order of kinds, so that no two steps wait for each other. It fails once the
// run ends or drains, also when a place was free at that moment.
func (s *slots) acquire(ctx context.Context, drain <-chan struct{}, step plan.Step) (release func(), err error) {
	var held []chan struct{}
	release = func() {
		for _, place := range held {
			<-place
		}
	}
	for _, name := range s.taken[step] {
		select {
		case s.places[name] <- struct{}{}:
			held = append(held, s.places[name])
		case <-drain:
			release()
			return nil, errNotStarted
		case <-ctx.Done():
			release()
			return nil, ctx.Err()
		}
	}
	select {
	case <-drain:
		err = errNotStarted
	case <-ctx.Done():
		err = ctx.Err()
	default:
		return release, nil
	}
	release()
	return nil, err
}
