package s3

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/proximity-cli/proximity/internal/state"
)

// problem is an error in words of ours: those of the SDK are long, and may
// hold what was sent.
type problem struct {
	text, hint string
	cause      error
}

func (p *problem) Error() string { return p.text }

// Hint says what a person can do about it.
func (p *problem) Hint() string { return p.hint }

func (p *problem) Unwrap() error { return p.cause }

// headless is the damage that a head is gone, or is none of ours.
type headless struct {
	*state.ErrDamaged
	config Config
}

func (h *headless) Unwrap() error { return h.ErrDamaged }

// Hint says how to get at an earlier head, or else begin anew with the newest
// state.
func (h *headless) Hint() string {
	c := h.config
	return fmt.Sprintf(`aws s3api list-object-versions --bucket %[1]s --prefix %[2]s%[3]s   (where the bucket keeps versions: put the newest good one back)
aws s3 mv --recursive s3://%[1]s/%[2]s.d/ s3://%[1]s/%[2]s.lost/%[3]s   (else: then remove the head, and push the newest state of these)`, c.Bucket, c.Key, c.flags())
}

// flags are those that AWS's command needs to reach the store.
func (c Config) flags() string {
	var flags string
	if c.Profile != "" {
		flags += " --profile " + c.Profile
	}
	if c.Region != "" {
		flags += " --region " + c.Region
	}
	if c.Endpoint != "" {
		flags += " --endpoint-url " + c.Endpoint
	}
	return flags
}

// damaged reports whether an error is damage of what was written.
func damaged(err error) bool {
	_, is := errors.AsType[*state.ErrDamaged](err)
	return is
}

// code returns the name that S3 gives an error, or "".
func code(err error) string {
	if answer, ok := errors.AsType[smithy.APIError](err); ok {
		return answer.ErrorCode()
	}
	return ""
}

// status returns that of an answer, 0 when there was none.
func status(err error) int {
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok {
		return answer.HTTPStatusCode()
	}
	return 0
}

// isOpen reports whether after an error of a write on a condition it has to be
// looked up what came of it. Other refusals are final.
func isOpen(err error) bool {
	switch status(err) {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusPreconditionFailed, http.StatusTooManyRequests:
		return true
	case http.StatusNotFound:
		return code(err) == "NoSuchKey"
	case http.StatusNotImplemented:
		return false
	}
	return status(err) < 400 || status(err) >= 500
}

// named adds where the store is to an error that does not say so by itself.
func (s *Store) named(err error) error {
	if _, isOurs := errors.AsType[*problem](err); isOurs {
		return fmt.Errorf("%s: %w", s, err)
	}
	return err
}

// explain puts an error of a request in words of ours.
func (s *Store) explain(err error) error {
	if err == nil {
		return nil
	}
	var p *problem
	if _, isLackOfKeys := errors.AsType[*errNoKeys](err); isLackOfKeys {
		p = s.withoutKeys(err)
	} else if code(err) != "" {
		p = s.refused(err)
	} else {
		p = s.unreached(err)
	}
	p.cause = err
	return p
}

// refused explains what the store answered.
func (s *Store) refused(err error) *problem {
	c := s.config
	switch code(err) {
	case "NoSuchBucket":
		return &problem{text: fmt.Sprintf("there is no bucket %q", c.Bucket), hint: "aws s3 mb s3://" + c.Bucket + c.flags()}
	case "AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden":
		return &problem{
			text: operation(err) + ": access denied",
			hint: fmt.Sprintf("allow s3:GetObject, s3:PutObject and s3:DeleteObject on arn:aws:s3:::%s/%s*, and s3:ListBucket on arn:aws:s3:::%[1]s", c.Bucket, c.Key),
		}
	case "InvalidAccessKeyId":
		return &problem{text: "the store knows no such access key", hint: "aws s3 ls s3://" + c.Bucket + c.flags()}
	case "SignatureDoesNotMatch":
		return &problem{text: "the secret key is not that of the access key", hint: "aws s3 ls s3://" + c.Bucket + c.flags()}
	case "ExpiredToken", "ExpiredTokenException", "InvalidToken", "TokenRefreshRequired":
		return &problem{text: "the keys have expired", hint: c.login()}
	case "RequestTimeTooSkewed", "RequestExpired":
		return &problem{text: "the clock of this machine differs too much from that of the store", hint: "sudo timedatectl set-ntp true"}
	case "PermanentRedirect", "TemporaryRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException":
		return s.elsewhere(err)
	case "NotImplemented":
		return s.careless("conditions of a write")
	case "SlowDown", "ServiceUnavailable", "InternalError", "RequestTimeout":
		return &problem{text: fmt.Sprintf("%s: the store is overloaded or out of order (%s)", operation(err), code(err))}
	}
	return &problem{text: s.said(err)}
}

// said is what an answer says by itself.
func (s *Store) said(err error) string {
	answer, _ := errors.AsType[smithy.APIError](err)
	return s.keys.hide(fmt.Sprintf("%s: %s: %s", operation(err), answer.ErrorCode(), cmp.Or(answer.ErrorMessage(), "no more is said")))
}

// operation is what was asked for, such as PutObject.
func operation(err error) string {
	if asked, ok := errors.AsType[*smithy.OperationError](err); ok {
		return asked.OperationName
	}
	return "request"
}

// elsewhere explains that the bucket is in another region.
func (s *Store) elsewhere(err error) *problem {
	p := &problem{text: fmt.Sprintf("the bucket %q is in another region", s.config.Bucket), hint: "aws s3api get-bucket-location --bucket " + s.config.Bucket}
	if answer, ok := errors.AsType[*smithyhttp.ResponseError](err); ok && answer.Response != nil {
		if region := answer.Response.Header.Get("X-Amz-Bucket-Region"); region != "" {
			p.text, p.hint = p.text+": "+region, fmt.Sprintf("region = %q", region)
		}
	}
	return p
}

func (c Config) login() string {
	if c.Profile != "" {
		return "aws sso login --profile " + c.Profile
	}
	return "aws sso login"
}

// careless is the error about a store that does not honour a condition.
func (s *Store) careless(what string) *problem {
	return &problem{
		text: fmt.Sprintf("the store does not honour %s, so that two runs could write at the same time", what),
		hint: "a newer release of the store, or another one: conditional writes are a part of S3",
	}
}

// unreached explains why there was no answer, or none of S3.
func (s *Store) unreached(err error) *problem {
	at := s.host()
	if unknown, ok := errors.AsType[*net.DNSError](err); ok {
		return &problem{text: fmt.Sprintf("the name %q is not known", unknown.Name), hint: "getent hosts " + unknown.Name}
	}
	if untrusted, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
		return &problem{text: fmt.Sprintf("the certificate of %s is not to be trusted: %v", at, untrusted.Err), hint: `ca_file = "/etc/ssl/its-ca.pem"`}
	}
	if _, ok := errors.AsType[tls.RecordHeaderError](err); ok || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return &problem{text: at + " does not speak TLS", hint: fmt.Sprintf("endpoint = %q", "http://"+at)}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &problem{text: "the request was interrupted"}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &problem{text: at + " refuses connections: nothing listens there", hint: "curl -I " + cmp.Or(s.config.Endpoint, "https://s3.amazonaws.com")}
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return &problem{text: at + " does not answer"}
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed),
		errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return &problem{text: "the connection to " + at + " was cut"}
	case status(err) != 0:
		return &problem{text: fmt.Sprintf("%s does not answer as S3 does (HTTP %d)", at, status(err)), hint: "curl -I " + cmp.Or(s.config.Endpoint, "https://s3.amazonaws.com")}
	}
	return &problem{text: s.keys.hide(fmt.Sprintf("%s: %v", at, deepest(err)))}
}

// withoutKeys explains why there are no keys to ask with.
func (s *Store) withoutKeys(err error) *problem {
	_, hasExpired := errors.AsType[*ssocreds.InvalidTokenError](err)
	switch {
	case errors.Is(err, context.Canceled):
		return &problem{text: "the request was interrupted"}
	case hasExpired:
		return &problem{text: "the session of single sign-on has expired", hint: s.config.login()}
	case code(err) != "":
		return &problem{text: "no keys were given out: " + s.said(err), hint: "aws sts get-caller-identity" + s.config.flags()}
	}
	return &problem{
		text: "no keys were found: neither in the state block nor in the environment, a profile or this machine",
		hint: "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…",
	}
}

func isTimeout(err error) bool {
	timeout, ok := errors.AsType[net.Error](err)
	return ok && timeout.Timeout()
}

// deepest returns the error at the bottom of a chain.
func deepest(err error) error {
	for {
		next := errors.Unwrap(err)
		if next == nil {
			return err
		}
		err = next
	}
}
