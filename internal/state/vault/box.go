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
	keys   []key         // the first one seals; the others did before
	to     age.Recipient // whose secret half the first key is
}

// Header returns the box's keys, encrypted for those who may read.
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
	identities := make([]age.Identity, len(b.keys))
	for i, k := range b.keys {
		identities[i] = k
	}
	plain, err := decrypt(sealed, identities...)
	if err != nil {
		return nil, errAltered
	}
	return plain, nil
}

// New returns a box with a key of its own, written for the vault's passphrase
// or recipients. Recipients of whom no identity is at hand are refused: what is
// written would be lost for who wrote it.
func (v *Vault) New() (state.Box, error) {
	b, err := v.renewed(nil)
	if err != nil {
		return nil, err
	}
	return b, nil
}

// renewed returns a box with a new key that also opens what older keys sealed.
func (v *Vault) renewed(older []key) (*box, error) {
	k, err := v.newKey()
	if err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	b := &box{keys: append([]key{k}, older...), to: recipientOf(k)}
	if b.header, err = v.header(b.keys); err != nil {
		return nil, err
	}
	v.note(b.header, b)
	return b, nil
}

// newKey returns a key that quantum computers do not break when the recipients
// have such: who chose them wants that of the content too.
func (v *Vault) newKey() (key, error) {
	for _, to := range v.lock {
		if _, isHybrid := to.(*age.HybridRecipient); isHybrid {
			return age.GenerateHybridIdentity()
		}
	}
	return age.GenerateX25519Identity()
}

// header returns keys, encrypted for those who may read.
func (v *Vault) header(keys []key) ([]byte, error) {
	text := []byte(readersLine + v.readers + "\n")
	for _, k := range keys {
		text = append(text, k.String()+"\n"...)
	}
	sealed, err := encrypt(text, v.lock...)
	if err != nil {
		return nil, fmt.Errorf("encryption: the recipients cannot be combined (post-quantum ones only with each other): %w", err)
	}
	if v.readers != passphraseReader {
		if _, err := decrypt(sealed, v.keys...); err != nil {
			return nil, ErrShutOut{}
		}
	}
	var armored bytes.Buffer
	w := armor.NewWriter(&armored)
	if _, err := w.Write(sealed); err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encryption: %w", err)
	}
	return armored.Bytes(), nil
}

func (v *Vault) note(header []byte, b *box) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.boxes[string(header)] = b
}

// Open returns the box of a header. One that was written for others than the
// vault writes for, or for its old passphrase, comes with a new header and a new
// key: what is written from now on can be read only by those who may read now,
// whatever others kept. What was sealed before can be read with it all the same.
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
	keys, readers, err := parseKeys(text)
	if err != nil {
		return nil, err
	}
	if isOld || readers != v.readers {
		if b, err = v.renewed(keys); err != nil {
			return nil, err
		}
	} else {
		b = &box{header: bytes.Clone(header), keys: keys, to: recipientOf(keys[0])}
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

// parseKeys reads what a header holds.
func parseKeys(text []byte) (keys []key, readers string, err error) {
	lines := strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
	readers, isNamed := strings.CutPrefix(lines[0], readersLine)
	if !isNamed || len(lines) < 2 {
		return nil, "", errHeader
	}
	for _, line := range lines[1:] {
		k, err := parseIdentity(line)
		if err != nil {
			return nil, "", errHeader
		}
		keys = append(keys, k)
	}
	return keys, readers, nil
}

func recipientOf(k key) age.Recipient {
	if hybrid, ok := k.(*age.HybridIdentity); ok {
		return hybrid.Recipient()
	}
	return k.(*age.X25519Identity).Recipient() // there is no third sort: see parseIdentity
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
