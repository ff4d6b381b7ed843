package pvesim_test

import (
	"encoding/json"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// rules say what a comparison leaves out: volatile.json beside the recordings.
type rules struct {
	Paths []struct {
		Request string
		Path    string
		Where   map[string]string
	}
	Text []struct {
		Regex, Replace string
	}
	Unordered    []struct{ Request, Path string }
	UnorderedCSV []struct{ Request, Path string } `json:"unordered_csv"`

	texts   []func(string) string
	request map[string]*regexp.Regexp
}

func readRules(t *testing.T, file string) *rules {
	t.Helper()
	r := &rules{request: map[string]*regexp.Regexp{}}
	readJSON(t, file, r)
	for _, rule := range r.Text {
		r.texts = append(r.texts, replacer(t, rule.Regex, rule.Replace))
	}
	for _, rule := range r.Paths {
		r.request[rule.Request] = regexp.MustCompile("^(?:" + rule.Request + ")")
	}
	for _, rule := range slices.Concat(r.Unordered, r.UnorderedCSV) {
		r.request[rule.Request] = regexp.MustCompile("^(?:" + rule.Request + ")")
	}
	return r
}

// machineLine matches what e2fsck counts: the README of the recordings calls it no reference.
var machineLine = regexp.MustCompile(`\d+/\d+ files \(.*\), \d+/\d+ blocks`)

// ownMAC matches the beginnings of MAC addresses that the recordings set themselves. Go has no lookahead.
var ownMAC = regexp.MustCompile(`(?i)^bc:24:11:(00:|aa:bb)`)

func replacer(t *testing.T, pattern, with string) func(string) string {
	t.Helper()
	except := false
	for _, ahead := range []string{`(?!00:|AA:BB)`, `(?!00:|aa:bb)`} {
		if strings.Contains(pattern, ahead) {
			pattern, except = strings.ReplaceAll(pattern, ahead, ""), true
		}
	}
	re, err := regexp.Compile(pattern)
	require.NoError(t, err)
	with = regexp.MustCompile(`\\(\d)`).ReplaceAllString(strings.ReplaceAll(with, "$", "$$"), "$${$1}")
	return func(text string) string {
		if !except {
			return re.ReplaceAllString(text, with)
		}
		return re.ReplaceAllStringFunc(text, func(m string) string {
			if ownMAC.MatchString(m) {
				return m
			}
			return with
		})
	}
}

func (r *rules) matches(rule, request string) bool {
	return rule == "" || r.request[rule].MatchString(request)
}

// text is an outcome in normal form as text.
func (r *rules) text(request recordedRequest, response recordedResponse, task *recordedTask) string {
	return indented(r.normal(request, response, task))
}

func indented(v any) string {
	out, err := json.MarshalIndent(v, "", " ")
	if err != nil {
		panic(err)
	}
	return string(out)
}

// normal is an outcome without what varies.
func (r *rules) normal(request recordedRequest, response recordedResponse, task *recordedTask) any {
	whole := toJSON(map[string]any{
		"status": response.Status, "reason": response.Reason, "content_type": response.ContentType, "body": response.Body, "task": task,
	})
	line := requestLine(request)
	for _, rule := range r.Paths {
		if r.matches(rule.Request, line) {
			remove(whole, strings.Split(rule.Path, "."), rule.Where)
		}
	}
	whole = r.strings(whole)
	for _, rule := range r.UnorderedCSV {
		if r.matches(rule.Request, line) {
			walk(whole, strings.Split(rule.Path, "."), func(v any) any { return sortedCSV(v) })
		}
	}
	// Inner lists first, so that outer ones are sorted by what is in order.
	unordered := slices.Clone(r.Unordered)
	sort.SliceStable(unordered, func(a, b int) bool { return len(unordered[a].Path) > len(unordered[b].Path) })
	for _, rule := range unordered {
		if r.matches(rule.Request, line) {
			walk(whole, strings.Split(rule.Path, "."), func(v any) any { return sortedList(v) })
		}
	}
	return whole
}

func requestLine(r recordedRequest) string {
	line := r.Method + " " + r.Path
	switch q := r.Query.(type) {
	case string:
		line += "?" + q
	case map[string]any:
		var pairs []string
		for key, value := range q {
			pairs = append(pairs, key+"="+scalar(value))
		}
		sort.Strings(pairs)
		if len(pairs) > 0 {
			line += "?" + strings.Join(pairs, "&")
		}
	}
	return line
}

// toJSON makes a value of what encoding/json knows.
func toJSON(value any) any {
	text, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	var out any
	if err := json.Unmarshal(text, &out); err != nil {
		panic(err)
	}
	return out
}

// secretText matches what stands for a secret in a recording and what the simulator has in its place.
var secretText = regexp.MustCompile(`^(<(secret|ticket|csrf)[^>]*>|PVE:[^:]+:[0-9A-F]{8}::.*|PVE:<user>.*|[0-9A-F]{8}:[A-Za-z0-9+/]{43}=|<uuid>|<repoid>|[0-9a-f]{16})$`)

// leftOut stands for a value that was not recorded; wherever one is, the other side's value is taken as equal.
const leftOut = "<left out>"

// strings applies the rules for texts everywhere.
func (r *rules) strings(v any) any {
	switch v := v.(type) {
	case string:
		for _, replace := range r.texts {
			v = replace(v)
		}
		v = machineLine.ReplaceAllString(v, "<n> files, <n> blocks")
		if secretText.MatchString(v) {
			return "<secret>"
		}
		return v
	case []any:
		for i := range v {
			v[i] = r.strings(v[i])
		}
		return v
	case map[string]any:
		for key := range v {
			v[key] = r.strings(v[key])
		}
		return v
	}
	return v
}

// diffText compares line by line.
func diffText(want, have string) string {
	if want == have {
		return ""
	}
	return cmp.Diff(strings.Split(want, "\n"), strings.Split(have, "\n"))
}

// adopt puts into have what the recording left out of want: whole values, and any number of lines of a log.
func adopt(want, have any) any {
	switch want := want.(type) {
	case string:
		if want == leftOut {
			return want
		}
	case map[string]any:
		if have, ok := have.(map[string]any); ok {
			for key := range want {
				if _, there := have[key]; there {
					have[key] = adopt(want[key], have[key])
				}
			}
		}
	case []any:
		if have, ok := have.([]any); ok {
			return adoptList(want, have)
		}
	}
	return have
}

func adoptList(want, have []any) []any {
	for i, line := range want {
		text, _ := line.(string)
		after := len(want) - i - 1
		if strings.HasPrefix(text, "<") && strings.Contains(text, "left out") && len(have) >= i+after {
			return slices.Concat(have[:i:i], []any{line}, have[len(have)-after:])
		}
	}
	for i := range min(len(want), len(have)) {
		have[i] = adopt(want[i], have[i])
	}
	return have
}
