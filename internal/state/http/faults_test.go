package httpstore_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
)

var bg = context.Background()

func somebody(name string) state.Who {
	return state.Who{
		ID: "id-" + name, User: name, Host: "desk", PID: 4711, Boot: "b1", Command: "proximity apply",
		Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func hold(t *testing.T, store state.Store, name string) (context.Context, state.Lock) {
	t.Helper()
	ctx, lock, err := store.Lock(t.Context(), somebody(name))
	require.NoError(t, err)
	return ctx, lock
}

func load(t *testing.T, store state.Store) state.Files {
	t.Helper()
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	return files
}

func hint(err error) string {
	hinted, ok := errors.AsType[interface {
		error
		Hint() string
	}](err)
	if !ok {
		return ""
	}
	return hinted.Hint()
}

func requireLost(t *testing.T, err error) {
	t.Helper()
	var lost *state.ErrLost
	require.ErrorAs(t, err, &lost)
}

func requireDamaged(t *testing.T, err error, why string) {
	t.Helper()
	var damaged *state.ErrDamaged
	require.ErrorAs(t, err, &damaged)
	require.Equal(t, why, damaged.Why)
}

func md5Of(body []byte) string {
	sum := md5.Sum(body)
	return base64.StdEncoding.EncodeToString(sum[:])
}

// noise is what cannot be packed.
func noise(n int) []byte {
	data := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{1}).Read(data) // never fails
	return data
}

// post sends what another program would.
func post(t *testing.T, address, method, body string) {
	t.Helper()
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	require.NoError(t, err)
	req.SetBasicAuth(gitlabserver.Maintainer, gitlabserver.MaintainerToken)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusOK, resp.StatusCode)
}

// startGitLab starts a GitLab and returns a store there under the name home.
func startGitLab(t *testing.T) (*gitlabserver.Server, *httpstore.Store) {
	t.Helper()
	server := gitlabserver.Start(t)
	return server, open(t, config(server.Address("home")))
}

// fault is what happens to a request.
type fault func(w http.ResponseWriter, r *http.Request, next http.Handler)

// hangUp closes the connection.
func hangUp(w http.ResponseWriter) {
	conn, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		_ = conn.Close()
	}
}

// unanswered lets a request have its effect and loses the answer.
func unanswered(w http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(httptest.NewRecorder(), r)
	hangUp(w)
}

// cutUpload loses the connection in the middle of a request.
func cutUpload(w http.ResponseWriter, r *http.Request, _ http.Handler) {
	_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
	hangUp(w)
}

// cutAnswer sends half of an answer.
func cutAnswer(w http.ResponseWriter, r *http.Request, next http.Handler) {
	whole := httptest.NewRecorder()
	next.ServeHTTP(whole, r)
	w.Header().Set("Content-Length", fmt.Sprint(whole.Body.Len()+1))
	w.WriteHeader(whole.Code)
	_, _ = w.Write(whole.Body.Bytes()[:whole.Body.Len()/2])
}

func status(code int) fault {
	return func(w http.ResponseWriter, _ *http.Request, _ http.Handler) { w.WriteHeader(code) }
}

// afterwards lets a request have its effect and answers otherwise.
func afterwards(code int) fault {
	return func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		next.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(code)
	}
}

// happen lets a fault happen to the first requests of a method on paths that
// end so, and counts all of them.
func happen(server *gitlabserver.Server, method, end string, times int, f fault) *atomic.Int64 {
	seen := &atomic.Int64{}
	server.Intercept(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if r.Method == method && strings.HasSuffix(r.URL.Path, end) && seen.Add(1) <= int64(times) {
			f(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	return seen
}

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

// TestFiftyMegabytesOfState are whole, also when the connection is cut in the
// middle of them.
func TestFiftyMegabytesOfState(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	big := []byte(hex.EncodeToString(noise(25 << 20)))
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
