package httpstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"hash/fnv"
	"io"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// plain is a server as many have written one for Terraform: the methods LOCK
// and UNLOCK, 423 with what the holder sent, and no look at the ID of a writer,
// nor of who unlocks.
type plain struct {
	lockless bool // knows no LOCK
	generous bool // gives the lock to everybody
	silent   bool // does not say who holds the lock
	strict   bool // heeds If-Match

	mu             sync.Mutex
	document, lock []byte
}

func (p *plain) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	isWrite := r.Method == http.MethodPost || r.Method == http.MethodPut
	switch {
	case r.Method == http.MethodGet && p.document == nil:
		w.WriteHeader(http.StatusNotFound)
	case r.Method == http.MethodGet:
		w.Header().Set("ETag", p.etag())
		_, _ = w.Write(p.document)
	case isWrite && p.strict && r.Header.Get("If-Match") != "" && r.Header.Get("If-Match") != p.etag():
		w.WriteHeader(http.StatusPreconditionFailed)
	case isWrite:
		p.document = body
		w.Header().Set("ETag", p.etag())
	case r.Method == "LOCK" && !p.lockless:
		p.take(w, body)
	case r.Method == "UNLOCK" && !p.lockless:
		p.lock = nil
	default:
		w.WriteHeader(http.StatusMethodNotAllowed)
	}
}

func (p *plain) take(w http.ResponseWriter, body []byte) {
	switch {
	case p.lock == nil || p.generous:
		p.lock = body
	case p.silent:
		w.WriteHeader(http.StatusLocked)
	default:
		w.WriteHeader(http.StatusLocked)
		_, _ = w.Write(p.lock)
	}
}

func (p *plain) etag() string {
	hash := fnv.New64()
	_, _ = hash.Write(p.document)
	return fmt.Sprintf(`"%x"`, hash.Sum64())
}

// put changes the document without asking for the lock.
func (p *plain) put(text []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.document = text
}

// free takes the lock away from whoever has it.
func (p *plain) free() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.lock = nil
}

// startPlain starts a server and returns a store there.
func startPlain(t *testing.T, p *plain) *httpstore.Store {
	t.Helper()
	web := httptest.NewServer(p)
	t.Cleanup(web.Close)
	return open(t, config(web.URL+"/states/home?for=proximity"))
}

func TestAServerThatOnlyLocksConforms(t *testing.T) {
	statetest.Run(t, func(t *testing.T) state.Store { return startPlain(t, &plain{}) })
}

func TestAServerThatCannotLockIsRefused(t *testing.T) {
	for name, c := range map[string]struct {
		server *plain
		want   string
	}{
		"no LOCK":             {&plain{lockless: true}, "the server has none (405 to LOCK)"},
		"a lock for everyone": {&plain{generous: true}, "the server gave the lock to two at the same time"},
	} {
		t.Run(name, func(t *testing.T) {
			store := startPlain(t, c.server)
			_, _, err := store.Lock(t.Context(), state.Who{User: "me"})
			require.EqualError(t, err, store.String()+": lock: "+c.want+": without a lock two runs would write at the same time")
			require.Contains(t, hint(err), "lock_address")
			require.Nil(t, c.server.document)
		})
	}
}

// TestALockThatIsGivenToTwoIsLost is a server that stopped to lock.
func TestALockThatIsGivenToTwoIsLost(t *testing.T) {
	server := &plain{}
	store := startPlain(t, server)
	_, lock := hold(t, store, "ann")
	server.mu.Lock()
	server.generous = true
	server.mu.Unlock()
	requireLost(t, lock.Append(t.Context(), []byte("one\n")))
	require.Nil(t, server.document)
}

func TestAServerThatDoesNotNameTheHolder(t *testing.T) {
	server := &plain{silent: true}
	store := startPlain(t, server)
	_, lock := hold(t, store, "ann")
	_, _, err := store.Lock(t.Context(), state.Who{User: "bob"})
	require.EqualError(t, err, store.String()+": locked by a process that left no name")
	err = store.Break(t.Context(), "id-ann")
	require.EqualError(t, err, store.String()+": unlock: the server does not say who holds the lock")
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	server.free()
	requireLost(t, lock.Append(t.Context(), []byte("two\n")))
	require.Equal(t, "one\n", string(load(t, store).Journal))
}

// TestAWriteWithoutTheLockIsNoticedByItsTag is somebody who writes past the
// lock: a server that heeds If-Match keeps it from being covered, by the first
// write of a run, and where writes are a PUT by every one.
func TestAWriteWithoutTheLockIsNoticedByItsTag(t *testing.T) {
	foreign := []byte(`{"version":4,"terraform_version":"1.11.4","serial":9}`)
	for name, method := range map[string]string{"the first POST": "", "the second PUT": http.MethodPut} {
		t.Run(name, func(t *testing.T) {
			server := &plain{strict: true}
			web := httptest.NewServer(server)
			t.Cleanup(web.Close)
			c := config(web.URL + "/state")
			c.UpdateMethod = method
			store := open(t, c)
			_, lock := hold(t, store, "ann")
			require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
			require.NoError(t, lock.Append(t.Context(), []byte("two\n")))
			require.NoError(t, lock.Unlock())

			ctx, lock := hold(t, store, "ann")
			if method == http.MethodPut {
				require.NoError(t, lock.Append(t.Context(), []byte("three\n")))
			}
			server.put(foreign)
			err := lock.Append(t.Context(), []byte("late\n"))
			requireDamaged(t, err, "it is a state of Terraform 1.11.4, not of proximity")
			require.Error(t, ctx.Err())
			requireDamaged(t, lock.Append(t.Context(), []byte("later\n")), "it is a state of Terraform 1.11.4, not of proximity")
			require.True(t, bytes.Equal(foreign, server.document))
		})
	}
}

// TestRequestsAreThoseOfTerraform holds what servers written for it rely on.
func TestRequestsAreThoseOfTerraform(t *testing.T) {
	server := &plain{}
	var asked []string
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		r.Body = io.NopCloser(bytes.NewReader(body))
		var info struct{ ID, Operation, Who, Version, Created string }
		_ = json.Unmarshal(body, &info)
		asked = append(asked, r.Method+" "+r.URL.Path)
		switch r.Method {
		case http.MethodPost:
			require.NotEmpty(t, r.URL.Query().Get("ID"))
			require.Equal(t, md5Of(body), r.Header.Get("Content-MD5"))
			require.Equal(t, "application/json", r.Header.Get("Content-Type"))
		case "LOCK", "UNLOCK":
			require.NotEmpty(t, info.ID)
			require.Equal(t, "ann@desk", info.Who)
			require.NotEmpty(t, info.Operation)
			require.Equal(t, "2026-01-02T03:04:05Z", info.Created)
		}
		server.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	c := config(web.URL + "/state")
	c.LockAddress, c.UnlockAddress = web.URL+"/on", web.URL+"/off"
	_, lock := hold(t, open(t, c), "ann")
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	require.NoError(t, lock.Unlock())
	require.Equal(t, []string{
		"LOCK /on", "GET /state", "LOCK /on", // nothing is there yet: does the lock keep a second one out?
		"LOCK /on", "POST /state", // is it still held?
		"LOCK /on", "UNLOCK /off",
	}, asked)
}
