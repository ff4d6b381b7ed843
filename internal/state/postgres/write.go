package postgres

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// lock is held by a connection. The mutex is for its watch alone: what the
// holder does with it happens one after the other anyway.
type lock struct {
	store  *Store
	conn   *pgxpool.Conn
	fence  int64
	note   string
	cancel context.CancelCauseFunc
	done   chan struct{} // closed when nothing can be written any more

	mu    sync.Mutex
	ended error // why nothing can be
}

var errEnded = errors.New("the lock was given back")

// Note implements state.Lock.
func (l *lock) Note() string { return l.note }

// mine is the row of a state while the lock is held under a fence and by this
// very connection. Its row lock keeps a next holder from writing its name
// before the statement has ended.
const mine = `name = $1 and fence = $2 and backend = pg_backend_pid()`

// saveAll is one statement, and happens whole or not at all.
const saveAll = `
with saved as (
  update schema.states set serial = $3 where ` + mine + ` and serial < $3 returning name
), version as (
  insert into schema.versions (name, serial, state) select name, $3, $4 from saved
), dropped as (
  delete from schema.versions where name in (select name from saved) and serial <=
    (select serial from schema.versions where name = $1 order by serial desc offset $6 limit 1)
), emptied as (
  delete from schema.journal where name in (select name from saved)
), told as (
  insert into schema.trail (name, line)
  select name, line from saved, unnest($5::bytea[]) with ordinality as lines(line, place) order by place
)
select from saved`

// Save implements state.Lock.
func (l *lock) Save(ctx context.Context, snap state.Snapshot) error {
	if snap.Serial > math.MaxInt64 {
		return fmt.Errorf("%s: save: serial %d: the table has no room for it", l.store.place, snap.Serial)
	}
	present := snap.State
	if present == nil {
		present = []byte{}
	}
	return l.write(ctx, "save", len(snap.State)+len(snap.Trail), func(ctx context.Context) (int64, error) {
		var done pgconn.CommandTag
		err := failpoint.Around("state/postgres: save", func() (err error) {
			done, err = l.conn.Exec(ctx, l.store.sql(saveAll), l.store.name, l.fence, int64(snap.Serial),
				present, lines(snap.Trail), state.KeptVersions-1)
			return err
		})
		if err != nil || done.RowsAffected() > 0 {
			return done.RowsAffected(), err
		}
		return l.whyNotSaved(ctx, snap.Serial)
	})
}

// whyNotSaved returns no row when the lock was lost, and otherwise an error.
func (l *lock) whyNotSaved(ctx context.Context, serial uint64) (rows int64, err error) {
	var there uint64
	err = l.conn.QueryRow(ctx, l.store.sql(`select serial from schema.states where `+mine), l.store.name, l.fence).Scan(&there)
	if errors.Is(err, pgx.ErrNoRows) {
		return 0, nil
	} else if err != nil {
		return 0, err
	}
	return 0, fmt.Errorf("serial %d is not higher than %d, which was saved before", serial, there)
}

const addLine = `
insert into schema.journal (name, line)
select name, coalesce($3, ''::bytea) from (select name from schema.states where ` + mine + ` for share) held`

// Append implements state.Lock. Of a line whose connection broke while it was
// sent nobody knows whether it is there; the lock is lost then.
func (l *lock) Append(ctx context.Context, line []byte) error {
	return l.write(ctx, "append", len(line), func(ctx context.Context) (int64, error) {
		var done pgconn.CommandTag
		err := failpoint.Around("state/postgres: append to the journal", func() (err error) {
			done, err = l.conn.Exec(ctx, l.store.sql(addLine), l.store.name, l.fence, line)
			return err
		})
		return done.RowsAffected(), err
	})
}

// write carries out a statement that changes a row for the holder and no row
// for anybody else. It is not cut short when the context ends: that would end
// the connection and with it the lock.
func (l *lock) write(ctx context.Context, what string, size int, do func(context.Context) (rows int64, err error)) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return l.ended
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.timeFor(size))
	defer cancel()
	rows, err := do(ctx)
	switch {
	case err != nil && l.conn.Conn().IsClosed():
		return l.lose(endedBy(err))
	case err != nil:
		return l.store.explain(what, err)
	case rows == 0:
		return l.lose("")
	}
	return nil
}

// endedBy says why a lock was lost with its connection.
func endedBy(err error) string { return "the connection that held it ended: " + message(err) }

// timeFor returns how long a write may take on a line that is slow but works.
func (l *lock) timeFor(size int) time.Duration {
	const least = 100 << 10 // bytes in a second
	return 3*l.store.patience + time.Duration(size/least)*time.Second
}

// lines splits whole lines.
func lines(text []byte) [][]byte {
	var all [][]byte
	for line := range bytes.Lines(text) {
		all = append(all, bytes.TrimSuffix(line, []byte("\n")))
	}
	return all
}

// Unlock implements state.Lock.
func (l *lock) Unlock() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended != nil {
		return l.ended
	}
	ctx, cancel := context.WithTimeout(context.Background(), l.timeFor(0))
	defer cancel()
	err := l.giveBack(ctx)
	l.finish(errEnded)
	if err != nil {
		end(l.conn)
		return l.store.explain("unlock", err)
	}
	l.conn.Release()
	return nil
}

// giveBack takes the name away before the lock, so that a name that stays is
// of one that died.
func (l *lock) giveBack(ctx context.Context) error {
	err := failpoint.Around("state/postgres: forget the holder of the lock", func() error {
		_, err := l.conn.Exec(ctx, l.store.sql(`update schema.states set holder = null, backend = null where `+mine), l.store.name, l.fence)
		return err
	})
	if err != nil {
		return err
	}
	var had bool
	err = l.conn.QueryRow(ctx, `select pg_advisory_unlock(`+key+`)`, l.store.lockName()).Scan(&had)
	if err == nil && !had {
		err = errors.New("the server knows of no lock")
	}
	return err
}

// lose ends the lock because it is somebody else's or nobody's now.
func (l *lock) lose(why string) error {
	lost := &state.ErrLost{Store: l.store.place, Why: why}
	l.finish(lost)
	end(l.conn)
	return lost
}

func (l *lock) finish(why error) {
	l.ended = why
	l.cancel(why)
	close(l.done)
}
