package pve

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	proxmox "github.com/Telmate/proxmox-api-go/proxmox"
)

// identity signs requests.
type identity interface {
	sign(ctx context.Context, c *Client, s *proxmox.Session) error
	// renew makes the next sign get fresh credentials, and reports whether that
	// can help against a refusal of the session's.
	renew(ctx context.Context, s *proxmox.Session) bool
}

func newIdentity(options Options) (identity, error) {
	switch {
	case options.TokenID != "":
		var id proxmox.ApiTokenID
		if err := id.Parse(options.TokenID); err != nil {
			return nil, fmt.Errorf("token id %q: write it like user@realm!name", options.TokenID)
		}
		if options.TokenSecret == "" {
			return nil, fmt.Errorf("token %q: its secret is missing", options.TokenID)
		}
		return token(options.TokenID + "=" + options.TokenSecret), nil
	case options.Username != "" && options.Password != "":
		return &ticket{username: options.Username, password: options.Password, turn: newTurn()}, nil
	}
	return nil, errors.New("neither a token nor a user with a password is given")
}

// IsRoot reports whether the client is the user root@pam itself. A token of
// root@pam is not: Proxmox compares names.
func (c *Client) IsRoot() bool {
	t, isTicket := c.identity.(*ticket)
	return isTicket && t.username == "root@pam"
}

// token is an API token with its secret. It does not expire.
type token string

func (t token) sign(_ context.Context, _ *Client, s *proxmox.Session) error {
	s.AuthToken = string(t)
	return nil
}

func (token) renew(context.Context, *proxmox.Session) bool { return false }

// ticket logs in with a password, and again well before the two hours that a
// ticket is good for are over.
type ticket struct {
	username, password string

	turn   turn // guards what is below
	value  string
	csrf   string
	issued time.Time
}

const ticketAge = 90 * time.Minute

func (t *ticket) sign(ctx context.Context, c *Client, s *proxmox.Session) error {
	if err := t.turn.take(ctx); err != nil {
		return err
	}
	defer t.turn.pass()
	if t.value == "" || time.Since(t.issued) > ticketAge {
		if err := t.login(ctx, c); err != nil {
			return err
		}
	}
	s.AuthTicket, s.CsrfToken = t.value, t.csrf
	return nil
}

func (t *ticket) renew(ctx context.Context, s *proxmox.Session) bool {
	if t.turn.take(ctx) != nil {
		return false
	}
	defer t.turn.pass()
	if s.AuthTicket == t.value {
		t.value = ""
	}
	return true
}

// login asks every endpoint in turn until one is reached. It sends no
// credentials but the password.
func (t *ticket) login(ctx context.Context, c *Client) error {
	form := url.Values{"username": {t.username}, "password": {t.password}}
	var answer struct {
		Ticket, CSRFPreventionToken string
		NeedTFA                     Bool
	}
	var err error
	for range c.endpoints {
		bare, sessionErr := proxmox.NewSession(c.base(), c.http, "", nil)
		if sessionErr != nil {
			return fmt.Errorf("log in: %w", sessionErr)
		}
		err = c.exchange(ctx, bare, call{method: http.MethodPost, path: "/access/ticket", form: form}, &answer)
		if !IsUnreachable(err) || IsCertificate(err) {
			break // a certificate that is not trusted is for a person to look at
		}
		c.advance(bare.ApiUrl)
	}
	switch {
	case err != nil:
		return fmt.Errorf("log in as %s: %w", t.username, err)
	case bool(answer.NeedTFA):
		return fmt.Errorf("log in as %s: a second factor is asked for; use an API token", t.username)
	case answer.Ticket == "":
		return fmt.Errorf("log in as %s: the server gave no ticket", t.username)
	}
	t.value, t.csrf, t.issued = answer.Ticket, answer.CSRFPreventionToken, time.Now()
	return nil
}
