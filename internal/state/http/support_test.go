package httpstore_test

import (
	"context"
	"crypto/md5"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
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

// config is that of a store at an address, which waits little between tries.
func config(address string) httpstore.Config {
	return httpstore.Config{
		Address: address, Username: gitlabserver.Maintainer, Password: gitlabserver.MaintainerToken,
		RetryWaitMin: time.Millisecond, RetryWaitMax: 5 * time.Millisecond,
	}
}

func open(t *testing.T, c httpstore.Config) *httpstore.Store {
	t.Helper()
	store, err := httpstore.New(c)
	require.NoError(t, err)
	return store
}

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

func newStore(server *gitlabserver.Server) (*httpstore.Store, error) {
	return httpstore.New(config(server.Address("home")))
}

// startGitLab starts a GitLab and returns a store there under the name home.
func startGitLab(t *testing.T) (*gitlabserver.Server, *httpstore.Store) {
	t.Helper()
	server := gitlabserver.Start(t)
	store, err := newStore(server)
	require.NoError(t, err)
	return server, store
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
