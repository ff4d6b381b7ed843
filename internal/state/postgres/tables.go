package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proximity-cli/proximity/internal/state"
)

// layoutVersion is the version of the tables that this program knows.
const layoutVersion = 1

var tables = []string{"journal", "layout", "states", "trail", "versions"}

// makeTables is carried out by one process at a time, in one transaction. What
// people wrote, and names that a database might not be able to express, are
// bytes.
const makeTables = `
create table schema.layout (version integer not null);
create table schema.states (
  name text primary key,
  serial bigint not null default 0, -- of the newest version
  fence bigint not null,            -- how often the lock was taken
  holder bytea,                     -- JSON; null when the lock was given back
  backend integer                   -- the server's process that has the lock for the holder
);
create table schema.versions (
  name text, serial bigint, saved timestamptz not null default now(), state bytea not null,
  primary key (name, serial)
);
create table schema.journal (
  name text, seq bigint generated always as identity, line bytea not null,
  primary key (name, seq)
);
create table schema.trail (
  name text, seq bigint generated always as identity, line bytea not null,
  primary key (name, seq)
);
insert into schema.layout values (1);`

// errNoTables says that nothing was ever written to the schema.
var errNoTables = errors.New("the tables are not there")

// isMissing reports whether the server does not know a schema, a table or a
// column, or does not tell.
func isMissing(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && slices.Contains([]string{"3F000", "42P01", "42703", "42501"}, pe.Code)
}

// withTables does something with the tables and tells what it means that it
// could not: see missing. Between the two others may have made the tables, so
// that what looks damaged is tried once more.
func (s *Store) withTables(ctx context.Context, conn *pgx.Conn, do func() error) (err error) {
	for range 2 {
		if err = do(); !isMissing(err) {
			return err
		}
		err = s.missing(ctx, conn, err)
		if _, damaged := errors.AsType[*state.ErrDamaged](err); !damaged {
			return err
		}
	}
	return err
}

// missing tells what it means that a part of the layout could not be used:
// errNoTables, *state.ErrNewer or *state.ErrDamaged; the cause when it is the
// privileges.
func (s *Store) missing(ctx context.Context, conn *pgx.Conn, cause error) error {
	there, err := s.existing(ctx, conn)
	switch {
	case err != nil:
		return err
	case len(there) == 0:
		return errNoTables
	case len(there) < len(tables):
		return s.damaged("schema", fmt.Sprintf("of the tables %s it has only %s", strings.Join(tables, ", "), strings.Join(there, ", ")))
	case lacksPrivilege(cause):
		return cause
	}
	if err := s.otherLayout(ctx, conn); !isMissing(err) {
		return err
	}
	return s.damaged("schema", "its tables are not ours: "+message(cause))
}

// otherLayout tells which layout the tables have, since it is not the one that
// this program knows.
func (s *Store) otherLayout(ctx context.Context, conn *pgx.Conn) error {
	var version int
	if err := conn.QueryRow(ctx, s.sql(`select coalesce(max(version), 0) from schema.layout`)).Scan(&version); err != nil {
		return err
	}
	if err := s.checkLayout(version); err != nil {
		return err
	}
	return s.damaged("schema", fmt.Sprintf("its layout says that it has version %d, and is another one", version))
}

// existing returns which of the tables there are, also of those that the role
// may not read.
func (s *Store) existing(ctx context.Context, conn *pgx.Conn) ([]string, error) {
	rows, err := conn.Query(ctx, `select tablename::text from pg_tables
		where schemaname = $1 and tablename = any($2) order by tablename`, s.schema, tables)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// checkLayout refuses what a newer program has made.
func (s *Store) checkLayout(version int) error {
	switch {
	case version > layoutVersion:
		return &state.ErrNewer{Store: s.place, Version: version, Have: layoutVersion}
	case version < 1:
		return s.damaged("schema", fmt.Sprintf("its layout has version %d", version))
	}
	return nil
}

func (s *Store) damaged(what, why string) error {
	return &state.ErrDamaged{Store: s.place, What: what, Why: why}
}

// makeLayout makes schema and tables unless somebody else was faster. The
// schema is not mentioned where it is there: to make it needs a privilege that
// a role may lack.
func (s *Store) makeLayout(ctx context.Context, conn *pgx.Conn) error {
	err := pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		if _, err := tx.Exec(ctx, `select pg_advisory_xact_lock(hashtextextended('proximity layout ' || $1, 0))`, s.schema); err != nil {
			return err
		}
		there, err := s.existing(ctx, conn)
		if err != nil || len(there) > 0 {
			return err
		}
		var exists bool
		if err := tx.QueryRow(ctx, `select exists (select from pg_namespace where nspname = $1)`, s.schema).Scan(&exists); err != nil {
			return err
		}
		if !exists {
			if _, err := tx.Exec(ctx, "create schema "+pgx.Identifier{s.schema}.Sanitize()); err != nil {
				return s.needs(err, "may not make the schema", s.schemaHint())
			}
		}
		if _, err := conn.PgConn().Exec(ctx, s.sql(makeTables)).ReadAll(); err != nil {
			return s.needs(err, "may not make tables in the schema", s.createHint())
		}
		return nil
	})
	return err
}
