package apply

import (
	"encoding/base64"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// secrets are the sensitive texts of one resource. A host may say again what it
// was sent, in an error or in the log of a task: what comes back from it is
// stripped of them before anybody sees or records it.
type secrets []string

// leastSecret is the length from which on a text is taken for a secret: shorter
// ones would tear other words apart.
const leastSecret = 4

// secretsOf returns the texts in a value that are marked, or of an attribute
// that is sensitive by itself.
func secretsOf(b *resource.Block, v cty.Value) secrets {
	var all secrets
	_ = cty.Walk(v, func(path cty.Path, part cty.Value) (bool, error) { // the function has no errors
		if part.IsMarked() || isSensitive(b, path) {
			all = append(all, textsIn(part)...)
		}
		return true, nil
	})
	return all
}

func isSensitive(b *resource.Block, path cty.Path) bool {
	if len(path) == 0 {
		return false
	}
	step, ok := path[0].(cty.GetAttrStep)
	a := b.Attrs[step.Name]
	return ok && a != nil && a.Sensitive
}

func textsIn(v cty.Value) []string {
	var texts []string
	v, _ = v.UnmarkDeep()
	_ = cty.Walk(v, func(_ cty.Path, part cty.Value) (bool, error) {
		if part.Type() == cty.String && part.IsKnown() && !part.IsNull() && len(part.AsString()) >= leastSecret {
			texts = append(texts, part.AsString())
		}
		return true, nil
	})
	return texts
}

// hide takes secrets out of a text, in the forms in which a host may say them
// again. Of two that begin alike the longer one comes first: the other would
// leave its end standing.
func (s secrets) hide(text string) string {
	var forms []string
	for _, secret := range s {
		quoted := strconv.Quote(secret) // as in JSON, save for what no secret has
		forms = append(forms, secret, quoted[1:len(quoted)-1], url.QueryEscape(secret), url.PathEscape(secret),
			base64.StdEncoding.EncodeToString([]byte(secret)))
	}
	slices.SortFunc(forms, func(a, b string) int { return len(b) - len(a) })
	var pairs []string
	for _, form := range forms {
		pairs = append(pairs, form, "(sensitive)")
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

// scrub returns err, or when its text holds a secret one whose text does not.
func (s secrets) scrub(err error) error {
	if err == nil || s.hide(err.Error()) == err.Error() {
		return err
	}
	return scrubbed{err, s.hide(err.Error())}
}

type scrubbed struct {
	error
	text string
}

// Error implements error.
func (e scrubbed) Error() string { return e.text }

// Unwrap returns the error as it was, for those who branch on its type.
func (e scrubbed) Unwrap() error { return e.error }
