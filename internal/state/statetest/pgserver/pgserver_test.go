package pgserver_test

import (
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state/statetest/pgserver"
)

func TestAServerAnswersWhoKnowsItsPassword(t *testing.T) {
	s, err := pgserver.New()
	require.NoError(t, err)
	s.Exec(t, "create table t (n int); insert into t values (1)")
	_, err = pgx.Connect(t.Context(), s.URLOf(s.User, "guessed"))
	require.ErrorContains(t, err, "password authentication failed")
	require.NotEqual(t, s.Schema(), s.Schema())
	require.Contains(t, s.Block("mine"), s.URL())

	conn, err := pgx.Connect(t.Context(), s.URL())
	require.NoError(t, err)
	require.NoError(t, s.Stop())
	require.Error(t, conn.Ping(t.Context()), "it has ended")
	require.Error(t, conn.Close(t.Context()))
	_, err = pgx.Connect(t.Context(), s.URL())
	require.Error(t, err)
}
