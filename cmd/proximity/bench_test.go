package main_test

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
)

// build returns the path of the program, built as `make build` does.
func build(tb testing.TB) string {
	tb.Helper()
	bin := filepath.Join(tb.TempDir(), "proximity")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		tb.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// process is what one run of the program took.
type process struct {
	took   time.Duration
	memory float64 // MiB at its peak
	code   int
	out    string
}

// run starts the program in dir and waits for it.
func run(tb testing.TB, bin, dir string, args ...string) process {
	tb.Helper()
	cmd := exec.Command(bin, args...)
	cmd.Dir = dir
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	begin := time.Now()
	_ = cmd.Run() // its code is what callers look at
	usage := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	return process{time.Since(begin), float64(usage.Maxrss) / 1024, cmd.ProcessState.ExitCode(), out.String()}
}

func (p process) must(tb testing.TB, code int) process {
	tb.Helper()
	if p.code != code {
		tb.Fatalf("exit code %d instead of %d:\n%s", p.code, code, p.out)
	}
	return p
}

// BenchmarkVersion measures `proximity version` as a whole process: the
// median of 20 runs.
func BenchmarkVersion(b *testing.B) {
	bin := build(b)
	for b.Loop() {
		var runs []process
		for range 20 {
			runs = append(runs, run(b, bin, b.TempDir(), "version").must(b, 0))
		}
		slices.SortFunc(runs, func(x, y process) int { return int(x.took - y.took) })
		median := runs[len(runs)/2]
		b.ReportMetric(float64(median.took.Microseconds())/1000, "ms/run")
		b.ReportMetric(median.memory, "MiB")
	}
}

// estate serves a simulated cluster and writes a configuration for it.
func estate(b *testing.B, options pvesim.Options, config string) (*pvesim.Sim, string) {
	b.Helper()
	seed := pvesim.Cluster()
	for i := range seed.Nodes {
		seed.Nodes[i].Memory = 8 << 40
	}
	for i := range seed.Storages {
		seed.Storages[i].Size, seed.Storages[i].LockSeconds = 1<<50, 0.000001
	}
	options.Seed = seed
	sim, err := pvesim.Open(options)
	if err != nil {
		b.Fatal(err)
	}
	server, err := sim.Listen("127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { server.Close(); sim.Close() })
	id, secret := sim.Token()
	dir := b.TempDir()
	text := fmt.Sprintf(config, server.URL, server.Fingerprint, id, secret)
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(text), 0o600); err != nil {
		b.Fatal(err)
	}
	return sim, dir
}

func requests(sim *pvesim.Sim) int {
	n := 0
	for _, count := range sim.Stats().Requests {
		n += count
	}
	return n
}

const manyApps = `
host "pve" {
  endpoint     = %q
  fingerprint  = %q
  token_id     = %q
  token_secret = %q
  vmid_range   = "2000-9999"
  defaults {
    storage          = "local-lvm"
    template_storage = "local"
    bridge           = "vmbr0"
  }
  limits {
    parallel    = 16
    per_node    = 16
    per_storage = 16
  }
}
`

// unchanged is the configuration of apps on three nodes.
func unchanged(apps int) string {
	return manyApps + `
app "web" {
  count    = ` + strconv.Itoa(apps) + `
  host     = host.pve
  node     = "pve${count.index %% 3 + 1}"
  vmid     = 2000 + count.index
  template = "debian-13-standard"
  cores    = 1
  memory   = "256MiB"
  running  = false
  disk { size = "1GiB" }
  network { ip = "dhcp" }
}
`
}

func planUnchanged(b *testing.B, apps int) {
	bin := build(b)
	sim, dir := estate(b, pvesim.Options{Latency: 2 * time.Millisecond, Tasks: func(string) time.Duration { return 0 }}, unchanged(apps))
	run(b, bin, dir, "apply", "--auto-approve").must(b, 0)
	time.Sleep(16 * time.Second) // what was touched in the last 15 s is asked for twice
	for b.Loop() {
		before := requests(sim)
		p := run(b, bin, dir, "plan", "--detailed-exitcode").must(b, 0)
		b.ReportMetric(p.took.Seconds(), "s/run")
		b.ReportMetric(p.memory, "MiB")
		b.ReportMetric(float64(requests(sim)-before)/float64(apps), "requests/app")
	}
}

// BenchmarkObserve1000 measures a look at 1,000 unchanged apps, each request of
// which takes 2 ms, over 8 connections, beside a plain loop that asks for just
// the containers' configurations: the best of nine rounds of each.
func BenchmarkObserve1000(b *testing.B) {
	const apps, connections = 1000, 8
	bin := build(b)
	sim, dir := estate(b, pvesim.Options{Latency: 2 * time.Millisecond, Tasks: func(string) time.Duration { return 0 }}, unchanged(apps))
	run(b, bin, dir, "apply", "--auto-approve").must(b, 0)
	time.Sleep(16 * time.Second) // what was touched in the last 15 s is asked for twice
	look := observation(b, dir, connections)
	bare := bareRequests(b, dir, apps, connections)
	bare() // opens the connections
	for b.Loop() {
		observed, alone, asked := time.Hour, time.Hour, 0
		for range 9 { // the best of each counts: the machine does other things as well
			before := requests(sim)
			observed = min(observed, look())
			asked = requests(sim) - before
			alone = min(alone, bare())
		}
		b.ReportMetric(float64(observed.Microseconds())/1000, "ms-observed")
		b.ReportMetric(float64(alone.Microseconds())/1000, "ms-bare")
		b.ReportMetric(observed.Seconds()/alone.Seconds(), "x-bare")
		b.ReportMetric(float64(asked-apps), "requests-beyond-one-each")
	}
}

// observation returns what looks at everything in dir once, and how long it took.
func observation(b *testing.B, dir string, connections int) func() time.Duration {
	b.Helper()
	kinds := map[string]*resource.Kind{}
	for _, k := range proxmox.Kinds() {
		kinds[k.Name] = k
	}
	c, problems := config.Load(config.Options{Dir: dir, Kinds: kinds, LookupEnv: os.LookupEnv})
	if err := problems.Err(); err != nil {
		b.Fatal(err)
	}
	st, err := state.Read(b.Context(), local.New(dir), state.Options{Kinds: kinds})
	if err != nil {
		b.Fatal(err)
	}
	h := c.Hosts["pve"]
	client, err := pve.New(pve.Options{Endpoints: h.Endpoints, TokenID: h.TokenID, TokenSecret: h.TokenSecret.Reveal(),
		Fingerprint: h.Fingerprint, Parallel: connections})
	if err != nil {
		b.Fatal(err)
	}
	set := providers.Set{"pve": proxmox.New(proxmox.Options{Host: "pve", Client: client, Range: h.Range, Parallel: connections})}
	return func() time.Duration {
		begin := time.Now()
		inv, err := inventory.Observe(b.Context(), set, c.Resources, st)
		took := time.Since(begin)
		if err != nil {
			b.Fatal(err)
		}
		for a, seen := range inv.Seen {
			if seen.Presence != resource.Present {
				b.Fatalf("%s is %s: %s", a, seen.Presence, seen.Why)
			}
		}
		return took
	}
}

// bareRequests returns what asks once for each container's configuration, over so
// many connections, and how long it took.
func bareRequests(b *testing.B, dir string, apps, connections int) func() time.Duration {
	b.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "main.hcl"))
	if err != nil {
		b.Fatal(err)
	}
	value := func(name string) string {
		return regexp.MustCompile(name + `\s*= "([^"]*)"`).FindStringSubmatch(string(text))[1]
	}
	client := http.Client{Transport: &http.Transport{
		MaxConnsPerHost: connections, MaxIdleConnsPerHost: connections, TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
	}}
	ask := func(i int) error {
		url := fmt.Sprintf("%s/api2/json/nodes/pve%d/lxc/%d/config", value("endpoint"), i%3+1, 2000+i)
		request, err := http.NewRequestWithContext(b.Context(), "GET", url, nil)
		if err != nil {
			return err
		}
		request.Header.Set("Authorization", "PVEAPIToken="+value("token_id")+"="+value("token_secret"))
		response, err := client.Do(request)
		if err != nil {
			return err
		}
		defer response.Body.Close()
		_, err = io.Copy(io.Discard, response.Body)
		if err == nil && response.StatusCode != http.StatusOK {
			err = errors.New(response.Status)
		}
		return err
	}
	return func() time.Duration {
		begin := time.Now()
		var g errgroup.Group
		g.SetLimit(connections)
		for i := range apps {
			g.Go(func() error { return ask(i) })
		}
		if err := g.Wait(); err != nil {
			b.Fatal(err)
		}
		return time.Since(begin)
	}
}

// BenchmarkPlan measures `proximity plan` as a whole process, over TLS, on a
// host that takes 2 ms for each request and where nothing has changed.
func BenchmarkPlan(b *testing.B) {
	for _, apps := range []int{1000, 2000} {
		b.Run(strconv.Itoa(apps), func(b *testing.B) { planUnchanged(b, apps) })
	}
}

// BenchmarkApply200Creates measures `proximity apply` of 200 containers whose
// creation takes 1 s, 4 at a time on each of 3 nodes. No schedule can take less
// than 200/12 s and one task.
func BenchmarkApply200Creates(b *testing.B) {
	bin := build(b)
	for b.Loop() {
		_, dir := estate(b, pvesim.Options{Tasks: func(string) time.Duration { return time.Second }}, manyApps+`
app "web" {
  count    = 200
  host     = host.pve
  node     = "pve${count.index %% 3 + 1}"
  template = "debian-13-standard"
  running  = false
  disk { size = "1GiB" }
}
`)
		limit(b, dir)
		p := run(b, bin, dir, "apply", "--auto-approve").must(b, 0)
		bound := 200.0/12 + 1
		b.ReportMetric(p.took.Seconds(), "s/run")
		b.ReportMetric(p.took.Seconds()/bound, "x-bound")
		b.ReportMetric(p.memory, "MiB")
	}
}

// limit sets the usual four at a time on a node.
func limit(b *testing.B, dir string) {
	b.Helper()
	path := filepath.Join(dir, "main.hcl")
	text, err := os.ReadFile(path)
	if err == nil {
		text = bytes.Replace(text, []byte("per_node    = 16"), []byte("per_node    = 4"), 1)
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		b.Fatal(err)
	}
}
