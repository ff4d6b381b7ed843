package pve

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/stretchr/testify/require"
)

// answers is a transport that gives the answers in turn, the last one for ever.
type answers struct {
	mu   sync.Mutex
	list []func(*http.Request) (*http.Response, error)
	asks []string
}

func (a *answers) RoundTrip(r *http.Request) (*http.Response, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	body := ""
	if r.Body != nil {
		text, err := io.ReadAll(r.Body)
		if err != nil {
			return nil, err
		}
		body = " " + string(text)
	}
	a.asks = append(a.asks, r.Method+" "+strings.TrimPrefix(r.URL.Path, "/api2/json")+body)
	next := a.list[0]
	if len(a.list) > 1 {
		a.list = a.list[1:]
	}
	return next(r)
}

func reply(status, body string) func(*http.Request) (*http.Response, error) {
	return func(*http.Request) (*http.Response, error) {
		var code int
		if _, err := fmt.Sscan(status, &code); err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: code, Status: status, Body: io.NopCloser(strings.NewReader(body)), Header: http.Header{}}, nil
	}
}

func lost(*http.Request) (*http.Response, error) { return nil, io.ErrUnexpectedEOF }

func newFake(t *testing.T, list ...func(*http.Request) (*http.Response, error)) (*Client, *answers) {
	t.Helper()
	a := &answers{list: list}
	c, err := New(Options{TokenID: "root@pam!test", TokenSecret: "1234-secret", Transport: a})
	require.NoError(t, err)
	return c, a
}

func TestErrorsSayWhatProxmoxSaid(t *testing.T) {
	for _, c := range []struct {
		name, status, body string
		want               string
		is                 func(error) bool
	}{
		{"message in the body", "500 x", `{"data":null,"message":"CT 100 already exists on node 'pve1'\n"}`, "POST /x: CT 100 already exists on node 'pve1'", IsTaken},
		{"only the status line, as before 8.3", "500 CT is locked (backup)", `{"data":null}`, "POST /x: CT is locked (backup)", IsLocked},
		{"parameters", "400 Parameter verification failed.", `{"data":null,"message":"Parameter verification failed.\n","errors":{"net0":"invalid format - format error\nnet0.name: missing\n","memory":"too small"}}`,
			"POST /x: Parameter verification failed; memory: too small; net0: invalid format - format error net0.name: missing", func(err error) bool { return !IsUnclear(err) }},
		{"no body at all", "401 Authentication failed!", ``, "POST /x: Authentication failed!", IsUnauthorised},
		{"message of another type", "500 oops", `{"message":null,"errors":"x"}`, "POST /x: oops", func(err error) bool { return !IsTaken(err) }},
		{"forbidden", "403 x", `{"message":"Permission check failed (/vms/100, VM.Audit)\n"}`, "POST /x: Permission check failed (/vms/100, VM.Audit)", IsForbidden},
		{"gone", "500 x", `{"message":"Configuration file 'nodes/pve1/lxc/999.conf' does not exist\n"}`, "POST /x: Configuration file 'nodes/pve1/lxc/999.conf' does not exist", IsGone},
		{"a storage is no guest", "500 x", `{"message":"storage 'x' does not exist\n"}`, "POST /x: storage 'x' does not exist", func(err error) bool { return !IsGone(err) }},
		{"digest", "500 x", `{"message":"detected modified configuration - file changed by other user? Try again.\n"}`,
			"POST /x: detected modified configuration - file changed by other user? Try again.", IsChanged},
		{"gateway", "596 Connection timed out", ``, "POST /x: Connection timed out", IsUnclear},
		{"page of a proxy", "502 Bad Gateway", `<html>`, "POST /x: Bad Gateway", IsGateway},
		{"secrets", "400 x", `{"message":"no","errors":{"password":"got 'hunter22'","env":"A=topsecret x"}}`, "POST /x: no; env: A=[redacted] x; password: got '[redacted]'", func(error) bool { return true }},
	} {
		t.Run(c.name, func(t *testing.T) {
			client, fake := newFake(t, reply(c.status, c.body))
			_, err := client.Post(t.Context(), "/x", url.Values{"password": {"hunter22"}, "env": {"A=topsecret\x00B=1"}})
			require.EqualError(t, err, c.want)
			require.True(t, c.is(err))
			require.Len(t, fake.asks, 1, "a write is sent once")
		})
	}
}

func TestErrorsWithoutAnAnswerAreInWords(t *testing.T) {
	refused := &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 0, 0, 1), Port: 8006},
		Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	unknown := &net.OpError{Op: "dial", Net: "tcp", Err: &net.DNSError{Err: "no such host", Name: "pve1", IsNotFound: true}}
	untrusted := &tls.CertificateVerificationError{
		UnverifiedCertificates: []*x509.Certificate{{Raw: []byte("raw")}}, Err: x509.UnknownAuthorityError{}}
	for _, c := range []struct {
		cause error
		want  string
	}{
		{refused, "GET /x: no connection to 10.0.0.1:8006: connection refused"},
		{unknown, `GET /x: no address is known for "pve1"`},
		{fmt.Errorf("tls: %w", untrusted), "GET /x: the server's certificate is not trusted: certificate signed by unknown authority; " +
			"it has the fingerprint D7:43:9B:"},
		{context.DeadlineExceeded, "GET /x: there was no answer in time"},
		{io.EOF, "GET /x: the connection was closed before the answer"},
		{errors.New("anything else"), "GET /x: anything else"},
	} {
		require.ErrorContains(t, call{method: "GET", path: "/x"}.failed(c.cause), c.want)
	}
}

func TestReadsAreRepeated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := newFake(t, lost, reply("596 x", ""), reply("200 OK", `{"data":{"n":"5"}}`))
		var answer struct{ N Int }
		require.NoError(t, client.Read(t.Context(), "/x", url.Values{"a": {"b"}}, &answer))
		require.Equal(t, Int(5), answer.N)
		require.Len(t, fake.asks, 3)
	})
}

func TestReadsEndAtLast(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		client, fake := newFake(t, lost)
		require.Error(t, client.Read(t.Context(), "/x", nil, nil))
		require.Len(t, fake.asks, readTries)
	})
}

// A write whose answer is lost may have had its effect: it is never repeated.
func TestWritesAreNotRepeated(t *testing.T) {
	client, fake := newFake(t, lost)
	_, err := client.Post(t.Context(), "/x", nil)
	require.True(t, IsUnclear(err))
	require.ErrorIs(t, err, io.ErrUnexpectedEOF)
	require.Len(t, fake.asks, 1)
}

// A lock that is busy means that nothing was done.
func TestBusyLocksAreWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := reply("500 x", `{"message":"can't lock file '/run/lock/lxc/pve-config-100.lock' - got timeout\n"}`)
		client, fake := newFake(t, busy, busy, reply("200 OK", `{"data":null}`))
		_, err := client.Put(t.Context(), "/x", url.Values{"memory": {"512"}})
		require.NoError(t, err)
		require.Len(t, fake.asks, 3)
	})
}

func TestParametersOfDeletesAreInTheQuery(t *testing.T) {
	var got *http.Request
	client, fake := newFake(t, func(r *http.Request) (*http.Response, error) {
		got = r
		return reply("200 OK", `{"data":"UPID:x"}`)(r)
	})
	text, err := client.Delete(t.Context(), Path("nodes", "a/b", "lxc", "100"), url.Values{"purge": {"1"}})
	require.NoError(t, err)
	require.Equal(t, "UPID:x", text)
	require.Equal(t, "/api2/json/nodes/a%2Fb/lxc/100?purge=1", got.URL.RequestURI())
	require.Equal(t, "PVEAPIToken=root@pam!test=1234-secret", got.Header.Get("Authorization"))
	require.NotContains(t, fake.asks[0], "purge")
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	client, fake := newFake(t, func(*http.Request) (*http.Response, error) {
		return &http.Response{StatusCode: 302, Status: "302 Found", Header: http.Header{"Location": {"https://elsewhere/"}}, Body: http.NoBody}, nil
	})
	require.Error(t, client.Read(t.Context(), "/x", nil, nil))
	require.Len(t, fake.asks, 1)
}

func TestTicketsAreFetchedAndRenewed(t *testing.T) {
	a := &answers{list: []func(*http.Request) (*http.Response, error){
		reply("200 OK", `{"data":{"ticket":"T1","CSRFPreventionToken":"C1"}}`),
		reply("401 Authentication failed!", ""),
		reply("200 OK", `{"data":{"ticket":"T2","CSRFPreventionToken":"C2"}}`),
		func(r *http.Request) (*http.Response, error) {
			//lint:ignore SA1008 the library writes this key as it stands
			if r.Header.Get("Authorization") != "PVEAuthCookie=T2" || r.Header["CSRFPreventionToken"][0] != "C2" {
				return nil, errors.New("not signed with the new ticket")
			}
			return reply("200 OK", `{"data":null}`)(r)
		},
	}}
	client, err := New(Options{Username: "root@pam", Password: "hunter22", Transport: a})
	require.NoError(t, err)
	require.True(t, client.IsRoot())
	_, err = client.Put(t.Context(), "/x", url.Values{"a": {"b"}})
	require.NoError(t, err)
	require.Equal(t, []string{"POST /access/ticket password=hunter22&username=root%40pam", "PUT /x a=b",
		"POST /access/ticket password=hunter22&username=root%40pam", "PUT /x a=b"}, a.asks)
}

func TestOptionsAreChecked(t *testing.T) {
	good := Options{Endpoints: []string{"https://pve1"}, TokenID: "a@pve!b", TokenSecret: "s"}
	for _, c := range []struct {
		name   string
		change func(*Options)
		want   string // "" when they are fine
	}{
		{"fine", func(*Options) {}, ""},
		{"no endpoint", func(o *Options) { o.Endpoints = nil }, "no endpoint is given"},
		{"no scheme", func(o *Options) { o.Endpoints = []string{"pve1:8006"} }, `endpoint "pve1:8006": write it like https://pve1.example.net:8006`},
		{"clear text", func(o *Options) { o.Endpoints = []string{"http://pve1"} }, `endpoint "http://pve1": the token would travel in clear; write https`},
		{"no credentials", func(o *Options) { o.TokenID = "" }, "neither a token nor a user with a password is given"},
		{"no secret", func(o *Options) { o.TokenSecret = "" }, `token "a@pve!b": its secret is missing`},
		{"bad token", func(o *Options) { o.TokenID = "a" }, `token id "a": write it like user@realm!name`},
		{"bad pin", func(o *Options) { o.Fingerprint = "AB:CD" }, `fingerprint "AB:CD": not a SHA-256, 64 hexadecimal digits`},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := good
			c.change(&options)
			_, err := New(options)
			if c.want == "" {
				require.NoError(t, err)
				return
			}
			require.EqualError(t, err, c.want)
		})
	}
}

// The certificate is checked in every way that a host block can ask for.
func TestCertificates(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, `{"data":{"version":"9.1.4"}}`)
		if err != nil {
			panic(err)
		}
	}))
	defer server.Close()
	server.Config.ErrorLog = nil
	sum := sha256.Sum256(server.Certificate().Raw)
	pin := hex.EncodeToString(sum[:])
	for _, c := range []struct {
		name   string
		change func(*Options)
		works  bool
	}{
		{"unknown authority", func(*Options) {}, false},
		{"insecure", func(o *Options) { o.Insecure = true }, true},
		{"pinned", func(o *Options) { o.Fingerprint = pin }, true},
		{"another pin", func(o *Options) { o.Fingerprint = strings.Repeat("ab", 32) }, false},
		{"another pin counts even when insecure", func(o *Options) { o.Fingerprint, o.Insecure = strings.Repeat("ab", 32), true }, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			options := Options{Endpoints: []string{server.URL}, TokenID: "a@pve!b", TokenSecret: "s"}
			c.change(&options)
			client, err := New(options)
			require.NoError(t, err)
			version, err := client.Version(context.Background())
			if c.works {
				require.NoError(t, err)
				require.True(t, version.AtLeast(9, 1))
				return
			}
			require.True(t, IsCertificate(err), "%v", err)
		})
	}
}

func TestTheNextEndpointIsUsed(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, err := io.WriteString(w, `{"data":{"version":"9.1.4"}}`)
		if err != nil {
			panic(err)
		}
	}))
	defer server.Close()
	gone := httptest.NewServer(nil)
	gone.Close() // nobody listens there any more
	client, err := New(Options{Endpoints: []string{gone.URL, server.URL}, TokenID: "a@pve!b", TokenSecret: "s", Insecure: true})
	require.NoError(t, err)
	_, err = client.Post(t.Context(), "/x", nil)
	require.NoError(t, err)
}
