package httpstore

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cenkalti/backoff/v5"
)

const (
	dialTimeout   = 10 * time.Second
	headerTimeout = 60 * time.Second // from the end of the request on
	longestAsked  = 2 * time.Minute  // that a server may let wait
	// slowest is the pace, in bytes a second, that a connection has to keep.
	slowest = 128 << 10
)

// limits are what requests may take. A write has the time for its bytes beside
// that; the size of what is read is not known before.
type limits struct{ lock, write, read time.Duration }

// client sends requests to one server. It is safe for concurrent use.
type client struct {
	http     *http.Client
	name     string // of the store, for errors
	who      credentials
	hide     *strings.Replacer
	limits   limits
	largest  int // the most bytes that are read of an answer, and that are sent
	tries    int
	min, max time.Duration // waits between tries
}

func newClient(c Config, name string, who credentials, query url.Values) (*client, error) {
	config, err := tlsConfig(c)
	if err != nil {
		return nil, err
	}
	dialer := net.Dialer{
		Timeout: dialTimeout,
		// A peer that is gone without a word is noticed within half a minute.
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 3},
	}
	out := &client{
		http: &http.Client{
			Transport: &http.Transport{
				Proxy: http.ProxyFromEnvironment, DialContext: dialer.DialContext, TLSClientConfig: config,
				TLSHandshakeTimeout: dialTimeout, ResponseHeaderTimeout: headerTimeout, IdleConnTimeout: 30 * time.Second,
				MaxIdleConnsPerHost: 4,
			},
			// Credentials must not follow a redirect, and a write must not become a read.
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		},
		name: name, who: who, hide: hiding(who, query), largest: 256 << 20, tries: 3, min: time.Second, max: 30 * time.Second,
		limits: limits{lock: 20 * time.Second, write: 90 * time.Second, read: 10 * time.Minute},
	}
	if c.RetryMax != 0 {
		out.tries = 1 + max(0, c.RetryMax)
	}
	if c.RetryWaitMin > 0 {
		out.min = c.RetryWaitMin
	}
	if c.RetryWaitMax > 0 {
		out.max = c.RetryWaitMax
	}
	return out, nil
}

func tlsConfig(c Config) (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure}
	if c.CAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("ca_file: %w", err)
	}
	config.RootCAs = x509.NewCertPool()
	if !config.RootCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("ca_file %q: no certificate in PEM form", c.CAFile)
	}
	return config, nil
}

// hiding returns what takes secrets out of a text, in the forms in which a
// server could send them back: what requests are signed with, and what the query
// of the address holds.
func hiding(who credentials, query url.Values) *strings.Replacer {
	secrets := []string{who.password, who.token}
	if who.password != "" {
		secrets = append(secrets, who.username+":"+who.password)
	}
	for _, values := range query {
		secrets = append(secrets, values...)
	}
	var pairs []string
	for _, secret := range secrets {
		if len(secret) < 5 {
			continue // it would tear words apart, and is no secret
		}
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret), base64.StdEncoding.EncodeToString([]byte(secret))} {
			pairs = append(pairs, form, "[redacted]")
		}
	}
	return strings.NewReplacer(pairs...)
}

func (c *client) redact(text string) string { return c.hide.Replace(text) }

// request is one question to the server.
type request struct {
	what    string // for errors: "read", "lock", …
	to      target
	id      string // of the lock, sent in the query; empty: none
	body    []byte
	ifMatch string
	limit   time.Duration
}

// answer is what the server says, to its end.
type answer struct {
	status  int
	etag    string
	message string // of an answer that is no success, for people
	body    []byte
	wait    time.Duration // that the server asks for before the next try
}

func (a answer) isGood() bool { return a.status >= 200 && a.status < 300 }

// mayPass reports whether another try may end otherwise.
func (a answer) mayPass() bool {
	switch a.status {
	case http.StatusRequestTimeout, http.StatusTooManyRequests, http.StatusInternalServerError,
		http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		return true
	}
	return false
}

// once sends a request. Its error is a *noAnswer with a hint.
func (c *client) once(ctx context.Context, r request) (answer, error) {
	ctx, cancel := context.WithTimeout(ctx, r.limit+time.Duration(len(r.body)/slowest)*time.Second)
	defer cancel()
	req, err := c.sign(ctx, r)
	if err != nil {
		return answer{}, c.unanswered(r.what, err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.unanswered(r.what, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, int64(c.largest)+1))
	if err == nil && len(body) > c.largest {
		err = errLarge
	}
	if err != nil {
		return answer{}, c.unanswered(r.what, err)
	}
	a := answer{status: resp.StatusCode, etag: resp.Header.Get("ETag"), body: body, wait: waitOf(resp)}
	if !a.isGood() {
		a.message = short(c.redact(messageOf(resp, body)))
	}
	return a, nil
}

// sign makes the request as Terraform does.
func (c *client) sign(ctx context.Context, r request) (*http.Request, error) {
	to := *r.to.url
	if r.id != "" {
		query := to.Query()
		query.Set("ID", r.id)
		to.RawQuery = query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.to.method, to.String(), bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	if r.body != nil {
		sum := md5.Sum(r.body)
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Content-MD5", base64.StdEncoding.EncodeToString(sum[:]))
	}
	if r.ifMatch != "" {
		req.Header.Set("If-Match", r.ifMatch)
	}
	switch {
	case c.who.token != "":
		req.Header.Set("Authorization", "Bearer "+c.who.token)
	case !c.who.none():
		req.SetBasicAuth(c.who.username, c.who.password)
	}
	return req, nil
}

// waitOf reads Retry-After, in seconds.
func waitOf(resp *http.Response) time.Duration {
	seconds, err := strconv.Atoi(resp.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(seconds) * time.Second
}

// messageOf returns the server's own words, or where it sends to, in one line
// without anything that a terminal would obey.
func messageOf(resp *http.Response, body []byte) string {
	var said struct{ Message, Error any }
	text := ""
	switch kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type")); {
	case resp.Header.Get("Location") != "":
		if to, err := resp.Location(); err == nil {
			text = nameOf(to)
		}
	case json.Unmarshal(body, &said) == nil && said.Message != nil:
		text = fmt.Sprint(said.Message)
	case said.Error != nil:
		text = fmt.Sprint(said.Error)
	case kind == "text/plain":
		text = string(body)
	}
	return strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
}

// short leaves out what goes beyond a line or two.
func short(text string) string {
	const most = 200
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// repeat sends a request that may be sent again without harm, until it has an
// answer that will not pass.
func (c *client) repeat(ctx context.Context, r request) (answer, error) {
	waits := c.waits()
	for {
		a, err := c.once(ctx, r)
		if err == nil && !a.mayPass() || isFinal(err) || waits.next(ctx, a.wait) != nil {
			return a, err
		}
	}
}

// isFinal reports whether a request that got no answer would get none again.
func isFinal(err error) bool {
	return isCertificate(err) || errors.Is(err, errLarge) || errors.Is(err, context.Canceled)
}

// waits are the pauses between tries.
type waits struct {
	left int
	grow *backoff.ExponentialBackOff
}

func (c *client) waits() *waits {
	grow := &backoff.ExponentialBackOff{InitialInterval: c.min, MaxInterval: c.max, Multiplier: 2, RandomizationFactor: 0.3}
	return &waits{c.tries - 1, grow}
}

var errNoMoreTries = errors.New("no more tries")

// next waits for the next try, or as long as the server asked for if that is
// longer. It is an error when there is none, or when ctx ends before.
func (w *waits) next(ctx context.Context, asked time.Duration) error {
	if w.left <= 0 {
		return errNoMoreTries
	}
	w.left--
	return pause(ctx, max(w.grow.NextBackOff(), min(asked, longestAsked)))
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
