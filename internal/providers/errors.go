package providers

import "fmt"

// ErrTaken is the error of a Create whose ID somebody else has. The engine
// then takes the next free ID.
type ErrTaken struct{ ID string }

func (e ErrTaken) Error() string { return fmt.Sprintf("id %s is already taken", e.ID) }

// ErrStranger is the error of a change to something that does not carry our
// marker, or carries another one. Nothing was changed.
type ErrStranger struct{ ID, Why string }

func (e ErrStranger) Error() string { return fmt.Sprintf("%s is not ours to touch: %s", e.ID, e.Why) }

// ErrChanged is the error of a change to something that is no longer as the
// plan saw it. Nothing was changed.
type ErrChanged struct{ ID string }

func (e ErrChanged) Error() string { return fmt.Sprintf("%s was changed since the plan", e.ID) }

// ErrNothingMade is the error of a Create that left nothing behind, for
// certain: the host refused the request, or undid what it had begun.
type ErrNothingMade struct{ Cause error }

func (e ErrNothingMade) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e ErrNothingMade) Unwrap() error { return e.Cause }

// ErrUnreachable is the error of a host that does not answer at all: it may be
// switched off. What is known of it stays as it is.
type ErrUnreachable struct{ Cause error }

func (e ErrUnreachable) Error() string { return e.Cause.Error() }

// Unwrap returns the cause.
func (e ErrUnreachable) Unwrap() error { return e.Cause }
