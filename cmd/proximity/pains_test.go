package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// TestPains plays what hurts users of other tools, one script for each, and
// requires that it does not hurt here. Each script has a simulated cluster of
// its own on a port, and the host "lab" in lab.hcl that leads to it, unless it
// brings its own. A seed.json replaces those parts of the cluster that it has.
// Beside code, apply and interrupt of TestScripts there are:
//
//	pve METHOD path [k=v]       a request behind the program's back, as root@pam logged in with a password
//	behind EDIT                 somebody changes the cluster without the API; see edits
//	at N "METHOD path" EDIT     the same, while the Nth such request from now on is under way
//	killed "METHOD path" cmd... the command is killed while its first such request is under way, which still takes effect
//	fault [faults.json]         requests go wrong from now on; without a file no more
//	requests                    prints what was requested since the last time, by kind and in all
//	tasks [VMID]                prints the tasks so far, of all guests or one: type, guest, exit status
//	remember VMID               notes who a container is: its marker and its volumes
//	same VMID [key...]          it still is that one, was never deleted, and has its volumes but for those of the keys
//	strangers                   the guests of others are as they were in the beginning
//	age                         what is recorded was changed an hour ago, so that the host's listing counts for it
func TestPains(t *testing.T) {
	results := &results{rows: map[string]string{}}
	t.Cleanup(func() { t.Log(results.table()) }) // after the scripts, which run in parallel
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/pains",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               func(env *testscript.Env) error { return newLab(env, results) },
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "apply": applyAndPlan, "interrupt": interrupt,
			"pve": labRequest, "behind": behind, "at": at, "killed": killed, "fault": fault, "requests": requests,
			"tasks": tasks, "remember": remember, "same": same, "strangers": strangers, "age": age,
		},
	})
}

// TestPainsHaveARowEach holds that the scripts are those of the rows 1 to 42.
func TestPainsHaveARowEach(t *testing.T) {
	names, err := filepath.Glob("testdata/pains/*.txtar")
	require.NoError(t, err)
	var rows []string
	for _, name := range names {
		row, words, _ := strings.Cut(strings.TrimSuffix(filepath.Base(name), ".txtar"), "_")
		require.NotEmpty(t, words, name)
		rows = append(rows, row)
	}
	var want []string
	for row := 1; row <= 42; row++ {
		want = append(want, fmt.Sprintf("%02d", row))
	}
	require.Equal(t, want, rows)
}

// results are how the scripts ended.
type results struct {
	mu   sync.Mutex
	rows map[string]string
}

func (r *results) note(name string, failed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.rows[name] = "holds"
	if failed {
		r.rows[name] = "FAILS"
	}
}

func (r *results) table() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	hold := 0
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(r.rows)) {
		row, _, _ := strings.Cut(name, "_")
		fmt.Fprintf(&b, "\nrow %s  %s  TestPains/%s", row, r.rows[name], name)
		if r.rows[name] == "holds" {
			hold++
		}
	}
	return fmt.Sprintf("%d of %d pains are none here%s", hold, len(r.rows), b.String())
}

// lab is the cluster of one script.
type lab struct {
	sim      *pvesim.Sim
	guests   map[string]string   // how the guests of others were, by path
	counted  map[string]int      // requests that were printed already
	identity map[string]identity // by VMID
}

type labKey struct{}

func labOf(ts *testscript.TestScript) *lab { return ts.Value(labKey{}).(*lab) }

const labHost = `host "lab" {
  endpoint    = %q
  token_id    = %q
  token_file  = ".token"
  fingerprint = %q
  defaults {
    node    = "pve1"
    storage = "local-lvm"
    bridge  = "vmbr0"
  }
}
`

// newLab serves the cluster of a script, a hundred times as fast as a real one.
func newLab(env *testscript.Env, results *results) error {
	seed, err := labSeed(filepath.Join(env.WorkDir, "seed.json"))
	if err != nil {
		return err
	}
	sim, err := pvesim.Open(pvesim.Options{Seed: seed, Speed: 100})
	if err != nil {
		return err
	}
	server, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		return err
	}
	env.Defer(func() {
		_ = errors.Join(server.Close(), sim.Close())
		name := strings.TrimPrefix(filepath.Base(env.WorkDir), "script-")
		results.note(name, env.T().(interface{ Failed() bool }).Failed())
	})
	id, secret := sim.Token()
	for key, value := range map[string]string{
		"NO_COLOR": "1", "URL": server.URL, "FINGERPRINT": server.Fingerprint, "TOKEN_ID": id, "TOKEN_SECRET": secret,
	} {
		env.Setenv(key, value)
	}
	l := &lab{sim: sim, counted: map[string]int{}, identity: map[string]identity{}}
	env.Values[labKey{}] = l
	if l.guests, err = l.lookAtAll(seed.Guests); err != nil {
		return err
	}
	host := filepath.Join(env.WorkDir, "lab.hcl")
	if _, err := os.Stat(host); err == nil {
		return nil
	}
	text := fmt.Sprintf(labHost, server.URL, id, server.Fingerprint)
	return errors.Join(
		os.WriteFile(host, []byte(text), 0o600),
		os.WriteFile(filepath.Join(env.WorkDir, ".token"), []byte(secret), 0o600),
	)
}

// labSeed is the cluster of the simulator with the parts that a file replaces,
// if there is one.
func labSeed(name string) (*pvesim.Seed, error) {
	text, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return pvesim.Cluster(), nil
	}
	usual, usualErr := json.Marshal(pvesim.Cluster())
	if err := errors.Join(err, usualErr); err != nil {
		return nil, err
	}
	parts, seed := map[string]json.RawMessage{}, &pvesim.Seed{}
	if err := errors.Join(json.Unmarshal(usual, &parts), json.Unmarshal(text, &parts)); err != nil {
		return nil, err
	}
	merged, err := json.Marshal(parts)
	if err != nil {
		return nil, err
	}
	return seed, json.Unmarshal(merged, seed)
}

// ask sends one request with the ticket of root@pam, so that nothing is
// forbidden. It does not count among those that requests prints.
func (l *lab) ask(method, path string, form url.Values) (int, []byte, error) {
	before := l.sim.Stats().Requests
	defer func() {
		for kind, n := range l.sim.Stats().Requests {
			l.counted[kind] += n - before[kind]
		}
	}()
	ticket, err := l.login()
	if err != nil {
		return 0, nil, err
	}
	return l.roundTrip(method, path, form, ticket)
}

type ticket struct{ Ticket, CSRFPreventionToken string }

func (l *lab) login() (ticket, error) {
	form := url.Values{"username": {"root@pam"}, "password": {"proximity"}}
	status, body, err := l.roundTrip(http.MethodPost, "/access/ticket", form, ticket{})
	var answer struct{ Data ticket }
	if err == nil && status == http.StatusOK {
		err = json.Unmarshal(body, &answer)
	}
	return answer.Data, err
}

func (l *lab) roundTrip(method, path string, form url.Values, as ticket) (int, []byte, error) {
	req, err := http.NewRequest(method, "https://lab:8006/api2/json"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return 0, nil, err
	}
	if method == http.MethodGet || method == http.MethodDelete {
		query := req.URL.Query()
		maps.Copy(query, form)
		req.Body, req.ContentLength, req.URL.RawQuery = http.NoBody, 0, query.Encode()
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	if as.Ticket != "" {
		req.AddCookie(&http.Cookie{Name: "PVEAuthCookie", Value: url.QueryEscape(as.Ticket)})
		req.Header.Set("CSRFPreventionToken", as.CSRFPreventionToken)
	}
	resp, err := l.sim.Transport().RoundTrip(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, body, err
}

// read asks for something that has to be there.
func (l *lab) read(path string, into any) error {
	status, body, err := l.ask(http.MethodGet, path, nil)
	if err == nil && status != http.StatusOK {
		err = fmt.Errorf("GET %s: status %d: %s", path, status, body)
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(body, &struct{ Data any }{into})
}

// labRequest sends one request and waits for the task that it starts, if any.
func labRequest(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: pve METHOD path [key=value...]")
	}
	form := url.Values{}
	for _, pair := range args[2:] {
		key, value, _ := strings.Cut(pair, "=")
		form.Add(key, value)
	}
	l := labOf(ts)
	status, body, err := l.ask(args[0], args[1], form)
	ts.Check(err)
	if (status >= 400) != neg {
		ts.Fatalf("%s %s: status %d: %s", args[0], args[1], status, body)
	}
	_, err = ts.Stdout().Write(append(body, '\n'))
	ts.Check(err)
	var answer struct{ Data any }
	ts.Check(json.Unmarshal(body, &answer))
	if upid, _ := answer.Data.(string); strings.HasPrefix(upid, "UPID:") {
		await(ts, l.sim, upid)
	}
}

// edits are what somebody does to the cluster without the API.
var edits = map[string]func(e *pvesim.Edit, id string, rest []string){
	"config": func(e *pvesim.Edit, id string, rest []string) { // VMID key=value...; a key without a value goes
		for key, value := range pairs(rest) {
			e.SetConfig(number(id), key, value)
		}
	},
	"add":     func(e *pvesim.Edit, id string, rest []string) { e.AddGuest(number(id), rest[0], pairs(rest[1:])) }, // VMID NODE key=value...
	"move":    func(e *pvesim.Edit, id string, rest []string) { e.Move(number(id), rest[0]) },                      // VMID NODE
	"remove":  func(e *pvesim.Edit, id string, _ []string) { e.Remove(number(id)) },                                // VMID
	"start":   func(e *pvesim.Edit, id string, _ []string) { e.SetRunning(number(id), true) },                      // VMID
	"stop":    func(e *pvesim.Edit, id string, _ []string) { e.SetRunning(number(id), false) },                     // VMID
	"offline": func(e *pvesim.Edit, node string, _ []string) { e.SetOffline(node, true) },                          // NODE
	"online":  func(e *pvesim.Edit, node string, _ []string) { e.SetOffline(node, false) },                         // NODE
}

func number(vmid string) int {
	n, err := strconv.Atoi(vmid)
	if err != nil {
		panic(err) // of the script
	}
	return n
}

func pairs(words []string) map[string]string {
	all := map[string]string{}
	for _, pair := range words {
		key, value, _ := strings.Cut(pair, "=")
		all[key] = value
	}
	return all
}

func editOf(ts *testscript.TestScript, args []string) func(*pvesim.Edit) {
	if len(args) < 2 || edits[args[0]] == nil {
		ts.Fatalf("an edit is one of %v with its arguments", slices.Sorted(maps.Keys(edits)))
	}
	return func(e *pvesim.Edit) { edits[args[0]](e, args[1], args[2:]) }
}

func behind(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(labOf(ts).sim.Edit(editOf(ts, args)))
}

func at(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 4 {
		ts.Fatalf(`usage: at N "METHOD path" EDIT`)
	}
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	method, path, _ := strings.Cut(args[1], " ")
	labOf(ts).sim.Inject(pvesim.Fault{Method: method, Path: path, Skip: n - 1, Count: 1, Behind: editOf(ts, args[2:])})
}

// killed lets the request go on only when its sender is dead.
func killed(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf(`usage: killed "METHOD path" command...`)
	}
	method, path, _ := strings.Cut(args[0], " ")
	reached, dead := make(chan struct{}), make(chan struct{})
	labOf(ts).sim.Inject(pvesim.Fault{Method: method, Path: path, Count: 1, Behind: func(*pvesim.Edit) {
		close(reached)
		<-dead
	}})
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	ts.Check(cmd.Start())
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case <-reached:
		ts.Check(cmd.Process.Kill())
		<-ended
		close(dead)
	case err := <-ended:
		ts.Fatalf("ended before a request %s: %v", args[0], err)
	}
}

func fault(ts *testscript.TestScript, _ bool, args []string) {
	sim := labOf(ts).sim
	if len(args) == 0 {
		sim.ClearFaults()
		return
	}
	var faults []pvesim.Fault
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &faults))
	sim.Inject(faults...)
}

func requests(ts *testscript.TestScript, _ bool, _ []string) {
	l, all := labOf(ts), 0
	now := l.sim.Stats().Requests
	for _, kind := range slices.Sorted(maps.Keys(now)) {
		if n := now[kind] - l.counted[kind]; n > 0 {
			all += n
			_, err := fmt.Fprintf(ts.Stdout(), "%d %s\n", n, kind)
			ts.Check(err)
		}
	}
	_, err := fmt.Fprintf(ts.Stdout(), "%d in all\n", all)
	ts.Check(err)
	l.counted = now
}

// task is one line of a node's list of tasks.
type task struct {
	UPID, Type, ID, Status string
	StartTime              int64
}

// tasksOf returns the tasks of a guest, or of all for "", in their order.
func (l *lab) tasksOf(vmid string) ([]task, error) {
	var nodes []struct{ Node, Status string }
	if err := l.read("/nodes", &nodes); err != nil {
		return nil, err
	}
	var all []task
	for _, n := range nodes {
		if n.Status != "online" {
			continue
		}
		var some []task
		if err := l.read("/nodes/"+n.Node+"/tasks?source=all&limit=10000", &some); err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	all = slices.DeleteFunc(all, func(t task) bool { return vmid != "" && t.ID != vmid })
	slices.SortStableFunc(all, func(a, b task) int {
		return cmp.Or(cmp.Compare(a.StartTime, b.StartTime), cmp.Compare(a.UPID, b.UPID))
	})
	return all, nil
}

func tasks(ts *testscript.TestScript, _ bool, args []string) {
	all, err := labOf(ts).tasksOf(strings.Join(args, ""))
	ts.Check(err)
	for _, t := range all {
		_, err := fmt.Fprintf(ts.Stdout(), "%s %s %s\n", t.Type, cmp.Or(t.ID, "-"), cmp.Or(t.Status, "running"))
		ts.Check(err)
	}
}

// identity is what a container keeps as long as it is not made anew.
type identity struct {
	marker  string
	volumes map[string]string // volume ids by key
	deletes int               // tasks so far that deleted one of this number
}

func (l *lab) identify(vmid string) (identity, error) {
	var listed []struct {
		VMID int
		Node string
	}
	if err := l.read("/cluster/resources?type=vm", &listed); err != nil {
		return identity{}, err
	}
	who := identity{volumes: map[string]string{}}
	for _, g := range listed {
		if strconv.Itoa(g.VMID) != vmid {
			continue
		}
		var config map[string]any
		if err := l.read("/nodes/"+g.Node+"/lxc/"+vmid+"/config", &config); err != nil {
			return identity{}, err
		}
		notes, _ := config["description"].(string)
		_, marker, _ := strings.Cut(notes, "<!-- proximity ")
		who.marker, _, _ = strings.Cut(marker, " -->")
		for key, value := range config {
			if key == "rootfs" || strings.HasPrefix(key, "mp") || strings.HasPrefix(key, "unused") {
				who.volumes[key], _, _ = strings.Cut(fmt.Sprint(value), ",")
			}
		}
	}
	all, err := l.tasksOf(vmid)
	for _, t := range all {
		if t.Type == "vzdestroy" {
			who.deletes++
		}
	}
	if who.marker == "" {
		err = errors.Join(err, fmt.Errorf("there is no container %s of ours", vmid))
	}
	return who, err
}

// isListedRight tells whether the listing has caught up with all containers.
func (l *lab) isListedRight() (bool, error) {
	var listed []struct {
		VMID               int
		Type, Node, Status string
	}
	if err := l.read("/cluster/resources?type=vm", &listed); err != nil {
		return false, err
	}
	for _, g := range listed {
		var now struct{ Status string }
		if err := l.read(fmt.Sprintf("/nodes/%s/%s/%d/status/current", g.Node, g.Type, g.VMID), &now); err != nil || now.Status != g.Status {
			return false, err
		}
	}
	return true, nil
}

func remember(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) != 1 {
		ts.Fatalf("usage: remember VMID")
	}
	who, err := labOf(ts).identify(args[0])
	ts.Check(err)
	labOf(ts).identity[args[0]] = who
}

func same(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) == 0 || labOf(ts).identity[args[0]].marker == "" {
		ts.Fatalf("usage: remember VMID, and later: same VMID [key...]")
	}
	before := labOf(ts).identity[args[0]]
	now, err := labOf(ts).identify(args[0])
	ts.Check(err)
	if now.marker != before.marker || now.deletes != before.deletes {
		ts.Fatalf("container %s is another one: %s, deleted %d times; it was %s, deleted %d times",
			args[0], now.marker, now.deletes, before.marker, before.deletes)
	}
	kept := slices.Collect(maps.Values(now.volumes))
	for key, volid := range before.volumes {
		if !slices.Contains(args[1:], key) && !slices.Contains(kept, volid) {
			ts.Fatalf("container %s has lost %s, which was its %s: %v", args[0], volid, key, now.volumes)
		}
	}
}

// lookAtAll returns the configurations of guests, and whether they run.
func (l *lab) lookAtAll(guests []pvesim.SeedGuest) (map[string]string, error) {
	all := map[string]string{}
	for _, g := range guests {
		path := fmt.Sprintf("/nodes/%s/%s/%d", g.Node, cmp.Or(g.Type, "lxc"), g.VMID)
		var config json.RawMessage
		var power struct{ Status string }
		if err := errors.Join(l.read(path+"/config", &config), l.read(path+"/status/current", &power)); err != nil {
			return nil, err
		}
		all[path] = power.Status + " " + string(config)
	}
	return all, nil
}

func strangers(ts *testscript.TestScript, _ bool, _ []string) {
	l := labOf(ts)
	for path, before := range l.guests {
		var config json.RawMessage
		var power struct{ Status string }
		ts.Check(errors.Join(l.read(path+"/config", &config), l.read(path+"/status/current", &power)))
		if now := power.Status + " " + string(config); now != before {
			ts.Fatalf("%s was %s\nand is now %s", path, before, now)
		}
	}
}

var changedAt = regexp.MustCompile(`("changed": ?)"[^"]*"`)

func age(ts *testscript.TestScript, _ bool, _ []string) {
	for fresh := false; !fresh; { // the listing lags by ten simulated seconds
		var err error
		fresh, err = labOf(ts).isListedRight()
		ts.Check(err)
	}
	name := ts.MkAbs("proximity.state.json")
	text := changedAt.ReplaceAllString(ts.ReadFile(name), `$1"`+time.Now().Add(-time.Hour).Format(time.RFC3339)+`"`)
	var file struct {
		Format   string          `json:"format"`
		Version  int             `json:"version"`
		Checksum string          `json:"checksum"`
		State    json.RawMessage `json:"state"`
	}
	ts.Check(json.Unmarshal([]byte(text), &file))
	var state bytes.Buffer
	ts.Check(json.Compact(&state, file.State))
	file.Checksum = fmt.Sprintf("sha256:%x", sha256.Sum256(state.Bytes()))
	data, err := json.Marshal(file)
	ts.Check(err)
	ts.Check(os.WriteFile(name, data, 0o600))
}
