// Package secret makes secrets: random values that are generated once and
// remembered. They lie on no host, so that what state recorded is all there is
// of them: the provider here keeps nothing and asks nobody.
package secret

import (
	"fmt"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

const (
	minLength, maxLength, usualLength = 8, 1024, 24
	letters                           = "abcdefghijklmnopqrstuvwxyz"
	usualAlphabet                     = letters + "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
)

// Kind describes secret blocks.
func Kind() *resource.Kind {
	return &resource.Kind{
		Name: "secret", Version: 1, Hostless: true,
		Schema: resource.Block{
			Doc: "A random value that is made once and kept encrypted. It needs an `encryption` block",
			Attrs: map[string]*resource.Attr{
				"length": {Doc: "How many characters it has, 8 to 1024; 24 unless said otherwise", Type: cty.Number, AtCreate: true,
					Default: cty.NumberIntVal(usualLength), Check: checkLength},
				"alphabet": {Doc: "The characters it is made of, at least two: visible ones of ASCII, each once", Type: cty.String, AtCreate: true,
					Default: cty.StringVal(usualAlphabet), Check: checkAlphabet},
				"rotate": {Doc: "Any text, such as a month: when it changes, a new value is made", Type: cty.String, AtCreate: true},
				"value":  {Doc: "The value; sensitive", Type: cty.String, Role: resource.Computed, Sensitive: true, Renewed: true},
			},
		},
		ID:    func(_ string, a addr.Addr) string { return a.String() },
		Judge: judge,
	}
}

// judge tells that whatever is changed, the value is another one.
func judge(resource.Edit, resource.Resource, resource.Seen) resource.Verdict {
	return resource.Verdict{Effect: resource.Live, Reason: "a new value is made"}
}

func checkLength(v cty.Value) string {
	n, _ := v.AsBigFloat().Int64()
	if !v.AsBigFloat().IsInt() || n < minLength || n > maxLength {
		return fmt.Sprintf("must be a whole number from %d to %d", minLength, maxLength)
	}
	return ""
}

// checkAlphabet allows no more than what passwords may hold everywhere.
func checkAlphabet(v cty.Value) string {
	text := v.AsString()
	for i, r := range text {
		switch {
		case r <= ' ' || r > '~':
			return fmt.Sprintf("must be visible characters of ASCII; %q is none", r)
		case strings.ContainsRune(text[i+1:], r):
			return fmt.Sprintf("must have each character once; %q is there again", r)
		}
	}
	if len(text) < 2 {
		return "must have at least two characters"
	}
	return ""
}
