package secret_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/secret"
	"github.com/proximity-cli/proximity/internal/resource"
)

var kind = secret.Kind()

func want(length int64, alphabet string) resource.Resource {
	return resource.Resource{Addr: addr.New("secret", "a"), Host: resource.NoHost, Want: kind.Schema.Value(map[string]cty.Value{
		"length": cty.NumberIntVal(length), "alphabet": cty.StringVal(alphabet),
	})}
}

func made(t require.TestingT, p secret.Provider, w resource.Resource) resource.Object {
	o, err := p.Create(context.Background(), providers.Job{Addr: w.Addr, ID: "secret.a", Want: w})
	require.NoError(t, err)
	require.Equal(t, "secret.a", o.ID)
	return o
}

func valueOf(o resource.Object) string { return resource.Text(o.Attrs, "value") }

func TestAValueIsAsLongAndOfWhatIsAsked(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.Int64Range(8, 1024).Draw(t, "length")
		letters := rapid.SliceOfNDistinct(rapid.ByteRange('!', '~'), 2, 94, rapid.ID).Draw(t, "alphabet")
		value := valueOf(made(t, secret.Provider{}, want(length, string(letters))))
		require.Len(t, value, int(length))
		require.Empty(t, strings.Trim(value, string(letters)))
	})
}

func TestNoTwoValuesAreEqual(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		value := valueOf(made(t, secret.Provider{}, want(24, "ab")))
		seen[value] = true
	}
	require.Greater(t, len(seen), 990)
}

// From a source that has every byte once, each of three characters has to come
// out as often as the others. Taking remainders gives itself away by the order.
func TestNoCharacterIsFavoured(t *testing.T) {
	var every []byte
	for rest := range 3 {
		for b := rest; b < 256; b += 3 {
			every = append(every, byte(b))
		}
	}
	value := valueOf(made(t, secret.Provider{Random: bytes.NewReader(every)}, want(192, "abc")))
	for _, letter := range []string{"a", "b", "c"} {
		require.Equal(t, 64, strings.Count(value, letter), letter)
	}
}

func TestWithoutRandomNumbersNothingIsMade(t *testing.T) {
	_, err := secret.Provider{Random: io.LimitReader(strings.NewReader("abc"), 3)}.Create(t.Context(), providers.Job{Want: want(24, "ab")})
	var nothing providers.ErrNothingMade
	require.True(t, errors.As(err, &nothing))
	require.NotContains(t, err.Error(), "abc")
}

func TestASecretIsThereWhenItsValueIsRecorded(t *testing.T) {
	p, w := secret.Provider{}, want(24, "ab")
	o := made(t, p, w)
	begun := resource.Object{ID: "secret.a", Attrs: w.Want}
	for _, c := range []struct {
		name  string
		prior *resource.Object
		there resource.Presence
	}{
		{"never made", nil, resource.Gone},
		{"recorded", &o, resource.Present},
		{"begun, and its value never recorded", &begun, resource.Gone},
		{"about to be removed", &resource.Object{ID: "secret.a"}, resource.Gone},
	} {
		t.Run(c.name, func(t *testing.T) {
			target := providers.Target{Addr: w.Addr, Want: &w, Prior: c.prior}
			found, err := p.Observe(t.Context(), []providers.Target{target})
			require.NoError(t, err)
			seen := found.Seen[w.Addr]
			require.Equal(t, c.there, seen.Presence)
			settled, err := p.Settle(t.Context(), target, "")
			require.NoError(t, err)
			require.Equal(t, seen, settled)
			if c.there == resource.Present {
				require.Equal(t, valueOf(o), valueOf(seen.Object))
			}
		})
	}
	require.NoError(t, p.Delete(t.Context(), providers.Job{Prior: &o}))
}

func TestWhateverChangesAnotherValueIsMade(t *testing.T) {
	before := want(24, "ab")
	o := made(t, secret.Provider{}, before)
	seen := resource.Seen{Presence: resource.Present, Object: o}
	for name, change := range map[string]map[string]cty.Value{
		"length": {"length": cty.NumberIntVal(30)}, "alphabet": {"alphabet": cty.StringVal("xy")}, "rotate": {"rotate": cty.StringVal("2026-11")},
	} {
		t.Run(name, func(t *testing.T) {
			set := before.Want.AsValueMap()
			for attr, v := range change {
				set[attr] = v
			}
			after := resource.Resource{Addr: before.Addr, Want: cty.ObjectVal(set)}
			edits := resource.Diff(kind, &o, after, seen, resource.Sealer{})
			require.Len(t, edits, 1)
			require.Equal(t, resource.Path{name}, edits[0].Path)
			require.Equal(t, resource.Verdict{Effect: resource.Live, Reason: "a new value is made"}, edits[0].Verdict)
			again, err := secret.Provider{}.Update(t.Context(), providers.Job{Addr: before.Addr, ID: o.ID, Want: after, Prior: &o, Edits: edits})
			require.NoError(t, err)
			require.NotEqual(t, valueOf(o), valueOf(again))
		})
	}
	require.Empty(t, resource.Diff(kind, &o, before, seen, resource.Sealer{}))
}

// An alphabet that is sensitive is recorded as a hash, and is the same all the
// same.
func TestASensitiveAlphabetIsNoChange(t *testing.T) {
	w := want(24, "ab")
	set := w.Want.AsValueMap()
	set["alphabet"] = set["alphabet"].Mark(resource.Sensitive)
	w.Want = cty.ObjectVal(set)
	o := made(t, secret.Provider{}, w)
	require.False(t, o.Attrs.ContainsMarked())
	o.Attrs = resource.Sealer{}.Object(&kind.Schema, w.Want)
	require.Empty(t, resource.Diff(kind, &o, w, resource.Seen{Presence: resource.Present, Object: o}, resource.Sealer{}))
}

func TestWhatASecretMayBe(t *testing.T) {
	length, alphabet := kind.Schema.Attrs["length"].Check, kind.Schema.Attrs["alphabet"].Check
	for n, ok := range map[string]bool{"8": true, "1024": true, "7": false, "1025": false, "8.5": false, "-8": false, "1e30": false} {
		v, err := cty.ParseNumberVal(n)
		require.NoError(t, err)
		require.Equal(t, ok, length(v) == "", n)
	}
	for text, want := range map[string]string{
		"ab": "", "!~": "", "": "at least two", "a": "at least two", "aba": "each character once", "a b": `' ' is none`, "aé": `'é' is none`, "a\n": `'\n' is none`,
	} {
		if why := alphabet(cty.StringVal(text)); want == "" {
			require.Empty(t, why, text)
		} else {
			require.Contains(t, why, want, text)
		}
	}
	require.Empty(t, length(kind.Schema.Attrs["length"].Default))
	require.Empty(t, alphabet(kind.Schema.Attrs["alphabet"].Default))
	require.True(t, kind.Schema.KeepsSecret())
}
