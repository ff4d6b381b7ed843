package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp/syntax"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// method is one entry of the official schema, as far as we compare it.
type method struct {
	Method, Path          string
	AllowToken, Protected any
	ProxyTo               string
	Permissions           *struct {
		User  string
		Check []any
	}
	Parameters struct{ Properties map[string]property }
	Returns    property
}

// property is a parameter, a key of a property string, an element of an array or a part of an answer.
type property struct {
	Type, Pattern, Requires                          string
	Optional, Minimum, Maximum, MinLength, MaxLength any
	Enum                                             []string
	Default, Format                                  any
	DefaultKey                                       any `json:"default_key"`
	Items                                            *property
	Properties                                       map[string]property
}

// differences are where the tables knowingly do not follow the official schema, by method or method and parameter.
func differences() map[string]string {
	return map[string]string{
		"GET /":                           "the root is not in the schema",
		"POST /nodes/{node}/qemu":         "virtual machines are other people's guests: most of their options are left out",
		"POST /access/users keys":         "Go counts repetitions up to 1000 only: a length instead",
		"PUT /access/users/{userid} keys": "the same",
	}
}

// The simulator's tables say the same as the official schema, parameter by parameter.
func TestTablesAgreeWithTheOfficialSchema(t *testing.T) {
	theirs := officialSchema(t)
	compared := 0
	for _, m := range All() {
		name := m.Verb + " " + m.Path
		if _, ok := differences()[name]; ok {
			continue
		}
		t.Run(name, func(t *testing.T) {
			require.Contains(t, theirs, name)
			want, have := describeAll(theirs[name].Parameters.Properties), describeOurs(m)
			for parameter := range want {
				if _, ok := differences()[name+" "+parameter]; ok {
					require.NotEqual(t, want[parameter], have[parameter], "no difference any more")
					delete(want, parameter)
					delete(have, parameter)
				}
			}
			require.Equal(t, want, have)
			require.Equal(t, traits(theirs[name]), ourTraits(m))
		})
		compared++
	}
	t.Logf("%d of %d methods compared, %d in the official schema", compared, len(All()), len(theirs))
}

// Property strings with a name of their own are not in the parameters of the official schema; what a backup job answers
// shows their keys.
func TestNamedPropertyStringsAgreeWithTheOfficialSchema(t *testing.T) {
	job := officialSchema(t)["GET /cluster/backup/{id}"].Returns.Properties
	for parameter, format := range map[string]string{
		"fleecing":      "backup-fleecing",
		"performance":   "backup-performance",
		"prune-backups": "prune-backups",
	} {
		require.Equal(t, describeAll(job[parameter].Properties), describeKeys(propsOf(format)), format)
	}
}

func officialSchema(t *testing.T) map[string]method {
	t.Helper()
	data, err := os.ReadFile(cmp.Or(os.Getenv("PVE_SCHEMA"), filepath.Join("..", "..", "..", "..", "shared", "pve", "api-schema.json")))
	if os.IsNotExist(err) {
		t.Skip("the official schema is not here: set PVE_SCHEMA to an api-schema.json")
	}
	require.NoError(t, err)
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	var methods []method
	require.NoError(t, decoder.Decode(&methods))
	byName := map[string]method{}
	for _, m := range methods {
		byName[m.Method+" "+m.Path] = m
	}
	return byName
}

// traits are what a method has besides parameters, in words.
func traits(m method) []string {
	words := []string{"token=" + word(m.AllowToken), "protected=" + word(m.Protected), "proxyto=" + m.ProxyTo}
	if m.Permissions == nil {
		return append(words, "root only")
	}
	return append(words, "user="+m.Permissions.User, "check="+describeCheck(m.Permissions.Check))
}

func ourTraits(m *Method) []string {
	words := []string{"token=" + bit(!m.NoToken), "protected=" + bit(m.Protected), "proxyto="}
	if m.ProxyNode {
		words[2] += "node"
	}
	if m.Permission == nil {
		return append(words, "root only")
	}
	return append(words, "user="+m.Permission.User, "check="+m.Permission.Check.describe())
}

func bit(b bool) string {
	if b {
		return "1"
	}
	return "0"
}

// describeCheck prints a check of the official schema: a list such as ["perm", path, [privileges], option, value].
func describeCheck(check []any) string {
	var words []string
	for _, item := range check {
		if list, ok := item.([]any); ok {
			words = append(words, "("+describeCheck(list)+")")
			continue
		}
		words = append(words, word(item))
	}
	return strings.Join(words, " ")
}

func (c *Check) describe() string {
	if c == nil {
		return ""
	}
	words := []string{string(c.Kind)}
	switch c.Kind {
	case UserIDParam:
		words = append(words, c.Privs...)
	case Perm:
		words = append(words, c.Path, "("+strings.Join(c.Privs, " ")+")")
	case UserIDGroup:
		words = append(words, "("+strings.Join(c.Privs, " ")+")")
	case PermModify:
		words = append(words, c.Path)
	}
	if c.Any {
		words = append(words, "any", "1")
	}
	if c.RequireParam != "" {
		words = append(words, "require_param", c.RequireParam)
	}
	if c.GroupsParam != "" {
		words = append(words, "groups_param", c.GroupsParam)
	}
	for _, sub := range c.Of {
		words = append(words, "("+sub.describe()+")")
	}
	return strings.Join(words, " ")
}

// word prints a JSON value; null and absence are empty.
func word(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// describeAll prints properties, one line each, so that a difference shows as a line.
func describeAll(table map[string]property) map[string]string {
	lines := map[string]string{}
	for name, p := range table {
		lines[name] = p.describe()
	}
	return lines
}

func (p property) describe() string {
	d := description{kind: p.Type, optional: word(p.Optional) == "1"}
	d.add("minimum", word(p.Minimum))
	d.add("maximum", word(p.Maximum))
	d.add("minLength", word(p.MinLength))
	d.add("maxLength", word(p.MaxLength))
	d.add("enum", strings.Join(p.Enum, ","))
	d.add("default", word(p.Default))
	d.add("pattern", canonical(p.Pattern))
	d.add("requires", p.Requires)
	d.add("default_key", word(p.DefaultKey))
	if p.Items != nil {
		d.add("items", p.Items.describe())
	}
	if nested, ok := p.Format.(map[string]any); ok {
		d.add("keys", fmt.Sprint(describeAll(decodeKeys(nested))))
	} else {
		d.add("format", word(p.Format))
	}
	return d.String()
}

func decodeKeys(nested map[string]any) map[string]property {
	data, err := json.Marshal(nested)
	if err != nil {
		panic(err)
	}
	keys := map[string]property{}
	decoder := json.NewDecoder(strings.NewReader(string(data)))
	decoder.UseNumber()
	if err := decoder.Decode(&keys); err != nil {
		panic(err)
	}
	return keys
}

func describeOurs(m *Method) map[string]string {
	lines := map[string]string{}
	for name, p := range m.Params {
		lines[name] = p.describe()
	}
	for stem, family := range m.Indexed {
		lines[stem+"[n]"] = family.describe()
	}
	return lines
}

func describeKeys(p *Props) map[string]string {
	lines := map[string]string{}
	for name, key := range p.Keys {
		lines[name] = key.describe()
	}
	return lines
}

func (p *Param) describe() string {
	d := description{kind: p.Kind.String(), optional: p.Optional}
	d.add("minimum", bound(p.Min))
	d.add("maximum", bound(p.Max))
	d.add("minLength", length(p.MinLen))
	d.add("maxLength", length(p.MaxLen))
	d.add("enum", strings.Join(p.Enum, ","))
	d.add("default", p.Default)
	d.add("pattern", canonical(p.Pattern))
	d.add("requires", p.Requires)
	if p.DefaultKey {
		d.add("default_key", "1")
	}
	if p.Items != nil {
		d.add("items", p.Items.describe())
	}
	if p.Props != nil {
		d.add("keys", fmt.Sprint(describeKeys(p.Props)))
	} else {
		d.add("format", p.Format)
	}
	return d.String()
}

// description collects what is said about one parameter.
type description struct {
	kind     string
	optional bool
	facts    []string
}

func (d *description) add(name, value string) {
	if value != "" {
		d.facts = append(d.facts, name+"="+value)
	}
}

func (d *description) String() string {
	need := "required"
	if d.optional {
		need = "optional"
	}
	return strings.Join(append([]string{need, d.kind}, d.facts...), " ")
}

func bound(n *float64) string {
	if n == nil {
		return ""
	}
	return strconv.FormatFloat(*n, 'f', -1, 64)
}

func length(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

// canonical prints a pattern in one of its many equal forms. Proxmox's patterns carry Perl's (?^:...) groups.
func canonical(pattern string) string {
	if pattern == "" {
		return ""
	}
	pattern = strings.ReplaceAll(pattern, "{0,4096}", "*") // beyond what Go counts to
	re, err := syntax.Parse(strings.ReplaceAll(pattern, "(?^", "(?"), syntax.Perl)
	if err != nil {
		panic(err)
	}
	return re.Simplify().String()
}
