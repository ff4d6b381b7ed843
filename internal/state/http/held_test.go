package httpstore_test

import (
	"fmt"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

func holdOn(address string) error {
	store, err := httpstore.New(config(address))
	if err != nil {
		return err
	}
	ctx, _, err := store.Lock(bg, state.Who{
		ID: "deadbeef", User: "writer", Host: "desk", PID: os.Getpid(), Command: "proximity apply", Since: time.Now(),
	})
	if err != nil {
		return err
	}
	fmt.Println("held")
	<-ctx.Done()
	return ctx.Err()
}

func TestAKilledHolderIsNamedAndFreedByItsID(t *testing.T) {
	for name, address := range map[string]func(t *testing.T) string{
		"GitLab": func(t *testing.T) string { _, store := startGitLab(t); return store.String() },
		"plain":  func(t *testing.T) string { return startPlain(t, &plain{}).String() },
	} {
		t.Run(name, func(t *testing.T) {
			at, began := address(t), time.Now()
			cmd, said := start(t, holderAddress, at)
			require.True(t, said.Scan())
			require.Equal(t, "held", said.Text())
			statetest.Kill(t, cmd)

			store := open(t, config(at))
			_, _, err := store.Lock(t.Context(), somebody("next"))
			var held *state.ErrLocked
			require.ErrorAs(t, err, &held)
			require.True(t, held.Stays)
			require.Equal(t, "writer", held.Holder.User)
			require.Equal(t, cmd.Process.Pid, held.Holder.PID)
			require.False(t, held.Holder.Since.Before(began), "its age is known")

			killed := time.Now()
			require.NoError(t, store.Break(t.Context(), held.Holder.ID))
			_, lock := hold(t, store, "next")
			t.Logf("freed by its ID in %s", time.Since(killed).Round(time.Millisecond))
			require.NoError(t, lock.Unlock())
		})
	}
}

// TestALockOfTerraformIsNamed holds the lock as Terraform does. GitLab does not
// tell what Terraform was doing.
func TestALockOfTerraformIsNamed(t *testing.T) {
	const id = "2429c8af-08c8-270d-04d1-923455732c83"
	info := fmt.Sprintf(`{"ID":%q,"Operation":"OperationTypeApply","Info":"","Who":"root@vm","Version":"1.11.4","Created":"2026-11-23T06:34:26.8Z","Path":""}`, id)
	t.Run("GitLab", func(t *testing.T) {
		server, store := startGitLab(t)
		post(t, server.Address("home")+"/lock", "POST", info)
		_, _, err := store.Lock(t.Context(), somebody("ann"))
		var held *state.ErrLocked
		require.ErrorAs(t, err, &held)
		require.Equal(t, id, held.Holder.ID)
		require.Equal(t, "ann", held.Holder.User, "as GitLab calls who has the token")
		require.Equal(t, "another program", held.Holder.Command)
		require.NoError(t, store.Break(t.Context(), id))
		require.Empty(t, server.Locked("home"))
	})
	t.Run("plain", func(t *testing.T) {
		store := startPlain(t, &plain{})
		post(t, store.String(), "LOCK", info)
		_, _, err := store.Lock(t.Context(), somebody("ann"))
		require.ErrorContains(t, err, `locked by root@vm (pid 0, "another program", since 2026-11-23 06:34:26)`)
		require.NoError(t, store.Break(t.Context(), id))
		_, lock := hold(t, store, "ann")
		require.NoError(t, lock.Unlock())
	})
}

func TestALockIDHoldsItsHolder(t *testing.T) {
	long := somebody("ann")
	long.Command = "proximity apply " + strings.Repeat("ü", 300)
	id := httpstore.LockID("0123456789ab", long)
	require.LessOrEqual(t, len(id), 255, "more is refused by GitLab")
	who, ok := httpstore.ReadLockID(id)
	require.True(t, ok)
	require.True(t, strings.HasPrefix(long.Command, who.Command))
	require.Greater(t, len(who.Command), 80, "as much as there is room for")
	who.Command = long.Command
	require.Equal(t, long, who)

	for _, id := range []string{"", "x", "0123456789ab.", "0123456789ab.!!", "2429c8af-08c8-270d-04d1-923455732c83", "a.YWJj"} {
		_, ok := httpstore.ReadLockID(id)
		require.False(t, ok, id)
	}
}

// TestALongNameIsWholeWhereTheServerKeepsIt: GitLab keeps the ID alone.
func TestALongNameIsWholeWhereTheServerKeepsIt(t *testing.T) {
	long := somebody("ann")
	long.Command = "proximity apply\n" + strings.Repeat("x", 300)
	for name, c := range map[string]struct {
		store *httpstore.Store
		whole bool
	}{
		"GitLab": {func() *httpstore.Store { _, store := startGitLab(t); return store }(), false},
		"plain":  {startPlain(t, &plain{}), true},
	} {
		t.Run(name, func(t *testing.T) {
			_, lock, err := c.store.Lock(t.Context(), long)
			require.NoError(t, err)
			_, _, err = c.store.Lock(t.Context(), somebody("bob"))
			var held *state.ErrLocked
			require.ErrorAs(t, err, &held)
			require.Equal(t, c.whole, held.Holder == long)
			require.Equal(t, long.ID, held.Holder.ID)
			require.NoError(t, c.store.Break(t.Context(), long.ID))
			requireLost(t, lock.Append(t.Context(), []byte("late\n")))
		})
	}
}

// TestAServerThatFreesNoLock says of each ID that it is not that of the holder.
func TestAServerThatFreesNoLock(t *testing.T) {
	server, store := startGitLab(t)
	_, _ = hold(t, store, "ann")
	asked := happen(server, "DELETE", "/lock", 100, status(http.StatusConflict))
	err := store.Break(t.Context(), "id-ann")
	require.ErrorContains(t, err, "the server does not free the lock")
	require.NotEmpty(t, hint(err))
	require.EqualValues(t, 3, asked.Load())
}
