package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"

	"github.com/hashicorp/go-multierror"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/ui"
)

// The exit codes. Scripts rely on them: none is ever given another meaning.
const (
	exitDone        = 0   // done, or nothing to do
	exitError       = 1   // anything that has no code of its own
	exitChanges     = 2   // plan --detailed-exitcode: there are changes
	exitUnformatted = 3   // fmt --check: a file would change
	exitInvalid     = 4   // the configuration is not valid
	exitLocked      = 5   // somebody else holds the state
	exitStale       = 6   // the plan file does not fit any more
	exitPartial     = 7   // some steps of an apply were not done
	exitNotApproved = 8   // nobody agreed to the plan
	exitUsage       = 64  // wrong arguments
	exitInterrupted = 130 // by SIGINT, SIGTERM or SIGHUP
)

// outcome returns the exit code for an error and what is still to be said of
// it, nil when that is nothing. It is the only place where errors become codes.
func outcome(err error) (code int, cause error) {
	var (
		known  *exit
		wrong  usage
		locked *state.ErrLocked
	)
	switch {
	case err == nil:
		return exitDone, nil
	case errors.As(err, &known):
		return known.code, known.cause
	case errors.As(err, &wrong):
		return exitUsage, wrong
	case errors.As(err, &locked):
		return exitLocked, hinted{err, lockedHint(locked)}
	}
	return exitError, withHint(err)
}

// exit is an error with a code of its own. Without a cause there is nothing
// more to say.
type exit struct {
	code  int
	cause error
}

// Error names the cause, or the code when there is none.
func (e *exit) Error() string {
	if e.cause == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.cause.Error()
}

// Unwrap returns the cause.
func (e *exit) Unwrap() error { return e.cause }

// usage is an error of the arguments of a command.
type usage struct {
	command string
	error
}

// Hint names the help of the command.
func (u usage) Hint() string { return u.command + " --help" }

// Unwrap returns the cause.
func (u usage) Unwrap() error { return u.error }

// hinted adds to an error what can be done about it.
type hinted struct {
	error
	hint string
}

// Hint implements ui.Hinter.
func (h hinted) Hint() string { return h.hint }

// Unwrap returns the cause.
func (h hinted) Unwrap() error { return h.error }

var errInterrupted = errors.New("interrupted")

// withHint adds the way out of the errors that have one, to each of several.
func withHint(err error) error {
	var (
		several *multierror.Error
		damaged *state.ErrDamaged
		newer   *state.ErrNewer
		sealed  *state.ErrSealed
		moved   *state.ErrMoved
		own     ui.Hinter
	)
	switch {
	case errors.As(err, &several):
		var all *multierror.Error
		for _, one := range several.Errors {
			all = multierror.Append(all, withHint(one))
		}
		return all
	case errors.As(err, &own):
		return err // where it arose more is known
	case errors.As(err, &damaged):
		return hinted{err, "proximity state doctor   (tells what is left of it and how to get it back; nothing was changed)"}
	case errors.As(err, &moved):
		return hinted{err, "write that place into the state block; to go on here all the same: proximity state history, then proximity state restore SERIAL"}
	case errors.As(err, &newer):
		return hinted{err, "use the version of proximity that wrote it, or a later one"}
	case errors.As(err, &sealed):
		return hinted{err, "give the key that it was written with, in the encryption block of the configuration, PROXIMITY_PASSPHRASE\n" +
			"or PROXIMITY_IDENTITY_FILE; after a change of the passphrase the one before goes into old_passphrase"}
	case errors.Is(err, syscall.ENOSPC):
		return hinted{err, "make room on that disk, and run this again"}
	case errors.Is(err, fs.ErrPermission):
		return hinted{err, "ls -ld . shows who may write here; put it right, or run as that user"}
	case pve.IsCertificate(err):
		return hinted{err, certificateHint(pve.Presented(err))}
	case pve.IsUnreachable(err):
		return hinted{err, "check endpoint in the host block, and that the node is up and can be reached from here"}
	case pve.IsUnauthorised(err):
		return hinted{err, "check the credentials of the host block: the token or user is unknown, expired or has another secret"}
	}
	return err
}

// lockedHint is what to do about a lock that somebody else has.
func lockedHint(locked *state.ErrLocked) string {
	switch who := locked.Holder; {
	case !locked.Stays:
		return "wait until it has ended; a lock whose holder died is taken over by itself"
	case who.ID == "":
		return "wait until it has ended; when it does not run any more: proximity state unlock"
	default:
		return fmt.Sprintf("wait until it has ended; it is held for %s; when it does not run any more: proximity state unlock %s",
			ui.Age(time.Since(who.Since)), pasted(who.ID))
	}
}

// certificateHint is how to trust a certificate that has this fingerprint.
func certificateHint(is string) string {
	const compare = "compare with \"pvenode cert info\" on the node, then set "
	if is == "" {
		return compare + "fingerprint or ca_file in the host block"
	}
	return compare + "in the host block, or a ca_file:\nfingerprint = \"" + is + "\""
}

func notApproved(text string) error { return &exit{exitNotApproved, errors.New(text)} }

// isCanceled reports whether an error only says that the run was interrupted.
func isCanceled(err error) bool { return err == nil || errors.Is(err, context.Canceled) }

// unknownAddresses is the error of --target and its like for what exists
// neither in the configuration nor in the state.
func unknownAddresses(list []addr.Addr, all []addr.Addr) error {
	err := fmt.Errorf("nothing has the address %s", list[0])
	if len(all) == 0 {
		return err
	}
	return hinted{err, "there are: " + join(all, 12)}
}
