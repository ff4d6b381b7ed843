package httpstore_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	httpstore "github.com/proximity-cli/proximity/internal/state/http"
)

// direct leads requests to a server without a network between them, so that
// time can be that of the test.
type direct struct {
	server http.Handler
	delay  func(r *http.Request) time.Duration // of a request on its way
}

// RoundTrip gives up when its request is not wanted any more. What is on its
// way arrives all the same.
func (d direct) RoundTrip(r *http.Request) (*http.Response, error) {
	answer := make(chan *http.Response, 1)
	go func() {
		if d.delay != nil {
			time.Sleep(d.delay(r))
		}
		w := httptest.NewRecorder()
		d.server.ServeHTTP(w, r)
		answer <- w.Result()
	}()
	select {
	case resp := <-answer:
		return resp, nil
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
}

// patient is a store with the waits that people get.
func patient(t *testing.T, way direct) *httpstore.Store {
	t.Helper()
	store := open(t, httpstore.Config{Address: "http://localhost/state"})
	store.SetTransport(way)
	return store
}

func TestALostLockIsNoticedWithinSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &plain{}
		ctx, lock := hold(t, patient(t, direct{server: server}), "ann")
		time.Sleep(10 * time.Minute)
		require.NoError(t, ctx.Err())
		server.free()
		lost := time.Now()
		<-ctx.Done()
		require.LessOrEqual(t, time.Since(lost), 15*time.Second)
		requireLost(t, context.Cause(ctx))
		requireLost(t, lock.Unlock())
	})
}

// TestALookThatIsOnItsWayDoesNotTakeTheLockAgain: the lock is given back while
// a look at it, which is an attempt to take it, has not arrived.
func TestALookThatIsOnItsWayDoesNotTakeTheLockAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server, began := &plain{}, time.Now()
		_, lock := hold(t, patient(t, direct{server, func(r *http.Request) time.Duration {
			if r.Method == "LOCK" && time.Since(began) == 15*time.Second {
				return 5 * time.Second
			}
			return 0
		}}), "ann")
		time.Sleep(16 * time.Second)
		require.NoError(t, lock.Unlock())
		require.Equal(t, 20*time.Second, time.Since(began))
		time.Sleep(time.Minute)
		require.Nil(t, server.lock)
	})
}

// TestTries are two more than one, as Terraform's, with a second between the
// first two, or as much as the server asks for.
func TestTries(t *testing.T) {
	for name, c := range map[string]struct {
		retryMax int
		after    string // Retry-After
		tries    int
		atLeast  time.Duration
	}{
		"as people get it":            {tries: 3, atLeast: 2 * time.Second},
		"none":                        {retryMax: -1, tries: 1},
		"more":                        {retryMax: 9, tries: 10, atLeast: 100 * time.Second},
		"the server wants a minute":   {after: "60", tries: 3, atLeast: 2 * time.Minute},
		"the server wants a year":     {after: "31536000", tries: 3, atLeast: 4 * time.Minute},
		"the server says it in words": {after: "soon", tries: 3, atLeast: 2 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				tries := 0
				store := open(t, httpstore.Config{Address: "http://localhost/state", RetryMax: c.retryMax})
				store.SetTransport(direct{server: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
					tries++
					w.Header().Set("Retry-After", c.after)
					w.WriteHeader(http.StatusTooManyRequests)
				})})
				began := time.Now()
				_, err := store.Load(t.Context())
				require.ErrorContains(t, err, "read: the server refuses it (429)")
				require.Equal(t, c.tries, tries)
				require.GreaterOrEqual(t, time.Since(began), c.atLeast)
				require.LessOrEqual(t, time.Since(began), 5*time.Minute)
			})
		})
	}
}

// TestAServerThatIsSilentIsGivenUp has the limits that people get.
func TestAServerThatIsSilentIsGivenUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &plain{}
		var isSilent atomic.Bool
		store := patient(t, direct{server, func(*http.Request) time.Duration {
			if isSilent.Load() {
				return 24 * time.Hour
			}
			return 0
		}})
		ctx, lock := hold(t, store, "ann")
		isSilent.Store(true)
		for i, ask := range []func() error{
			func() error { _, err := store.Load(t.Context()); return err },
			func() error { _, _, err := store.Lock(t.Context(), state.Who{}); return err },
			func() error { return store.Break(t.Context(), "x") },
			func() error { return lock.Append(t.Context(), []byte("one\n")) },
			lock.Unlock, // the last
		} {
			began := time.Now()
			require.ErrorContains(t, ask(), "there was no answer in time", "question %d", i)
			require.LessOrEqual(t, time.Since(began), time.Hour, "question %d", i)
		}
		require.Error(t, ctx.Err())
		time.Sleep(48 * time.Hour)
	})
}
