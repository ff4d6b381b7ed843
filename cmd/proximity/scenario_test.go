package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/secret"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

// scenario is a file of testdata/kills: a command that is killed, what comes
// before, and what a person types afterwards to have all in order. Its lines are
//
//	proximity ARG...           has to end with exit code 0
//	pve METHOD PATH [K=V...]   a request of somebody else to the host "lab", and its task
//	maybe proximity ARG...     the same, or not: there may be nothing left to do
//	cp FROM TO, mv FROM TO
//	dies POINT: ARG...         proximity dies at a point, as before
//	hold                       somebody else takes the lock of the state, and keeps it
//	unlock                     whoever has the lock, if anybody, is parted from it by its ID
//	damage FILE                half of it is lost
//	kill ARG...                the one to be killed at every point that it reaches
//
// Then follow the files.
type scenario struct {
	name          string
	files         []txtar.File
	before, after []string
	kill          []string
	isDamaged     bool // something is damaged before the kill
}

func readScenarios(pattern string) ([]scenario, error) {
	names, err := filepath.Glob(pattern)
	if err != nil {
		return nil, err
	}
	var all []scenario
	for _, name := range names {
		archive, err := txtar.ParseFile(name)
		if err != nil {
			return nil, err
		}
		s := scenario{name: strings.TrimSuffix(filepath.Base(name), ".txtar"), files: archive.Files}
		for line := range strings.Lines(string(archive.Comment)) {
			switch line = strings.TrimSpace(line); {
			case line == "" || line[0] == '#':
			case strings.HasPrefix(line, "kill "):
				s.kill = strings.Fields(line)[1:]
			case s.kill == nil:
				s.before = append(s.before, line)
				s.isDamaged = s.isDamaged || strings.HasPrefix(line, "damage ")
			default:
				s.after = append(s.after, line)
			}
		}
		if s.kill == nil || s.after == nil {
			return nil, fmt.Errorf("%s: it has no line that is killed, or none after it", name)
		}
		all = append(all, s)
	}
	return all, nil
}

// stage is a directory in which a scenario is played.
type stage struct {
	bin, dir string
	env      []string
	store    state.Store // nil: the files in the directory
	block    string      // that says so in the configuration
	vault    state.Vault // nil: the state is in clear
}

// stageAt makes a directory and says in it where the state is kept.
func stageAt(bin, dir string, place func(dir, name string) (kept, error)) (stage, error) {
	at := stage{bin: bin, dir: dir}
	if err := os.MkdirAll(dir, 0o700); err != nil || place == nil {
		return at, err
	}
	k, err := place(dir, strings.ReplaceAll(strings.Trim(dir, "/"), "/", "-"))
	if err != nil {
		return at, err
	}
	for name, value := range k.env {
		at.env = append(at.env, name+"="+value)
	}
	at.store, at.block = k.store, k.block
	return at, at.settings(k.block)
}

// settings writes what the configuration says of the state.
func (at stage) settings(block string) error {
	text := "variable \"team\" { default = \"home\" }\n\nproximity {\n  " + block + "\n}\n"
	return os.WriteFile(filepath.Join(at.dir, "store.hcl"), []byte(text), 0o600)
}

// read reads what is kept of the state.
func (at stage) read(l *toll) (written, error) {
	var w written
	var err error
	if at.store != nil {
		w, err = readStore(at.store, l)
	} else {
		w, err = readLocal(at.dir, l)
	}
	if at.vault == nil || err != nil {
		return w, err
	}
	return at.unseal(l)
}

// unseal reads what is encrypted as the program does.
func (at stage) unseal(l *toll) (w written, err error) {
	store, o := at.place(), at.options()
	st, err := state.Read(context.Background(), store, o)
	if err != nil {
		l.torn.Add(1)
		return w, err
	}
	entries, err := state.Trail(context.Background(), store, o)
	for _, e := range entries {
		if e.Action == "adopt" {
			w.adopted = append(w.adopted, e.Address)
		}
	}
	w.serial = st.Serial
	return w, err
}

// place is where the state is kept.
func (at stage) place() state.Store {
	if at.store == nil {
		return local.New(at.dir)
	}
	return at.store
}

func (at stage) options() state.Options {
	kinds := map[string]*resource.Kind{}
	for _, k := range append(proxmox.Kinds(), secret.Kind()) {
		kinds[k.Name] = k
	}
	return state.Options{Kinds: kinds, Vault: at.vault}
}

// buildProgram builds the program with tags, and returns where it is.
func buildProgram(t *testing.T, tags string) string {
	bin := filepath.Join(t.TempDir(), "proximity")
	cmd := exec.Command("go", "build", "-tags", tags, "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// prepare writes the files and does what comes before the kill.
func (s scenario) prepare(at stage) error {
	for _, f := range s.files {
		if err := os.WriteFile(filepath.Join(at.dir, f.Name), f.Data, 0o600); err != nil {
			return err
		}
	}
	return at.play(s.before)
}

func (at stage) play(lines []string) error {
	for _, line := range lines {
		words := strings.Fields(line)
		var err error
		switch words[0] {
		case "proximity":
			err = at.run(words[1:]...)
		case "pve":
			err = at.request(words[1], words[2], words[3:])
		case "cp":
			err = at.copy(words[1], words[2])
		case "maybe":
			_ = at.run(words[2:]...)
		case "mv":
			err = os.Rename(filepath.Join(at.dir, words[1]), filepath.Join(at.dir, words[2]))
		case "damage":
			err = at.damage(words[1])
		case "hold":
			err = at.hold()
		case "unlock":
			err = at.unlock()
		case "dies":
			point, args, _ := strings.Cut(strings.TrimPrefix(line, "dies "), ": ")
			err = at.die(point, 1, strings.Fields(args)...)
		default:
			err = errors.New("no such verb")
		}
		if err != nil {
			return fmt.Errorf("%s: %w", line, err)
		}
	}
	return nil
}

func (at stage) command(args []string, env ...string) (*exec.Cmd, *bytes.Buffer) {
	cmd := exec.Command(at.bin, args...)
	cmd.Dir, cmd.Env = at.dir, slices.Concat(os.Environ(), at.env, env)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	return cmd, &out
}

func (at stage) run(args ...string) error {
	cmd, out := at.command(args)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("%w:\n%s", err, out)
	}
	return nil
}

// errSpared is the error when the program ended well before it reached a point
// so often: steps that run at the same time write their records together.
var errSpared = errors.New("it did not get there so often")

// die lets the program kill itself when it reaches a point for the n-th time.
func (at stage) die(point string, n int, args ...string) error {
	trace := filepath.Join(at.dir, ".trace")
	defer os.Remove(trace)
	cmd, out := at.command(args, "PROXIMITY_FAILPOINT="+point, fmt.Sprint("PROXIMITY_FAILPOINT_NTH=", n), "PROXIMITY_FAILPOINT_TRACE="+trace)
	_ = cmd.Run() // how it ended is looked at
	status := cmd.ProcessState.Sys().(syscall.WaitStatus)
	reached, err := os.ReadFile(trace)
	if n > 1 && cmd.ProcessState.Success() {
		return errSpared
	}
	if err != nil || !status.Signaled() || status.Signal() != syscall.SIGKILL || !strings.HasSuffix(string(reached), point+"\n") {
		return fmt.Errorf("it did not die at %q, but ended with %s:\n%s\nit reached:\n%s", point, cmd.ProcessState, out, reached)
	}
	return nil
}

// trace runs the program and returns the points it reaches, in their order.
func (at stage) trace(args ...string) ([]string, error) {
	trace := filepath.Join(at.dir, ".trace")
	defer os.Remove(trace)
	cmd, out := at.command(args, "PROXIMITY_FAILPOINT_TRACE="+trace)
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("%w:\n%s", err, out)
	}
	text, err := os.ReadFile(trace)
	return strings.Split(strings.TrimSpace(string(text)), "\n"), err
}

func (at stage) copy(from, to string) error {
	text, err := os.ReadFile(filepath.Join(at.dir, from))
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(at.dir, to), text, 0o600)
}

// hold never gives the lock back: its holder is taken for dead.
func (at stage) hold() error {
	_, _, err := at.store.Lock(context.Background(), state.Who{ID: "c0ffee", User: "kim", Host: "desk", Command: "proximity apply", Since: time.Now()})
	return err
}

func (at stage) unlock() error {
	if at.store == nil {
		return nil // it ended with its process
	}
	who, isHeld, err := state.Holder(context.Background(), at.store)
	if err != nil || !isHeld {
		return err
	}
	return at.run("state", "unlock", who.ID, "--yes")
}

func (at stage) damage(name string) error {
	info, err := os.Stat(filepath.Join(at.dir, name))
	if err != nil {
		return err
	}
	return os.Truncate(filepath.Join(at.dir, name), info.Size()/2)
}

// request is made by somebody else, who waits for its task.
func (at stage) request(method, path string, pairs []string) error {
	sim, err := pvesim.Open(pvesim.Options{Dir: simulated(at.dir, "lab")})
	if err != nil {
		return err
	}
	defer sim.Close()
	form := url.Values{}
	for _, pair := range pairs {
		key, value, _ := strings.Cut(pair, "=")
		form.Add(key, value)
	}
	req, err := http.NewRequest(method, "https://lab:8006/api2/json"+path, strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	id, secret := sim.Token()
	req.Header.Set("Authorization", "PVEAPIToken="+id+"="+secret)
	resp, err := sim.Transport().RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var answer json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode != http.StatusOK {
		return fmt.Errorf("status %d: %s", resp.StatusCode, answer)
	}
	for len(sim.World().Running) > 0 {
	}
	return nil
}
