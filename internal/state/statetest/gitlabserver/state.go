package gitlabserver

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"
)

// record is a state: a row of GitLab's table and its versions.
type record struct {
	versions map[int64][]byte

	lockID, lockedBy string
	lockedAt         time.Time
}

// newest returns the highest serial, 0 when there is no version.
func (r *record) newest() int64 {
	var highest int64
	for serial := range r.versions {
		highest = max(highest, serial)
	}
	return highest
}

// record returns a state, which is made when it is not there.
func (s *Server) record(name string) *record {
	r := s.states[name]
	if r == nil {
		r = &record{versions: map[int64][]byte{}}
		s.states[name] = r
	}
	return r
}

// longestID is the most characters of a lock's ID.
const longestID = 255

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	const path = "/api/v4/projects/{id}/terraform/state/{name}"
	mux.HandleFunc("GET "+path, s.as(developer, s.read))
	mux.HandleFunc("POST "+path, s.as(maintainer, s.write))
	mux.HandleFunc("POST "+path+"/lock", s.as(maintainer, s.lock))
	mux.HandleFunc("DELETE "+path+"/lock", s.as(maintainer, s.unlock))
	mux.HandleFunc("DELETE "+path+"/versions/{serial}", s.as(maintainer, s.deleteVersion))
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		respond(w, http.StatusNotFound, map[string]string{"error": "404 Not Found"})
	})
	return mux
}

// call is a request of somebody who may do it.
type call struct {
	w    http.ResponseWriter
	r    *http.Request
	user string
	name string // of the state
	body []byte
}

// as lets those in who are at least that.
func (s *Server) as(least role, do func(call)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		user, is := caller(r)
		body, err := io.ReadAll(r.Body)
		switch {
		case err != nil:
			return // the connection was cut: nothing is done
		case is == unknown:
			message(w, http.StatusUnauthorized, "401 Unauthorized")
			return
		case is == stranger, r.PathValue("id") != Project:
			message(w, http.StatusNotFound, "404 Project Not Found")
			return
		case is < least:
			message(w, http.StatusForbidden, "403 Forbidden")
			return
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		do(call{w, r, user, r.PathValue("name"), body})
	}
}

// params are those of the query and, over them, those of a JSON body.
func (c call) params() map[string]any {
	params := map[string]any{}
	for key, values := range c.r.URL.Query() {
		params[key] = values[0]
	}
	_ = json.Unmarshal(c.body, &params) // a body that is no JSON has none
	return params
}

func (s *Server) read(c call) {
	r := s.states[c.name]
	switch {
	case r == nil:
		message(c.w, http.StatusNotFound, "404 Not found")
	case r.newest() == 0:
		c.w.WriteHeader(http.StatusNoContent)
	default:
		c.w.Header().Set("ETag", fmt.Sprintf(`W/"%d"`, r.newest()))
		_, _ = c.w.Write(r.versions[r.newest()])
	}
}

func (s *Server) write(c call) {
	if len(c.body) == 0 {
		c.w.WriteHeader(http.StatusNoContent)
		return
	}
	if s.largest > 0 && len(c.body) > s.largest {
		message(c.w, http.StatusRequestEntityTooLarge, "413 Request Entity Too Large")
		return
	}
	var state struct{ Serial *int64 }
	if err := json.Unmarshal(c.body, &state); err != nil {
		message(c.w, http.StatusUnprocessableEntity, "invalid JSON")
		return
	}
	if state.Serial == nil {
		message(c.w, http.StatusUnprocessableEntity, "No serial in payload")
		return
	}
	r := s.record(c.name)
	if r.lockID != c.r.URL.Query().Get("ID") {
		message(c.w, http.StatusInternalServerError, "500 Internal Server Error")
		return
	}
	if _, isThere := r.versions[*state.Serial]; isThere {
		message(c.w, http.StatusUnprocessableEntity, "PG::UniqueViolation: duplicate key value violates unique constraint")
		return
	}
	r.versions[*state.Serial] = c.body
	c.w.WriteHeader(http.StatusOK)
}

func (s *Server) lock(c call) {
	params := c.params()
	for _, name := range []string{"ID", "Operation", "Info", "Who", "Version", "Created", "Path"} {
		if _, isText := params[name].(string); !isText {
			respond(c.w, http.StatusBadRequest, map[string]string{"error": name + " is missing"})
			return
		}
	}
	id := params["ID"].(string)
	if isTooLong(c, id) {
		return
	}
	r, status := s.record(c.name), http.StatusOK
	if r.lockID != "" {
		status = http.StatusConflict
	} else {
		r.lockID, r.lockedBy, r.lockedAt = id, c.user, time.Now()
	}
	respond(c.w, status, map[string]any{
		"Operation": params["Operation"], "Info": params["Info"], "Version": params["Version"], "Path": params["Path"],
		"ID": r.lockID, "Who": r.lockedBy, "Created": r.lockedAt.UTC(),
	})
}

func (s *Server) unlock(c call) {
	given, hasID := c.params()["ID"].(string)
	if isTooLong(c, given) {
		return
	}
	r := s.record(c.name)
	if hasID && r.lockID != given {
		c.w.WriteHeader(http.StatusConflict)
		return
	}
	r.lockID, r.lockedBy, r.lockedAt = "", "", time.Time{}
	c.w.WriteHeader(http.StatusOK)
}

func isTooLong(c call, id string) bool {
	if len(id) > longestID {
		respond(c.w, http.StatusBadRequest, map[string]string{"error": fmt.Sprintf("ID must be less than %d characters", longestID)})
		return true
	}
	return false
}

func (s *Server) deleteVersion(c call) {
	serial, err := strconv.ParseInt(c.r.PathValue("serial"), 10, 64)
	r := s.states[c.name]
	if err != nil || r == nil || r.versions[serial] == nil {
		message(c.w, http.StatusNotFound, "404 Not found")
		return
	}
	delete(r.versions, serial)
	c.w.WriteHeader(http.StatusNoContent)
}
