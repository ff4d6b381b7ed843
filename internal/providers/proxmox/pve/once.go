package pve

import "context"

// Once returns a function that calls do until it succeeds, and from then on
// returns what that gave. Who asks while another asks waits for that one's
// answer, or until its own context ends.
func Once[T any](do func(context.Context) (T, error)) func(context.Context) (T, error) {
	turn := newTurn()
	var value T
	isKnown := false
	return func(ctx context.Context) (T, error) {
		if err := turn.take(ctx); err != nil {
			return *new(T), err
		}
		defer turn.pass()
		if isKnown {
			return value, nil
		}
		v, err := do(ctx)
		if err == nil {
			value, isKnown = v, true
		}
		return v, err
	}
}

// turn is a lock for work that sends requests: to wait for it ends with the
// context.
type turn chan struct{}

func newTurn() turn { return make(turn, 1) }

func (t turn) take(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t turn) pass() { <-t }
