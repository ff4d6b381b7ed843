package postgres

import (
	"context"
	"time"
)

const watchEvery = time.Second

// watch asks the connection for a sign of life until the lock has ended. When
// there is none the lock is lost: the server ended the connection, or will.
func (l *lock) watch() {
	ticks := time.NewTicker(watchEvery)
	defer ticks.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-ticks.C:
			l.look()
		}
	}
}

func (l *lock) look() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.store.patience)
	defer cancel()
	if err := l.conn.Ping(ctx); err != nil {
		_ = l.lose(endedBy(err)) // the next write tells it, and the context does now
	}
}
