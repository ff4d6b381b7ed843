package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/diag"
)

// Settings is what the proximity block says.
type Settings struct {
	RequiredVersion string
	State           StateStore
	Encryption      *Encryption // nil: nothing is encrypted
}

// StateStore says where state is kept. Attributes are as they are written,
// with marks where they are sensitive; the store knows what they mean.
type StateStore struct {
	Type       string // "local" unless said otherwise
	Attributes map[string]cty.Value
	Ranges     map[string]hcl.Range // of the attributes' values
	Range      hcl.Range            // zero when it is not written
}

func (w *world) evaluateSettings() Settings {
	settings := Settings{State: StateStore{Type: "local"}}
	if w.settings == nil {
		return settings
	}
	schema := &hcl.BodySchema{Attributes: []hcl.AttributeSchema{{Name: "required_version"}},
		Blocks: []hcl.BlockHeaderSchema{{Type: "state", LabelNames: []string{"type"}}, {Type: "encryption"}}}
	withUnavailable(schema, "proximity")
	content, problems := w.settings.Body.Content(schema)
	w.say(fromHCL(problems)...)
	w.say(reportUnavailable(content, "proximity", nil)...)
	if attr := content.Attributes["required_version"]; attr != nil {
		e := w.compile(attr.Expr, names{where: "the proximity block"})
		v, problems := w.now.value(e, nil)
		w.say(problems...)
		if v, ok := w.as(cty.String, v, "required_version", e.at); ok && v.IsKnown() && !v.IsNull() {
			settings.RequiredVersion = v.AsString()
			w.checkVersion(settings.RequiredVersion, e.at)
		}
	}
	for i, b := range content.Blocks.OfType("state") {
		if i > 0 {
			w.say(declaredTwice(b.DefRange, settings.State.Range, "the state block"))
			continue
		}
		settings.State = StateStore{Type: b.Labels[0], Range: b.DefRange}
		settings.State.Attributes, settings.State.Ranges = w.plainAttributes(b)
	}
	settings.Encryption = w.evaluateEncryption(content.Blocks.OfType("encryption"))
	return settings
}

// plainAttributes evaluates a body that has only attributes.
func (w *world) plainAttributes(b *hcl.Block) (map[string]cty.Value, map[string]hcl.Range) {
	attrs, problems := b.Body.JustAttributes()
	w.say(fromHCL(problems)...)
	values, ranges := make(map[string]cty.Value, len(attrs)), make(map[string]hcl.Range, len(attrs))
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		e := w.compile(attrs[name].Expr, names{where: "the state block"})
		v, problems := w.now.value(e, nil)
		w.say(problems...)
		if !v.IsWhollyKnown() && !problems.HasErrors() && !e.broken && !w.problems.HasErrors() {
			w.say(diag.Errorf(&e.at, "value is not known", "%s has to be known before anything is made", name))
		}
		values[name], ranges[name] = v, e.at
		if isLiteral(e) && opensStore(name, v) {
			w.clear = append(w.clear, diag.Place{Text: name + " of the state block", Range: e.at})
		}
	}
	return values, ranges
}

func (w *world) checkVersion(constraint string, at hcl.Range) {
	ok, err := allows(constraint, w.o.Version)
	switch {
	case err != nil:
		w.say(diag.Errorf(&at, "invalid version constraint", "%s", err).WithHint(`required_version = ">= 0.1"`))
	case !ok:
		w.say(diag.Errorf(&at, "another version is required", "this is proximity %s, the configuration requires %s", w.o.Version, constraint).
			WithHint("install a version that is %s", constraint))
	}
}

// allows reports whether a version meets a constraint such as ">= 0.1, < 2".
// "~> 1.2" is from 1.2 up to, not including, 2. A version that is not made of
// numbers, as that of a build from sources, meets everything.
func allows(constraint, version string) (bool, error) {
	have, isRelease := numbers(version)
	for part := range strings.SplitSeq(constraint, ",") {
		part = strings.TrimSpace(part)
		operator := strings.TrimRight(part, "v.0123456789 ")
		want, isVersion := numbers(strings.TrimSpace(part[len(operator):]))
		if !isVersion {
			return false, fmt.Errorf("%q is no version", part)
		}
		if !slices.Contains([]string{"", "=", "!=", ">", ">=", "<", "<=", "~>"}, operator) {
			return false, fmt.Errorf("%q is no comparison", operator)
		}
		order := slices.Compare(padded(have), padded(want))
		if isRelease && !meets(operator, order, have, want) {
			return false, nil
		}
	}
	return true, nil
}

func meets(operator string, order int, have, want []int) bool {
	switch operator {
	case "!=":
		return order != 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case "~>":
		fixed := max(len(want)-1, 1)
		return order >= 0 && slices.Equal(padded(have)[:fixed], padded(want)[:fixed])
	}
	return order == 0
}

// numbers reads "v1.2.3" and "1.2.3-rc1"; the rest after the numbers does not
// count.
func numbers(version string) ([]int, bool) {
	version, _, _ = strings.Cut(strings.TrimPrefix(version, "v"), "-")
	var list []int
	for part := range strings.SplitSeq(version, ".") {
		n, err := strconv.Atoi(part)
		if err != nil || n < 0 || len(list) == 4 {
			return nil, false
		}
		list = append(list, n)
	}
	return list, true
}

func padded(list []int) []int { return append(slices.Clone(list), make([]int, 4-len(list))...) }
