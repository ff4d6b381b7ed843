package httpstore_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
)

var passing = map[string]fault{
	"the connection is cut while it is sent": cutUpload,
	"its answer is lost":                     unanswered,
	"it is not answered, 502":                status(http.StatusBadGateway),
	"it works and is answered with 500":      afterwards(http.StatusInternalServerError),
	"it works and is answered with 504":      afterwards(http.StatusGatewayTimeout),
	"there are too many, 429":                status(http.StatusTooManyRequests),
	"two came at once, 409": func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusConflict)
		_, _ = io.WriteString(w, `{"message":"409 Conflict: Resource lock"}`)
	},
}

func TestWritesThatMeetAFaultAreThereOnce(t *testing.T) {
	for name, f := range passing {
		t.Run(name, func(t *testing.T) {
			server, store := startGitLab(t)
			_, lock := hold(t, store, "ann")
			require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("old"), Trail: []byte("a\n")}))
			for i, write := range []func() error{
				func() error { return lock.Append(t.Context(), []byte("one\n")) },
				func() error { return lock.Append(t.Context(), []byte("two\n")) },
			} {
				happen(server, "POST", "/home", 1, f)
				require.NoError(t, write())
				require.Equal(t, "one\ntwo\n"[:4*(i+1)], string(load(t, store).Journal))
			}
			happen(server, "POST", "/home", 1, f)
			require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("new"), Trail: []byte("b\n")}))
			require.Equal(t, state.Files{State: []byte("new"), Last: []byte("b")}, load(t, store))
			trail, err := store.Trail(t.Context())
			require.NoError(t, err)
			require.Equal(t, "a\nb\n", string(trail))
			require.NoError(t, lock.Unlock())
		})
	}
}

func TestLocksThatMeetAFaultAreHeldOnceAndGivenBack(t *testing.T) {
	for name, f := range passing {
		t.Run(name, func(t *testing.T) {
			server, store := startGitLab(t)
			happen(server, "POST", "/lock", 1, f)
			_, lock := hold(t, store, "ann")
			require.NotEmpty(t, server.Locked("home"))
			happen(server, "DELETE", "/lock", 1, f)
			require.NoError(t, lock.Unlock())
			require.Empty(t, server.Locked("home"))
		})
	}
}

// TestALockThatNeverAnswersIsNotLeftBehind gets the lock three times without
// hearing of it.
func TestALockThatNeverAnswersIsNotLeftBehind(t *testing.T) {
	server, store := startGitLab(t)
	asked := happen(server, "POST", "/lock", 100, unanswered)
	_, _, err := store.Lock(t.Context(), somebody("ann"))
	require.EqualError(t, err, store.String()+": lock: the connection was closed before the answer was whole")
	require.EqualValues(t, 3, asked.Load())
	require.Empty(t, server.Locked("home"))
}

// TestAnInterruptLeavesNoLockBehind interrupts while the server gives the lock.
func TestAnInterruptLeavesNoLockBehind(t *testing.T) {
	server, store := startGitLab(t)
	for range 20 {
		ctx, cancel := context.WithCancel(t.Context())
		happen(server, "POST", "/lock", 1, func(w http.ResponseWriter, r *http.Request, web http.Handler) {
			cancel()
			web.ServeHTTP(w, r)
		})
		_, _, err := store.Lock(ctx, somebody("ann"))
		require.EqualError(t, err, store.String()+": read: interrupted")
		require.Empty(t, server.Locked("home"))
	}
}

// TestAnUnlockWithoutAnAnswerLeavesTheNextHolderAlone lets somebody take the
// lock between the two tries to give it back.
func TestAnUnlockWithoutAnAnswerLeavesTheNextHolderAlone(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	var next state.Lock
	happen(server, "DELETE", "/lock", 1, func(w http.ResponseWriter, r *http.Request, web http.Handler) {
		web.ServeHTTP(httptest.NewRecorder(), r)
		server.Intercept(nil)
		_, next = hold(t, store, "bob")
		hangUp(w)
	})
	require.NoError(t, lock.Unlock())
	require.NoError(t, next.Append(t.Context(), []byte("bob\n")))
	require.NoError(t, next.Unlock())
}

func TestReadsAreRepeated(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	for name, f := range map[string]fault{
		"cut": cutAnswer, "lost": unanswered, "500": status(500), "503": status(503), "429": status(429),
	} {
		t.Run(name, func(t *testing.T) {
			seen := happen(server, "GET", "/home", 2, f)
			require.Equal(t, "one\n", string(load(t, store).Journal))
			require.EqualValues(t, 3, seen.Load())
		})
	}
}

// TestAWriteWhoseOutcomeNeverBecameKnownIsNotUnderTheNext loses every answer to
// an append and to what would tell whether it is there.
func TestAWriteWhoseOutcomeNeverBecameKnownIsNotUnderTheNext(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	server.Intercept(unanswered)
	require.Error(t, lock.Append(t.Context(), []byte("lost\n")))
	server.Intercept(nil)
	require.NoError(t, lock.Append(t.Context(), []byte("two\n")))
	require.Equal(t, "one\ntwo\n", string(load(t, store).Journal))
	require.NoError(t, lock.Unlock())
}

// TestTheSameLineOfSomebodyElseIsNotOurs breaks the lock while a write is on
// its way; who has it then writes the very same.
func TestTheSameLineOfSomebodyElseIsNotOurs(t *testing.T) {
	server, store := startGitLab(t)
	ctx, lock := hold(t, store, "ann")
	happen(server, "POST", "/home", 1, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		server.Intercept(nil)
		require.NoError(t, store.Break(t.Context(), "id-ann"))
		_, next := hold(t, store, "ann")
		require.NoError(t, next.Append(t.Context(), []byte("one\n")))
		hangUp(w)
	})
	err := lock.Append(t.Context(), []byte("one\n"))
	requireLost(t, err)
	require.ErrorContains(t, err, "somebody else has written")
	require.Error(t, ctx.Err())
	require.Equal(t, "one\n", string(load(t, store).Journal))
}

// TestALostLockIsNotGivenBackForSomebodyElse has something on the way that
// leaves out what a DELETE says: GitLab then frees the lock of anybody.
func TestALostLockIsNotGivenBackForSomebodyElse(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	require.NoError(t, store.Break(t.Context(), "id-ann"))
	_, next := hold(t, store, "bob")
	server.Intercept(func(w http.ResponseWriter, r *http.Request, web http.Handler) {
		if r.Method == http.MethodDelete {
			r.Body = http.NoBody
		}
		web.ServeHTTP(w, r)
	})
	requireLost(t, lock.Unlock())
	require.NoError(t, next.Append(t.Context(), []byte("bob\n")))
	require.NoError(t, next.Unlock())
}

func TestALostLockIsNoticedWithoutAWrite(t *testing.T) {
	for name, start := range map[string]func(t *testing.T) *httpstore.Store{
		"GitLab": func(t *testing.T) *httpstore.Store { _, store := startGitLab(t); return store },
		"plain":  func(t *testing.T) *httpstore.Store { return startPlain(t, &plain{}) },
	} {
		t.Run(name, func(t *testing.T) {
			store := start(t)
			store.SetPoll(time.Millisecond)
			ctx, lock := hold(t, store, "ann")
			require.NoError(t, store.Break(t.Context(), "id-ann"))
			<-ctx.Done()
			requireLost(t, context.Cause(ctx))
			requireLost(t, lock.Append(t.Context(), []byte("late\n")))
			requireLost(t, lock.Unlock())
			require.Empty(t, load(t, store).Journal)
			_, next := hold(t, store, "bob")
			require.NoError(t, next.Unlock(), "the look did not keep the lock")
		})
	}
}

// TestALookAtTheLockDisturbsNobody lets a holder look all the time while it
// writes, and others ask.
func TestALookAtTheLockDisturbsNobody(t *testing.T) {
	server, store := startGitLab(t)
	store.SetPoll(time.Microsecond)
	looks := happen(server, "POST", "/lock", 0, nil)
	for i := range 20 {
		ctx, lock := hold(t, store, "ann")
		require.NoError(t, lock.Append(t.Context(), fmt.Appendf(nil, "%d\n", i)))
		for before := looks.Load(); looks.Load() < before+3; {
			_, _, err := store.Lock(t.Context(), somebody("bob"))
			require.ErrorContains(t, err, "locked by ann@desk")
		}
		require.NoError(t, ctx.Err())
		require.NoError(t, lock.Unlock())
		require.Empty(t, server.Locked("home"))
	}
}

func TestAServerThatDoesNotAnswerTakesNoLockAway(t *testing.T) {
	server, store := startGitLab(t)
	store.SetPoll(time.Microsecond)
	ctx, lock := hold(t, store, "ann")
	looks := happen(server, "POST", "/lock", 20, unanswered)
	for looks.Load() < 25 {
		require.NoError(t, ctx.Err())
		load(t, store)
	}
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	require.NoError(t, lock.Unlock())
}

// TestNoRequestHangsForEver speaks with a server that takes connections and
// says nothing.
func TestNoRequestHangsForEver(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, silent.Close()) })
	store := open(t, config("http://"+silent.Addr().String()+"/state"))
	store.SetLimits(20 * time.Millisecond)
	_, err = store.Load(t.Context())
	require.EqualError(t, err, store.String()+": read: there was no answer in time")
	_, _, err = store.Lock(t.Context(), somebody("ann"))
	require.EqualError(t, err, store.String()+": lock: there was no answer in time")
}

// TestAnInterruptEndsWaiting has an hour between two tries.
func TestAnInterruptEndsWaiting(t *testing.T) {
	server, _ := startGitLab(t)
	c := config(server.Address("home"))
	c.RetryWaitMin, c.RetryWaitMax = time.Hour, time.Hour
	store := open(t, c)
	ctx, cancel := context.WithCancel(t.Context())
	server.Intercept(func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.WriteHeader(http.StatusBadGateway)
		cancel()
	})
	_, err := store.Load(ctx)
	require.Error(t, err)
	_, _, err = store.Lock(ctx, somebody("ann"))
	require.EqualError(t, err, store.String()+": lock: interrupted")
	require.Empty(t, server.Locked("home"))
}

func TestWhatIsTooLargeIsNeitherReadNorSent(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	before := server.Document("home")
	store.SetLargest(len(before))
	require.Equal(t, "one\n", string(load(t, store).Journal))
	err := lock.Append(t.Context(), append(noise(100), '\n'))
	require.ErrorContains(t, err, "write: the state has grown to ")
	require.Contains(t, hint(err), "another store")
	require.Equal(t, string(before), string(server.Document("home")))
	store.SetLargest(len(before) - 1)
	_, err = store.Load(t.Context())
	require.EqualError(t, err, store.String()+": read: the answer is too large")
	require.NoError(t, lock.Unlock())
}

// TestFiftyMegabytesOfState are whole, also when the connection is cut in the
// middle of them.
func TestFiftyMegabytesOfState(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	big := bytes.Repeat(estate(3000, 1), 120)
	require.Greater(t, len(big), 50<<20)
	happen(server, "POST", "/home", 1, cutUpload)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: big}))
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	happen(server, "GET", "/home", 1, cutAnswer)
	files := load(t, store)
	require.Equal(t, string(big), string(files.State))
	require.Equal(t, "one\n", string(files.Journal))
	require.NoError(t, lock.Unlock())
	t.Logf("%d MiB of state are a document of %d MiB", len(big)>>20, len(server.Document("home"))>>20)
}
