package state_test

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// moving returns a migration of a state with things, an open step and a journal.
func moving(t *testing.T) (state.Migration, *statetest.Memory, *statetest.Memory) {
	from, to := written(t), &statetest.Memory{}
	from.Name, to.Name = "old", "new"
	return state.Migration{From: from, To: to, Options: options}, from, to
}

// requireMoved holds the new place to have everything, and the old one to be
// closed.
func requireMoved(t *testing.T, from, to state.Store) *state.State {
	st, err := state.Read(t.Context(), to, options)
	require.NoError(t, err)
	require.Len(t, st.Objects, 2)
	require.Len(t, st.Open, 1)
	x, err := state.Examine(t.Context(), to, options)
	require.NoError(t, err)
	require.NoError(t, x.TrailErr)
	require.GreaterOrEqual(t, x.Entries, 4, "two steps, the leaving and the coming")
	_, err = state.Read(t.Context(), from, options)
	require.EqualError(t, err, "old: this state was moved to new, and goes on there")
	_, _, err = state.Open(t.Context(), from, state.Who{}, options)
	require.ErrorAs(t, err, new(*state.ErrMoved), "nobody goes on at the old place")
	return st
}

func TestMigrate(t *testing.T) {
	m, from, to := moving(t)
	st, err := m.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, st.Serial, requireMoved(t, from, to).Serial)

	again, err := m.Run(t.Context())
	require.NoError(t, err, "to run it again does no harm")
	require.Equal(t, st.Serial, again.Serial)

	back := state.Migration{From: to, To: from, Options: options}
	returned, err := back.Run(t.Context())
	require.NoError(t, err)
	require.Greater(t, returned.Serial, st.Serial)
	_, err = state.Read(t.Context(), from, options)
	require.NoError(t, err)
	_, err = state.Read(t.Context(), to, options)
	require.ErrorAs(t, err, new(*state.ErrMoved))
}

func TestMigrateRefusesToLoseSomething(t *testing.T) {
	m, from, to := moving(t)
	before := files(t, from)
	other := written(t)
	other.Name = "new"
	m.To = other
	_, err := m.Run(t.Context())
	require.ErrorContains(t, err, "new: another state is there")
	require.Equal(t, before, files(t, from), "the old place is as it was")

	_, err = state.Migration{From: to, To: from, Options: options}.Run(t.Context())
	require.EqualError(t, err, "new: there is no state to be moved")
	_, err = state.Migration{From: from, To: from, Options: options}.Run(t.Context())
	require.EqualError(t, err, "old: it is there already")

	no := errors.New("no")
	m.To, m.Agree = to, func(*state.State) error { return no }
	_, err = m.Run(t.Context())
	require.ErrorIs(t, err, no)
	require.Equal(t, before, files(t, from))
	require.Nil(t, files(t, to).State)
}

func TestMigrateOverAnOlderStateNeedsForce(t *testing.T) {
	m, from, to := moving(t)
	_, err := m.Run(t.Context())
	require.NoError(t, err)
	// Somebody brings the old one back by hand, and goes on there.
	_, s, there, err := state.Repair(t.Context(), from, state.Who{}, options)
	require.NoError(t, err)
	for range 3 {
		next := there.State.Clone()
		next.Moved = ""
		require.NoError(t, s.Replace(t.Context(), state.Entry{Action: "restore"}, next))
	}
	require.NoError(t, s.Close(t.Context()))
	_, err = m.Run(t.Context())
	require.ErrorContains(t, err, "new: an older state is there, with serial 3; with --force it is replaced")
	m.Force = true
	st, err := m.Run(t.Context())
	require.NoError(t, err)
	require.Equal(t, st.Serial, requireMoved(t, from, to).Serial)
}

// TestAMigrationThatDies kills it at each of its writes, and runs it again: at no
// time can anybody go on at both places.
func TestAMigrationThatDies(t *testing.T) {
	for _, name := range []string{"old", "new"} {
		m, from, to := moving(t)
		isDead := false
		for _, store := range []*statetest.Memory{from, to} {
			store.Fail = func(string) error {
				if isDead = isDead || store.Name == name; isDead {
					return statetest.ErrDead
				}
				return nil
			}
		}
		_, err := m.Run(t.Context())
		require.Error(t, err)
		for _, store := range []*statetest.Memory{from, to} {
			store.Kill(false)
			store.Fail = nil
		}
		requireOneLives(t, from, to)
		_, err = m.Run(t.Context())
		require.NoError(t, err, "killed at a write of %s", name)
		requireMoved(t, from, to)
	}
}

func requireOneLives(t *testing.T, from, to state.Store) {
	living := 0
	for _, store := range []state.Store{from, to} {
		st, err := state.Read(t.Context(), store, options)
		if err == nil && st.Serial > 0 {
			living++
		}
	}
	require.LessOrEqual(t, living, 1)
}

// TestAMigrationThatIsRefusedIsTakenBack: a store that takes no writes must not
// leave the state closed at both places.
func TestAMigrationThatIsRefusedIsTakenBack(t *testing.T) {
	m, from, to := moving(t)
	to.Fail = func(string) error { return errors.New("forbidden") }
	_, err := m.Run(t.Context())
	require.ErrorContains(t, err, "new: forbidden")
	st, err := state.Read(t.Context(), from, options)
	require.NoError(t, err)
	require.Len(t, st.Objects, 2)
	to.Fail = nil
	_, err = m.Run(t.Context())
	require.NoError(t, err)
	requireMoved(t, from, to)
}
