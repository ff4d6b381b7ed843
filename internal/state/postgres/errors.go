package postgres

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/proximity-cli/proximity/internal/state"
)

// problem is an error with what a person can do about it.
type problem struct {
	where, what string
	cause       error // nil when what says all
	hint        string
}

func (p *problem) Error() string {
	text := p.where + ": " + p.what
	if p.cause != nil {
		text += ": " + message(p.cause)
	}
	return text
}

func (p *problem) Unwrap() error { return p.cause }

// Hint returns a command or an edit to paste; empty when there is none.
func (p *problem) Hint() string { return p.hint }

const urlHint = `export PROXIMITY_STATE_URL='postgres://user:password@host:5432/database?sslmode=verify-full'`

var errPooler = errors.New("a connection pooler stands before the server, and a lock is tied to a connection of the server itself")

// message returns what an error says in one line, of one of the server without
// severity and code. The library's text of a refused connection lists all
// tries: here it is the last.
func message(err error) string {
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return pe.Message
	}
	if file, ok := errors.AsType[*fs.PathError](err); ok {
		return file.Error()
	}
	if system, ok := errors.AsType[syscall.Errno](err); ok {
		return system.Error()
	}
	if unverified, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return unverified.Err.Error()
	}
	if dns, ok := errors.AsType[*net.DNSError](err); ok {
		return dns.Name + ": " + dns.Err
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// explain makes an error of the library one for people. What is an error of
// this program's own is passed on.
func (s *Store) explain(what string, err error) error {
	switch err.(type) {
	case nil, *problem, *state.ErrDamaged, *state.ErrNewer, *state.ErrLocked, *state.ErrOther, *inseparable:
		return err
	}
	if errors.Is(err, errPooler) {
		return &problem{s.place, what, errPooler, "name the server itself in the url: it is usually on port 5432, and PgBouncer on 6432"}
	}
	if pe, ok := errors.AsType[*pgconn.PgError](err); ok {
		return &problem{s.place, what, pe, s.hintFor(pe)}
	}
	if refused, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return s.unreachable(refused)
	}
	if pgconn.Timeout(err) && !errors.Is(err, context.Canceled) {
		return &problem{s.place, what + ": the server does not answer", err, s.pingHint()}
	}
	return &problem{s.place, what, err, ""}
}

// unreachable explains why there is no connection. The error of the library is
// left behind: it holds the whole configuration.
func (s *Store) unreachable(err *pgconn.ConnectError) error {
	inner := err.Unwrap()
	switch {
	case errors.Is(err, pgconn.ErrReadOnlyConnection):
		return &problem{s.place, "connect: the server, or the role's default, allows only to read", nil,
			"name the primary in the url, not a standby; of several servers the one that writes is found: host=one,two"}
	case strings.Contains(err.Error(), "server refused TLS"):
		return &problem{s.place, "connect: the server has no TLS", nil, "in the url, sslmode=disable does without it, for a network that you trust"}
	case ofTLS(err):
		return &problem{s.place, "connect: TLS", inner, "in the url, sslrootcert=FILE names the authority that signed the server's certificate"}
	}
	return &problem{s.place, "connect", inner, s.pingHint()}
}

func (s *Store) pingHint() string {
	c := s.pool.Config().ConnConfig
	return fmt.Sprintf("pg_isready -h %s -p %d", c.Host, c.Port)
}

// hintFor says what can be done about an error of the server.
func (s *Store) hintFor(err *pgconn.PgError) string {
	switch err.Code {
	case "28P01", "28000":
		return urlHint
	case "3D000":
		return fmt.Sprintf("create database %s owner %s;", quoted(databaseOf(s.pool.Config().ConnConfig)), quoted(s.user))
	case "42501":
		return s.grantHint()
	case "53300":
		return "show max_connections;"
	}
	return ""
}

// needs explains that the role lacks a privilege; other errors stay.
func (s *Store) needs(err error, what, hint string) error {
	if lacksPrivilege(err) {
		return &problem{s.place, fmt.Sprintf("the role %q %s %q", s.user, what, s.schema), err, hint}
	}
	return err
}

func lacksPrivilege(err error) bool {
	pe, ok := errors.AsType[*pgconn.PgError](err)
	return ok && pe.Code == "42501"
}

func (s *Store) schemaHint() string {
	return fmt.Sprintf("create schema %s authorization %s;", quoted(s.schema), quoted(s.user))
}

func (s *Store) createHint() string {
	return fmt.Sprintf("grant usage, create on schema %s to %s;", quoted(s.schema), quoted(s.user))
}

// grantHint is for a role that did not make the tables.
func (s *Store) grantHint() string {
	schema, user := quoted(s.schema), quoted(s.user)
	return fmt.Sprintf("grant usage on schema %s to %s;\ngrant select, insert, update, delete on all tables in schema %s to %s;",
		schema, user, schema, user)
}

func quoted(name string) string { return pgx.Identifier{name}.Sanitize() }
