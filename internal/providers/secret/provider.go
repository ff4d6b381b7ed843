package secret

import (
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"math/big"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Provider implements providers.Provider. The zero Provider is ready for use.
type Provider struct {
	// Random is where values come from; nil: the system's random numbers.
	Random io.Reader
}

var _ providers.Provider = Provider{}

// Observe finds what is recorded: a secret is there when its value is.
func (Provider) Observe(_ context.Context, targets []providers.Target) (providers.Observation, error) {
	found := providers.Observation{Seen: make(map[addr.Addr]resource.Seen, len(targets))}
	for _, t := range targets {
		found.Seen[t.Addr] = look(t)
	}
	return found, nil
}

func look(t providers.Target) resource.Seen {
	if t.Prior == nil || t.Prior.Attr("value").IsNull() {
		return resource.Seen{Presence: resource.Gone}
	}
	return resource.Seen{Presence: resource.Present, Object: *t.Prior}
}

// Create makes a value.
func (p Provider) Create(_ context.Context, job providers.Job) (resource.Object, error) {
	return p.made(job)
}

// Update makes another value, whichever of its properties was changed.
func (p Provider) Update(_ context.Context, job providers.Job) (resource.Object, error) {
	return p.made(job)
}

// Delete has nothing to do: what is no longer recorded is gone.
func (Provider) Delete(context.Context, providers.Job) error { return nil }

// Settle is Observe for one.
func (Provider) Settle(_ context.Context, t providers.Target, _ string) (resource.Seen, error) {
	return look(t), nil
}

func (p Provider) made(job providers.Job) (resource.Object, error) {
	want, _ := job.Want.Want.UnmarkDeep()
	length, _ := resource.Attribute(want, "length").AsBigFloat().Int64()
	value, err := p.value(int(length), resource.Text(want, "alphabet"))
	if err != nil {
		return resource.Object{}, providers.ErrNothingMade{Cause: err}
	}
	attrs := want.AsValueMap()
	attrs["value"] = cty.StringVal(value)
	return resource.Object{ID: job.ID, Attrs: cty.ObjectVal(attrs)}, nil
}

// value returns characters of the alphabet, each as likely as any other.
func (p Provider) value(length int, alphabet string) (string, error) {
	source := p.Random
	if source == nil {
		source = rand.Reader
	}
	text, n := make([]byte, length), big.NewInt(int64(len(alphabet)))
	for i := range text {
		at, err := rand.Int(source, n) // draws again what would favour some: no remainder is taken
		if err != nil {
			return "", fmt.Errorf("random numbers: %w", err)
		}
		text[i] = alphabet[at.Int64()]
	}
	return string(text), nil
}
