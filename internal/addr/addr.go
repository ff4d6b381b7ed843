// Package addr names resources. An Addr is how configuration, state, plans,
// logs and people call one thing, such as app.web, app.web["blue"] or
// backup_policy.nightly. It knows nothing of what the thing is.
package addr

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Addr is the address of one resource. It is comparable and may be the key of
// a map. The zero Addr names nothing.
type Addr struct {
	Kind string // "app", "backup_policy", "template", …
	Name string // the block's label
	// Key is what stands between the brackets of an instance made by for_each
	// or count, as written: `"blue"` or `0`. Empty when there is only one.
	Key string
	// Part names one of several objects behind one block: the node and storage of
	// a template, for example. Users never write it.
	Part string
}

// New returns the address of a block without instances.
func New(kind, name string) Addr { return Addr{Kind: kind, Name: name} }

// Each returns the instance of a with the given for_each key.
func (a Addr) Each(key string) Addr {
	a.Key = strconv.Quote(key)
	return a
}

// At returns the instance of a with the given count index.
func (a Addr) At(index int) Addr {
	a.Key = strconv.Itoa(index)
	return a
}

// Block returns the address of the block that a is an instance or part of.
func (a Addr) Block() Addr { return Addr{Kind: a.Kind, Name: a.Name} }

// String returns the address as people write it; Parse reads it back.
func (a Addr) String() string {
	var b strings.Builder
	b.WriteString(a.Kind)
	b.WriteByte('.')
	b.WriteString(a.Name)
	if a.Key != "" {
		b.WriteString("[" + a.Key + "]")
	}
	if a.Part != "" {
		b.WriteString("@" + a.Part)
	}
	return b.String()
}

// MarshalText and UnmarshalText let addresses stand in JSON, also as keys.
func (a Addr) MarshalText() ([]byte, error) { return []byte(a.String()), nil }

// UnmarshalText is Parse.
func (a *Addr) UnmarshalText(text []byte) error {
	parsed, err := Parse(string(text))
	if err == nil {
		*a = parsed
	}
	return err
}

// Parse reads an address as String writes it. The error names the text and
// what was expected.
func Parse(text string) (Addr, error) {
	bad := func(why string) (Addr, error) {
		return Addr{}, fmt.Errorf("address %q: %s; write it like app.web or app.web[\"blue\"]", text, why)
	}
	kind, rest, found := strings.Cut(text, ".")
	if !found || !identifier(kind) {
		return bad("no kind before a dot")
	}
	a := Addr{Kind: kind}
	end := strings.IndexAny(rest, "[@")
	if end < 0 {
		end = len(rest)
	}
	a.Name, rest = rest[:end], rest[end:]
	if !identifier(a.Name) {
		return bad(fmt.Sprintf("%q is no name", a.Name))
	}
	if strings.HasPrefix(rest, "[") {
		key, after, err := cutKey(rest[1:])
		if err != nil {
			return bad(err.Error())
		}
		a.Key, rest = key, after
	}
	if rest == "" {
		return a, nil
	}
	if rest[0] != '@' || len(rest) == 1 {
		return bad(fmt.Sprintf("unexpected %q", rest))
	}
	a.Part = rest[1:]
	return a, nil
}

// cutKey splits `"blue"]@x` into `"blue"` and `@x`. A key is either a quoted
// string in its canonical form or a decimal index.
func cutKey(text string) (key, after string, err error) {
	if strings.HasPrefix(text, `"`) {
		key, err = strconv.QuotedPrefix(text)
		if err != nil {
			return "", "", fmt.Errorf("the key's quote is not closed")
		}
		plain, err := strconv.Unquote(key)
		if err != nil || strconv.Quote(plain) != key {
			return "", "", fmt.Errorf("the key %s is not written plainly", key)
		}
	} else {
		key, _, _ = strings.Cut(text, "]")
		if n, err := strconv.Atoi(key); err != nil || n < 0 || strconv.Itoa(n) != key {
			return "", "", fmt.Errorf("the key %q is neither a quoted string nor an index", key)
		}
	}
	after, found := strings.CutPrefix(text[len(key):], "]")
	if !found {
		return "", "", fmt.Errorf("a closing bracket is missing")
	}
	return key, after, nil
}

// identifier reports whether text is a name as HCL allows it, in ASCII.
func identifier(text string) bool {
	for i, r := range text {
		letter := r == '_' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return text != ""
}

// Compare orders addresses by kind, name, key and part; keys that are indexes
// by their number.
func Compare(a, b Addr) int {
	return cmp.Or(
		cmp.Compare(a.Kind, b.Kind),
		cmp.Compare(a.Name, b.Name),
		compareKeys(a.Key, b.Key),
		cmp.Compare(a.Part, b.Part),
	)
}

func compareKeys(a, b string) int {
	m, errM := strconv.Atoi(a)
	n, errN := strconv.Atoi(b)
	if errM == nil && errN == nil {
		return cmp.Compare(m, n)
	}
	return cmp.Compare(a, b)
}

// Sort sorts addresses in place, in the order of Compare.
func Sort(list []Addr) { slices.SortFunc(list, Compare) }
