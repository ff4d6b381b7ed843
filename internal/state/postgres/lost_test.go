package postgres_test

import (
	"bytes"
	"context"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/postgres"
)

var ann = state.Who{ID: "id-ann", User: "ann", Host: "desk", PID: 4711, Command: "proximity apply"}

// held locks a store in which something was written.
func held(t *testing.T, store *postgres.Store) (context.Context, state.Lock) {
	t.Helper()
	ctx, lock, err := store.Lock(t.Context(), ann)
	require.NoError(t, err)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("old"), Trail: []byte("first\n")}))
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	return ctx, lock
}

var asHeld = state.Files{State: []byte("old"), Journal: []byte("one\n"), Last: []byte("first")}

// requireLost waits until the lock's context has ended by itself, and expects
// that nothing can be written any more and that the next one gets the lock.
func requireLost(t *testing.T, ctx context.Context, lock state.Lock, next *postgres.Store) {
	t.Helper()
	<-ctx.Done()
	var lost *state.ErrLost
	require.ErrorAs(t, context.Cause(ctx), &lost)
	require.Contains(t, lost.Why, "the connection that held it ended: ")
	require.ErrorAs(t, lock.Append(t.Context(), []byte("late\n")), &lost)
	require.ErrorAs(t, lock.Save(t.Context(), state.Snapshot{Serial: 9, State: []byte("late")}), &lost)
	require.ErrorAs(t, lock.Unlock(), &lost)

	_, second := eventually(t, next)
	require.Contains(t, second.Note(), "took over the lock of ann@desk")
	require.NoError(t, second.Unlock())
	_, third := eventually(t, next)
	require.Empty(t, third.Note(), "the second one gave it back")
	require.NoError(t, third.Unlock())
}

func TestALockWhoseConnectionTheServerEndsIsLost(t *testing.T) {
	c := fresh(t)
	store := open(t, c)
	ctx, lock := held(t, store)
	shared.Start(t).Exec(t, `select pg_terminate_backend(backend) from "`+c.Schema+`".states`)
	requireLost(t, ctx, lock, store)
	require.Equal(t, asHeld, load(t, store))
}

func TestALockBehindACutNetworkIsLost(t *testing.T) {
	c := fresh(t)
	network, far := through(t, c)
	ctx, lock := held(t, open(t, far))
	network.cut()
	requireLost(t, ctx, lock, open(t, c))
	require.Equal(t, asHeld, load(t, open(t, c)))
}

// Here nobody says that the line is dead: packets just do not arrive.
func TestALockBehindASilentNetworkIsLost(t *testing.T) {
	c := fresh(t)
	network, far := through(t, c)
	ctx, lock := held(t, open(t, far).Impatient())
	network.frozen.Store(true)
	<-ctx.Done()
	network.cut() // as the server would, after its keepalives
	requireLost(t, ctx, lock, open(t, c))
}

func TestAWriteIntoASilentNetworkEnds(t *testing.T) {
	c := fresh(t)
	network, far := through(t, c)
	_, lock := held(t, open(t, far).Impatient())
	network.frozen.Store(true)
	var lost *state.ErrLost
	require.ErrorAs(t, lock.Append(t.Context(), []byte("two\n")), &lost)
	network.cut()
	require.Equal(t, asHeld, load(t, open(t, c)))
}

func TestASaveThatIsCutLeavesWhatWas(t *testing.T) {
	c := fresh(t)
	network, far := through(t, c)
	_, lock := held(t, open(t, far))
	network.upload.Store(20 << 20)
	var lost *state.ErrLost
	require.ErrorAs(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: bytes.Repeat([]byte("x"), 50<<20)}), &lost)
	require.Equal(t, asHeld, load(t, open(t, c)))
}

// The server has done what it was told, and nobody hears of it.
func TestAWriteWhoseAnswerIsLostIsWhole(t *testing.T) {
	snap := state.Snapshot{Serial: 2, State: []byte("new"), Trail: []byte("second\n")}
	for _, c := range []struct {
		name string
		do   func(state.Lock) error
		want state.Files
	}{
		{"save", func(l state.Lock) error { return l.Save(t.Context(), snap) },
			state.Files{State: []byte("new"), Last: []byte("second")}},
		{"append", func(l state.Lock) error { return l.Append(t.Context(), []byte("two\n")) },
			state.Files{State: []byte("old"), Journal: []byte("one\ntwo\n"), Last: []byte("first")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			near := fresh(t)
			network, far := through(t, near)
			_, lock := held(t, open(t, far))
			require.NoError(t, lock.Append(t.Context(), nil), "its statement is prepared")
			network.mute.Store(true)
			var lost *state.ErrLost
			require.ErrorAs(t, c.do(lock), &lost)
			require.Equal(t, c.want, load(t, open(t, near)))
		})
	}
}

func TestFiftyMegabytesAreWhole(t *testing.T) {
	store := open(t, fresh(t))
	_, lock := held(t, store)
	big := bytes.Repeat([]byte("0123456789abcdef"), 50<<20/16)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: big}))
	require.NoError(t, lock.Unlock())
	require.True(t, bytes.Equal(big, load(t, store).State))
}

func TestAReadOutlivesPassingTrouble(t *testing.T) {
	c := fresh(t)
	_, lock := held(t, open(t, c))
	require.NoError(t, lock.Unlock())
	network, far := through(t, c)
	network.refuse.Store(3)
	store := open(t, far)
	require.Equal(t, asHeld, load(t, store))
	network.cut()
	text, err := store.Trail(t.Context())
	require.NoError(t, err, "the idle connection is gone, and another one is made")
	require.Equal(t, "first\n", string(text))
}

func TestSerialsNeverGoBack(t *testing.T) {
	store := open(t, fresh(t))
	_, lock := held(t, store)
	for _, serial := range []uint64{0, 1} {
		err := lock.Save(t.Context(), state.Snapshot{Serial: serial, State: []byte("again"), Trail: []byte("again\n")})
		require.ErrorContains(t, err, "is not higher than 1, which was saved before")
	}
	require.ErrorContains(t, lock.Save(t.Context(), state.Snapshot{Serial: 1 << 63}), "no room for it")
	require.Equal(t, asHeld, load(t, store))
	require.NoError(t, lock.Append(t.Context(), []byte("two\n")), "the lock is still held")
	require.NoError(t, lock.Unlock())
}

// TestAnInterruptDoesNotCutAWriteShort: to do so would end the connection, and
// with it the lock in which an interrupted run still has to say what it did.
func TestAnInterruptDoesNotCutAWriteShort(t *testing.T) {
	near := fresh(t)
	network, far := through(t, near)
	_, lock := held(t, open(t, far))
	ctx, interrupt := context.WithCancel(t.Context())
	network.holds.Store(true)
	var wg sync.WaitGroup
	wg.Go(func() {
		release := <-network.held
		network.holds.Store(false)
		interrupt()
		close(release)
	})
	require.NoError(t, lock.Append(ctx, []byte("two\n")), "interrupted when it was on its way")
	wg.Wait()
	require.ErrorIs(t, lock.Append(ctx, []byte("three\n")), context.Canceled)
	require.NoError(t, lock.Append(t.Context(), []byte("done\n")))
	require.NoError(t, lock.Unlock())
	require.Equal(t, "one\ntwo\ndone\n", string(load(t, open(t, near)).Journal))
}

// A holder that the server forgot, as behind a pooler, is not believed.
func TestAStaleConnectionCannotWrite(t *testing.T) {
	c := fresh(t)
	store := open(t, c)
	for _, change := range []string{"fence = fence + 1", "backend = backend + 1"} {
		ctx, lock := eventually(t, store)
		shared.Start(t).Exec(t, `update "`+c.Schema+`".states set `+change)
		var lost *state.ErrLost
		require.ErrorAs(t, lock.Append(t.Context(), []byte("late\n")), &lost)
		require.ErrorAs(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("late")}), &lost)
		require.Error(t, ctx.Err())
	}
	require.Empty(t, strings.TrimSpace(string(load(t, store).Journal)))
	require.Nil(t, load(t, store).State)
}
