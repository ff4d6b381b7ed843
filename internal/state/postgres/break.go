package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/proximity-cli/proximity/internal/failpoint"
	"github.com/proximity-cli/proximity/internal/state"
)

// Break implements state.Store: it ends the connection that has the lock. A
// role may end those of its own; of another role only when it is granted
// pg_signal_backend.
func (s *Store) Break(ctx context.Context, id string) error {
	err := s.insist(ctx, func(ctx context.Context) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		now, err := s.holding(ctx, conn.Conn())
		switch {
		case err != nil:
			return err
		case now.backend == 0:
			return &state.ErrOther{Store: s.place, ID: id}
		case now.fence == 0 || now.who.ID != id:
			return &state.ErrOther{Store: s.place, ID: id, Holder: now.who}
		}
		return s.part(ctx, conn.Conn(), now)
	})
	return s.explain("break", err)
}

// part ends the connection of a holder, unless the lock has changed hands, and
// waits until the server has freed the lock.
func (s *Store) part(ctx context.Context, conn *pgx.Conn, from holding) error {
	err := failpoint.Around("state/postgres: end the connection of a holder", func() error {
		_, err := conn.Exec(ctx, s.sql(`select pg_terminate_backend(backend) from schema.states
			where name = $1 and fence = $2 and backend = $3`), s.name, from.fence, from.backend)
		return err
	})
	if lacksPrivilege(err) {
		return s.held(from, fmt.Sprintf("the role %q may not end its connection", s.user))
	} else if err != nil {
		return err
	}
	for ends := time.Now().Add(s.patience); ; {
		now, err := s.holding(ctx, conn)
		switch {
		case err != nil || now.backend != from.backend:
			return err
		case time.Now().After(ends):
			return s.held(from, "the server was told to end its connection and has not done so")
		}
		if err := pause(ctx, namePause); err != nil {
			return err
		}
	}
}

// inseparable is a *state.ErrHeld that says why.
type inseparable struct {
	*state.ErrHeld
	why, hint string
}

func (s *Store) held(by holding, why string) error {
	return &inseparable{
		&state.ErrHeld{Store: s.place, Holder: by.who}, why,
		fmt.Sprintf("as a superuser, in the database: select pg_terminate_backend(%d);", by.backend),
	}
}

func (e *inseparable) Error() string { return e.ErrHeld.Error() + ": " + e.why }
func (e *inseparable) Unwrap() error { return e.ErrHeld }
func (e *inseparable) Hint() string  { return e.hint }
