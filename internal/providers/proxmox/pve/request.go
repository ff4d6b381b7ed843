package pve

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"

	"github.com/proximity-cli/proximity/internal/failpoint"
)

const (
	requestTimeout = 45 * time.Second
	answerLimit    = 64 << 20
	readTries      = 6 // of each endpoint
)

// reading and busy are the patience with failing connections and with locks
// that others hold.
var (
	reading = Patience{First: 100 * time.Millisecond, Most: 2 * time.Second, Limit: 5 * time.Minute}
	busy    = Patience{First: 250 * time.Millisecond, Most: 5 * time.Second, Limit: 5 * time.Minute}
)

// call is one request. Form goes into the body of POST and PUT and into the
// query of GET and DELETE: Proxmox refuses bodies there.
type call struct {
	method, path string
	form         url.Values
}

// Read gets a path below /api2/json into out, which may be nil.
func (c *Client) Read(ctx context.Context, path string, query url.Values, out any) error {
	tries := 0
	return reading.Repeat(ctx, func() error {
		tries++
		return c.once(ctx, call{http.MethodGet, path, query}, out)
	}, func(err error) bool {
		return tries < readTries*len(c.endpoints) && isTransient(err) && ctx.Err() == nil
	})
}

// Post, Put and Delete return the answer when it is a text: the UPID of the
// task that goes on with the work, or "" when all is done.
func (c *Client) Post(ctx context.Context, path string, form url.Values) (string, error) {
	return c.write(ctx, call{http.MethodPost, path, form})
}

// Put changes what is at path; see Post.
func (c *Client) Put(ctx context.Context, path string, form url.Values) (string, error) {
	return c.write(ctx, call{http.MethodPut, path, form})
}

// Delete removes what is at path; see Post.
func (c *Client) Delete(ctx context.Context, path string, query url.Values) (string, error) {
	return c.write(ctx, call{http.MethodDelete, path, query})
}

// write sends a request until the locks it needs are free. A request that
// reached no server at all goes to the next one.
func (c *Client) write(ctx context.Context, req call) (text string, err error) {
	unreached := 0
	err = busy.Repeat(ctx, func() error {
		var answer json.RawMessage
		err := failpoint.Request(req.method, req.path, func() error { return c.once(ctx, req, &answer) })
		if json.Unmarshal(answer, &text) != nil {
			text = "" // an answer of another kind, or none
		}
		return err
	}, func(err error) bool {
		if IsUnreachable(err) && !IsCertificate(err) {
			unreached++
			return unreached < 2*len(c.endpoints)
		}
		return IsBusy(err)
	})
	return text, err
}

// once sends a request to the current endpoint; with a ticket that was refused,
// once more with a fresh one. When no server answers, the next is current.
func (c *Client) once(ctx context.Context, req call, out any) error {
	select {
	case c.slots <- struct{}{}:
		defer func() { <-c.slots }()
	case <-ctx.Done():
		return req.failed(ctx.Err())
	}
	base := c.base()
	for renewed := false; ; renewed = true {
		session, err := c.session(ctx, base)
		if err != nil {
			return err
		}
		err = c.exchange(ctx, session, req, out)
		if IsUnauthorised(err) && !renewed && c.identity.renew(ctx, session) {
			continue
		}
		if isTransient(err) {
			c.advance(base)
		}
		return err
	}
}

func (c *Client) base() string {
	return c.endpoints[int(c.current.Load())%len(c.endpoints)]
}

// advance leaves an endpoint that failed, unless somebody already did.
func (c *Client) advance(failed string) {
	now := c.current.Load()
	if c.endpoints[int(now)%len(c.endpoints)] == failed {
		c.current.CompareAndSwap(now, now+1)
	}
}

// exchange sends one request and decodes its answer.
func (c *Client) exchange(ctx context.Context, s *proxmox.Session, req call, out any) (err error) {
	defer func() {
		if p := recover(); p != nil { // the library panics on some input
			err = req.failed(fmt.Errorf("panic in the API library: %v", p))
		}
	}()
	ctx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	header := http.Header{"Accept": {"application/json"}, "User-Agent": {"proximity"}}
	target := s.ApiUrl + req.path
	var body io.Reader
	switch {
	case req.method == http.MethodPost || req.method == http.MethodPut:
		header.Set("Content-Type", "application/x-www-form-urlencoded")
		body = strings.NewReader(req.form.Encode())
	case len(req.form) > 0:
		target += "?" + req.form.Encode()
	}
	request, err := s.NewRequest(ctx, req.method, target, &header, body)
	if err != nil {
		return req.failed(err)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return req.failed(c.scrub(withoutURL(err), req.form))
	}
	defer response.Body.Close()
	raw, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	switch {
	case err != nil:
		return req.failed(c.scrub(err, req.form))
	case len(raw) > answerLimit:
		return req.failed(errors.New("the answer is larger than 64 MiB"))
	}
	return c.decode(req, response, raw, out)
}

// withoutURL takes off what net/http says about the URL: its query may hold
// values, and the path is named anyway.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

func (c *Client) decode(req call, response *http.Response, raw []byte, out any) error {
	var envelope struct {
		Data    json.RawMessage
		Message json.RawMessage
		Errors  json.RawMessage
	}
	parseErr := json.Unmarshal(raw, &envelope)
	if response.StatusCode < 200 || response.StatusCode > 299 {
		e := &Error{Status: response.StatusCode, Method: req.method, Path: req.path}
		if parseErr == nil {
			e.Message, e.Params = messageOf(envelope.Message), paramsOf(envelope.Errors)
		}
		if e.Message == "" {
			// Before 8.3 the text stood in the status line only.
			_, e.Message, _ = strings.Cut(response.Status, " ")
		}
		if e.Message == "" {
			e.Message = fmt.Sprintf("status %d", e.Status)
		}
		c.scrubError(e, req.form)
		return e
	}
	if parseErr != nil {
		return req.failed(fmt.Errorf("the answer is no JSON: %w", parseErr))
	}
	if out == nil || len(envelope.Data) == 0 || bytes.Equal(envelope.Data, []byte("null")) {
		return nil
	}
	if err := json.Unmarshal(envelope.Data, out); err != nil {
		return &Error{Status: response.StatusCode, Message: "the answer is not understood: " + err.Error(),
			Method: req.method, Path: req.path, cause: err}
	}
	return nil
}

func messageOf(raw json.RawMessage) string {
	var text Text
	if len(raw) == 0 || json.Unmarshal(raw, &text) != nil {
		return ""
	}
	return strings.TrimRight(string(text), "\n")
}

func paramsOf(raw json.RawMessage) map[string]string {
	var texts map[string]Text
	if len(raw) == 0 || json.Unmarshal(raw, &texts) != nil || len(texts) == 0 {
		return nil
	}
	params := make(map[string]string, len(texts))
	for name, text := range texts {
		params[name] = string(text)
	}
	return params
}

// failed is the error of a request without an answer.
func (r call) failed(cause error) *Error {
	return &Error{Message: inWords(cause), Method: r.method, Path: r.path, cause: cause}
}
