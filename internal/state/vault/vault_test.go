package vault_test

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"fmt"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"
	"github.com/stretchr/testify/require"
	"golang.org/x/crypto/ssh"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/vault"
)

// cheap makes a test's passphrases quick to open.
const cheap = 8

const passphrase = "correct horse battery"

func open(t testing.TB, o vault.Options) *vault.Vault {
	o.WorkFactor = cheap
	v, err := vault.New(o)
	require.NoError(t, err)
	return v
}

func newBox(t testing.TB, v *vault.Vault) state.Box {
	b, err := v.New()
	require.NoError(t, err)
	return b
}

// pair returns an identity of age and its recipient.
func pair(t testing.TB) (identity, recipient string) {
	k, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	return k.String(), k.Recipient().String()
}

func hybridPair(t testing.TB) (identity, recipient string) {
	k, err := age.GenerateHybridIdentity()
	require.NoError(t, err)
	return k.String(), k.Recipient().String()
}

func sshPair(t testing.TB) (identity, recipient string) {
	public, private, err := ed25519.GenerateKey(nil)
	require.NoError(t, err)
	block, err := ssh.MarshalPrivateKey(private, "")
	require.NoError(t, err)
	key, err := ssh.NewPublicKey(public)
	require.NoError(t, err)
	return string(pem.EncodeToMemory(block)), strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func TestWhatIsSealedIsReadWithTheKeysOfTheVault(t *testing.T) {
	identity, recipient := pair(t)
	other, otherRecipient := pair(t)
	hybrid, hybridRecipient := hybridPair(t)
	sshIdentity, sshRecipient := sshPair(t)
	for _, c := range []struct {
		name        string
		write, read vault.Options
	}{
		{"passphrase", vault.Options{Passphrase: passphrase}, vault.Options{Passphrase: passphrase}},
		{"recipient", vault.Options{Recipients: []string{recipient}, Identities: identity}, vault.Options{Identities: "# mine\n\n" + identity + "\n"}},
		{"one of two recipients", vault.Options{Recipients: []string{recipient, otherRecipient}, Identities: identity},
			vault.Options{Recipients: []string{otherRecipient, recipient}, Identities: other}},
		{"post-quantum recipient", vault.Options{Recipients: []string{hybridRecipient}, Identities: hybrid}, vault.Options{Identities: hybrid}},
		{"SSH key", vault.Options{Recipients: []string{sshRecipient}, Identities: sshIdentity},
			vault.Options{Recipients: []string{sshRecipient}, Identities: sshIdentity}},
	} {
		t.Run(c.name, func(t *testing.T) {
			written := newBox(t, open(t, c.write))
			sealed, err := written.Seal([]byte("hunter2"))
			require.NoError(t, err)
			require.NotContains(t, string(sealed), "hunter2")

			read, err := open(t, c.read).Open(written.Header())
			require.NoError(t, err)
			require.Equal(t, written.Header(), read.Header())
			plain, err := read.Unseal(sealed)
			require.NoError(t, err)
			require.Equal(t, "hunter2", string(plain))

			more, err := read.Seal(nil) // writing to an opened box needs nothing more
			require.NoError(t, err)
			plain, err = written.Unseal(more)
			require.NoError(t, err)
			require.Empty(t, plain)
		})
	}
}

func TestEachBoxHasAKeyOfItsOwn(t *testing.T) {
	v := open(t, vault.Options{Passphrase: passphrase})
	one, two := newBox(t, v), newBox(t, v)
	require.NotEqual(t, one.Header(), two.Header())
	sealed, err := one.Seal([]byte("x"))
	require.NoError(t, err)
	_, err = two.Unseal(sealed)
	require.ErrorContains(t, err, "belongs to another key")
}

func TestAHeaderStaysShutWithoutItsKeys(t *testing.T) {
	identity, recipient := pair(t)
	stranger, _ := pair(t)
	byPassphrase := newBox(t, open(t, vault.Options{Passphrase: passphrase})).Header()
	byRecipient := newBox(t, open(t, vault.Options{Recipients: []string{recipient}, Identities: identity})).Header()
	for _, c := range []struct {
		name   string
		with   vault.Options
		header []byte
		want   string
	}{
		{"wrong passphrase", vault.Options{Passphrase: "not the one"}, byPassphrase, "the passphrase does not open it"},
		{"both wrong", vault.Options{Passphrase: "not the one", OldPassphrase: "nor this"}, byPassphrase, "neither the passphrase nor the old one"},
		{"another identity", vault.Options{Identities: stranger}, byRecipient, "none of the 1 keys at hand"},
		{"no identity", vault.Options{Recipients: []string{recipient}}, byRecipient, "no identity is at hand"},
		{"passphrase for a recipient's", vault.Options{Passphrase: passphrase}, byRecipient, "the passphrase does not open it"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := open(t, c.with).Open(c.header)
			require.ErrorContains(t, err, c.want)
			var sealed *state.ErrSealed
			require.ErrorAs(t, err, &sealed)
			require.NotContains(t, err.Error(), "not the one")
		})
	}
}

func TestAnOldPassphraseOpensAndIsLeftBehind(t *testing.T) {
	before := newBox(t, open(t, vault.Options{Passphrase: "the old passphrase"}))
	sealed, err := before.Seal([]byte("kept"))
	require.NoError(t, err)

	rotated, err := open(t, vault.Options{Passphrase: passphrase, OldPassphrase: "the old passphrase"}).Open(before.Header())
	require.NoError(t, err)
	require.NotEqual(t, before.Header(), rotated.Header())
	plain, err := rotated.Unseal(sealed)
	require.NoError(t, err)
	require.Equal(t, "kept", string(plain))

	more, err := rotated.Seal([]byte("new"))
	require.NoError(t, err)
	_, err = before.Unseal(more)
	require.Error(t, err, "who kept the old key reads nothing new")

	_, err = open(t, vault.Options{Passphrase: "the old passphrase"}).Open(rotated.Header())
	require.ErrorContains(t, err, "the passphrase does not open it")
	again, err := open(t, vault.Options{Passphrase: passphrase, OldPassphrase: "the old passphrase"}).Open(rotated.Header())
	require.NoError(t, err)
	require.Equal(t, rotated.Header(), again.Header(), "written anew once, not each time")
	for text, sealed := range map[string][]byte{"kept": sealed, "new": more} {
		plain, err = again.Unseal(sealed)
		require.NoError(t, err)
		require.Equal(t, text, string(plain))
	}
}

func TestAHeaderFollowsTheReaders(t *testing.T) {
	mine, me := pair(t)
	theirs, them := pair(t)
	ours := vault.Options{Recipients: []string{me, them}, Identities: mine}
	for _, c := range []struct {
		name          string
		before, after vault.Options
		out           vault.Options // who must not be able to read afterwards
	}{
		{"one less", ours, vault.Options{Recipients: []string{me}, Identities: mine}, vault.Options{Identities: theirs}},
		{"one more", vault.Options{Identities: mine}, ours, vault.Options{Passphrase: passphrase}},
		{"to a passphrase", ours, vault.Options{Passphrase: passphrase, Identities: mine}, vault.Options{Identities: mine}},
		{"from a passphrase", vault.Options{Passphrase: passphrase},
			vault.Options{Recipients: []string{me}, Identities: mine, OldPassphrase: passphrase}, vault.Options{Passphrase: passphrase}},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := newBox(t, open(t, c.before))
			after, err := open(t, c.after).Open(before.Header())
			require.NoError(t, err)
			require.NotEqual(t, before.Header(), after.Header())
			_, err = open(t, c.after).Open(after.Header())
			require.NoError(t, err)
			_, err = open(t, c.out).Open(after.Header())
			require.Error(t, err)
		})
	}
}

func TestNobodyShutsHimselfOut(t *testing.T) {
	mine, me := pair(t)
	_, them := pair(t)
	for _, o := range []vault.Options{{Recipients: []string{them}}, {Recipients: []string{them}, Identities: mine}} {
		_, err := open(t, o).New()
		require.ErrorAs(t, err, &vault.ErrShutOut{})
	}
	written := newBox(t, open(t, vault.Options{Recipients: []string{me}, Identities: mine}))
	_, err := open(t, vault.Options{Recipients: []string{them}, Identities: mine}).Open(written.Header())
	require.ErrorAs(t, err, &vault.ErrShutOut{})
}

// Every flip and every cut of what is sealed, and of a header, is noticed.
func TestWhatWasAlteredIsRefused(t *testing.T) {
	identity, recipient := pair(t)
	v := open(t, vault.Options{Recipients: []string{recipient}, Identities: identity})
	b := newBox(t, v)
	sealed, err := b.Seal([]byte(strings.Repeat("secret ", 20)))
	require.NoError(t, err)
	for i := range sealed {
		_, err := b.Unseal(sealed[:i])
		require.Error(t, err, "cut to %d", i)
		_, err = b.Unseal(flipped(sealed, i, 1<<(i%8)))
		require.Error(t, err, "byte %d", i)
	}
	_, err = b.Unseal(append(bytes.Clone(sealed), 0))
	require.Error(t, err)

	fresh := func() *vault.Vault {
		return open(t, vault.Options{Recipients: []string{recipient}, Identities: identity})
	}
	header := b.Header()
	for i := range header {
		if read, err := fresh().Open(flipped(header, i, 1<<(i%8))); err == nil { // white space around the armor does not count
			plain, err := read.Unseal(sealed)
			require.NoError(t, err, "byte %d", i)
			require.Equal(t, strings.Repeat("secret ", 20), string(plain))
		}
		if i < len(header)-1 {
			_, err := fresh().Open(header[:i])
			require.Error(t, err, "cut to %d", i)
		}
	}
}

func flipped(data []byte, i int, mask byte) []byte {
	data = bytes.Clone(data)
	data[i] ^= mask
	return data
}

func TestAHeaderThatAsksForTooMuchWorkIsRefused(t *testing.T) {
	v := open(t, vault.Options{Passphrase: passphrase})
	header := newBox(t, v).Header()
	raw := new(bytes.Buffer)
	_, err := raw.ReadFrom(armor.NewReader(bytes.NewReader(header)))
	require.NoError(t, err)
	greedy := bytes.Replace(raw.Bytes(), fmt.Appendf(nil, " %d\n", cheap), []byte(" 30\n"), 1)
	require.NotEqual(t, raw.Bytes(), greedy)
	armored := new(bytes.Buffer)
	w := armor.NewWriter(armored)
	_, err = w.Write(greedy)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	_, err = v.Open(armored.Bytes())
	require.ErrorContains(t, err, "asks for more than 1 GiB")
}

func TestKeysThatAreNoneAreRefusedWithoutBeingShown(t *testing.T) {
	identity, recipient := pair(t)
	_, hybrid := hybridPair(t)
	for _, c := range []struct {
		name string
		o    vault.Options
		want string
	}{
		{"nothing", vault.Options{}, "neither a passphrase nor recipients"},
		{"both", vault.Options{Passphrase: passphrase, Recipients: []string{recipient}}, "together"},
		{"short", vault.Options{Passphrase: "pass"}, "at least 8 characters"},
		{"no recipient", vault.Options{Recipients: []string{"bob"}}, `neither with "age1" nor with "ssh-"`},
		{"cut recipient", vault.Options{Recipients: []string{recipient[:30]}}, "only a part of one"},
		{"identity as recipient", vault.Options{Recipients: []string{identity}}, "secret identity"},
		{"recipient as identity", vault.Options{Identities: recipient}, "line 1 of the identities is a public recipient"},
		{"cut identity", vault.Options{Identities: "# mine\n" + identity[:40]}, "line 2 of the identities is no identity of age, or only a part"},
		{"junk", vault.Options{Identities: "hunter2"}, "is no identity of age"},
		{"SSH junk", vault.Options{Identities: "-----BEGIN OPENSSH PRIVATE KEY-----\nhunter2\n"}, "SSH key cannot be read"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := vault.New(c.o)
			require.ErrorContains(t, err, c.want)
			require.NotContains(t, err.Error(), "hunter2")
			require.NotContains(t, err.Error(), identity[16:40])
		})
	}
	mixed := open(t, vault.Options{Recipients: []string{recipient, hybrid}, Identities: identity})
	_, err := mixed.New()
	require.ErrorContains(t, err, "cannot be combined")
}

func TestSealingIsUndoneByUnsealing(t *testing.T) {
	identity, _ := pair(t)
	b := newBox(t, open(t, vault.Options{Identities: identity}))
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOfN(rapid.Byte(), 0, 200_000).Draw(t, "plain")
		sealed, err := b.Seal(plain)
		require.NoError(t, err)
		back, err := b.Unseal(sealed)
		require.NoError(t, err)
		require.True(t, bytes.Equal(plain, back))
	})
}

func FuzzHeader(f *testing.F) {
	identity, _ := pair(f)
	v := open(f, vault.Options{Identities: identity})
	b, err := v.New()
	require.NoError(f, err)
	f.Add(b.Header())
	f.Add([]byte("-----BEGIN AGE ENCRYPTED FILE-----\n"))
	f.Fuzz(func(t *testing.T, header []byte) {
		if opened, err := v.Open(header); err == nil {
			require.NotNil(t, opened)
		}
	})
}

// BenchmarkSeal tells what a journal line of usual length costs.
func BenchmarkSeal(b *testing.B) {
	identity, _ := pair(b)
	box := newBox(b, open(b, vault.Options{Identities: identity}))
	line := bytes.Repeat([]byte("x"), 400)
	for b.Loop() {
		if _, err := box.Seal(line); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPassphrase tells what opening a header costs that was written for a
// passphrase.
func BenchmarkPassphrase(b *testing.B) {
	for b.Loop() {
		v, err := vault.New(vault.Options{Passphrase: passphrase})
		require.NoError(b, err)
		_, err = v.New()
		require.NoError(b, err)
	}
}
