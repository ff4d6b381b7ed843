// Package postgres keeps state in a PostgreSQL database, in tables of a schema
// of its own that it makes at first use. One schema may hold several states.
//
// The lock is an advisory lock of the server: it lives as long as the
// connection that took it, so that of a process that died it is free at once,
// and of one behind a broken network as soon as the server or the process has
// noticed. Each holding of the lock has a number, the fence, that is one higher
// than the last. Every write goes over the connection that has the lock and
// asks for fence and connection in the same statement: nobody else can write,
// whatever stands between.
//
// A state file is the newest of its versions. Journal and trail are a row for
// each line.
package postgres

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/proximity-cli/proximity/internal/state"
)

// Config says where a state is kept.
type Config struct {
	// URL is what libpq takes: a URL or words of the form key=value. What it
	// leaves out comes from PGHOST, PGUSER, PGPASSWORD and so on, as usual.
	URL    string
	Schema string // that holds the tables; empty is "proximity"
	Name   string // of the state among those of the schema; empty is "default"
}

// Store is one state in a database. It implements state.Store and is safe for
// concurrent use. It keeps a few idle connections for a while.
type Store struct {
	pool         *pgxpool.Pool
	schema, name string
	place        string
	user         string        // for what people have to grant
	patience     time.Duration // how long a server that does not answer is waited for
}

// New returns the store that the settings name. It connects to nothing yet;
// the error says which setting cannot be used, and nothing of a password.
func New(c Config) (*Store, error) {
	c.Schema, c.Name = cmp.Or(c.Schema, "proximity"), cmp.Or(c.Name, "default")
	if err := c.check(); err != nil {
		return nil, err
	}
	config, err := poolConfig(c.URL)
	if err != nil {
		return nil, err
	}
	s := &Store{
		schema: c.Schema, name: c.Name, user: config.ConnConfig.User, patience: 10 * time.Second,
		place: place(config.ConnConfig, c),
	}
	config.AfterConnect = s.prepare
	s.pool, err = pgxpool.NewWithConfig(context.Background(), config)
	return s, err
}

// names are those of states: they stand in hints, in shells and in SQL.
var names = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._/-]{0,99}$`)

func (c Config) check() error {
	if !names.MatchString(c.Name) {
		return fmt.Errorf("postgres: name: %q: it takes letters, digits, and after the first of them also . _ / -, 100 at most", c.Name)
	}
	if len(c.Schema) > 63 || !utf8.ValidString(c.Schema) || strings.ContainsRune(c.Schema, 0) {
		return fmt.Errorf("postgres: schema: %q: PostgreSQL takes names of 63 bytes at most", c.Schema)
	}
	if strings.HasPrefix(c.Schema, "pg_") || c.Schema == "information_schema" {
		return fmt.Errorf("postgres: schema: %q belongs to PostgreSQL itself", c.Schema)
	}
	return nil
}

// place names a state for people.
func place(c *pgx.ConnConfig, names Config) string {
	query := url.Values{"schema": {names.Schema}, "state": {names.Name}}
	u := url.URL{Scheme: "postgres", Host: net.JoinHostPort(c.Host, strconv.Itoa(int(c.Port))), Path: "/" + databaseOf(c)}
	if strings.HasPrefix(c.Host, "/") { // the directory of a socket
		u.Host = ""
		query.Set("host", c.Host)
	}
	u.RawQuery = strings.ReplaceAll(query.Encode(), "%2F", "/")
	return u.String()
}

// databaseOf is the server's choice where none is named.
func databaseOf(c *pgx.ConnConfig) string { return cmp.Or(c.Database, c.User) }

// String returns server, database, schema and name in the form of a URL.
func (s *Store) String() string { return s.place }

// Close ends idle connections. The process need not call it at its end, and
// must not while a lock is held.
func (s *Store) Close() { s.pool.Close() }

// sql names the schema in a statement that calls it schema.
func (s *Store) sql(statement string) string {
	return strings.ReplaceAll(statement, "schema.", pgx.Identifier{s.schema}.Sanitize()+".")
}

// loadFiles is one statement, so that it sees one moment.
const loadFiles = `
select layout.version, coalesce(s.serial, 0), coalesce(v.serial, 0), v.state,
  (select string_agg(line, ''::bytea order by seq) from schema.journal where name = $1),
  (select line from schema.trail where name = $1 order by seq desc limit 1)
from schema.layout
left join schema.states s on s.name = $1
left join lateral (select serial, state from schema.versions where name = $1 order by serial desc limit 1) v on true`

// Load implements state.Store.
func (s *Store) Load(ctx context.Context) (state.Files, error) {
	var files state.Files
	err := s.read(ctx, "load", func(ctx context.Context, conn *pgx.Conn) error {
		var layout int
		var serial, newest uint64
		files = state.Files{}
		err := conn.QueryRow(ctx, s.sql(loadFiles), s.name).Scan(&layout, &serial, &newest, &files.State, &files.Journal, &files.Last)
		if errors.Is(err, pgx.ErrNoRows) {
			return s.otherLayout(ctx, conn)
		} else if err != nil {
			return err
		}
		if err := s.checkLayout(layout); err != nil {
			return err
		}
		if serial != newest {
			return s.damaged("state file", fmt.Sprintf("serial %d was saved last, and of the versions that are there the newest is %d", serial, newest))
		}
		return nil
	})
	return files, err
}

// Versions implements state.Store.
func (s *Store) Versions(ctx context.Context) ([]state.Version, error) {
	return rows(ctx, s, "versions", pgx.RowToStructByPos[state.Version],
		`select serial, saved, state from schema.versions where name = $1 order by serial desc limit $2`,
		s.name, state.KeptVersions)
}

// Trail implements state.Store.
func (s *Store) Trail(ctx context.Context) ([]byte, error) {
	lines, err := rows(ctx, s, "trail", pgx.RowTo[[]byte], `select line from schema.trail where name = $1 order by seq`, s.name)
	if err != nil || len(lines) == 0 {
		return nil, err
	}
	return append(bytes.Join(lines, []byte("\n")), '\n'), nil
}

// rows reads what one statement selects.
func rows[T any](ctx context.Context, s *Store, what string, one pgx.RowToFunc[T], statement string, args ...any) ([]T, error) {
	var all []T
	err := s.read(ctx, what, func(ctx context.Context, conn *pgx.Conn) error {
		var layout int
		if err := conn.QueryRow(ctx, s.sql(`select coalesce(max(version), 0) from schema.layout`)).Scan(&layout); err != nil {
			return err
		}
		if err := s.checkLayout(layout); err != nil {
			return err
		}
		found, err := conn.Query(ctx, s.sql(statement), args...)
		if err != nil {
			return err
		}
		all, err = pgx.CollectRows(found, one)
		return err
	})
	return all, err
}

// read does what only reads, and again when the connection was at fault. Where
// the tables were never made there is nothing to read.
func (s *Store) read(ctx context.Context, what string, do func(context.Context, *pgx.Conn) error) error {
	err := s.insist(ctx, func(ctx context.Context) error {
		conn, err := s.pool.Acquire(ctx)
		if err != nil {
			return err
		}
		defer conn.Release()
		err = s.withTables(ctx, conn.Conn(), func() error { return do(ctx, conn.Conn()) })
		if errors.Is(err, errNoTables) {
			return nil
		}
		return err
	})
	return s.explain(what, err)
}
