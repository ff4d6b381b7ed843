package pvesim_test

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// recording is a scenario recorded from a real node; the README beside the recordings describes the format.
type recording struct {
	Scenario string
	Title    string
	Seed     pvesim.Seed
	Steps    []recordedStep
}

type recordedStep struct {
	exchange
	Parallel []exchange
}

type exchange struct {
	Note     string
	Phase    string
	Pause    float64
	Request  recordedRequest
	Response recordedResponse
	Task     *recordedTask
	Bind     map[string][]any
	Poll     *struct {
		Path   []any
		Equals any
	}
	After []exchange
	CutTo *struct {
		Path     []any
		Elements int
	} `json:"cut_to"`
}

type recordedRequest struct {
	Method, Path string
	Query        any
	Form         map[string]any
	JSON         any
	Raw          *struct {
		ContentType *string `json:"content_type"`
		Text        string
		Repeat      []any
	}
	Multipart []struct {
		Name, Value string
		Filename    *string
		Content     string `json:"content_base64"`
	}
	Headers map[string]string
	Auth    string
}

type recordedResponse struct {
	Status      int
	Reason      string
	ContentType *string `json:"content_type"`
	Body        any
}

type recordedTask struct {
	Type       string   `json:"upid_type"`
	ID         string   `json:"id"`
	User       string   `json:"user"`
	Status     string   `json:"status"`
	ExitStatus string   `json:"exitstatus"`
	Log        []string `json:"log"`
}

// complete are the scenarios in which the simulator does not differ from the real node at all.
var complete = strings.Fields(`
	backup-notes-protect job-crud job-errors job-included job-schedules pool-crud prune storage-config
	storage-status upload-template vzdump-errors vzdump-same-second vzdump-snapshot vzdump-stop
`)

// TestRecordings sends the requests that a real node was sent to an estate like that node and compares everything it
// answered: status, reason, content type, body, and how tasks went.
func TestRecordings(t *testing.T) {
	dir := recordingsDir(t)
	rules := readRules(t, filepath.Join(dir, "volatile.json"))
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	equal, total := 0, 0
	for _, file := range files {
		if filepath.Base(file) == "volatile.json" {
			continue
		}
		var r recording
		readJSON(t, file, &r)
		t.Run(r.Scenario, func(t *testing.T) {
			p := newPlayer(t, rules, r)
			good, diffs := p.play(r)
			equal, total = equal+good, total+len(r.Steps)
			t.Logf("%d of %d steps equal", good, len(r.Steps))
			for _, d := range diffs {
				t.Log(d)
			}
			if contains(complete, r.Scenario) {
				require.Empty(t, diffs)
			}
		})
	}
	t.Logf("%d of %d steps equal", equal, total)
}

func contains(list []string, text string) bool {
	i := sort.SearchStrings(list, text)
	return i < len(list) && list[i] == text
}

func TestCompleteIsSorted(t *testing.T) { require.True(t, sort.StringsAreSorted(complete)) }

// recordingsDir is the folder in PVE_RECORDINGS, or the one beside the repository. Without either the test is skipped.
func recordingsDir(t *testing.T) string {
	t.Helper()
	if dir := os.Getenv("PVE_RECORDINGS"); dir != "" {
		return dir
	}
	dir, err := os.Getwd()
	require.NoError(t, err)
	for ; dir != filepath.Dir(dir); dir = filepath.Dir(dir) {
		found := filepath.Join(dir, "..", "shared", "pve", "recordings")
		if _, err := os.Stat(found); err == nil {
			return found
		}
	}
	t.Skip("no recordings: set PVE_RECORDINGS")
	return ""
}

func readJSON(t *testing.T, file string, into any) {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, into), file)
}

// player plays one scenario.
type player struct {
	listing  any // the last answer that was a list
	recorded any // the same as it was recorded
	t        *testing.T
	rules    *rules
	clock    *stepClock
	sim      *pvesim.Sim
	vars     map[string]string
	secrets  map[string]string // of tokens
	tickets  map[string][2]string
}

func newPlayer(t *testing.T, rules *rules, r recording) *player {
	t.Helper()
	r.Seed.Nodes[0].CGroup = 1 // as /cluster/resources of the recorded node says
	a := openSim(t, pvesim.Options{Seed: &r.Seed})
	id, secret := a.sim.Token()
	return &player{
		t: t, rules: rules, clock: a.clock, sim: a.sim, vars: map[string]string{},
		secrets: map[string]string{"": secret, id: secret}, tickets: map[string][2]string{},
	}
}

// play sends all steps and returns how many were equal and what the others differ in.
func (p *player) play(r recording) (equal int, diffs []string) {
	for i, s := range r.Steps {
		var found []string
		if s.Parallel != nil {
			found = p.parallel(s)
		} else {
			found = p.exchange(s.exchange)
		}
		if len(found) == 0 {
			equal++
		}
		for _, d := range found {
			diffs = append(diffs, fmt.Sprintf("step %d: %s", i, d))
		}
		p.sleep(0.02)
	}
	return equal, diffs
}

func (p *player) sleep(seconds float64) {
	err := p.clock.Sleep(context.Background(), time.Duration(seconds*float64(time.Second)))
	require.NoError(p.t, err)
}

// exchange sends one step and compares.
func (p *player) exchange(e exchange) []string {
	p.sleep(e.Pause)
	got := p.send(e.Request)
	for i := 0; e.Poll != nil && i < 400 && !sameJSON(lookup(got.Body, e.Poll.Path), e.Poll.Equals); i++ {
		p.sleep(0.25)
		got = p.send(e.Request)
	}
	return append(p.compareAll(e, got, p.finish(e, got)), p.afterwards(e)...)
}

// finish waits for the task that a response names, if that was recorded, and binds names.
func (p *player) finish(e exchange, got recordedResponse) *recordedTask {
	if lookup(got.Body, []any{"data", 0.0}) != nil {
		p.listing, p.recorded = got.Body, e.Response.Body
	}
	for name, path := range e.Bind {
		p.vars[name] = fmt.Sprint(lookup(p.listing, path)) // of a delete: what the list before it said
		if value := lookup(got.Body, path); value != nil {
			p.vars[name] = fmt.Sprint(value)
		} else if lookup(p.listing, path) == nil {
			p.vars[name] = p.counterpart(fmt.Sprint(lookup(p.recorded, path)))
		}
	}
	if token, ok := lookup(got.Body, []any{"data", "full-tokenid"}).(string); ok {
		p.secrets[token], _ = lookup(got.Body, []any{"data", "value"}).(string)
	}
	if e.Task == nil {
		return nil
	}
	upid, _ := lookup(got.Body, []any{"data"}).(string)
	if upid == "" {
		return nil
	}
	return p.task(upid)
}

// counterpart is the volume that stands where another stood in the recorded list: names of backups tell their time.
func (p *player) counterpart(volid string) string {
	volumes := func(body any) []string {
		rows, _ := lookup(body, []any{"data"}).([]any)
		var names []string
		for _, row := range rows {
			names = append(names, fmt.Sprint(lookup(row, []any{"volid"})))
		}
		sort.Strings(names)
		return names
	}
	was, is := volumes(p.recorded), volumes(p.listing)
	if at := sort.SearchStrings(was, volid); at < len(is) {
		return is[at]
	}
	return "<nil>"
}

func (p *player) afterwards(e exchange) []string {
	var diffs []string
	for _, a := range e.After {
		diffs = append(diffs, p.compareAll(a, p.send(a.Request), nil)...)
	}
	return diffs
}

// parallel sends requests at one moment and compares the set of their outcomes, as their order is not known.
func (p *player) parallel(s recordedStep) []string {
	var got []recordedResponse
	slices.SortStableFunc(s.Parallel, func(a, b exchange) int { return a.Response.Status - b.Response.Status }) // who won, first
	for _, e := range s.Parallel {
		got = append(got, p.send(e.Request))
	}
	var want, have []string
	for i, e := range s.Parallel {
		e.Task = cmp.Or(e.Task, s.Parallel[0].Task, s.Parallel[1].Task) // who won the race is not known
		task := p.finish(e, got[i])
		e.Task = s.Parallel[i].Task
		want = append(want, p.rules.text(e.Request, e.Response, quiet(e.Task)))
		have = append(have, p.rules.text(e.Request, got[i], quiet(task)))
	}
	sort.Strings(want)
	sort.Strings(have)
	if diff := diffText(strings.Join(want, "\n"), strings.Join(have, "\n")); diff != "" {
		return []string{diff}
	}
	return p.afterwards(s.exchange)
}

// quiet drops the log lines that depend on the moment.
func quiet(t *recordedTask) *recordedTask {
	if t == nil {
		return nil
	}
	calm := *t
	calm.Log = nil
	for _, line := range t.Log {
		if line != "trying to acquire lock..." && line != " OK" {
			calm.Log = append(calm.Log, line)
		}
	}
	return &calm
}

func (p *player) compareAll(e exchange, got recordedResponse, task *recordedTask) []string {
	if e.CutTo != nil {
		cut(got.Body, e.Response.Body, e.CutTo.Path, e.CutTo.Elements)
	}
	var diffs []string
	want := p.rules.normal(e.Request, e.Response, e.Task)
	have := adopt(want, p.rules.normal(e.Request, got, task))
	if diff := diffText(indented(want), indented(have)); diff != "" {
		diffs = append(diffs, fmt.Sprintf("%s %s %s %v\n%s", e.Note, e.Request.Method, e.Request.Path, e.Request.Form, diff))
	}
	return diffs
}

// task waits for a task by the API itself.
func (p *player) task(upid string) *recordedTask {
	parts := strings.Split(upid, ":")
	if len(parts) != 9 {
		return nil
	}
	base := recordedRequest{Method: "GET", Auth: "ticket", Path: "/nodes/" + parts[1] + "/tasks/" + upid}
	status, log := base, base
	status.Path += "/status"
	log.Path, log.Query = log.Path+"/log", map[string]any{"limit": 0}
	t := &recordedTask{Type: parts[5], ID: parts[6], User: parts[7]}
	for range 4000 {
		got := p.send(status)
		t.Status, _ = lookup(got.Body, []any{"data", "status"}).(string)
		t.ExitStatus, _ = lookup(got.Body, []any{"data", "exitstatus"}).(string)
		if t.Status == "stopped" {
			break
		}
		p.sleep(0.1)
	}
	lines, _ := lookup(p.send(log).Body, []any{"data"}).([]any)
	for _, line := range lines {
		text, _ := lookup(line, []any{"t"}).(string)
		t.Log = append(t.Log, text)
	}
	return t
}

var placeholder = regexp.MustCompile(`\$\{(\w+)\}|<(secret|password|ticket|csrf):?([^>]*)>`)

// fill puts values for the placeholders of a recording.
func (p *player) fill(text string) string {
	return placeholder.ReplaceAllStringFunc(text, func(m string) string {
		parts := placeholder.FindStringSubmatch(m)
		switch {
		case parts[1] != "":
			return p.vars[parts[1]]
		case parts[2] == "password" && parts[3] == "root@pam":
			return "proximity"
		case parts[2] == "password":
			return "password-of-" + parts[3]
		case parts[2] == "secret":
			return p.secrets[parts[3]]
		case parts[2] == "ticket":
			return p.login(parts[3])[0]
		default:
			return p.login("root@pam")[1]
		}
	})
}

// send sends one request.
func (p *player) send(r recordedRequest) recordedResponse {
	p.t.Helper()
	body, contentType := p.body(r)
	target := "https://pve1:8006/api2/json" + (&url.URL{Path: p.fill(r.Path)}).EscapedPath()
	if strings.HasPrefix(p.fill(r.Path), "//") || strings.Contains(r.Path, "%") {
		target = "https://pve1:8006/api2/json" + p.fill(r.Path)
	}
	if q := p.query(r.Query); q != "" {
		target += "?" + q
	}
	request, err := http.NewRequest(r.Method, target, body)
	require.NoError(p.t, err)
	if contentType != "" {
		request.Header.Set("Content-Type", contentType)
	}
	for name, value := range r.Headers {
		request.Header.Set(name, p.fill(value))
	}
	p.authorise(request, r.Auth)
	return p.receive(request)
}

func (p *player) receive(request *http.Request) recordedResponse {
	p.t.Helper()
	response, err := p.sim.Transport().RoundTrip(request)
	require.NoError(p.t, err)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	require.NoError(p.t, err)
	got := recordedResponse{Status: response.StatusCode, Reason: strings.TrimPrefix(response.Status, fmt.Sprintf("%d ", response.StatusCode))}
	if kind := response.Header.Get("Content-Type"); kind != "" {
		got.ContentType = &kind
	}
	if json.Unmarshal(text, &got.Body) != nil {
		got.Body = string(text)
	}
	return got
}

// body is the body of a request, nil for none.
func (p *player) body(r recordedRequest) (io.Reader, string) {
	switch {
	case r.Raw != nil:
		text := r.Raw.Text
		if len(r.Raw.Repeat) == 2 {
			text += strings.Repeat(r.Raw.Repeat[0].(string), int(r.Raw.Repeat[1].(float64)))
		}
		kind := ""
		if r.Raw.ContentType != nil {
			kind = *r.Raw.ContentType
		}
		return strings.NewReader(p.fill(text)), kind
	case r.JSON != nil:
		text, err := json.Marshal(r.JSON)
		require.NoError(p.t, err)
		return strings.NewReader(p.fill(string(text))), "application/json"
	case r.Multipart != nil:
		return p.multipart(r)
	case r.Form != nil:
		return strings.NewReader(p.encode(r.Form)), "application/x-www-form-urlencoded"
	}
	return nil, ""
}

func (p *player) multipart(r recordedRequest) (io.Reader, string) {
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	for _, f := range r.Multipart {
		if f.Filename == nil {
			require.NoError(p.t, w.WriteField(f.Name, f.Value))
			continue
		}
		header := textproto.MIMEHeader{}
		header.Set("Content-Disposition", fmt.Sprintf(`form-data; name="%s"; filename="%s"`, f.Name, *f.Filename))
		header.Set("Content-Type", "application/octet-stream")
		part, err := w.CreatePart(header)
		require.NoError(p.t, err)
		content, err := base64.StdEncoding.DecodeString(f.Content)
		require.NoError(p.t, err)
		_, err = part.Write(content)
		require.NoError(p.t, err)
	}
	require.NoError(p.t, w.Close())
	return &b, w.FormDataContentType()
}

func (p *player) query(q any) string {
	switch q := q.(type) {
	case string:
		return p.fill(q)
	case map[string]any:
		return p.encode(q)
	}
	return ""
}

func (p *player) encode(form map[string]any) string {
	values := url.Values{}
	for key, value := range form {
		switch value := value.(type) {
		case []any:
			for _, v := range value {
				values.Add(key, p.fill(scalar(v)))
			}
		default:
			values.Set(key, p.fill(scalar(value)))
		}
	}
	return values.Encode()
}

func scalar(v any) string {
	if n, ok := v.(float64); ok {
		return fmt.Sprintf("%.12g", n)
	}
	return fmt.Sprint(v)
}

// authorise adds what a request authenticates itself with.
func (p *player) authorise(request *http.Request, auth string) {
	kind, who, _ := strings.Cut(auth, ":")
	if who == "" && kind != "token" {
		who = "root@pam"
	}
	switch kind {
	case "token":
		if who == "" {
			who, _ = p.sim.Token()
		}
		request.Header.Set("Authorization", "PVEAPIToken="+who+"="+p.secrets[who])
	case "ticket", "cookie":
		pair := p.login(who)
		request.AddCookie(&http.Cookie{Name: "PVEAuthCookie", Value: url.QueryEscape(pair[0])})
		if kind == "ticket" && request.Method != http.MethodGet {
			request.Header.Set("CSRFPreventionToken", pair[1])
		}
	}
}

// login returns ticket and CSRF token of a user.
func (p *player) login(who string) [2]string {
	if pair, ok := p.tickets[who]; ok {
		return pair
	}
	got := p.send(recordedRequest{
		Method: "POST", Path: "/access/ticket", Auth: "none",
		Form: map[string]any{"username": who, "password": "<password:" + who + ">"},
	})
	var pair [2]string
	pair[0], _ = lookup(got.Body, []any{"data", "ticket"}).(string)
	pair[1], _ = lookup(got.Body, []any{"data", "CSRFPreventionToken"}).(string)
	if pair[0] != "" {
		p.tickets[who] = pair
	}
	return pair
}
