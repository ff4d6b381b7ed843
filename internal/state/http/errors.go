package httpstore

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
)

// advised is an error with what a person can do about it.
type advised struct {
	error
	hint string
}

// Hint is the edit or command that helps.
func (a advised) Hint() string { return a.hint }

// Unwrap returns the error without its hint.
func (a advised) Unwrap() error { return a.error }

func advise(hint, format string, args ...any) error {
	return advised{fmt.Errorf(format, args...), hint}
}

// refused returns the error of an answer that is none to go on with.
func (s *Store) refused(what string, a answer) error {
	say := func(hint, text string) error {
		if a.message != "" {
			text += fmt.Sprintf(" (%d, %q)", a.status, a.message)
		} else {
			text += fmt.Sprintf(" (%d)", a.status)
		}
		return advise(hint, "%s: %s: %s", s.name, what, text)
	}
	switch status := a.status; {
	case status == http.StatusUnauthorized && s.isGitLab:
		return say(gitLabAccess, "GitLab does not know the user or token, or the token has expired")
	case status == http.StatusUnauthorized:
		return say("set username and password, or token, in the state block", "the server does not accept the credentials")
	case status == http.StatusForbidden && s.isGitLab:
		return say(gitLabAccess, "the user or token may not do that, or the project's Infrastructure feature is off")
	case status == http.StatusForbidden:
		return say("give the user the right to read, write and lock this address", "the user may not do that")
	case status == http.StatusNotFound && s.isGitLab:
		return say("check the number of the project in address; the user or token has to be a member of it", "there is no such project, or the user or token does not see it")
	case status == http.StatusRequestEntityTooLarge && s.isGitLab:
		return say("an administrator of GitLab raises it under Admin > Settings > Preferences > Terraform limits; or use another store", "the state is larger than GitLab takes")
	case status == http.StatusRequestEntityTooLarge:
		return say("raise the limit of the server or of the proxy before it, such as client_max_body_size; or use another store", "the state is larger than the server takes")
	case status >= 300 && status < 400:
		return say("write the address that it names", "the server sends elsewhere, and credentials do not follow there")
	case status >= 500:
		return say("look into the server's log, and try again", "the server has an error of its own")
	}
	return say("check address, and that the server speaks Terraform's HTTP backend protocol", "the server refuses it")
}

const gitLabAccess = "use a token with the scope api of somebody who is Maintainer of the project (Developer is enough to read): set username and password, or TF_HTTP_USERNAME and TF_HTTP_PASSWORD in the environment"

// errLarge is the error of an answer that is not read to its end.
var errLarge = errors.New("the answer is too large")

// unanswered returns the error of a request that got no answer. It names
// neither the query nor the headers, which may be secret.
func (c *client) unanswered(what string, err error) error {
	for {
		inner, isURL := errors.AsType[*url.Error](err)
		if !isURL {
			break
		}
		err = inner.Err
	}
	text, hint := inWords(err)
	return advised{&noAnswer{fmt.Sprintf("%s: %s: %s", c.name, what, c.redact(text)), err}, hint}
}

// noAnswer is the error of a request whose outcome is not known, or that never
// reached the server.
type noAnswer struct {
	text  string
	cause error
}

func (e *noAnswer) Error() string { return e.text }

func (e *noAnswer) Unwrap() error { return e.cause }

func inWords(err error) (text, hint string) {
	const reach = "check address, and that the server is up and can be reached from here"
	var (
		name      *net.DNSError
		dial      *net.OpError
		untrusted *tls.CertificateVerificationError
		timeout   net.Error
	)
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("no address is known for %q", name.Name), reach
	case errors.As(err, &untrusted):
		return "the server's certificate is not trusted: " + strings.TrimPrefix(untrusted.Err.Error(), "x509: "),
			`set ca_file = "ca.pem" in the state block, with the authority that signed it`
	case errors.Is(err, http.ErrSchemeMismatch):
		return "the server does not speak TLS on that port", "write the address with the right port"
	case errors.As(err, &dial) && dial.Op == "dial" && !dial.Timeout():
		return fmt.Sprintf("no connection to %s: %s", dial.Addr, rootOf(dial.Err)), reach
	case errors.Is(err, errLarge):
		return err.Error(), "check address: what is there is no state of proximity"
	case errors.Is(err, context.Canceled):
		return "interrupted", "try again"
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return "there was no answer in time", reach
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer was whole", reach
	}
	return rootOf(err).Error(), reach
}

// rootOf returns the innermost error: the system's own words.
func rootOf(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// isCertificate reports whether the server was not trusted: to try again does
// not help.
func isCertificate(err error) bool {
	_, untrusted := errors.AsType[*tls.CertificateVerificationError](err)
	_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
	return untrusted || unknown
}

// isUnsent reports whether a request never reached the server: no connection
// came about, or it was not wanted any more.
func isUnsent(err error) bool {
	dial, isNet := errors.AsType[*net.OpError](err)
	return isNet && dial.Op == "dial" || isCertificate(err) || errors.Is(err, context.Canceled)
}
