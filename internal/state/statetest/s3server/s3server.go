// Package s3server is an S3 store for tests: objects are kept by gofakes3, a
// server by others, so that the client and its test share no misunderstanding.
// What that leaves out is added here: signatures and payload hashes are
// verified, a bucket has a region, a condition on an object that is missing is
// answered as AWS answers it, and a test may come between a request and the
// store.
package s3server

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"

	"github.com/johannesboyne/gofakes3"
	"github.com/johannesboyne/gofakes3/backend/s3mem"
	"github.com/stretchr/testify/require"
)

// Server is a running store with one bucket. It listens on loopback only.
type Server struct {
	Endpoint  string // http://127.0.0.1:port
	Bucket    string
	Region    string
	AccessKey string
	SecretKey string

	objects http.Handler
	between atomic.Pointer[Between]
}

// Between is called for each request whose signature is right, in the place
// of next, which answers it. Its body is not verified yet.
type Between func(w http.ResponseWriter, r *http.Request, next http.Handler)

// host is the name that buckets are subdomains of.
const host = "s3.test"

// Start returns a store that stops with the test.
func Start(t testing.TB) *Server {
	backend := conditional{s3mem.New()}
	s := &Server{
		Bucket: "states", Region: "us-east-1", AccessKey: "TESTACCESSKEY", SecretKey: "planted/secret+key",
		objects: gofakes3.New(backend, gofakes3.WithHostBucketBase(host)).Server(),
	}
	require.NoError(t, backend.CreateBucket(s.Bucket))
	listening := httptest.NewUnstartedServer(http.HandlerFunc(s.serve))
	listening.Config.ErrorLog = log.New(io.Discard, "", 0) // clients that go away are no news
	listening.Start()
	t.Cleanup(listening.Close)
	s.Endpoint = listening.URL
	return s
}

// Host is the name under which buckets are subdomains: requests for
// bucket.Host, wherever they were sent, are for that bucket.
func (s *Server) Host() string { return host }

// Block returns the block of the language that keeps a state here.
func (s *Server) Block(key string) string {
	return fmt.Sprintf(`state "s3" {
  bucket     = %q
  key        = %q
  endpoint   = %q
  access_key = %q
  secret_key = %q
}
`, s.Bucket, key, s.Endpoint, s.AccessKey, s.SecretKey)
}

// Between lets do come between requests and the store, until it is replaced;
// nil: nothing does.
func (s *Server) Between(do Between) {
	if do == nil {
		s.between.Store(nil)
		return
	}
	s.between.Store(&do)
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	if refused := s.verify(r); refused != nil {
		refused.write(w, r)
		return
	}
	answer := http.HandlerFunc(s.answer)
	if do := s.between.Load(); do != nil {
		(*do)(w, r, answer)
		return
	}
	answer(w, r)
}

// answer holds the body to be what was signed, and passes the request on.
func (s *Server) answer(w http.ResponseWriter, r *http.Request) {
	if refused := verifyBody(r); refused != nil {
		refused.write(w, r)
		return
	}
	s.objects.ServeHTTP(w, r)
}

// Error answers a request as S3 tells an error.
func Error(w http.ResponseWriter, r *http.Request, status int, code, message string) {
	(&refusal{status: status, code: code, message: message}).write(w, r)
}

// refusal is an answer that is an error.
type refusal struct {
	status        int
	code, message string
	region        string // of the bucket, where the request named another one
}

func (e *refusal) write(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/xml")
	if e.region != "" {
		w.Header().Set("X-Amz-Bucket-Region", e.region)
	}
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		fmt.Fprintf(w, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<Error><Code>%s</Code><Message>%s</Message></Error>", e.code, e.message)
	}
}
