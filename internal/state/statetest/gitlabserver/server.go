// Package gitlabserver is a server that keeps Terraform states as GitLab does:
// with its paths, its answers, its ways to log in and its oddities. It has one
// project, and imports nothing of ours: it and the store must not share a
// misunderstanding.
//
// What it does is what GitLab's own sources do (lib/api/terraform/state.rb and
// app/services/terraform/remote_state_handler.rb):
//
//   - A lock keeps its ID, its user and its time. Who is refused one gets back
//     these, and of all the rest what was sent in the refused request itself.
//   - A write without the lock's ID is an internal error, 500.
//   - A write whose serial is there already is 422. Every write is kept as a
//     version; the newest is that of the highest serial.
//   - To unlock without an ID frees the lock of anybody.
//   - A state that was never locked nor written is 404, one that was only locked
//     is 204, and so is an empty write, which changes nothing.
package gitlabserver

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
)

// Those who may log in. The developer can read, the maintainer also lock and
// write; the stranger has an account and does not see the project.
const (
	Project = "7"

	Maintainer      = "ann"
	MaintainerToken = "glpat-maintainer-of-7"
	DeveloperToken  = "glpat-developer-of-7"
	StrangerToken   = "glpat-somebody-else"
	JobToken        = "glcbt-job-of-maintainer"
)

// Server is a GitLab on this machine.
type Server struct {
	URL string

	mu        sync.Mutex
	states    map[string]*record
	largest   int // of a state, in bytes; 0: no limit
	intercept func(w http.ResponseWriter, r *http.Request, next http.Handler)
}

// Start starts a server that ends with the test.
func Start(t testing.TB) *Server {
	t.Helper()
	s := &Server{states: map[string]*record{}}
	routes := s.routes()
	web := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		intercept := s.intercept
		s.mu.Unlock()
		if intercept != nil {
			intercept(w, r, routes)
			return
		}
		routes.ServeHTTP(w, r)
	}))
	t.Cleanup(web.Close)
	s.URL = web.URL
	return s
}

// Address is that of a state.
func (s *Server) Address(name string) string {
	return fmt.Sprintf("%s/api/v4/projects/%s/terraform/state/%s", s.URL, Project, url.PathEscape(name))
}

// Block is what people write to keep state under a name here.
func (s *Server) Block(name string) string {
	return fmt.Sprintf("state \"http\" {\n  address  = %q\n  username = %q\n  password = %q\n}\n", s.Address(name), Maintainer, MaintainerToken)
}

// Intercept lets a function stand before the server, which is next; nil: none.
func (s *Server) Intercept(f func(w http.ResponseWriter, r *http.Request, next http.Handler)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.intercept = f
}

// Limit is what an administrator sets: the most bytes of a state.
func (s *Server) Limit(bytes int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.largest = bytes
}

// Document returns the newest version of a state, nil when there is none.
func (s *Server) Document(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.states[name]; r != nil {
		return r.versions[r.newest()]
	}
	return nil
}

// Put writes the newest version of a state anew, as only somebody can who gets
// at the server's disk.
func (s *Server) Put(name string, text []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.record(name)
	r.versions[max(1, r.newest())] = text
}

// Locked returns the ID under which a state is locked, or "".
func (s *Server) Locked(name string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if r := s.states[name]; r != nil {
		return r.lockID
	}
	return ""
}

// role is what somebody may do.
type role int

const (
	unknown role = iota
	stranger
	developer
	maintainer
)

// caller reads who sent a request, in each of the ways that GitLab takes.
func caller(r *http.Request) (name string, is role) {
	user, token, isBasic := r.BasicAuth()
	if !isBasic {
		token = r.Header.Get("Private-Token")
		if bearer, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok {
			token = bearer
		}
	}
	switch {
	case token == MaintainerToken:
		return Maintainer, maintainer
	case token == JobToken && user == "gitlab-ci-token":
		return Maintainer, maintainer
	case token == DeveloperToken:
		return "bob", developer
	case token == StrangerToken:
		return "eve", stranger
	}
	return "", unknown
}

// message answers as GitLab's API does.
func message(w http.ResponseWriter, status int, text string) {
	respond(w, status, map[string]string{"message": text})
}

func respond(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // the caller is gone when it cannot be written
}
