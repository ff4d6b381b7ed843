package pvesim

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

const rootUser = "root@pam"

// identity is who makes a request.
type identity struct {
	id      string // with the token, if any; "" for nobody
	user    string
	token   string // the token's own name; "" for a ticket
	privsep bool
}

// isRoot reports whether this is root@pam itself: a token of it is not.
func (i *identity) isRoot() bool { return i.id == rootUser }

// ticketLife is how long a ticket is good for.
const ticketLife = 2 * time.Hour

// authenticate finds out who makes a request, or returns the answer that says no: those have no body.
func (x *tx) authenticate(c *request) (*identity, *answer) {
	if public(c.verb, c.path) {
		return &identity{}, nil
	}
	if cookie, err := c.http.Cookie("PVEAuthCookie"); err == nil {
		ticket, err := url.PathUnescape(cookie.Value)
		if err != nil {
			ticket = cookie.Value
		}
		return x.byTicket(c, ticket)
	}
	header := c.http.Header.Get("Authorization")
	if ticket, ok := strings.CutPrefix(header, "PVEAuthCookie="); ok {
		return x.byTicket(c, ticket)
	}
	secret, ok := strings.CutPrefix(strings.Replace(header, "PVEAPIToken ", "PVEAPIToken=", 1), "PVEAPIToken=")
	if !ok || secret == "" {
		return nil, refusal(http.StatusUnauthorized, "No ticket", "")
	}
	return x.byToken(secret)
}

// public reports whether an operation is there for anybody.
func public(verb, path string) bool {
	switch verb + " " + strings.TrimSuffix(path, "/") {
	case "GET /access/domains", "GET /access/ticket", "POST /access/ticket":
		return true
	}
	return false
}

// badCredentials says no. Until 9.1 it told why.
func (x *tx) badCredentials(why string) *answer {
	if x.has(oneAuthFailure) {
		why = "Authentication failed!"
	}
	return refusal(http.StatusUnauthorized, why, "")
}

func (x *tx) byToken(text string) (*identity, *answer) {
	full, secret, _ := strings.Cut(text, "=")
	user, name, _ := strings.Cut(full, "!")
	t := x.tokens.at(full)
	switch {
	case x.users.at(user) == nil:
		return nil, x.badCredentials(fmt.Sprintf("no such user ('%s')", user))
	case !x.mayLogIn(user):
		return nil, x.badCredentials(fmt.Sprintf("user '%s' is disabled", user))
	case t == nil:
		return nil, x.badCredentials(fmt.Sprintf("no such token '%s' for user '%s'", name, user))
	case x.past(t.Expire):
		return nil, x.badCredentials(fmt.Sprintf("token '%s' access expired", name))
	case subtle.ConstantTimeCompare([]byte(t.Secret), []byte(secret)) != 1:
		return nil, x.badCredentials("invalid token value!")
	}
	return &identity{id: full, user: t.User, token: t.ID, privsep: t.Privsep}, nil
}

func (x *tx) byTicket(c *request, ticket string) (*identity, *answer) {
	who, ok := x.checkTicket(ticket)
	if !ok {
		return nil, x.badCredentials("permission denied - invalid PVE ticket")
	}
	if c.verb != http.MethodGet && !x.checkCSRF(who, c.http.Header.Get("CSRFPreventionToken")) {
		return nil, refusal(http.StatusUnauthorized, "Permission denied - invalid csrf token", "")
	}
	return &identity{id: who, user: who}, nil
}

// past reports whether a time in seconds is over; 0 never is.
func (x *tx) past(expire int64) bool { return expire != 0 && expire < x.now.Unix() }

func (x *tx) mayLogIn(id string) bool {
	u := x.users.at(id)
	return u != nil && u.Enabled && !x.past(u.Expire)
}

// ticket makes a ticket and the token against cross-site requests that goes with it.
func (x *tx) ticket(who string) (ticket, csrf string) {
	stamp := fmt.Sprintf("%08X", x.now.Unix())
	plain := "PVE:" + who + ":" + stamp
	return plain + "::" + x.sign(plain), stamp + ":" + x.sign(stamp+":"+who)
}

func (x *tx) checkTicket(ticket string) (who string, ok bool) {
	plain, signature, _ := strings.Cut(ticket, "::")
	rest, isTicket := strings.CutPrefix(plain, "PVE:")
	cut := strings.LastIndex(rest, ":")
	if !isTicket || cut < 0 || !hmac.Equal([]byte(signature), []byte(x.sign(plain))) {
		return "", false
	}
	who = rest[:cut]
	return who, x.fresh(rest[cut+1:]) && x.mayLogIn(who)
}

func (x *tx) checkCSRF(who, text string) bool {
	stamp, signature, _ := strings.Cut(text, ":")
	return hmac.Equal([]byte(signature), []byte(x.sign(stamp+":"+who))) && x.fresh(stamp)
}

// fresh reports whether a hexadecimal time lies within the life of a ticket, with five minutes for clocks that differ.
func (x *tx) fresh(stamp string) bool {
	at, err := strconv.ParseInt(stamp, 16, 64)
	age := x.now.Sub(time.Unix(at, 0))
	return err == nil && age > -5*time.Minute && age < ticketLife
}

func (x *tx) sign(text string) string {
	mac := hmac.New(sha256.New, []byte(x.meta.at("").Key))
	mac.Write([]byte(text))
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

func hashPassword(password string) string {
	sum := sha256.Sum256([]byte(password))
	return hex.EncodeToString(sum[:])
}

func loginHandlers() map[string]handler {
	return map[string]handler{
		"GET /access/ticket":  func(*tx, *request) (any, error) { return nil, nil },
		"POST /access/ticket": (*tx).login,
		"GET /access/domains": func(*tx, *request) (any, error) {
			return []map[string]any{
				{"realm": "pam", "type": "pam", "comment": "Linux PAM standard authentication"},
				{"realm": "pve", "type": "pve", "comment": "Proxmox VE authentication server"},
			}, nil
		},
	}
}

// login makes a ticket for a password, or for a ticket that still is good.
func (x *tx) login(c *request) (any, error) {
	who, password := c.params.Str("username"), c.params.Str("password")
	if realm := c.params.Str("realm"); realm != "" && !strings.HasSuffix(who, "@"+realm) {
		who += "@" + realm
	}
	u := x.users.at(who)
	holder, renews := x.checkTicket(password)
	known := u != nil && x.mayLogIn(who) && u.Password != "" && u.Password == hashPassword(password)
	if !known && (!renews || holder != who) {
		return nil, &apiError{status: http.StatusUnauthorized, message: "authentication failure"}
	}
	ticket, csrf := x.ticket(who)
	return map[string]any{
		"username": who, "ticket": ticket, "CSRFPreventionToken": csrf, "cap": x.capabilities(&identity{id: who, user: who}),
	}, nil
}
