package pve

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
)

// Error is a request that Proxmox refused, a request that found no answer, or
// a task that failed. It holds no secrets.
type Error struct {
	Status  int               // of HTTP; 0: there was no answer
	Message string            // Proxmox's own words, or the cause when there was no answer
	Params  map[string]string // what is wrong with which parameter
	Method  string
	Path    string
	Task    string   // the UPID of a task that failed or that was waited for
	Log     []string // the last lines of the task's log
	lost    bool     // the task cannot be asked for any more
	cause   error
}

// Error names the request or task, then what Proxmox says about it.
func (e *Error) Error() string {
	where := e.Method + " " + e.Path
	if e.Task != "" {
		where = "task " + e.Task
		if u, err := ParseUPID(e.Task); err == nil {
			where = strings.TrimSpace("task " + u.Type + " " + u.ID)
		}
	}
	what := strings.TrimSpace(e.Message)
	for _, name := range slices.Sorted(keysOf(e.Params)) {
		what = fmt.Sprintf("%s; %s: %s", strings.TrimSuffix(what, "."), name, oneLine(e.Params[name]))
	}
	if len(e.Log) > 0 {
		what += fmt.Sprintf(" (log: %s)", strings.Join(e.Log, " | "))
	}
	return where + ": " + what
}

// inWords says why there was no answer, as a person would.
func inWords(err error) string {
	var (
		name      *net.DNSError
		dial      *net.OpError
		untrusted *tls.CertificateVerificationError
	)
	switch {
	case errors.As(err, &name):
		return fmt.Sprintf("no address is known for %q", name.Name)
	case errors.As(err, &dial) && dial.Op == "dial":
		return fmt.Sprintf("no connection to %s: %s", dial.Addr, rootOf(dial.Err))
	case errors.As(err, &untrusted) && len(untrusted.UnverifiedCertificates) > 0:
		return fmt.Sprintf("the server's certificate is not trusted: %s; it has the fingerprint %s",
			strings.TrimPrefix(untrusted.Err.Error(), "x509: "), Presented(err))
	case errors.Is(err, context.DeadlineExceeded):
		return "there was no answer in time"
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "the connection was closed before the answer"
	}
	return err.Error()
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

// Unwrap returns the cause of an error without an answer.
func (e *Error) Unwrap() error { return e.cause }

func keysOf(m map[string]string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// says reports whether err is an Error whose message or parameters hold one of
// the texts. Proxmox tells most things only by words, which are always English.
func says(err error, texts ...string) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		if strings.Contains(e.Message, text) {
			return true
		}
		for _, detail := range e.Params {
			if strings.Contains(detail, text) {
				return true
			}
		}
		return false
	})
}

func hasStatus(err error, statuses ...int) bool {
	var e *Error
	return errors.As(err, &e) && slices.Contains(statuses, e.Status)
}

// IsGone: what was asked for does not exist. Proxmox has no status for it.
func IsGone(err error) bool {
	return says(err, "No such job '", "no such vzdump job") ||
		says(err, "Configuration file '") && says(err, "' does not exist")
}

// IsTaken: the name or number of what was to be made is taken, by a container,
// a virtual machine or a job.
func IsTaken(err error) bool { return says(err, "already exists") }

// IsFileThere: a download would write over a file.
func IsFileThere(err error) bool { return says(err, "refusing to override existing file") }

// IsBusy: a lock could not be had in time. Nothing was done. Commands that took
// too long say "got timeout" as well, and are no locks.
func IsBusy(err error) bool {
	return says(err, "can't lock file") && says(err, "got timeout") ||
		says(err, "got lock request timeout", "got lock timeout", "locked command timed out")
}

// IsLocked: the guest is marked as busy, by a backup, a snapshot and so on.
func IsLocked(err error) bool { return says(err, "is locked (") }

// IsChanged: the digest sent is not that of what is there now.
func IsChanged(err error) bool { return says(err, "detected modified configuration") }

// IsForbidden: the user or token lacks a privilege.
func IsForbidden(err error) bool { return hasStatus(err, 403) || says(err, "Permission check failed") }

// IsRefused: the request was turned down before anything was done, for its
// parameters, for lack of a privilege or because the release does not know it.
func IsRefused(err error) bool { return hasStatus(err, 400, 401, 403, 501) && !IsLost(err) }

// IsFault: the handler of the request broke off. It mostly did nothing, but
// Proxmox knows errors after the deed.
func IsFault(err error) bool { return hasStatus(err, 500) }

// IsUnauthorised: the credentials are not accepted.
func IsUnauthorised(err error) bool { return hasStatus(err, 401) }

// IsRunning and IsStopped: a guest was to be started that runs, or to be
// stopped that does not run.
func IsRunning(err error) bool { return says(err, "already running") }

// IsStopped: see IsRunning.
func IsStopped(err error) bool { return says(err, "not running") }

// IsSameSize: a volume already has the size it was to get.
func IsSameSize(err error) bool { return says(err, "disk is already at specified size") }

// IsTaskFailure: a task ended, and not well.
func IsTaskFailure(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Task != "" && e.Status != 0 && !e.lost
}

// IsLost: what became of a task cannot be asked for: its node knows no such
// task (any more), or does not tell this user. It may have had its effect, or
// may still do so.
func IsLost(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.lost
}

// IsGateway: a node could not be reached by the one that was asked, or the
// answer did not come in time.
func IsGateway(err error) bool { return hasStatus(err, 502, 503, 504, 595, 596, 597, 598, 599) }

// IsCertificate: the server's certificate is not trusted, or not the pinned one.
func IsCertificate(err error) bool {
	var verification *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	return errors.As(err, &verification) || errors.As(err, &authority) || errors.Is(err, ErrPin)
}

// IsUnreachable: no connection came about, so nothing was sent.
func IsUnreachable(err error) bool {
	var e *Error
	if !errors.As(err, &e) {
		return false
	}
	var op *net.OpError
	return e.Status == 595 || IsCertificate(err) || errors.As(e.cause, &op) && op.Op == "dial"
}

// IsDown: no server answered, for no reason that lies with us.
func IsDown(err error) bool {
	return (IsUnreachable(err) || IsUnclear(err)) && !IsCertificate(err) && !errors.Is(err, context.Canceled)
}

// IsUnclear: the request was sent but its answer was lost, or its task was, so it
// may or may not have taken effect, or may still do so.
func IsUnclear(err error) bool {
	var e *Error
	if !errors.As(err, &e) || e.Task != "" && !e.lost || IsUnreachable(err) {
		return false
	}
	return e.Status == 0 || e.lost || IsGateway(err)
}

// isTransient: asking again may help.
func isTransient(err error) bool {
	if errors.Is(err, context.Canceled) || IsCertificate(err) {
		return false
	}
	return IsUnclear(err) || IsUnreachable(err)
}
