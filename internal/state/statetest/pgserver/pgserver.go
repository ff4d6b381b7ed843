//go:build unix

// Package pgserver starts PostgreSQL servers for tests, with the programs that
// are installed here. A server lives in a directory of its own, listens to
// this machine alone, wants a password and ends with the process that started
// it, however that ends.
//
// It runs without fsync: what tests do to it is to cut connections and to kill
// clients, and of these a server without fsync loses no more than another one.
// It would lose data with the machine.
package pgserver

import (
	"bufio"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"
)

// Server is a PostgreSQL server that runs.
type Server struct {
	Address  string // host:port
	Database string
	User     string // the superuser
	Password string

	dir     string
	process *exec.Cmd
	life    io.Closer // the server ends when it is closed
	schemas atomic.Int64
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, s.Stop()) })
	return s
}

// Shared is one server for many tests: it starts for the first that needs it.
// The zero Shared is ready to use, by several tests at a time.
type Shared struct {
	once   sync.Once
	server *Server
	err    error
}

// Start returns the server.
func (s *Shared) Start(t testing.TB) *Server {
	t.Helper()
	s.once.Do(func() { s.server, s.err = New() })
	require.NoError(t, s.err)
	return s.server
}

// Stop ends the server where there is one. TestMain calls it.
func (s *Shared) Stop() error {
	if s.server == nil {
		return nil
	}
	return s.server.Stop()
}

// tries is how often a port is chosen anew when somebody else was faster.
const tries = 5

// New starts a server that runs until Stop.
func New() (*Server, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	s := &Server{Database: "postgres", User: "root of tests", Password: rand.Text()}
	if s.dir, err = os.MkdirTemp("", "pg"); err != nil {
		return nil, err
	}
	if err = s.initialize(bin); err == nil {
		for range tries {
			if err = s.run(bin); err == nil {
				return s, nil
			}
		}
	}
	return nil, errors.Join(fmt.Errorf("postgres: %w", err), os.RemoveAll(s.dir))
}

// URL is what clients connect to as the superuser. It holds the password.
func (s *Server) URL() string { return s.URLOf(s.User, s.Password) }

// URLOf is what clients connect to as another role.
func (s *Server) URLOf(user, password string) string {
	u := url.URL{
		Scheme: "postgres", User: url.UserPassword(user, password),
		Host: s.Address, Path: s.Database, RawQuery: "sslmode=disable",
	}
	return u.String()
}

// Schema returns the name of a schema that nobody has used.
func (s *Server) Schema() string { return fmt.Sprint("s", s.schemas.Add(1)) }

// Block is the text that makes a configuration keep its state in a schema.
func (s *Server) Block(schema string) string {
	return fmt.Sprintf("state \"postgres\" {\n  url    = %q\n  schema = %q\n}\n", s.URL(), schema)
}

// Exec carries out statements as the superuser.
func (s *Server) Exec(t testing.TB, statements string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	defer conn.Close(context.WithoutCancel(t.Context()))
	_, err = conn.PgConn().Exec(t.Context(), statements).ReadAll()
	require.NoError(t, err)
}

// Stop ends the server and removes all it kept.
func (s *Server) Stop() error {
	return errors.Join(s.life.Close(), s.process.Wait(), os.RemoveAll(s.dir))
}

// initialize makes the directory of the server.
func (s *Server) initialize(bin string) error {
	password := filepath.Join(s.dir, "password")
	if err := os.WriteFile(password, []byte(s.Password), 0o600); err != nil {
		return err
	}
	if err := giveAway(s.dir, password); err != nil {
		return err
	}
	initdb := exec.Command(filepath.Join(bin, "initdb"), "--pgdata="+s.data(), "--username="+s.User, "--pwfile="+password,
		"--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions")
	asNobody(initdb, s.dir)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return os.Remove(password)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// deathWatch becomes the server, and leaves behind a process that ends it when
// the standard input does: when Stop closes it, or the tests are dead. Then it
// removes the directory.
const deathWatch = `exec 3<&0
(read -r _ <&3; kill -INT $$; while kill -0 $$; do sleep 0.05; done; rm -rf "$0") >/dev/null 2>&1 &
exec "$@" 3<&- </dev/null`

// run starts the server and waits until it answers.
func (s *Server) run(bin string) error {
	host, port, err := freePort()
	if err != nil {
		return err
	}
	s.Address = net.JoinHostPort(host, port)
	s.process = exec.Command("/bin/sh", "-c", deathWatch, s.dir, filepath.Join(bin, "postgres"), "-D", s.data(),
		"-c", "listen_addresses="+host, "-c", "port="+port, "-c", "unix_socket_directories=",
		"-c", "fsync=off", "-c", "max_connections=300", "-c", "shared_buffers=32MB",
		"-c", "max_wal_size=256MB", "-c", "autovacuum=off", "-c", "logging_collector=off", "-c", "log_destination=stderr")
	asNobody(s.process, s.dir)
	if s.life, err = s.process.StdinPipe(); err != nil {
		return err
	}
	log, written, err := os.Pipe()
	if err != nil {
		return err
	}
	s.process.Stderr = written
	err = s.process.Start()
	if err := errors.Join(err, written.Close()); err != nil {
		return errors.Join(err, log.Close())
	}
	if err := untilReady(log); err != nil {
		return errors.Join(err, s.life.Close(), s.process.Wait())
	}
	return nil
}

// untilReady reads the log of a server until it says that it is ready, or
// ends. What comes later is read and dropped.
func untilReady(log io.ReadCloser) error {
	var said strings.Builder
	for lines := bufio.NewScanner(log); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if strings.Contains(lines.Text(), "ready to accept connections") {
			go func() {
				_, _ = io.Copy(io.Discard, log)
				_ = log.Close()
			}()
			return nil
		}
	}
	return errors.Join(fmt.Errorf("the server ended:\n%s", said.String()), log.Close())
}

// freePort returns one that was free a moment ago.
func freePort() (host, port string, err error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", "", err
	}
	host, port, err = net.SplitHostPort(listener.Addr().String())
	return host, port, errors.Join(err, listener.Close())
}
