package state

import "fmt"

// ErrMoved is the error of a state that was moved to another store: to go on
// with it here as well would make two of it.
type ErrMoved struct{ Store, To string }

func (e *ErrMoved) Error() string {
	return fmt.Sprintf("%s: this state was moved to %s, and goes on there", e.Store, e.To)
}
