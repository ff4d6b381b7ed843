package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/stretchr/testify/require"
)

// handlerErrors are texts of status 400 that only the code behind a method can know, with what it takes to know.
func handlerErrors() map[string]string {
	return map[string]string{
		`^'starttime' and 'schedule' cannot both be set$`: "a backup job's own rule",
		`^neither 'starttime' nor 'schedule' were set$`:   "a backup job's own rule",
		`^No such job '`:                          "the jobs",
		`^No such storage\.$`:                     "the storages",
		`^Only root may (use|set) this option\.$`: "the caller",
		`^VM \d+ already exists$`:                 "the guests",
		`^cannot use role ID starting with the \(case-insensitive\) 'PVE' namespace$`: "a rule for new roles",
		`^duplicate parameter \(already defined in URI\)`:                             "path and parameters before they are one",
		`^either 'users', 'groups' or 'tokens' is required\.$`:                        "a rule of access entries",
		`^found unknown: variable '`:                                                  "the variables of backup notes",
		`^invalid ACL path '`:                                                         "the paths of access entries",
		`^no such task$`:                                                              "the tasks",
		`^option conflicts with option '`:                                             "a backup's own rule",
		`^property is missing$`:                                                       "a backup's own rule: no guests selected",
		`^storage '.*' does not support container directories$`:                       "the storages",
		`^storage ID mismatch \(`:                                                     "the storage in the path against that in the volume",
		`^unable to hotplug `:                                                         "the container",
		`^unable to parse worker upid$`:                                               "the form of task ids, which the schema leaves open",
		`^unknown option '`:                                                           "which options may be deleted",
		`^wrong file extension$`:                                                      "what may be uploaded",
		`^you can't use '-`:                                                           "the options to delete against those to set",
	}
}

// The list of handlers' texts holds nothing that no node has said.
func TestHandlerErrorsWereRecorded(t *testing.T) {
	unseen := handlerErrors()
	for _, path := range recordings(t) {
		for _, e := range readExchanges(t, path) {
			body, _ := e.Response.Body.(map[string]any)
			recorded, _ := body["errors"].(map[string]any)
			for _, text := range recorded {
				maps.DeleteFunc(unseen, func(pattern, _ string) bool {
					return regexp.MustCompile(pattern).MatchString(text.(string))
				})
			}
		}
	}
	require.Empty(t, unseen)
}

// schedules are texts that the README of the recordings takes out of the reference; ours must only refuse too.
const schedules = "invalid format - invalid calendar event "

// A real node and the tables refuse the same requests with the same texts, and let the same ones pass.
func TestRequestsOfARealNode(t *testing.T) {
	total, agree, stopped := 0, 0, 0
	for _, path := range recordings(t) {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".json"), func(t *testing.T) {
			for _, e := range readExchanges(t, path) {
				if !e.dispatched() {
					stopped++
					continue
				}
				total++
				if diff := e.compare(); diff != "" {
					t.Errorf("%s %s: %s\n%s", e.Request.Method, e.Request.Path, e.Note, diff)
					continue
				}
				agree++
			}
		})
	}
	t.Logf("%d of %d requests agree; %d more never came as far as the schema", agree, total, stopped)
	require.Greater(t, total, 1000, "the recordings have far more requests than were read")
}

// The token of the recordings may do everything, so what it may do is every privilege there is.
func TestPrivilegesOfARealNode(t *testing.T) {
	most := map[string]any{}
	for _, path := range recordings(t) {
		for _, e := range readExchanges(t, path) {
			if e.Request.Path != "/access/permissions" || e.Response.Status != 200 {
				continue
			}
			for _, granted := range e.Response.Body.(map[string]any)["data"].(map[string]any) {
				if granted, ok := granted.(map[string]any); ok && len(granted) > len(most) {
					most = granted
				}
			}
		}
	}
	require.ElementsMatch(t, slices.Collect(maps.Keys(most)), privileges())
}

func recordings(t *testing.T) []string {
	t.Helper()
	dir := os.Getenv("PVE_RECORDINGS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "testdata", "recordings")
	}
	paths, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	return paths
}

// exchange is a request with its answer; the README of the recordings explains the fields.
type exchange struct {
	Note    string
	Request struct {
		Method, Path string
		Query, Form  any
		JSON         map[string]any
		Raw          *rawBody
		Multipart    []struct{ Name, Value, Filename string }
	}
	Vars     map[string]any
	Response struct {
		Status int
		Body   any
	}
	Parallel []exchange
	After    []exchange
}

type rawBody struct {
	ContentType *string `json:"content_type"`
	Text        string
	Repeat      []any
}

func readExchanges(t *testing.T, path string) []exchange {
	t.Helper()
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.UseNumber()
	var scenario struct{ Steps []exchange }
	require.NoError(t, decoder.Decode(&scenario))
	return flatten(scenario.Steps)
}

func flatten(steps []exchange) []exchange {
	var all []exchange
	for _, s := range steps {
		if s.Request.Path != "" {
			all = append(all, s)
		}
		all = append(append(all, flatten(s.Parallel)...), flatten(s.After)...)
	}
	return all
}

// dispatched reports whether a request came as far as the schema: past HTTP, authentication and the form of its body.
// What HTTP itself refuses has no JSON in its answer.
func (e exchange) dispatched() bool {
	text, plain := e.Response.Body.(string)
	switch e.Response.Status {
	case 401, 506:
		return false
	case 500, 501:
		return !plain || text == ""
	}
	return true
}

// refusedEarlier reports whether the declared permission stopped a request before its parameters were looked at.
func (e exchange) refusedEarlier(m *Method) bool {
	body, _ := e.Response.Body.(map[string]any)
	declared := m.Permission != nil && m.Permission.Check != nil
	badUser := strings.HasSuffix(fmt.Sprint(body["message"]), "does not look like a valid user name\n")
	return declared && (e.Response.Status == 403 || e.Response.Status == 500 && badUser)
}

// compare returns how our answer differs from the recorded one, "" when it does not.
func (e exchange) compare() string {
	m, vars := Find(e.Request.Method, e.expand(e.Request.Path))
	if e.Response.Status == 501 || m == nil {
		if (m == nil) != (e.Response.Status == 501) {
			return fmt.Sprintf("status %d, but found %v", e.Response.Status, m)
		}
		return ""
	}
	if e.refusedEarlier(m) {
		return ""
	}
	raw := e.parameters()
	for name, value := range vars {
		raw[name] = value
	}
	_, problems := m.Check(raw)
	return cmp.Diff(e.schemaErrors(), neutral(problems))
}

// schemaErrors are the recorded errors that a schema can know.
func (e exchange) schemaErrors() map[string]string {
	if e.Response.Status != 400 {
		return map[string]string{}
	}
	body, _ := e.Response.Body.(map[string]any)
	recorded, _ := body["errors"].(map[string]any)
	found := map[string]string{}
	for name, text := range recorded {
		if !fromHandler(text.(string)) {
			found[name] = text.(string)
		}
	}
	return neutral(found)
}

func fromHandler(text string) bool {
	for pattern := range handlerErrors() {
		if regexp.MustCompile(pattern).MatchString(text) {
			return true
		}
	}
	return false
}

// neutral cuts what is no reference; nil becomes empty.
func neutral(problems map[string]string) map[string]string {
	cut := map[string]string{}
	for name, text := range problems {
		if strings.HasPrefix(text, schedules) {
			text = schedules
		}
		cut[name] = text
	}
	return cut
}

// expand puts the values of variables in place of ${name}.
func (e exchange) expand(text string) string {
	for name, value := range e.Vars {
		text = strings.ReplaceAll(text, "${"+name+"}", fmt.Sprint(value))
	}
	return text
}

// parameters are those of body and query together; the query wins.
func (e exchange) parameters() map[string]any {
	all := map[string]any{}
	for name, value := range e.Request.JSON {
		all[name] = value
	}
	if raw := e.Request.Raw; raw != nil {
		e.addForm(all, raw.form())
	}
	e.addFields(all, e.Request.Form)
	for _, part := range e.Request.Multipart {
		if part.Filename != "" {
			all[part.Name] = part.Filename
			break // fields behind the file are not read
		}
		all[part.Name] = part.Value
	}
	e.addFields(all, e.Request.Query)
	delete(all, "_dc")
	return all
}

// addFields adds parameters given as an object or as the text of a query.
func (e exchange) addFields(all map[string]any, fields any) {
	switch fields := fields.(type) {
	case string:
		e.addForm(all, fields)
	case map[string]any:
		for name, value := range fields {
			if list, ok := value.([]any); ok {
				all[name] = list
				continue
			}
			all[name] = e.expand(fmt.Sprint(value))
		}
	}
}

// addForm decodes a form as Proxmox does: a raw semicolon separates too, and a second raw equals sign ends the value.
func (e exchange) addForm(all map[string]any, form string) {
	for _, pair := range strings.FieldsFunc(form, func(r rune) bool { return r == '&' || r == ';' }) {
		name, value, _ := strings.Cut(pair, "=")
		value, _, _ = strings.Cut(value, "=")
		if plain, err := url.QueryUnescape(value); err == nil {
			value = plain
		}
		if earlier, ok := all[name]; ok {
			all[name] = []any{earlier, value}
			continue
		}
		all[name] = e.expand(value)
	}
}

func (r rawBody) form() string {
	if len(r.Repeat) != 2 {
		return r.Text
	}
	n, err := r.Repeat[1].(json.Number).Int64()
	if err != nil {
		panic(err)
	}
	return r.Text + strings.Repeat(r.Repeat[0].(string), int(n))
}
