package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// everything calls what a store can do before and for a lock, and returns what
// went wrong.
func everything(t *testing.T, store *postgres.Store) []error {
	t.Helper()
	_, loading := store.Load(t.Context())
	_, versions := store.Versions(t.Context())
	_, trail := store.Trail(t.Context())
	_, lock, locking := store.Lock(t.Context(), ann)
	if locking == nil {
		require.NoError(t, lock.Unlock())
	}
	return []error{loading, versions, trail, locking}
}

func TestALayoutOfANewerProgramIsLeftAlone(t *testing.T) {
	for name, change := range map[string]string{
		"only its version":       "",
		"another column":         "; alter table versions rename column state to body",
		"another key of a state": "; alter table states rename column name to id",
	} {
		t.Run(name, func(t *testing.T) {
			c := fresh(t)
			_, lock := held(t, open(t, c))
			require.NoError(t, lock.Unlock())
			shared.Start(t).Exec(t, `set search_path = "`+c.Schema+`"; update layout set version = 2`+change)
			for _, err := range everything(t, open(t, c)) {
				var newer *state.ErrNewer
				require.ErrorAs(t, err, &newer)
				require.Equal(t, 2, newer.Version)
			}
		})
	}
}

func TestADamagedSchemaIsNeverTakenForNoState(t *testing.T) {
	for _, c := range []struct{ name, change, want string }{
		{"a table is gone", `drop table versions`, "of the tables journal, layout, states, trail, versions it has only journal, layout, states, trail"},
		{"only a table is left", `drop table layout, states, trail, journal`, "it has only versions"},
		{"the newest version is gone", `delete from versions where serial = 1`, "serial 1 was saved last, and of the versions that are there the newest is 0"},
		{"the state is gone and its versions are not", `delete from states`, "serial 0 was saved last, and of the versions that are there the newest is 1"},
		{"a version was added", `insert into versions (name, serial, state) values ('default', 7, 'x')`, "the newest is 7"},
		{"the layout is empty", `delete from layout`, "its layout has version 0"},
		{"the layout is another one", `alter table versions drop column state`, `its layout says that it has version 1, and is another one`},
	} {
		t.Run(c.name, func(t *testing.T) {
			config := fresh(t)
			_, lock := held(t, open(t, config))
			require.NoError(t, lock.Unlock())
			shared.Start(t).Exec(t, `set search_path = "`+config.Schema+`"; `+c.change)
			_, err := open(t, config).Load(t.Context())
			var damaged *state.ErrDamaged
			require.ErrorAs(t, err, &damaged)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestTablesOfOthersAreLeftAlone(t *testing.T) {
	c := fresh(t)
	server := shared.Start(t)
	server.Exec(t, `create schema "`+c.Schema+`"; set search_path = "`+c.Schema+`"; create table versions (theirs text); insert into versions values ('x')`)
	for _, err := range everything(t, open(t, c)) {
		var damaged *state.ErrDamaged
		require.ErrorAs(t, err, &damaged)
		require.ErrorContains(t, err, "it has only versions")
	}
	server.Exec(t, `set search_path = "`+c.Schema+`"; drop table versions`)
	require.NoError(t, errors.Join(everything(t, open(t, c))...), "a schema that somebody made is used")
}

func TestStatesOfOneSchemaShareNothing(t *testing.T) {
	c := fresh(t)
	c.Name = "prod/eu-1"
	prod := open(t, c)
	_, lock := held(t, prod)
	c.Name = "test"
	other := open(t, c)
	require.Equal(t, state.Files{}, load(t, other))
	_, second, err := other.Lock(t.Context(), ann)
	require.NoError(t, err, "each has a lock of its own")
	require.NoError(t, second.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("other"), Trail: []byte("other\n")}))
	require.Equal(t, asHeld, load(t, prod))
	require.NoError(t, second.Unlock())
	require.NoError(t, lock.Unlock())
}

// The states of a schema have locks of their own, and yet only one makes the
// tables.
func TestManyMayBeTheFirstInASchema(t *testing.T) {
	c := fresh(t)
	var wg sync.WaitGroup
	for i := range 20 {
		c.Name = fmt.Sprint("state-", i)
		store := open(t, c)
		wg.Go(func() {
			_, lock, err := store.Lock(t.Context(), ann)
			if err == nil {
				err = lock.Unlock()
			}
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestTablesMayAppearAtAnyMoment holds one message after another of somebody
// who finds no tables, and has them made meanwhile.
func TestTablesMayAppearAtAnyMoment(t *testing.T) {
	for name, do := range map[string]func(*postgres.Store) error{
		"load":     func(s *postgres.Store) error { _, err := s.Load(t.Context()); return err },
		"versions": func(s *postgres.Store) error { _, err := s.Versions(t.Context()); return err },
		"lock": func(s *postgres.Store) error {
			_, _, err := s.Lock(t.Context(), ann)
			if _, refused := errors.AsType[*state.ErrLocked](err); refused {
				return nil
			}
			return fmt.Errorf("somebody holds the lock, and not: %w", err)
		},
	} {
		t.Run(name, func(t *testing.T) {
			moments := 0
			for reached := true; reached && moments < 14; moments++ { // later ones only ask again
				c := fresh(t)
				holdAdvisoryLock(t, c)
				network, far := through(t, c)
				network.holds.Store(true)
				store, done := open(t, far), make(chan error, 1)
				go func() { done <- do(store) }()
				var err error
				reached, err = network.atMessage(moments, done, func() {
					c.Name = "other"
					_, lock := held(t, open(t, c))
					require.NoError(t, lock.Unlock())
				})
				require.NoError(t, err, "at message %d", moments)
			}
			require.Greater(t, moments, 8)
		})
	}
}

// holdAdvisoryLock takes the lock of a state as a holder has it before it has
// made the tables.
func holdAdvisoryLock(t *testing.T, c postgres.Config) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), c.URL)
	require.NoError(t, err)
	t.Cleanup(func() { _ = conn.Close(context.Background()) }) // with the lock
	_, err = conn.Exec(t.Context(), `select pg_advisory_lock(hashtextextended($1, 0))`, "proximity default "+c.Schema)
	require.NoError(t, err)
}

func TestOldVersionsTakeNoRoom(t *testing.T) {
	c, server := fresh(t), shared.Start(t)
	store := open(t, c)
	_, lock := held(t, store)
	for serial := range uint64(20) {
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: serial + 2}))
	}
	require.NoError(t, lock.Unlock())
	server.Exec(t, fmt.Sprintf(`alter table "%s".versions add check (serial > 21 - %d)`, c.Schema, state.KeptVersions))
}

// TestWhatTheServerDefaultsToWeakensNothing: a role may be set to lose
// commits, to end idle sessions, and to fail where two write.
func TestWhatTheServerDefaultsToWeakensNothing(t *testing.T) {
	c, server := fresh(t), shared.Start(t)
	role := "r_" + c.Schema
	server.Exec(t, `create role `+role+` login password 'pw'; create schema "`+c.Schema+`" authorization `+role+`;
		alter role `+role+` set synchronous_commit = off;
		alter role `+role+` set default_transaction_isolation = serializable;
		alter role `+role+` set idle_session_timeout = '100ms';
		alter role `+role+` set search_path = nowhere;
		alter role `+role+` set tcp_keepalives_idle = 7200`)
	c.URL = server.URLOf(role, "pw")
	store := open(t, c)
	ctx, lock := held(t, store)
	for name, want := range map[string]string{
		"synchronous_commit": "on", "default_transaction_isolation": "read committed", "idle_session_timeout": "0",
		"tcp_keepalives_idle": "5", "tcp_user_timeout": "10000", "application_name": "proximity",
	} {
		have, err := store.Setting(t.Context(), name)
		require.NoError(t, err)
		require.Equal(t, want, have, name)
	}
	require.NoError(t, ctx.Err())
	require.NoError(t, lock.Unlock())

	server.Exec(t, `alter role `+role+` set synchronous_commit = remote_apply`)
	have, err := open(t, c).Setting(t.Context(), "synchronous_commit")
	require.NoError(t, err)
	require.Equal(t, "remote_apply", have, "what promises more stays")
}

func TestALockWithoutANameIsOfNobodyKnown(t *testing.T) {
	c, server := fresh(t), shared.Start(t)
	writer, said := start(t, c, 1)
	for said.Scan() && said.Text() != "1" {
		require.Equal(t, "locked", said.Text())
	}
	statetest.Kill(t, writer)
	store := open(t, c)
	_, first := eventually(t, store)
	// As in the moment before the next one has written its name.
	server.Exec(t, `update "`+c.Schema+`".states set backend = 1, holder = '{"user":"dead","command":"x"}'`)
	_, _, err := store.Lock(t.Context(), ann)
	require.EqualError(t, err, store.String()+": locked by a process that left no name")
	var other *state.ErrOther
	require.ErrorAs(t, store.Break(t.Context(), ""), &other)
	require.Error(t, first.Append(t.Context(), []byte("late\n")))
}
