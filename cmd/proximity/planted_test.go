package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

// planted are the secrets of one script, and all that was seen while they were
// in use. Scripts of TestStores have these verbs for it:
//
//	plant NAME...        draws secrets, and sets variables of these names to them
//	learn NAME OUTPUT [flag...]  takes what an output is as one more
//	estate               a simulated cluster on a port; its token's secret is one more
//	betray METHOD PATH NAME...  the next request of that sort is answered with these secrets, as nodes do in some errors
//	watched N command... the command ends with exit code N; what it writes, and the list of processes, is looked through
//	nowhere FILE...      no secret is in what was seen, in the store, or in any file of the script but these
type planted struct {
	secrets map[string]string // by what they are
	seen    map[string]string // outputs and lists of processes, by what they are of
	sim     *pvesim.Sim
}

type plantedKey struct{}

func plantedIn(ts *testscript.TestScript) *planted { return ts.Value(plantedKey{}).(*planted) }

// plant draws secrets that JSON, URLs and shells write otherwise.
func plant(ts *testscript.TestScript, _ bool, names []string) {
	for _, name := range names {
		value := `p"&<` + rand.Text()[:12] + `>/+ é`
		if strings.HasPrefix(name, "PLAIN_") { // for files in which the others would have to be quoted
			value = rand.Text()
		}
		plantedIn(ts).secrets[name] = value
		ts.Setenv(name, value)
	}
}

func learn(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(ts.Exec("proximity", append([]string{"output", "--raw"}, args[1:]...)...))
	plantedIn(ts).secrets[args[0]] = ts.ReadFile("stdout")
}

func servedEstate(ts *testscript.TestScript, _ bool, _ []string) {
	p := plantedIn(ts)
	var err error
	p.sim, err = pvesim.Open(pvesim.Options{Speed: 100})
	ts.Check(err)
	ts.Defer(func() { ts.Check(p.sim.Close()) })
	server, err := p.sim.Listen("127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { ts.Check(server.Close()) })
	id, secret := p.sim.Token()
	ts.Setenv("URL", server.URL)
	ts.Setenv("FINGERPRINT", server.Fingerprint)
	ts.Setenv("TOKEN_ID", id)
	ts.Setenv("TOKEN_SECRET", secret)
	p.secrets["TOKEN_SECRET"] = secret
}

func betray(ts *testscript.TestScript, _ bool, args []string) {
	p := plantedIn(ts)
	message := "refused:"
	for _, name := range args[2:] {
		message += " " + p.secrets[name]
	}
	p.sim.Inject(pvesim.Fault{Method: args[0], Path: args[1], Count: 1, Status: 500, Message: message})
}

func watched(ts *testscript.TestScript, _ bool, args []string) {
	p := plantedIn(ts)
	ctx, stop := context.WithCancel(context.Background())
	listed := make(chan string)
	go func() { listed <- listProcesses(ctx) }()
	err := ts.Exec(args[1], args[2:]...)
	stop()
	listing := <-listed
	code := 0
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	name := fmt.Sprintf("run %d: %s", len(p.seen), strings.Join(args[1:], " "))
	p.seen[name] = ts.ReadFile("stdout") + ts.ReadFile("stderr") + listing
	if fmt.Sprint(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// listProcesses returns the arguments of all processes that there are until ctx
// ends, each once.
func listProcesses(ctx context.Context) string {
	lines := map[string]bool{}
	for tick := time.NewTicker(20 * time.Millisecond); ctx.Err() == nil; <-tick.C {
		all, _ := filepath.Glob("/proc/[0-9]*/cmdline") // elsewhere there is no such file
		for _, path := range all {
			line, _ := os.ReadFile(path) // it may have ended
			lines[string(line)] = true
		}
	}
	return strings.Join(slices.Sorted(maps.Keys(lines)), "\n")
}

func nowhere(ts *testscript.TestScript, _ bool, but []string) {
	p, k := plantedIn(ts), ts.Value(keptKey{}).(kept)
	places := maps.Clone(p.seen)
	if k.dump != nil {
		text, err := k.dump()
		ts.Check(err)
		places["the store"] = text
	}
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || slices.Contains(but, d.Name()) {
			return err
		}
		text, err := os.ReadFile(path)
		places[path] = string(text)
		return err
	}))
	for what, secret := range p.secrets {
		if len(secret) < 6 {
			ts.Fatalf("the secret %s (%q) is too short to be looked for", what, secret)
		}
		for place, text := range places {
			if form := formIn(text, secret); form != "" {
				ts.Fatalf("the secret %s (%s) is in %s, as %q", what, secret, place, form)
			}
		}
	}
	k.log("report: secrets: %s: %d planted, %d runs and %d places looked through, 0 found", k.kind, len(p.secrets), len(p.seen), len(places))
}
