package pve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
)

// sites are the nodes of one cluster by name; what each does with a request can
// change while the test runs.
type sites struct {
	mu   sync.Mutex
	does map[string]func(*http.Request) (*http.Response, error)
	asks []string // "GET a"
}

func (s *sites) RoundTrip(r *http.Request) (*http.Response, error) {
	s.mu.Lock()
	s.asks = append(s.asks, r.Method+" "+r.URL.Host)
	do := s.does[r.URL.Host]
	s.mu.Unlock()
	return do(r)
}

func dead(*http.Request) (*http.Response, error) {
	return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
}

func alive(r *http.Request) (*http.Response, error) { return reply("200 OK", `{"data":"ok"}`)(r) }

// silent takes a request and never answers.
func silent(r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

func untrusted(*http.Request) (*http.Response, error) {
	return nil, &tls.CertificateVerificationError{
		UnverifiedCertificates: []*x509.Certificate{{Raw: []byte("raw")}}, Err: x509.UnknownAuthorityError{}}
}

func unpinned(*http.Request) (*http.Response, error) { return nil, ErrPin }

func newSites(t *testing.T, first, second func(*http.Request) (*http.Response, error)) (*Client, *sites) {
	t.Helper()
	s := &sites{does: map[string]func(*http.Request) (*http.Response, error){"a": first, "b": second}}
	c, err := New(Options{TokenID: "root@pam!test", TokenSecret: "1234-secret", Transport: s})
	require.NoError(t, err)
	c.endpoints = []string{"https://a/api2/json", "https://b/api2/json"}
	return c, s
}

// An endpoint that cannot be reached is left once, for reads and writes alike.
func TestADeadEndpointIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newSites(t, dead, alive)
		require.NoError(t, c.Read(t.Context(), "/x", nil, nil))
		_, err := c.Post(t.Context(), "/x", url.Values{"a": {"b"}})
		require.NoError(t, err)
		require.Equal(t, []string{"GET a", "GET b", "POST b"}, s.asks)

		c, s = newSites(t, dead, alive)
		_, err = c.Put(t.Context(), "/x", nil) // nothing was sent, so that it may go to the next
		require.NoError(t, err)
		require.Equal(t, []string{"PUT a", "PUT b"}, s.asks)
	})
}

// An endpoint that dies under a write leaves it unclear: it is not sent to
// another one. What is asked for next goes there. When the first one is back it
// is used again once the second fails.
func TestAnEndpointDiesMidway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newSites(t, lost, alive)
		_, err := c.Post(t.Context(), "/x", nil)
		require.True(t, IsUnclear(err), "%v", err)
		require.Equal(t, []string{"POST a"}, s.asks)
		require.NoError(t, c.Read(t.Context(), "/x", nil, nil))
		require.Equal(t, []string{"POST a", "GET b"}, s.asks)

		s.does["a"], s.does["b"] = alive, dead
		require.NoError(t, c.Read(t.Context(), "/x", nil, nil))
		_, err = c.Delete(t.Context(), "/x", nil)
		require.NoError(t, err)
		require.Equal(t, []string{"POST a", "GET b", "GET b", "GET a", "DELETE a"}, s.asks)
	})
}

// An endpoint that takes requests and never answers is waited for once, for less
// than a minute.
func TestASlowEndpointIsLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newSites(t, silent, alive)
		begun := time.Now()
		for range 10 {
			require.NoError(t, c.Read(t.Context(), "/x", nil, nil))
		}
		require.Less(t, time.Since(begun), time.Minute)
		require.Equal(t, []string{"GET a", "GET b"}, s.asks[:2])
		require.NotContains(t, s.asks[2:], "GET a")

		c, s = newSites(t, silent, alive)
		_, err := c.Post(t.Context(), "/x", nil)
		require.True(t, IsUnclear(err), "it may still do it")
		require.Equal(t, []string{"POST a"}, s.asks)
	})
}

// When no endpoint can be reached that is told soon, and each was asked.
func TestAllEndpointsAreDead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newSites(t, dead, dead)
		begun := time.Now()
		err := c.Read(t.Context(), "/x", nil, nil)
		require.ErrorContains(t, err, "no connection")
		require.Less(t, time.Since(begun), time.Minute)
		require.Contains(t, s.asks, "GET b")
		_, err = c.Post(t.Context(), "/x", nil)
		require.True(t, IsUnreachable(err))
	})
}

// A certificate that is not trusted is never passed over in silence, whichever
// endpoint has it, and the one after it is not asked.
func TestAWrongCertificateIsTold(t *testing.T) {
	for name, wrong := range map[string]func(*http.Request) (*http.Response, error){"not trusted": untrusted, "not the pinned one": unpinned} {
		for _, asks := range []struct {
			name          string
			first, second func(*http.Request) (*http.Response, error)
			want          []string
		}{
			{"of the first", wrong, alive, []string{"GET a", "POST a"}},
			{"of the one that is alive", dead, wrong, []string{"GET a", "GET b", "POST b"}},
		} {
			t.Run(name+" "+asks.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c, s := newSites(t, asks.first, asks.second)
					require.True(t, IsCertificate(c.Read(t.Context(), "/x", nil, nil)))
					_, err := c.Post(t.Context(), "/x", nil)
					require.True(t, IsCertificate(err), "%v", err)
					require.Equal(t, asks.want, s.asks)
				})
			})
		}
		t.Run(name+" at the login", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				c, s := newSites(t, wrong, alive)
				c.identity = &ticket{username: "root@pam", password: "hunter22", turn: newTurn()}
				err := c.Read(t.Context(), "/x", nil, nil)
				require.True(t, IsCertificate(err), "%v", err)
				require.Equal(t, []string{"POST a"}, s.asks, "the password went nowhere")
			})
		})
	}
}

// A login goes to the next endpoint when the first is dead.
func TestTheLoginFindsAnEndpoint(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c, s := newSites(t, dead, reply("200 OK", `{"data":{"ticket":"T","CSRFPreventionToken":"C"}}`))
		c.identity = &ticket{username: "root@pam", password: "hunter22", turn: newTurn()}
		require.NoError(t, c.Read(t.Context(), "/x", nil, nil))
		require.Equal(t, []string{"POST a", "POST b"}, s.asks[:2])
	})
}

// Who waits for another's login or version ends with its own context.
func TestWaitingForAnAnswerOfOthersEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		asked := 0
		ask := Once(func(context.Context) (int, error) {
			asked++
			if asked == 1 {
				time.Sleep(time.Minute)
				return 0, errors.New("no answer")
			}
			return asked, nil
		})
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := ask(t.Context())
			require.EqualError(t, err, "no answer")
		})
		synctest.Wait()
		short, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := ask(short)
		require.ErrorIs(t, err, short.Err())
		wg.Wait()
		for range 2 {
			n, err := ask(t.Context())
			require.NoError(t, err)
			require.Equal(t, 2, n, "an answer is remembered, an error is not")
		}
	})
}
