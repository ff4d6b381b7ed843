package vault

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"

	"github.com/proximity-cli/proximity/internal/state"
)

const (
	// maxHeader is far more than a hundred recipients take.
	maxHeader = 1 << 20
	// readersLine says in a header, encrypted with the key, who it was written
	// for: a change of that is noticed when the box is opened.
	readersLine      = "# for "
	passphraseReader = "passphrase"
)

// box seals with a key of its own.
type box struct {
	header []byte
	key    key
	to     age.Recipient // whose secret half key is
}

// Header returns the box's key, encrypted for those who may read.
func (b *box) Header() []byte { return bytes.Clone(b.header) }

// Seal encrypts a text of any length; equal texts come out different.
func (b *box) Seal(plain []byte) ([]byte, error) {
	sealed, err := encrypt(plain, b.to)
	if err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	return sealed, nil
}

// errAltered does not say more: what was altered is not known.
var errAltered = errors.New("it was altered after it was encrypted, is only a part, or belongs to another key")

// Unseal returns what was sealed, or an error when it is not just that.
func (b *box) Unseal(sealed []byte) ([]byte, error) {
	plain, err := decrypt(sealed, b.key)
	if err != nil {
		return nil, errAltered
	}
	return plain, nil
}

// New returns a box with a key of its own, written for the vault's passphrase
// or recipients. Recipients of whom no identity is at hand are refused: what is
// written would be lost for who wrote it.
func (v *Vault) New() (state.Box, error) {
	b, err := v.newBox()
	if err != nil {
		return nil, err
	}
	return b, v.seal(b)
}

func (v *Vault) newBox() (*box, error) {
	for _, to := range v.lock {
		if _, isHybrid := to.(*age.HybridRecipient); !isHybrid {
			k, err := age.GenerateX25519Identity()
			if err != nil {
				return nil, fmt.Errorf("encryption: %w", err)
			}
			return &box{key: k, to: k.Recipient()}, nil
		}
	}
	// Who chose keys that quantum computers do not break wants that of the
	// content too.
	k, err := age.GenerateHybridIdentity()
	if err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	return &box{key: k, to: k.Recipient()}, nil
}

// seal writes the header of a box and notes the box.
func (v *Vault) seal(b *box) error {
	text := readersLine + v.readers + "\n" + b.key.String() + "\n"
	header, err := encrypt([]byte(text), v.lock...)
	if err != nil {
		return fmt.Errorf("encryption: the recipients cannot be combined (post-quantum ones only with each other): %w", err)
	}
	if v.readers != passphraseReader {
		if _, err := decrypt(header, v.keys...); err != nil {
			return ErrShutOut{}
		}
	}
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	if _, err := w.Write(header); err != nil {
		return fmt.Errorf("encryption: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("encryption: %w", err)
	}
	b.header = armored.Bytes()
	v.note(armored.Bytes(), b)
	return nil
}

func (v *Vault) note(header []byte, b *box) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.boxes[string(header)] = b
}

// Open returns the box of a header. One that was written for others than the
// vault writes for, or for its old passphrase, gets a new header: what is written
// from now on is for those who may read now. The key stays the same, so that
// what the box sealed before can be read.
func (v *Vault) Open(header []byte) (state.Box, error) {
	v.mu.Lock()
	b, known := v.boxes[string(header)]
	v.mu.Unlock()
	if known {
		return b, nil
	}
	text, isOld, err := v.unlock(header)
	if err != nil {
		return nil, err
	}
	b, readers, err := parseBox(text)
	if err != nil {
		return nil, err
	}
	b.header = bytes.Clone(header)
	if isOld || readers != v.readers {
		if err := v.seal(b); err != nil {
			return nil, err
		}
	}
	v.note(header, b)
	return b, nil
}

// unlock decrypts a header and tells whether only the old passphrase did.
func (v *Vault) unlock(header []byte) (text []byte, isOld bool, err error) {
	if len(header) > maxHeader {
		return nil, false, errHeader
	}
	raw, err := io.ReadAll(armor.NewReader(bytes.NewReader(header)))
	if err != nil {
		return nil, false, errHeader
	}
	for _, keys := range [][]age.Identity{v.keys, v.old} {
		if len(keys) == 0 {
			continue
		}
		text, err = decrypt(raw, keys...)
		var noMatch *age.NoIdentityMatchError
		switch {
		case err == nil:
			return text, isOld, nil
		case !errors.As(err, &noMatch):
			return nil, false, errHeader
		}
		isOld = true
	}
	return nil, false, v.shut()
}

// errHeader also covers what asks for more work than it is worth.
var errHeader = errors.New("the encrypted key was altered, is only a part, or asks for more than 1 GiB of memory to be opened")

// parseBox reads what a header holds.
func parseBox(text []byte) (b *box, readers string, err error) {
	first, rest, _ := strings.Cut(string(text), "\n")
	readers, isNamed := strings.CutPrefix(first, readersLine)
	k, err := parseIdentity(strings.TrimSpace(rest))
	if err != nil || !isNamed {
		return nil, "", errHeader
	}
	b = &box{key: k}
	switch k := k.(type) {
	case *age.X25519Identity:
		b.to = k.Recipient()
	case *age.HybridIdentity:
		b.to = k.Recipient()
	}
	return b, readers, nil
}

func encrypt(plain []byte, to ...age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	w, err := age.Encrypt(&out, to...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write(plain); err != nil {
		return nil, err
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func decrypt(sealed []byte, keys ...age.Identity) ([]byte, error) {
	if len(keys) == 0 {
		return nil, &age.NoIdentityMatchError{}
	}
	r, err := age.Decrypt(bytes.NewReader(sealed), keys...)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r)
}
