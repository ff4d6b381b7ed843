package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// key is the number of a state's advisory lock; $1 is what lockName returns.
const key = `hashtextextended($1, 0)`

// lockName is another text for each state: a name has no blank.
func (s *Store) lockName() string { return "proximity " + s.name + " " + s.schema }

// Lock implements state.Store.
func (s *Store) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	who = who.Named()
	var l *lock
	err := s.insist(ctx, func(ctx context.Context) (err error) {
		l, err = s.tryLock(ctx, who)
		return err
	})
	if err != nil {
		return nil, nil, s.explain("lock", err)
	}
	ctx, l.cancel = context.WithCancelCause(ctx)
	go l.watch()
	return ctx, l, nil
}

// A process that has just got the lock has not yet written its name: it is
// asked for a few times.
const (
	nameTries = 10
	namePause = 20 * time.Millisecond
)

// tryLock asks on a connection that the lock will live on. One that got the
// lock and cannot be used all the same is ended, and the lock with it.
func (s *Store) tryLock(ctx context.Context, who state.Who) (*lock, error) {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return nil, err
	}
	var now holding
	for range nameTries {
		var got bool
		if err = conn.QueryRow(ctx, `select pg_try_advisory_lock(`+key+`)`, s.lockName()).Scan(&got); err != nil {
			end(conn)
			return nil, err
		}
		if got {
			return s.take(ctx, conn, who)
		}
		if now, err = s.holding(ctx, conn.Conn()); err != nil || now.fence != 0 {
			break
		}
		if err = pause(ctx, namePause); err != nil {
			break
		}
	}
	conn.Release()
	if err != nil {
		return nil, err
	}
	return nil, &state.ErrLocked{Store: s.place, Holder: now.who}
}

// take writes down who has the lock that the connection has got.
func (s *Store) take(ctx context.Context, conn *pgxpool.Conn, who state.Who) (*lock, error) {
	l := &lock{store: s, conn: conn, done: make(chan struct{})}
	err := s.withTables(ctx, conn.Conn(), func() error { return l.enter(ctx, who) })
	if errors.Is(err, errNoTables) {
		err = failpoint.Around("state/postgres: make the tables", func() error { return s.makeLayout(ctx, conn.Conn()) })
		if err == nil {
			err = l.enter(ctx, who)
		}
	}
	if err != nil {
		end(conn)
		return nil, err
	}
	return l, nil
}

// end ends a connection, and with it what the server keeps for it.
func end(conn *pgxpool.Conn) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = conn.Conn().Close(ctx) // the server hears of it, or notices by itself
	conn.Release()
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}

// enterName reads the old row and writes the new one. A row with a holder is
// of one that ended without giving the lock back.
const enterName = `
with entered as (
  insert into schema.states (name, fence, holder, backend)
  select $1, 1, $2, pg_backend_pid() from schema.layout where version = $3
  on conflict (name) do update set fence = states.fence + 1, holder = excluded.holder, backend = excluded.backend
  returning fence
)
select fence, (select holder from schema.states where name = $1) from entered`

// enter writes the name of the holder and learns its fence.
func (l *lock) enter(ctx context.Context, who state.Who) error {
	name, err := json.Marshal(who)
	if err != nil {
		return err
	}
	var before []byte
	err = failpoint.Around("state/postgres: name the holder of the lock", func() error {
		return l.conn.QueryRow(ctx, l.store.sql(enterName), l.store.name, name, layoutVersion).Scan(&l.fence, &before)
	})
	if errors.Is(err, pgx.ErrNoRows) {
		return l.store.otherLayout(ctx, l.conn.Conn())
	}
	if last := named(before); before != nil && last.ID != who.ID {
		l.note = fmt.Sprintf("took over the lock of %s, which ended without giving it back", last)
	}
	return err
}

// holding is who has the lock now. Without a backend nobody has it, without a
// fence somebody has who has not yet written a name.
type holding struct {
	backend int32
	fence   int64
	who     state.Who
}

// findHolder believes a name only beside the connection that really has the
// lock: after a kill the name of the dead stays.
const findHolder = `
select l.pid, coalesce(s.fence, 0), s.holder
from pg_locks l left join schema.states s on s.name = $2 and s.backend = l.pid
where l.locktype = 'advisory' and l.granted and l.objsubid = 1
  and l.database = (select oid from pg_database where datname = current_database())
  and (l.classid::bigint << 32 | l.objid::bigint) = ` + key

func (s *Store) holding(ctx context.Context, conn *pgx.Conn) (holding, error) {
	var now holding
	var name []byte
	err := s.withTables(ctx, conn, func() error {
		return conn.QueryRow(ctx, s.sql(findHolder), s.lockName(), s.name).Scan(&now.backend, &now.fence, &name)
	})
	if errors.Is(err, pgx.ErrNoRows) || errors.Is(err, errNoTables) { // the holder is making them
		return holding{}, nil
	}
	now.who = named(name)
	return now, err
}

// named returns the holder of a row. What cannot be read is one without a name.
func named(text []byte) state.Who {
	var who state.Who
	if json.Unmarshal(text, &who) != nil {
		return state.Who{}
	}
	return who
}
