package postgres_test

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
)

type hinter interface {
	error
	Hint() string
}

// requireProblem expects an error of one line that says what, and a hint.
func requireProblem(t *testing.T, err error, what, hint string) {
	t.Helper()
	var hinted hinter
	require.ErrorAs(t, err, &hinted)
	require.ErrorContains(t, err, what)
	require.Contains(t, hinted.Hint(), hint)
	require.NotContains(t, err.Error(), "\n")
}

func TestSettingsThatCannotBeUsed(t *testing.T) {
	for _, c := range []struct {
		config postgres.Config
		want   string
	}{
		{postgres.Config{URL: "postgres://h:nan/d"}, "postgres: url: it is neither a URL nor of the form key=value"},
		{postgres.Config{URL: "host=h sslmode=sometimes"}, "postgres: url: it is neither"},
		{postgres.Config{URL: "host=h sslmode=verify-full sslrootcert=/not/there.pem"}, "postgres: url: a file that it names: open /not/there.pem: no such file or directory"},
		{postgres.Config{Name: "a b"}, `postgres: name: "a b": it takes letters`},
		{postgres.Config{Name: "größe"}, `postgres: name: "größe"`},
		{postgres.Config{Name: strings.Repeat("x", 101)}, "postgres: name:"},
		{postgres.Config{Schema: strings.Repeat("x", 64)}, "postgres: schema:"},
		{postgres.Config{Schema: "a\x00b"}, "postgres: schema:"},
		{postgres.Config{Schema: "pg_mine"}, `postgres: schema: "pg_mine" belongs to PostgreSQL itself`},
	} {
		_, err := postgres.New(c.config)
		require.ErrorContains(t, err, c.want, "%+v", c.config)
	}
}

func TestAPlaceIsNamedAsAURL(t *testing.T) {
	for _, c := range []struct{ url, want string }{
		{"postgres://me:pw@db.example.com/infra?sslmode=require", "postgres://db.example.com:5432/infra?schema=proximity&state=prod/eu"},
		{"host=/run/postgresql user=me password=pw dbname=infra", "postgres:///infra?host=/run/postgresql&schema=proximity&state=prod/eu"},
		{"postgres://me:pw@[::1]:5433/infra", "postgres://[::1]:5433/infra?schema=proximity&state=prod/eu"},
	} {
		require.Equal(t, c.want, open(t, postgres.Config{URL: c.url, Name: "prod/eu"}).String())
	}
}

func TestSettingsComeFromTheUsualEnvironmentToo(t *testing.T) {
	server, c := shared.Start(t), fresh(t)
	host, port, err := net.SplitHostPort(server.Address)
	require.NoError(t, err)
	for name, value := range map[string]string{
		"PGHOST": host, "PGPORT": port, "PGUSER": server.User, "PGPASSWORD": server.Password, "PGDATABASE": server.Database,
	} {
		t.Setenv(name, value)
	}
	c.URL = ""
	_, lock := held(t, open(t, c))
	require.NoError(t, lock.Unlock())
}

// nowhere returns an address at which nobody listens.
func nowhere(t *testing.T) string {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, listener.Close())
	return listener.Addr().String()
}

// untrusted returns the address of a server with a certificate that it has made
// for itself.
func untrusted(t *testing.T) string {
	https := httptest.NewTLSServer(nil)
	t.Cleanup(https.Close)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			_, _ = io.ReadFull(client, make([]byte, 8)) // the question whether there is TLS
			_, _ = client.Write([]byte("S"))
			_ = tls.Server(client, https.TLS).Handshake() // the client ends it
			_ = client.Close()
		}
	})
	t.Cleanup(func() {
		_ = listener.Close()
		wg.Wait()
	})
	return listener.Addr().String()
}

func TestAServerThatCannotBeUsedSaysWhyAndWhatToDo(t *testing.T) {
	server := shared.Start(t)
	for _, c := range []struct {
		name, url, what, hint string
	}{
		{"nobody listens", "postgres://me:pw@" + nowhere(t) + "/infra", ": connect: connection refused", "pg_isready -h 127.0.0.1 -p "},
		{"no such host", "postgres://me:pw@nowhere.invalid/infra", "connect: nowhere.invalid: no such host", "pg_isready -h nowhere.invalid -p 5432"},
		{"wrong password", server.URLOf(server.User, "guessed"), "password authentication failed for user", "export PROXIMITY_STATE_URL="},
		{"no such role", server.URLOf("nobody_here", "guessed"), "password authentication failed for user", "export PROXIMITY_STATE_URL="},
		{"no such database", strings.Replace(server.URL(), "/postgres?", "/infra?", 1), `database "infra" does not exist`, `create database "infra" owner "` + server.User + `";`},
		{"no TLS", strings.Replace(server.URL(), "sslmode=disable", "sslmode=require", 1), "connect: the server has no TLS", "sslmode=disable"},
		{"a certificate of nobody known", "postgres://me:pw@" + untrusted(t) + "/infra?sslmode=verify-full", "connect: TLS: x509: certificate signed by unknown authority", "sslrootcert=FILE"},
	} {
		t.Run(c.name, func(t *testing.T) {
			store := open(t, postgres.Config{URL: c.url}).Impatient()
			for _, err := range everything(t, store) {
				requireProblem(t, err, c.what, c.hint)
				require.True(t, strings.HasPrefix(err.Error(), store.String()+": "), err.Error())
			}
			requireProblem(t, store.Break(t.Context(), "id"), c.what, c.hint)
		})
	}
}

func TestAServerThatOnlyReadsIsNotUsed(t *testing.T) {
	c, server := fresh(t), shared.Start(t)
	role := "r_" + c.Schema
	server.Exec(t, `create role `+role+` login password 'pw'; alter role `+role+` set default_transaction_read_only = on`)
	c.URL = server.URLOf(role, "pw")
	for _, err := range everything(t, open(t, c)) {
		requireProblem(t, err, "connect: the server, or the role's default, allows only to read", "name the primary")
	}
}

func TestAPoolerIsNoticed(t *testing.T) {
	network, c := through(t, fresh(t))
	network.fakePIDs.Store(true)
	for _, err := range everything(t, open(t, c)) {
		requireProblem(t, err, "a connection pooler stands before the server", "5432")
	}
}

// TestWhatARoleMayNotIsSaidInSQL pastes each hint, and then it may.
func TestWhatARoleMayNotIsSaidInSQL(t *testing.T) {
	server := shared.Start(t)
	for _, c := range []struct{ name, before, what string }{
		{"no schema", "", "may not make the schema"},
		{"a schema of others", `create schema "%[1]s"`, "may not make tables in the schema"},
		{"tables of others", "tables", "permission denied for schema"},
		{"tables of others in a schema that is open", `tables; grant usage on schema "%[1]s" to "%[2]s"`, "permission denied for table"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := fresh(t)
			role := "Role " + config.Schema
			before, wantsTables := strings.CutPrefix(c.before, "tables")
			if wantsTables {
				_, lock := held(t, open(t, config))
				require.NoError(t, lock.Unlock())
			}
			server.Exec(t, fmt.Sprintf(`create role "%[2]s" login password 'pw'`, config.Schema, role)+";"+fill(before, config.Schema, role))
			config.URL = server.URLOf(role, "pw")
			store := open(t, config)
			_, _, err := store.Lock(t.Context(), ann)
			requireProblem(t, err, c.what, `"`+role+`"`)
			server.Exec(t, err.(hinter).Hint())
			ctx, lock, err := store.Lock(t.Context(), ann)
			require.NoError(t, err, "the hint is all it takes")
			require.NoError(t, lock.Save(ctx, state.Snapshot{Serial: 7, State: []byte("new"), Trail: []byte("line\n")}))
			require.NoError(t, lock.Append(ctx, []byte("line\n")))
			require.NoError(t, lock.Unlock())
			require.Equal(t, "new", string(load(t, store).State))
		})
	}
}

func fill(statement, schema, role string) string {
	return strings.NewReplacer("%[1]s", schema, "%[2]s", role).Replace(statement)
}

// A role that may only read can plan.
func TestARoleMayBeAllowedOnlyToRead(t *testing.T) {
	c, server := fresh(t), shared.Start(t)
	_, lock := held(t, open(t, c))
	require.NoError(t, lock.Unlock())
	role := "r_" + c.Schema
	server.Exec(t, fill(`create role %[2]s login password 'pw'; grant usage on schema %[1]s to %[2]s; grant select on all tables in schema %[1]s to %[2]s`, c.Schema, role))
	c.URL = server.URLOf(role, "pw")
	store := open(t, c)
	require.Equal(t, asHeld, load(t, store))
	_, _, err := store.Lock(t.Context(), ann)
	requireProblem(t, err, "permission denied for table states", "grant select, insert, update, delete on all tables")
	c.URL = server.URL()
	_, lock, err = open(t, c).Lock(t.Context(), ann)
	require.NoError(t, err, "who may not write does not keep the lock")
	require.NoError(t, lock.Unlock())
}

func TestALockOfAnotherRoleIsBrokenByWhoMay(t *testing.T) {
	c, server := fresh(t), shared.Start(t)
	ctx, lock := held(t, open(t, c))
	role := "r_" + c.Schema
	server.Exec(t, fill(`create role %[2]s login password 'pw'; grant usage on schema %[1]s to %[2]s; grant select on all tables in schema %[1]s to %[2]s`, c.Schema, role))
	c.URL = server.URLOf(role, "pw")
	store := open(t, c)
	err := store.Break(t.Context(), ann.ID)
	requireProblem(t, err, `the role "`+role+`" may not end its connection`, "select pg_terminate_backend(")
	var alive *state.ErrHeld
	require.ErrorAs(t, err, &alive)
	require.Equal(t, ann, alive.Holder)
	require.NoError(t, ctx.Err())
	require.NoError(t, lock.Append(t.Context(), []byte("two\n")))
	server.Exec(t, err.(hinter).Hint()[strings.Index(err.(hinter).Hint(), "select"):])
	<-ctx.Done()
}

// TestNoErrorHoldsThePassword plants one and looks for it in all that is said.
func TestNoErrorHoldsThePassword(t *testing.T) {
	const secret = "Pl4nted/S3cret"
	server := shared.Start(t)
	var said []string
	note := func(err error) {
		require.Error(t, err)
		said = append(said, err.Error(), fmt.Sprintf("%+v", err))
		if hinted, ok := err.(hinter); ok {
			said = append(said, hinted.Hint())
		}
	}
	for _, url := range []string{
		"postgres://me:" + secret + "@host:port/d", "postgres://me:" + secret + "@h/d?sslmode=never", "postgres://me:" + secret,
		"postgres://me@h:1,h:" + secret + "/d", "user=me password='" + secret, "user=me password = " + secret + " port=x", "password:" + secret,
		"postgres://h/d?password=" + secret + "&sslmode=never", "postgres://[" + secret, secret,
		"postgres://me:%zz" + secret + "@h/d", "postgres://h/d?sslrootcert=/not/there&sslmode=verify-ca&password=" + secret,
	} {
		if _, err := postgres.New(postgres.Config{URL: url}); err != nil {
			note(err)
		}
	}
	require.Greater(t, len(said), 15, "most of them are refused")
	for _, url := range []string{
		server.URLOf(server.User, secret), server.URLOf("stranger", secret),
		"user=me password=" + secret + " host=nowhere.invalid", "user=me password=" + secret + " host=" + "127.0.0.1 port=1",
		strings.Replace(server.URLOf("me", secret), "disable", "require", 1),
	} {
		store := open(t, postgres.Config{URL: url}).Impatient()
		said = append(said, store.String())
		for _, err := range append(everything(t, store), store.Break(t.Context(), "id")) {
			note(err)
		}
	}
	for _, text := range said {
		for _, part := range []string{"Pl4nted", "S3cret"} {
			require.NotContains(t, text, part)
		}
	}
}

func TestAnInterruptedCallSaysSo(t *testing.T) {
	store := open(t, fresh(t))
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := store.Load(ended)
	require.ErrorIs(t, err, context.Canceled)
	_, _, err = store.Lock(ended, ann)
	require.ErrorIs(t, err, context.Canceled)
}
