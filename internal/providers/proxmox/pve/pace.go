package pve

import (
	"sync"
	"time"
)

const (
	shortestDelay = 20 * time.Millisecond
	longestDelay  = time.Second
)

// pace says when to ask for a task's state again. Asking often costs the node
// work, asking seldom costs people time, so it learns how long tasks of a type
// take and asks when one should be done. While nothing is known it asks after
// about a twentieth of the time that has passed. The zero pace knows nothing.
type pace struct {
	mu      sync.Mutex
	usually map[string]time.Duration
}

// learn notes that a task of that type was found ended after so long. What is
// found is always a little late; the estimate is set below it, so that it sinks
// until a task is met still running.
func (p *pace) learn(kind string, took time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.usually == nil {
		p.usually = map[string]time.Duration{}
	}
	p.usually[kind] = took * 98 / 100
}

// next returns how long to wait after a look at a task that had been running
// for elapsed.
func (p *pace) next(kind string, elapsed time.Duration) time.Duration {
	p.mu.Lock()
	usual := p.usually[kind]
	p.mu.Unlock()
	if usual > elapsed {
		return clamp(usual - elapsed)
	}
	return clamp(elapsed / 20)
}

func clamp(d time.Duration) time.Duration {
	return min(max(d, shortestDelay), longestDelay)
}
