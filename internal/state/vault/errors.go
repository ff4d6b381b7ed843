package vault

import (
	"fmt"

	"github.com/proximity-cli/proximity/internal/state"
)

// ErrShutOut is the error of writing for recipients of whom none is here.
type ErrShutOut struct{}

func (ErrShutOut) Error() string {
	return "encryption: no identity at hand belongs to one of the recipients, so what is written could not be read again"
}

// Hint says what to add.
func (ErrShutOut) Hint() string {
	return "add your own recipient to recipients (age-keygen -y FILE prints it), or name its file in identity_file or PROXIMITY_IDENTITY_FILE"
}

// shut says why no key at hand opens a header.
func (v *Vault) shut() error {
	tried, why := len(v.keys)+len(v.old), ""
	switch {
	case v.readers == passphraseReader && len(v.keys) == 1 && len(v.old) == 0:
		why = "the passphrase does not open it"
	case v.readers == passphraseReader && len(v.keys) == 1:
		why = "neither the passphrase nor the old one opens it"
	case tried == 0:
		why = "no identity is at hand that opens it"
	default:
		why = fmt.Sprintf("none of the %d keys at hand opens it", tried)
	}
	return &state.ErrSealed{Why: why}
}
