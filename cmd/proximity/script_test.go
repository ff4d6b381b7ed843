package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

var update = flag.Bool("update", false, "rewrite the golden sections of the scripts")

// raceOptions spare each run of the program under the race detector the second
// that it else waits for before it ends.
const raceOptions = "atexit_sleep_ms=0"

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"proximity": main})
}

// TestScripts runs the program as people do. Beside the usual verbs scripts
// have these:
//
//	code N command...      the command ends with exit code N
//	apply [flag...]        applies, and then requires an empty plan
//	pve METHOD path [k=v]  a request to the simulated host "lab", behind the program's back
//	interrupt SIGNALS command... sends INT, TERM or HUP once a step runs, several as in INT,TERM; the exit code has to be 130
//	hold                   holds the lock of the state until the script ends
//	simulate [flag...]     the program's own "sim" on a port; sets the same as serve
//	telmate CALL [arg...]  a call of a foreign library (see foreign_test.go)
//	hidden VALUE file...   the text in the file VALUE is in none of the files, in whatever form
//	serve [faults.json]    a simulated cluster on a port; sets $URL, $FINGERPRINT, $TOKEN_ID, $TOKEN_SECRET
func TestScripts(t *testing.T) { playScripts(t, "testdata/script", "") }

// TestSealed is TestScripts for what uses a passphrase again and again, with the
// program as people get it: under the race detector each time takes seconds.
func TestSealed(t *testing.T) {
	playScripts(t, "testdata/sealed", filepath.Dir(buildProgram(t, ""))+string(os.PathListSeparator))
}

func playScripts(t *testing.T, dir, path string) {
	testscript.Run(t, testscript.Params{
		Dir:                 dir,
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("NO_COLOR", "1")
			env.Setenv("GORACE", raceOptions)
			env.Setenv("PATH", path+env.Getenv("PATH"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"code": code, "apply": applyAndPlan, "pve": request, "hold": hold, "serve": serve, "interrupt": interrupt,
			"simulate": simulate, "telmate": telmate, "hidden": hidden,
		},
	})
}

func code(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: code N command...")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// applyAndPlan leaves the output of the apply for the lines that follow.
func applyAndPlan(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("proximity", append([]string{"apply", "--auto-approve"}, args...)...))
	stdout, stderr := ts.ReadFile("stdout"), ts.ReadFile("stderr")
	if err := ts.Exec("proximity", "plan", "--detailed-exitcode"); err != nil {
		ts.Fatalf("the plan after the apply: %v", err)
	}
	_, err := io.WriteString(ts.Stdout(), stdout)
	ts.Check(err)
	_, err = io.WriteString(ts.Stderr(), stderr)
	ts.Check(err)
}

// request sends one request and waits for the task that it starts, if any.
func request(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: pve METHOD path [key=value...]")
	}
	sim, err := pvesim.Open(pvesim.Options{Dir: ts.MkAbs(".proximity/sim/lab"), Speed: 1000})
	ts.Check(err)
	defer sim.Close()
	form := url.Values{}
	for _, pair := range args[2:] {
		key, value, _ := strings.Cut(pair, "=")
		form.Add(key, value)
	}
	status, body := send(ts, sim, args[0], args[1], form)
	answered(ts, neg, sim, args, status, body)
}

// answered passes on the answer to a request of a script, requires that it went
// well or ill as expected, and waits for its task.
func answered(ts *testscript.TestScript, neg bool, sim *pvesim.Sim, args []string, status int, body []byte) {
	if (status >= 400) != neg {
		ts.Fatalf("%s %s: status %d: %s", args[0], args[1], status, body)
	}
	_, err := ts.Stdout().Write(append(body, '\n'))
	ts.Check(err)
	var answer struct{ Data any }
	ts.Check(json.Unmarshal(body, &answer))
	if upid, _ := answer.Data.(string); strings.HasPrefix(upid, "UPID:") {
		await(ts, sim, upid)
	}
}

// await asks for a task until it has ended. The simulated time runs fast.
func await(ts *testscript.TestScript, sim *pvesim.Sim, upid string) {
	path := "/nodes/" + strings.Split(upid, ":")[1] + "/tasks/" + upid + "/status"
	for {
		_, body := send(ts, sim, http.MethodGet, path, nil)
		var answer struct {
			Data struct{ Status, ExitStatus string }
		}
		ts.Check(json.Unmarshal(body, &answer))
		if answer.Data.Status == "stopped" {
			if answer.Data.ExitStatus != "OK" {
				ts.Fatalf("%s: %s", upid, answer.Data.ExitStatus)
			}
			return
		}
	}
}

func send(ts *testscript.TestScript, sim *pvesim.Sim, method, path string, form url.Values) (int, []byte) {
	req, err := http.NewRequest(method, "https://lab.sim:8006/api2/json"+path, strings.NewReader(form.Encode()))
	ts.Check(err)
	if method == http.MethodGet || method == http.MethodDelete {
		req.Body, req.ContentLength, req.URL.RawQuery = http.NoBody, 0, form.Encode()
	} else {
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	id, secret := sim.Token()
	req.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	resp, err := sim.Transport().RoundTrip(req)
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	return resp.StatusCode, body
}

// hold takes the lock as another process of this machine would.
func hold(ts *testscript.TestScript, _ bool, _ []string) {
	_, lock, err := local.New(ts.MkAbs(".")).Lock(context.Background(), state.Who{
		User: "kim", Host: "desk", PID: 4711, Command: "proximity apply", Since: time.Unix(1700000000, 0),
	})
	ts.Check(err)
	ts.Defer(func() { ts.Check(lock.Unlock()) })
}

// serve listens until the script ends.
func serve(ts *testscript.TestScript, _ bool, args []string) {
	options := pvesim.Options{Speed: 100}
	if len(args) == 1 {
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[0])), &options.Faults))
	}
	sim, err := pvesim.Open(options)
	ts.Check(err)
	ts.Defer(func() { ts.Check(sim.Close()) })
	server, err := sim.Listen("127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	id, secret := sim.Token()
	ts.Setenv("URL", server.URL)
	ts.Setenv("FINGERPRINT", server.Fingerprint)
	ts.Setenv("TOKEN_ID", id)
	ts.Setenv("TOKEN_SECRET", secret)
}

// interrupt waits with its first signal until a step has begun, with the next
// one until the first was answered.
func interrupt(ts *testscript.TestScript, _ bool, args []string) {
	if len(args) < 2 {
		ts.Fatalf("usage: interrupt SIGNALS command...")
	}
	signals := strings.Split(args[0], ",")
	cmd := exec.Command(args[1], args[2:]...)
	cmd.Dir = ts.MkAbs(".")
	var stdout strings.Builder
	cmd.Stdout = &stdout
	stderr, err := cmd.StderrPipe()
	ts.Check(err)
	ts.Check(cmd.Start())
	for lines, sent := bufio.NewScanner(stderr), 0; lines.Scan(); {
		text := lines.Text()
		_, err := fmt.Fprintln(ts.Stderr(), text)
		ts.Check(err)
		isTime := sent == 0 && strings.HasSuffix(text, "creating…") || sent > 0 && strings.HasPrefix(text, "interrupted:")
		if isTime && sent < len(signals) {
			ts.Check(cmd.Process.Signal(signalNamed(ts, signals[sent])))
			sent++
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		ts.Fatalf("%v, want exit code 130", err)
	}
	_, err = io.WriteString(ts.Stdout(), stdout.String())
	ts.Check(err)
}

func signalNamed(ts *testscript.TestScript, name string) os.Signal {
	signal, known := map[string]os.Signal{"INT": syscall.SIGINT, "TERM": syscall.SIGTERM, "HUP": syscall.SIGHUP}[name]
	if !known {
		ts.Fatalf("interrupt: there is no signal %q", name)
	}
	return signal
}
