package pve

import (
	"context"
	"time"

	"github.com/cenkalti/backoff/v5"
)

// Patience says how an operation is repeated: after First, then after waits
// that grow to Most, for Limit in all. Every wait varies, so that many who wait
// for one lock do not come back at one moment.
type Patience struct{ First, Most, Limit time.Duration }

// Repeat calls op until it succeeds, its error is none that again accepts, or
// patience or ctx end. It returns the last error of op.
func (p Patience) Repeat(ctx context.Context, op func() error, again func(error) bool) error {
	wait, end := newBackoff(p.First, p.Most), time.Now().Add(p.Limit)
	for {
		err := op()
		if err == nil || !again(err) {
			return err
		}
		delay := wait.NextBackOff()
		if time.Now().Add(delay).After(end) || Pause(ctx, delay) != nil {
			return err
		}
	}
}

// Pause waits, or returns the context's error when that ends first.
func Pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func newBackoff(first, most time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{
		InitialInterval: first, MaxInterval: most, Multiplier: 1.7, RandomizationFactor: 0.4,
	}
}
