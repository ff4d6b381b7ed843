package state

import (
	"context"
	"errors"
)

// Holder returns who holds the lock of a store, without taking it; false when
// nobody does. It asks for the lock of an ID that nobody has to be broken.
func Holder(ctx context.Context, store Store) (Who, bool, error) {
	err := store.Break(ctx, "nobody-"+randomHex(8))
	var (
		other *ErrOther
		held  *ErrHeld
	)
	switch {
	case errors.As(err, &other):
		return other.Holder, other.Holder != (Who{}), nil
	case errors.As(err, &held):
		return held.Holder, true, nil
	}
	return Who{}, false, err
}
