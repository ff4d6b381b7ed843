// Package vault encrypts what a state keeps, with age (age-encryption.org): for
// a passphrase, or for the recipients whose keys may read it. It owns how keys
// are written and found, and nothing of what is encrypted.
//
// The words: a box is what encrypts one body, with a key of its own; its header
// is that key, encrypted for the people who may read the body. So only a header
// costs the work that slows down the guessing of passphrases, and what is added to
// a body later needs nobody's key but the box's.
package vault

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"filippo.io/age"

	"github.com/proximity-cli/proximity/internal/state"
)

// Options are the keys of a vault. One of Passphrase, Recipients and Identities
// is needed to write.
type Options struct {
	Passphrase string // writes and reads
	// OldPassphrase only reads: what it opens is written again under the others.
	OldPassphrase string
	Recipients    []string // who may read what is written; empty: the owners of Identities
	Identities    string   // the content of an identity file; only reads
	// WorkFactor is the binary logarithm of what a guess of the passphrase
	// costs. 0: the usual one.
	WorkFactor int
}

const (
	// workFactor makes one guess take some tenths of a second and 128 MiB.
	workFactor = 17
	// maxWorkFactor is what a header may ask of who reads it: 1 GiB of memory,
	// and some seconds.
	maxWorkFactor = 20
	// MinPassphrase is how many bytes a passphrase has at least.
	MinPassphrase = 8
)

// Vault makes and opens boxes. It is safe for concurrent use.
type Vault struct {
	lock    []age.Recipient // who a header is written for
	readers string          // names them, or says that it is a passphrase
	keys    []age.Identity  // open what is written for lock, or for an identity
	old     []age.Identity  // open what was written before

	mu    sync.Mutex
	boxes map[string]*box // that were opened or made, by header: a passphrase is slow on purpose
}

var _ state.Vault = (*Vault)(nil)

// New returns a vault of these keys. No error names a secret.
func New(o Options) (*Vault, error) {
	v := &Vault{boxes: map[string]*box{}}
	identities, err := parseIdentities(o.Identities)
	if err != nil {
		return nil, err
	}
	v.keys = identities
	switch {
	case o.Passphrase != "" && len(o.Recipients) > 0:
		return nil, errors.New("a passphrase and recipients together: only one of them can be written for")
	case o.Passphrase != "":
		err = v.usePassphrase(o)
	case len(o.Recipients) > 0:
		err = v.useRecipients(o.Recipients)
	case len(identities) > 0:
		err = v.useOwners(identities)
	default:
		err = errors.New("neither a passphrase nor recipients")
	}
	if err == nil && o.OldPassphrase != "" {
		var old age.Identity
		old, err = passphraseIdentity(o.OldPassphrase)
		v.old = []age.Identity{old}
	}
	if err != nil {
		return nil, err
	}
	return v, nil
}

func (v *Vault) usePassphrase(o Options) error {
	if why := CheckPassphrase(o.Passphrase); why != "" {
		return errors.New("the passphrase " + why)
	}
	to, err := age.NewScryptRecipient(o.Passphrase)
	if err != nil {
		return err
	}
	to.SetWorkFactor(workFactor)
	if o.WorkFactor > 0 {
		to.SetWorkFactor(o.WorkFactor)
	}
	key, err := passphraseIdentity(o.Passphrase)
	v.lock, v.readers, v.keys = []age.Recipient{to}, passphraseReader, append(v.keys, key)
	return err
}

func passphraseIdentity(text string) (age.Identity, error) {
	key, err := age.NewScryptIdentity(text)
	if err != nil {
		return nil, err
	}
	key.SetMaxWorkFactor(maxWorkFactor)
	return key, nil
}

func (v *Vault) useRecipients(texts []string) error {
	for _, text := range texts {
		to, err := parseRecipient(text)
		if err != nil {
			return fmt.Errorf("recipient %q: %w", short(text), err)
		}
		v.lock = append(v.lock, to)
	}
	v.readers = strings.Join(slices.Compact(slices.Sorted(slices.Values(texts))), " ")
	return nil
}

// useOwners writes for those whose identities are at hand.
func (v *Vault) useOwners(identities []age.Identity) error {
	var owners []string
	for _, identity := range identities {
		switch identity := identity.(type) {
		case *age.X25519Identity:
			owners = append(owners, identity.Recipient().String())
		case *age.HybridIdentity:
			owners = append(owners, identity.Recipient().String())
		default:
			return errors.New("an SSH key alone: its recipient has to be said as well")
		}
	}
	return v.useRecipients(owners)
}

// CheckPassphrase returns what is wrong with a passphrase, or "", as the end of
// a sentence.
func CheckPassphrase(text string) string {
	switch {
	case text == "":
		return "is empty"
	case len(text) < MinPassphrase:
		return fmt.Sprintf("must have at least %d characters", MinPassphrase)
	}
	return ""
}

// CheckRecipient returns what is wrong with a recipient, or "".
func CheckRecipient(text string) string {
	if _, err := parseRecipient(text); err != nil {
		return err.Error()
	}
	return ""
}

// CheckIdentities returns what is wrong with the content of an identity file,
// or "".
func CheckIdentities(content string) string {
	identities, err := parseIdentities(content)
	switch {
	case err != nil:
		return err.Error()
	case len(identities) == 0:
		return "it holds no identity"
	}
	return ""
}

// short returns the beginning of a recipient, enough to find it.
func short(text string) string {
	const shown = 24
	if len(text) > shown {
		return text[:shown] + "…"
	}
	return text
}
