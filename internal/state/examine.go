package state

import (
	"context"
	"errors"
)

// Examination is all that can be told of a store without changing it.
type Examination struct {
	*Salvage
	Entries   int   // lines of the trail that can be read
	TrailErr  error // *ErrTampered, or of reading it
	Holder    Who
	Held      bool
	HolderErr error
	Disorders []Disorder
}

// Disorder is something wrong with a place where things are kept, and not with
// what is kept there.
type Disorder struct {
	Place, What, Remedy string
	Passes              bool // the next run puts it right by itself
}

// Inspector is a store that can tell of its disorders. It changes nothing.
type Inspector interface {
	Inspect(ctx context.Context) ([]Disorder, error)
}

// Examine looks at everything that a store keeps. The error is of a store that
// does not answer or is not to be judged: see Salvaged.
func Examine(ctx context.Context, store Store, o Options) (*Examination, error) {
	there, err := Salvaged(ctx, store, o)
	if err != nil {
		return nil, err
	}
	x := &Examination{Salvage: there}
	trail, damage := store.Trail(ctx)
	if !isDamage(damage) {
		return nil, damage
	}
	var end trailEnd
	if there.State != nil {
		end = there.State.trail
	}
	c := codec{store: store.String(), kinds: o.Kinds, box: there.box}
	entries, err := c.decodeTrail(trail, end)
	x.Entries, x.TrailErr = len(entries), errors.Join(damage, err)
	x.Holder, x.Held, x.HolderErr = Holder(ctx, store)
	if inspector, ok := store.(Inspector); ok {
		x.Disorders, err = inspector.Inspect(ctx)
	} else {
		err = nil
	}
	return x, err
}

// Best returns the newest version that can be read, or nil.
func (s *Salvage) Best() *Past {
	for i := range s.Past {
		if s.Past[i].Err == nil {
			return &s.Past[i]
		}
	}
	return nil
}
