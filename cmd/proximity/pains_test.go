package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
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
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/pains",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup:               newLab,
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
	answered(ts, neg, l.sim, args, status, body)
}

// edits are what somebody does to the cluster without the API.
var edits = map[string]func(e *pvesim.Edit, id string, rest []string){
	"config": func(e *pvesim.Edit, id string, rest []string) { // VMID key=value...; a key without a value goes
		for key, value := range pairs(rest) {
			e.SetConfig(number(id), key, value)
		}
	},
	"add": func(e *pvesim.Edit, ids string, rest []string) { // VMID[,VMID...] NODE key=value...
		for id := range strings.SplitSeq(ids, ",") {
			e.AddGuest(number(id), rest[0], pairs(rest[1:]))
		}
	},
	"raw": func(e *pvesim.Edit, id string, lines []string) {
		e.SetConfig(number(id), "lxc", strings.Join(lines, "\n"))
	}, // VMID "key = value"...
	"move":    func(e *pvesim.Edit, id string, rest []string) { e.Move(number(id), rest[0]) },  // VMID NODE
	"remove":  func(e *pvesim.Edit, id string, _ []string) { e.Remove(number(id)) },            // VMID
	"start":   func(e *pvesim.Edit, id string, _ []string) { e.SetRunning(number(id), true) },  // VMID
	"stop":    func(e *pvesim.Edit, id string, _ []string) { e.SetRunning(number(id), false) }, // VMID
	"offline": func(e *pvesim.Edit, node string, _ []string) { e.SetOffline(node, true) },      // NODE
	"online":  func(e *pvesim.Edit, node string, _ []string) { e.SetOffline(node, false) },     // NODE
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

func tasks(ts *testscript.TestScript, _ bool, args []string) {
	all, err := labOf(ts).tasksOf(strings.Join(args, ""))
	ts.Check(err)
	for _, t := range all {
		_, err := fmt.Fprintf(ts.Stdout(), "%s %s %s\n", t.Type, cmp.Or(t.ID, "-"), cmp.Or(t.Status, "running"))
		ts.Check(err)
	}
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
	data, err := json.MarshalIndent(file, "", " ")
	ts.Check(err)
	ts.Check(os.WriteFile(name, append(data, '\n'), 0o600))
}
