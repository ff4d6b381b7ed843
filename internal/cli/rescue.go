package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/proximity-cli/proximity/internal/state"
)

// erroredFile is where a state goes that its store did not take.
const erroredFile = "proximity.errored.json"

// rescue writes what a store refused beside the configuration, or where that
// cannot be written either, where temporary files go. It returns the error with
// what to do about it.
func (e *engine) rescue(session *state.Session, cause error) error {
	data, err := session.Rescue()
	if data == nil {
		return errors.Join(cause, err)
	}
	path, err := putAside(erroredFile, data)
	if err != nil {
		var second error
		if path, second = putAside(filepath.Join(os.TempDir(), erroredFile), data); second != nil {
			return fmt.Errorf("%w; nor could the state be put aside (%w), and the next run settles what the journal has", cause, err)
		}
	}
	return hinted{
		fmt.Errorf("%w; the state as it has to be is in %s, so that nothing is lost", cause, path),
		"when the store takes writes again: proximity state push " + pasted(path),
	}
}
