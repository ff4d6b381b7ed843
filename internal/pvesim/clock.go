package pvesim

import (
	"context"
	"time"
)

// Clock is the simulated time. Now never goes back. Sleep returns when d of simulated time has gone by, or the error of
// the context; a Clock of a test may step time forward instead of waiting. Implementations are safe for concurrent use.
type Clock interface {
	Now() time.Time
	Sleep(ctx context.Context, d time.Duration) error
}

// fastClock is real time, sped up: it stood at start when it was realStart.
type fastClock struct {
	start, realStart time.Time
	speed            float64
}

func (c fastClock) Now() time.Time {
	return c.start.Add(time.Duration(float64(time.Since(c.realStart)) * c.speed))
}

func (c fastClock) Sleep(ctx context.Context, d time.Duration) error {
	return sleepReal(ctx, time.Duration(float64(d)/c.speed))
}

func sleepReal(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
