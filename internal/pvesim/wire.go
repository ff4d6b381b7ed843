package pvesim

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// errDropped is what a client sees of a connection that was closed instead of an answer.
var errDropped = errors.New("connection reset by peer")

// transport is the way to the API without a socket.
type transport struct{ sim *Sim }

// RoundTrip implements http.RoundTripper.
func (t transport) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Body != nil {
		defer r.Body.Close()
	}
	a, err := t.sim.serve(r.Context(), asSent(r))
	switch {
	case err != nil:
		return nil, err
	case a.lost:
		return nil, errDropped
	}
	response := &http.Response{
		Status: fmt.Sprintf("%d %s", a.status, a.reason), StatusCode: a.status,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: a.header(time.Now()), ContentLength: int64(len(a.body)), Close: a.closed, Request: r,
	}
	response.Header.Del("Connection")
	response.Body = io.NopCloser(bytes.NewReader(a.body))
	if a.cut {
		half := bytes.NewReader(a.body[:len(a.body)/2])
		response.Body = io.NopCloser(io.MultiReader(half, brokenOff{}))
	}
	return response, nil
}

// asSent returns a request with its header as it would come off the wire: some clients write names of fields in their own
// spelling.
func asSent(r *http.Request) *http.Request {
	sent := *r
	sent.Header = http.Header{}
	for name, values := range r.Header {
		for _, value := range values {
			sent.Header.Add(name, value)
		}
	}
	return &sent
}

// brokenOff is the end of a body that did not come whole.
type brokenOff struct{}

func (brokenOff) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// ServeHTTP answers requests below /api2/json and /api2/extjs.
func (s *Sim) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a, err := s.serve(r.Context(), r)
	switch {
	case errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded):
		return // nobody listens any more
	case err != nil:
		a = refusal(http.StatusInternalServerError, err.Error(), err.Error()+"\n")
	}
	if lastOfConnection(r.Context()) {
		a.closed = true
	}
	if a.status == http.StatusOK && !a.cut && !a.lost {
		for name, values := range a.header(time.Now()) {
			w.Header()[name] = values
		}
		_, err = w.Write(a.body)
	} else {
		err = writeRaw(w, a)
	}
	if err != nil {
		panic(http.ErrAbortHandler)
	}
}

// writeRaw writes an answer that net/http cannot: with a reason of its own in the status line, broken off, or not at all.
func writeRaw(w http.ResponseWriter, a *answer) error {
	conn, _, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return err
	}
	defer conn.Close()
	if a.lost {
		return nil
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", a.status, a.reason)
	header := a.header(time.Now())
	header.Set("Connection", "close")
	if a.status != http.StatusUnauthorized || len(a.body) > 0 {
		header.Set("Content-Length", fmt.Sprint(len(a.body)))
	}
	if err := header.Write(&b); err != nil {
		return err
	}
	b.WriteString("\r\n")
	body := a.body
	if a.cut {
		body = body[:len(body)/2]
	}
	b.Write(body)
	_, err = conn.Write(b.Bytes())
	return err
}
