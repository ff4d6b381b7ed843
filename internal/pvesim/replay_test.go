package pvesim_test

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
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
	acl auth-privsep-token auth-ticket auth-token automation-role backup-notes-protect boolean-forms
	cluster-resources config-readback create-bad-mounts create-bad-net create-bad-template create-bad-values
	create-full-unprivileged create-minimal create-password-keys create-start create-start-fails
	create-vmid-taken delete-forms delete-purge during-create form-encoding http-bodies interfaces job-crud
	job-errors job-included job-schedules locked-container missing-guest nextid parallel-four parallel-same-vmid
	permissions-endpoint pool-crud power-shutdown-reboot power-shutdown-timeout power-start-stop prune
	put-description put-digest put-mount-stopped put-net-stopped put-rootfs-stopped
	put-running-delete-after-change put-running-delete-each-key put-running-each-key put-running-mounts
	put-running-net put-running-revert put-stopped-cpu-memory put-stopped-options put-stopped-text put-tags
	resize-running resize-stopped restore restore-errors root-only-settings snapshot-btr snapshot-unavailable
	storage-config storage-content storage-status task-list task-log task-stop unknown-paths upload-template
	users-groups-roles version-and-nodes vzdump-errors vzdump-same-second vzdump-snapshot vzdump-stop
`)

// TestRecordings sends the requests that a real node was sent to an estate like that node and compares everything it
// answered: status, reason, content type, body, and how tasks went.
func TestRecordings(t *testing.T) {
	dir := recordingsDir()
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

// recordingsDir is the folder in PVE_RECORDINGS, or the copy in this repository.
func recordingsDir() string {
	return cmp.Or(os.Getenv("PVE_RECORDINGS"), filepath.Join("..", "..", "testdata", "recordings"))
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
