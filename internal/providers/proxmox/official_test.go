package proxmox

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/resource"
)

// official is what Proxmox's own schema says of one parameter, or of one field
// of a property string.
type official struct {
	Type                 string
	Minimum, Maximum     *number64
	MinLength, MaxLength int
	Enum                 []string
	Pattern              string
	Format               json.RawMessage // a name, or the fields of a property string
}

// number64 is a number that the schema at times writes as a text.
type number64 float64

func (n *number64) UnmarshalJSON(data []byte) error {
	return json.Unmarshal([]byte(strings.Trim(string(data), `"`)), (*float64)(n))
}

// officialParameters reads the parameters of the two requests that the kinds
// are written with; the schema is not part of the repository.
func officialParameters(t *testing.T) map[string]map[string]official {
	t.Helper()
	path := cmp.Or(os.Getenv("PVE_SCHEMA"), filepath.Join("..", "..", "..", "..", "shared", "pve", "api-schema.json"))
	data, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		t.Skip("the official schema is not here: set PVE_SCHEMA to an api-schema.json")
	}
	require.NoError(t, err)
	var all []struct {
		Method, Path string
		Parameters   struct{ Properties map[string]official }
	}
	require.NoError(t, json.Unmarshal(data, &all))
	found := map[string]map[string]official{}
	for _, m := range all {
		switch m.Method + " " + m.Path {
		case "POST /nodes/{node}/lxc":
			found["app"] = m.Parameters.Properties
		case "POST /cluster/backup":
			found["backup_policy"] = m.Parameters.Properties
		}
	}
	return found
}

// field returns a field of the property string.
func (o official) field(t *testing.T, name string) official {
	t.Helper()
	var fields map[string]official
	require.NoError(t, json.Unmarshal(o.Format, &fields))
	require.Contains(t, fields, name)
	return fields[name]
}

// stricter are the values that Proxmox takes and we do not, with the reason.
var stricter = map[string]string{
	"app.description 8192 long":      "the marker and other people's notes need room",
	"backup_policy.compress 1":       "an old name of lzo, which reads back as it was written",
	"backup_policy.comment 512 long": "the marker needs room",
	"app.hostname 255 long":          "DNS has no names of more than 253",
}

// Every range, enumeration, length and pattern of Proxmox's own schema is
// checked before a request is made: nothing that it would refuse for one of
// them passes, and what it would take passes, unless there is a reason.
func TestChecksAreThoseOfTheOfficialSchema(t *testing.T) {
	parameters := officialParameters(t)
	checked := 0
	for _, k := range []*resource.Kind{appKind(), policyKind()} {
		for path, o := range officials(t, parameters[k.Name]) {
			if name, at, found := strings.Cut(path, "."); found && name == k.Name {
				checked += compare(t, path, attrAt(t, &k.Schema, strings.Split(at, ".")), o)
			}
		}
	}
	require.Greater(t, checked, 100, "values tried")
	t.Logf("%d values tried", checked)
}

// officials pairs our attributes with parameters: the tables that requests are
// written by say which is which.
func officials(t *testing.T, p map[string]official) map[string]official {
	all := map[string]official{}
	add := func(path, parameter string) {
		if o, found := p[parameter]; found {
			all[path] = o
		}
	}
	for name, key := range scalarKeys {
		add("app."+name, key)
	}
	for name, key := range policyKeys {
		add("backup_policy."+name, key)
	}
	for name, key := range map[string]string{"vmid": "vmid", "password": "password", "description": "description"} {
		add("app."+name, key)
	}
	add("backup_policy.comment", "comment")
	for block, keys := range map[string]map[string]string{"console": consoleKeys, "dns": dnsKeys} {
		for name, key := range keys {
			add("app."+block+"."+name, key)
		}
	}
	for _, line := range []struct {
		block, parameter string
		keys             map[string]string
	}{{"network", "net[n]", networkKeys}, {"device", "dev[n]", deviceKeys}, {"features", "features", featureKeys}, {"volume", "mp[n]", mountKeys}, {"disk", "rootfs", mountKeys}, {"bind", "mp[n]", mountKeys}} {
		parameter, found := p[line.parameter]
		if !found {
			continue
		}
		kind := appKind()
		for name, key := range line.keys {
			if _, ours := kind.Schema.Blocks[line.block].Attrs[name]; ours {
				all["app."+line.block+"."+name] = parameter.field(t, key)
			}
		}
	}
	return all
}

func attrAt(t *testing.T, b *resource.Block, path []string) *resource.Attr {
	t.Helper()
	if len(path) == 1 {
		require.Contains(t, b.Attrs, path[0])
		return b.Attrs[path[0]]
	}
	return attrAt(t, &b.Blocks[path[0]].Block, path[1:])
}

// compare tries values around everything that the schema says, and returns how
// many.
func compare(t *testing.T, path string, a *resource.Attr, o official) int {
	t.Helper()
	tried := 0
	try := func(value string, v cty.Value, theirs bool) {
		t.Helper()
		tried++
		ours := a.Check == nil || a.Check(v) == ""
		name := path + " " + value
		switch reason, known := stricter[name]; {
		case ours && !theirs:
			t.Errorf("%s passes, and Proxmox refuses it", name)
		case !ours && theirs && !known:
			t.Errorf("%s is refused, and Proxmox takes it: make it pass, or give the reason in stricter", name)
		case known && ours:
			t.Errorf("%s passes, although it was to be refused: %s", name, reason)
		}
	}
	switch o.Type {
	case "integer", "number":
		unit := int64(1)
		if a.Unit == resource.Size {
			unit = 1 << 20 // Proxmox counts in mebibytes
		}
		tryNumbers(a, o, unit, try)
	case "string":
		tryTexts(a, o, try)
	}
	return tried
}

func tryNumbers(a *resource.Attr, o official, unit int64, try func(string, cty.Value, bool)) {
	wrap := func(v cty.Value) cty.Value {
		if a.Type.IsSetType() {
			return cty.SetVal([]cty.Value{v})
		}
		return v
	}
	for _, bound := range []struct {
		n    *number64
		step int64
	}{{o.Minimum, -1}, {o.Maximum, 1}} {
		if bound.n != nil {
			n := int64(*bound.n)
			try(fmt.Sprint(n), wrap(whole(n*unit)), true)
			try(fmt.Sprint(n+bound.step), wrap(whole((n+bound.step)*unit)), false)
		}
	}
	if o.Type == "integer" {
		low := int64(100) // a value that every integer here may have
		if o.Maximum != nil {
			low = int64(*o.Maximum) - 1
		}
		half := new(big.Float).SetInt64(low * unit)
		half.Add(half, big.NewFloat(0.5*float64(unit)))
		try("a fraction", wrap(cty.NumberVal(half)), false)
	}
}

// tryTexts tries lengths, words and characters. Formats that have a name are not
// in the schema itself.
func tryTexts(a *resource.Attr, o official, try func(string, cty.Value, bool)) {
	wrap := func(text string) (cty.Value, bool) {
		switch {
		case a.Type == cty.String:
			return str(text), true
		case a.Type.IsSetType() && a.Type.ElementType() == cty.String:
			return textSet([]string{text}), true
		case a.Type.IsListType():
			return texts([]string{text}), true
		case a.Type.IsMapType():
			return cty.MapVal(map[string]cty.Value{"A": str(text)}), true
		}
		return cty.NilVal, false // sets of numbers and the like cannot be wrong in this way
	}
	isText := a.Type == cty.String
	if o.MaxLength > 0 && isText {
		long := strings.Repeat("a", o.MaxLength)
		if a.Check == nil || o.Format == nil || a.Check(str("a")) == "" { // else length is not what is wrong
			try(fmt.Sprint(o.MaxLength, " long"), str(long), true)
		}
		try(fmt.Sprint(o.MaxLength+1, " long"), str(long+"a"), false)
	}
	if o.MinLength > 0 && isText {
		try(fmt.Sprint(o.MinLength, " long"), str(strings.Repeat("a", o.MinLength)), true)
		try(fmt.Sprint(o.MinLength-1, " long"), str(strings.Repeat("a", o.MinLength-1)), false)
	}
	for _, word := range o.Enum {
		if v, is := wrap(word); is {
			try(word, v, true)
		}
	}
	if v, is := wrap("other"); is && len(o.Enum) > 0 {
		try("other", v, slices.Contains(o.Enum, "other"))
		_, words, _ := strings.Cut(a.Check(v), "must be one of ")
		for word := range strings.SplitSeq(words, ", ") { // those that we offer
			v, _ := wrap(word)
			try(word, v, slices.Contains(o.Enum, word))
		}
	}
	if o.Pattern == "" {
		return
	}
	pattern := regexp.MustCompile(`^(?:` + strings.ReplaceAll(o.Pattern, "(?^:", "(?:") + `)$`)
	// An empty text is not sent, so it is not among them.
	for _, text := range []string{"a b", "a,b", "a;b", "a.b", "a-b", "é", "a\x01b", "a\x7f", "a\x1fb", "x y/z", "0777", "0888", "777", "nodev", "dev"} {
		matched := text
		if a.Type.IsMapType() {
			matched = "A=" + text
		}
		if v, is := wrap(text); is && !pattern.MatchString(matched) {
			try(fmt.Sprintf("%q", text), v, false)
		}
	}
}
