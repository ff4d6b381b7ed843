package s3_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
	"github.com/proximity-cli/proximity/internal/state/statetest/s3server"
)

// lock takes the lock of a store.
func lock(t *testing.T, store *s3.Store) (context.Context, state.Lock) {
	t.Helper()
	ctx, lock, err := store.Lock(t.Context(), state.Who{ID: "id-ann", User: "ann"})
	require.NoError(t, err)
	return ctx, lock
}

func load(t *testing.T, store *s3.Store) state.Files {
	t.Helper()
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	return files
}

func isHead(r *http.Request) bool { return strings.HasSuffix(r.URL.Path, "/"+s3.DefaultKey) }

func isPut(r *http.Request) bool { return r.Method == http.MethodPut }

// first lets do come between for the first requests that are of a kind.
func first(server *s3server.Server, n int64, of func(*http.Request) bool, do s3server.Between) *atomic.Int64 {
	var seen atomic.Int64
	server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if of(r) && seen.Add(1) <= n {
			do(w, r, next)
			return
		}
		next.ServeHTTP(w, r)
	})
	return &seen
}

// cut ends the connection without an answer.
func cut(http.ResponseWriter, *http.Request, http.Handler) { panic(http.ErrAbortHandler) }

// carryOutAndCut does what was asked for and ends the connection all the same.
func carryOutAndCut(_ http.ResponseWriter, r *http.Request, next http.Handler) {
	next.ServeHTTP(discard{http.Header{}}, r)
	panic(http.ErrAbortHandler)
}

type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(p []byte) (int, error) { return len(p), nil }
func (d discard) WriteHeader(int)             {}

func TestALostLockIsNoticedWithoutAWrite(t *testing.T) {
	for name, isTaken := range map[string]bool{"broken": false, "broken, and taken by another": true} {
		t.Run(name, func(t *testing.T) {
			server, store := start(t)
			ctx, lock := lock(t, store)
			require.NoError(t, store.Break(t.Context(), "id-ann"))
			if isTaken {
				_, next, err := on(t, server).Lock(t.Context(), state.Who{User: "bob"})
				require.NoError(t, err)
				defer func() { require.NoError(t, next.Unlock()) }()
			}
			<-ctx.Done()
			var lost *state.ErrLost
			require.ErrorAs(t, context.Cause(ctx), &lost)
			require.ErrorAs(t, lock.Append(t.Context(), []byte("late\n")), &lost)
			require.ErrorAs(t, lock.Unlock(), &lost)
			require.Nil(t, load(t, store).Journal)
		})
	}
}

func TestAStoreThatIsAwayTakesNoLock(t *testing.T) {
	server, store := start(t)
	ctx, lock := lock(t, store)
	looks := make(chan bool, 100)
	server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		looks <- true
		cut(w, r, next)
	})
	for range 10 {
		<-looks
	}
	server.Between(nil)
	require.NoError(t, ctx.Err())
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	require.NoError(t, lock.Unlock())
}

// TestAWriteWithoutAnAnswerIsSettled covers what a write of the head may meet:
// all of them happen once.
func TestAWriteWithoutAnAnswerIsSettled(t *testing.T) {
	fail := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		s3server.Error(w, r, http.StatusInternalServerError, "InternalError", "We encountered an internal error.")
	}
	conflict := func(w http.ResponseWriter, r *http.Request, _ http.Handler) {
		s3server.Error(w, r, http.StatusConflict, "ConditionalRequestConflict", "A conflicting operation occurred.")
	}
	headPut := func(r *http.Request) bool { return isHead(r) && isPut(r) }
	for _, c := range []struct {
		name  string
		times int64
		do    s3server.Between
	}{
		{"carried out, and the answer lost", 1, carryOutAndCut},
		{"carried out, and the answers lost for as long as a request is tried", 3, carryOutAndCut},
		{"not carried out, and the connection cut", 1, cut},
		{"not carried out, for longer than a request is tried", 4, cut},
		{"answered with 500", 4, fail},
		{"answered with 409", 4, conflict},
	} {
		t.Run(c.name, func(t *testing.T) {
			server, store := start(t)
			_, lock := lock(t, store)
			require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("old")}))
			seen := first(server, c.times, headPut, c.do)
			require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
			require.GreaterOrEqual(t, seen.Load(), c.times)
			require.Equal(t, "one\n", string(load(t, store).Journal))

			first(server, c.times, headPut, c.do)
			require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("new"), Trail: []byte("line\n")}))
			require.Equal(t, state.Files{State: []byte("new"), Last: []byte("line")}, load(t, store))

			first(server, c.times, headPut, c.do)
			require.NoError(t, lock.Unlock())
			first(server, c.times, headPut, c.do)
			_, lock, err := store.Lock(t.Context(), state.Who{User: "bob"})
			require.NoError(t, err)
			require.NoError(t, lock.Unlock())
			text, err := store.Trail(t.Context())
			require.NoError(t, err)
			require.Equal(t, "line\n", string(text))
		})
	}
}

// TestAWriteThatHasBegunGoesOnWhenItsContextEnds because nobody could tell
// what came of it.
func TestAWriteThatHasBegunGoesOnWhenItsContextEnds(t *testing.T) {
	server, store := start(t)
	_, held := lock(t, store)
	ctx, cancel := context.WithCancel(t.Context())
	isHeadPut := func(r *http.Request) bool { return isPut(r) && isHead(r) }
	first(server, 1, isHeadPut, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		cancel()
		cut(w, r, next)
	})
	require.NoError(t, held.Append(ctx, []byte("line\n")))
	require.Equal(t, "line\n", string(load(t, store).Journal))
	require.NoError(t, held.Unlock())
}

// givenUp lets an append fail and then come late: a proxy holds the request
// back for longer than its sender waits.
func givenUp(t *testing.T, server *s3server.Server, held state.Lock, line string) {
	t.Helper()
	var late func()
	server.Between(func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if isPut(r) && late == nil {
			body, _ := io.ReadAll(r.Body)
			kept := r.Clone(context.WithoutCancel(r.Context()))
			kept.Body = io.NopCloser(bytes.NewReader(body))
			late = func() { next.ServeHTTP(discard{http.Header{}}, kept) }
		}
		cut(w, r, next)
	})
	require.Error(t, held.Append(t.Context(), []byte(line)))
	server.Between(nil)
	late()
}

// TestAWriteThatWasGivenUpMayComeLate and stays without effect once the holder
// has gone on: it was told that nothing was written.
func TestAWriteThatWasGivenUpMayComeLate(t *testing.T) {
	for name, c := range map[string]struct {
		goOn func(held state.Lock) error
		want string
	}{
		"before another append": {func(held state.Lock) error { return held.Append(t.Context(), []byte("three\n")) }, "one\nthree\n"},
		"before a save": {func(held state.Lock) error {
			return held.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")})
		}, ""},
		"before the end": {func(held state.Lock) error { return nil }, "one\n"},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := start(t)
			_, held := lock(t, store)
			require.NoError(t, held.Append(t.Context(), []byte("one\n")))
			givenUp(t, server, held, "two\n")
			require.Equal(t, "one\ntwo\n", string(load(t, store).Journal), "it has come late")
			require.NoError(t, c.goOn(held))
			require.NoError(t, held.Unlock())
			require.Equal(t, c.want, string(load(t, store).Journal))
			_, held = lock(t, store)
			require.NoError(t, held.Unlock())
		})
	}
}

// TestABreakDoesNotUndoWhatTheHolderWrites lets the holder write between the
// look and the write of the one who breaks its lock.
func TestABreakDoesNotUndoWhatTheHolderWrites(t *testing.T) {
	server, store := start(t)
	_, held := lock(t, store)
	other := on(t, server)
	first(server, 1, func(r *http.Request) bool { return isPut(r) && isHead(r) }, func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		if err := held.Append(context.Background(), []byte("line\n")); err != nil {
			t.Error(err)
		}
		next.ServeHTTP(w, r)
	})
	require.NoError(t, other.Break(t.Context(), "id-ann"))
	require.Equal(t, "line\n", string(load(t, store).Journal))
}

func TestALateWriteOfALostRunHasNoEffect(t *testing.T) {
	server, store := start(t)
	_, lost := lock(t, store)
	server.Between(cut)
	require.Error(t, lost.Append(t.Context(), []byte("one\n")))
	server.Between(nil)
	require.NoError(t, store.Break(t.Context(), "id-ann"))
	_, next, err := on(t, server).Lock(t.Context(), state.Who{User: "bob"})
	require.NoError(t, err)
	require.NoError(t, next.Append(t.Context(), []byte("bob's\n")))
	var isLost *state.ErrLost
	require.ErrorAs(t, lost.Append(t.Context(), []byte("two\n")), &isLost)
	require.Equal(t, "bob's\n", string(load(t, store).Journal))
	require.NoError(t, next.Unlock())
}

// TestAnUploadThatIsCutOffLeavesTheOldState cuts all connections in the middle
// of the body, for a while and for good.
func TestAnUploadThatIsCutOffLeavesTheOldState(t *testing.T) {
	server, store := start(t)
	_, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("old")}))
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<20)
	halfway := func(_ http.ResponseWriter, r *http.Request, _ http.Handler) {
		_, _ = io.CopyN(io.Discard, r.Body, 8<<20)
		panic(http.ErrAbortHandler)
	}
	isState := func(r *http.Request) bool { return isPut(r) && strings.Contains(r.URL.Path, ".d/state-") }
	first(server, 100, isState, halfway)
	err := lock.Save(t.Context(), state.Snapshot{Serial: 2, State: big})
	require.ErrorContains(t, err, "was cut")
	require.Equal(t, "old", string(load(t, store).State))

	first(server, 1, isState, halfway)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: big}))
	require.True(t, bytes.Equal(big, load(t, store).State))
	require.NoError(t, lock.Unlock())
}

// TestADownloadThatIsCutOffIsBegunAnew answers with half of the state.
func TestADownloadThatIsCutOffIsBegunAnew(t *testing.T) {
	server, store := start(t)
	_, lock := lock(t, store)
	data := bytes.Repeat([]byte("0123456789abcdef"), 1<<18)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: data}))
	require.NoError(t, lock.Unlock())
	isState := func(r *http.Request) bool { return strings.Contains(r.URL.Path, ".d/state-") }
	seen := first(server, 1, isState, func(w http.ResponseWriter, _ *http.Request, _ http.Handler) {
		w.Header().Set("Content-Length", "4194304")
		_, _ = w.Write(data[:1<<21])
		panic(http.ErrAbortHandler)
	})
	require.True(t, bytes.Equal(data, load(t, store).State))
	require.EqualValues(t, 2, seen.Load())
}

func TestALockThatCannotBeGivenBackIsNamed(t *testing.T) {
	server, store := start(t)
	_, held := lock(t, store)
	server.Between(cut)
	err := held.Unlock()
	require.ErrorContains(t, err, store.String()+": the lock was not given back: the connection to 127.0.0.1:")
	require.Equal(t, "proximity state unlock id-ann", hint(t, err))
	server.Between(nil)
	require.NoError(t, store.Break(t.Context(), "id-ann"))
}
