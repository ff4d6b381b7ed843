package pvesim

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"time"
)

const jsonType = "application/json;charset=UTF-8"

// answer is a response before it goes anywhere.
type answer struct {
	status int
	reason string // of the status line
	typ    string // content type; "" for none
	body   []byte
	cut    bool // faults: only half of the body goes out,
	lost   bool // or nothing at all
	closed bool // the connection is closed after it
}

// apiError is an error answer of Proxmox: a status, the message and, with status 400, texts by parameter.
type apiError struct {
	status  int
	message string
	errors  map[string]string
	bare    bool // no final newline: made by the dispatcher
}

func (e *apiError) Error() string {
	if e.status == http.StatusInternalServerError {
		return e.message
	}
	text := fmt.Sprintf("%d %s", e.status, e.message)
	for key, value := range e.errors {
		text += "\n" + key + ": " + value
	}
	return text
}

// die is what a plain die in a handler becomes: status 500 and a text.
func die(format string, args ...any) error {
	return &apiError{status: http.StatusInternalServerError, message: fmt.Sprintf(format, args...)}
}

// badParam is a parameter found bad by a handler: status 400.
func badParam(name, format string, args ...any) error {
	return badParams(map[string]string{name: fmt.Sprintf(format, args...)})
}

func badParams(errors map[string]string) error {
	return &apiError{status: http.StatusBadRequest, message: "Parameter verification failed.", errors: errors}
}

// forbidden is a 403. The detail stands in parentheses; "" for none.
func forbidden(format string, args ...any) error {
	message := "Permission check failed"
	if detail := fmt.Sprintf(format, args...); detail != "" {
		message += " (" + detail + ")"
	}
	return &apiError{status: http.StatusForbidden, message: message}
}

// listing is data with a total beside it.
type listing struct {
	data  any
	total int
}

// plainText is data that is sent as it stands.
type plainText string

// success is the answer with data.
func success(data any) *answer {
	if text, ok := data.(plainText); ok {
		return &answer{status: http.StatusOK, reason: "OK", typ: "text/plain", body: []byte(text)}
	}
	envelope := map[string]any{"data": data}
	if l, ok := data.(listing); ok {
		envelope["data"] = l.data
		envelope["total"] = l.total
	}
	return &answer{status: http.StatusOK, reason: "OK", typ: jsonType, body: encode(envelope)}
}

// failure is the answer for an error. Old versions have the text in the status line only.
func (s *Sim) failure(e *apiError) *answer {
	text := e.message
	if !e.bare {
		text += "\n"
	}
	envelope := map[string]any{"data": nil}
	if s.has(messagesInBody) {
		envelope["message"] = text
	}
	if len(e.errors) > 0 {
		envelope["errors"] = e.errors
	}
	reason, _, _ := strings.Cut(e.message, "\n")
	return &answer{status: e.status, reason: reason, typ: jsonType, body: encode(envelope), closed: true}
}

// refusal is an answer of the HTTP server itself: plain text, or nothing at all.
func refusal(status int, reason, body string) *answer {
	return &answer{status: status, reason: strings.TrimSuffix(reason, "\n"), body: []byte(body), closed: true}
}

func encode(value any) []byte {
	var b strings.Builder
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(value); err != nil {
		panic("pvesim: answer: " + err.Error())
	}
	return []byte(strings.TrimSuffix(b.String(), "\n"))
}

// header returns the header lines of the answer.
func (a *answer) header(now time.Time) http.Header {
	h := http.Header{}
	h.Set("Cache-Control", "max-age=0")
	h.Set("Date", now.UTC().Format(http.TimeFormat))
	h.Set("Expires", now.UTC().Format(http.TimeFormat))
	h.Set("Pragma", "no-cache")
	h.Set("Server", "pve-api-daemon/3.0")
	if a.typ != "" {
		h.Set("Content-Type", a.typ)
	}
	if a.closed {
		h.Set("Connection", "close")
	}
	return h
}

// extjs wraps an answer for the formatter of the web page: always 200, the outcome in the body.
func (a *answer) extjs() *answer {
	var envelope map[string]any
	if json.Unmarshal(a.body, &envelope) != nil {
		return a
	}
	envelope["success"] = 0
	if a.status == http.StatusOK {
		envelope["success"] = 1
	} else {
		envelope["status"] = a.status
		envelope["message"] = a.reason
	}
	return &answer{status: http.StatusOK, reason: "OK", typ: jsonType, body: encode(envelope)}
}
