package pvesim_test

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// excused are steps, by scenario and number, that may differ from the real node, with the reason. At most two in a hundred
// may stand here, and none that is equal.
var excused = map[string]string{}

// counted are facts about archives that the seeds of the recordings do not tell; rsync's figures of a copy depend on them.
var counted = map[string]pvesim.Contents{
	"local:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz": {Files: 13, Dirs: 18, Links: 268, Bytes: 1983062, LinkBytes: 3216},
}

// chances are the random numbers with which a scenario's disks are copied in the order in which the real node happened to
// copy them: there it comes from a hash.
var chances = map[string]uint64{"clone-full": 1, "template-and-linked": 3}

// begins are the fractions of a second at which scenarios began whose archives are named after the second of their making.
var begins = map[string]float64{"vzdump-errors": 0.6}

// TestRecordings sends the requests that a real node was sent to an estate like that node and compares everything it
// answered: status, reason, content type, body, and how tasks went.
func TestRecordings(t *testing.T) {
	dir := recordingsDir()
	rules := readRules(t, filepath.Join(dir, "volatile.json"))
	files, err := filepath.Glob(filepath.Join(dir, "*.json"))
	require.NoError(t, err)
	equal, total, unseen := 0, 0, maps.Clone(excused)
	for _, file := range files {
		if filepath.Base(file) == "volatile.json" {
			continue
		}
		var r recording
		readJSON(t, file, &r)
		t.Run(r.Scenario, func(t *testing.T) {
			diffs := newPlayer(t, rules, r).play(r)
			total += len(r.Steps)
			for i := range r.Steps {
				name := fmt.Sprintf("%s %d", r.Scenario, i)
				reason, isExcused := excused[name]
				delete(unseen, name)
				switch {
				case diffs[i] == nil && isExcused:
					t.Errorf("step %d is equal: take its excuse away", i)
				case diffs[i] == nil:
					equal++
				case isExcused:
					t.Logf("step %d is excused: %s", i, reason)
				default:
					t.Errorf("step %d: %s", i, strings.Join(diffs[i], "\n"))
				}
			}
		})
	}
	require.Empty(t, unseen, "no such steps")
	require.Positive(t, total, "no recordings in %s", dir)
	require.LessOrEqual(t, len(excused)*50, total, "more than two in a hundred are excused")
	t.Logf("report: recordings: %d of %d steps equal, %d excused", equal, total, len(excused))
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
	for i, template := range r.Seed.Templates {
		if c, ok := counted[template.VolID]; ok {
			r.Seed.Templates[i].Contents = &c
		}
	}
	a := openSim(t, pvesim.Options{Seed: &r.Seed, Rand: chances[r.Scenario]})
	require.NoError(t, a.clock.Sleep(context.Background(), time.Duration(begins[r.Scenario]*float64(time.Second))))
	id, secret := a.sim.Token()
	return &player{
		t: t, rules: rules, clock: a.clock, sim: a.sim, vars: map[string]string{},
		secrets: map[string]string{"": secret, id: secret}, tickets: map[string][2]string{},
	}
}

// play sends all steps and returns what each of them differs in, by its number.
func (p *player) play(r recording) map[int][]string {
	diffs := map[int][]string{}
	for i, s := range r.Steps {
		var found []string
		if s.Parallel != nil {
			found = p.parallel(s)
		} else {
			found = p.exchange(s.exchange)
		}
		if len(found) > 0 {
			diffs[i] = found
		}
		p.sleep(0.02)
	}
	return diffs
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
