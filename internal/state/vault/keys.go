package vault

import (
	"bufio"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
)

// parseRecipient reads a recipient of age, or the public half of an SSH key.
func parseRecipient(text string) (age.Recipient, error) {
	var to age.Recipient
	var err error
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"):
		return nil, errors.New("this is a secret identity; the recipient is its public half (age-keygen -y)")
	case strings.HasPrefix(text, "age1pq1"):
		to, err = age.ParseHybridRecipient(text)
	case strings.HasPrefix(text, "age1"):
		to, err = age.ParseX25519Recipient(text)
	case strings.HasPrefix(text, "ssh-"):
		to, err = agessh.ParseRecipient(text)
	default:
		return nil, errors.New(`it begins neither with "age1" nor with "ssh-"`)
	}
	if err != nil {
		return nil, errors.New("it is no recipient, or only a part of one")
	}
	return to, nil
}

// parseIdentities reads an identity file: an identity of age a line, with
// comments, or one SSH key. It returns none for an empty text, and never quotes
// what it read.
func parseIdentities(content string) ([]age.Identity, error) {
	if strings.HasPrefix(strings.TrimSpace(content), "-----BEGIN") {
		identity, err := agessh.ParseIdentity([]byte(content))
		if err != nil {
			return nil, errors.New("the SSH key cannot be read, or has a passphrase of its own")
		}
		return []age.Identity{identity}, nil
	}
	var all []age.Identity
	lines := bufio.NewScanner(strings.NewReader(content))
	for n := 1; lines.Scan(); n++ {
		text := strings.TrimSpace(lines.Text())
		if text == "" || strings.HasPrefix(text, "#") {
			continue
		}
		identity, err := parseIdentity(text)
		if err != nil {
			return nil, fmt.Errorf("line %d of the identities %w", n, err)
		}
		all = append(all, identity)
	}
	if lines.Err() != nil {
		return nil, errors.New("the identities are no text")
	}
	return all, nil
}

// key is an identity that can be written down.
type key interface {
	age.Identity
	String() string
}

func parseIdentity(text string) (key, error) {
	var k key
	var err error
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-PQ-1"):
		k, err = age.ParseHybridIdentity(text)
	case strings.HasPrefix(text, "AGE-SECRET-KEY-1"):
		k, err = age.ParseX25519Identity(text)
	case strings.HasPrefix(text, "age1"):
		return nil, errors.New("is a public recipient; the secret identity is needed")
	default:
		return nil, errors.New("is no identity of age")
	}
	if err != nil {
		return nil, errors.New("is no identity of age, or only a part of one")
	}
	return k, nil
}
