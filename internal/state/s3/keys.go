package s3

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/aws/aws-sdk-go-v2/aws"
)

// keys knows where the keys come from, and which there were, so that none of
// them gets into a message.
type keys struct {
	from aws.CredentialsProvider

	mu      sync.Mutex
	secrets []string
}

// errNoKeys is the error of a request for which no keys were found.
type errNoKeys struct{ cause error }

func (e *errNoKeys) Error() string { return "no keys: " + e.cause.Error() }
func (e *errNoKeys) Unwrap() error { return e.cause }

// Retrieve implements aws.CredentialsProvider.
func (k *keys) Retrieve(ctx context.Context) (aws.Credentials, error) {
	found, err := k.from.Retrieve(ctx)
	if err != nil {
		return found, &errNoKeys{err}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, secret := range []string{found.SecretAccessKey, found.SessionToken} {
		if secret != "" && !slices.Contains(k.secrets, secret) {
			k.secrets = append(k.secrets, secret)
		}
	}
	return found, nil
}

// hide returns a text of others without the keys.
func (k *keys) hide(text string) string {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, secret := range k.secrets {
		for _, form := range []string{secret, url.QueryEscape(secret), url.PathEscape(secret)} {
			text = strings.ReplaceAll(text, form, "***")
		}
	}
	return text
}
