//go:build failpoint

package failpoint

import (
	_ "embed"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
)

// What the environment may say.
const (
	// dieAt names the point at which the process kills itself, as
	// "before state/local: replace the state file".
	dieAt = "PROXIMITY_FAILPOINT"
	// dieNth is how often the point has to be reached for that; 1 unless given.
	dieNth = "PROXIMITY_FAILPOINT_NTH"
	// traceTo is a file that gets a line for every point that is reached.
	traceTo = "PROXIMITY_FAILPOINT_TRACE"
)

//go:embed points.txt
var list string

// points is what one process is to do. Steps reach points at the same time.
var points = sync.OnceValue(func() *run {
	r := &run{dieAt: os.Getenv(dieAt), nth: 1}
	if text := os.Getenv(dieNth); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			panic(fmt.Sprintf("%s=%q: not a number", dieNth, text))
		}
		r.nth = n
	}
	if name := os.Getenv(traceTo); name != "" {
		var err error
		if r.trace, err = os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600); err != nil {
			panic(err)
		}
	}
	return r
})

type run struct {
	mu      sync.Mutex
	dieAt   string
	nth     int
	reached int // how often dieAt was
	trace   *os.File
}

// Around carries out an effect between its two points.
func Around(name string, effect func() error) error {
	points().reach("before " + name)
	err := effect()
	points().reach("after " + name)
	return err
}

// Request is Around for a request that changes something on a host.
func Request(method, path string, effect func() error) error {
	return Around(nameOf(method, path), effect)
}

// reach traces a point, and does not return from the one at which to die.
func (r *run) reach(point string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.trace != nil {
		if _, err := r.trace.WriteString(point + "\n"); err != nil {
			panic(err)
		}
	}
	if point != r.dieAt {
		return
	}
	if r.reached++; r.reached == r.nth {
		if self, err := os.FindProcess(os.Getpid()); err == nil {
			_ = self.Kill()
		}
		select {} // the signal is on its way
	}
}

// nameOf finds the listed request that a path is one of: the one with the fewest
// stars.
func nameOf(method, path string) string {
	best := ""
	for line := range strings.Lines(list) {
		name, isFirst := strings.CutPrefix(strings.TrimSpace(line), "before ")
		if isFirst && matches(name, method+" "+path) && (best == "" || strings.Count(name, "*") < strings.Count(best, "*")) {
			best = name
		}
	}
	if best == "" {
		panic(fmt.Sprintf("%s %s is no point of points.txt: run go test ./internal/failpoint -update", method, path))
	}
	return best
}

func matches(pattern, request string) bool {
	want, have := strings.Split(pattern, "/"), strings.Split(request, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if want[i] != "*" && want[i] != have[i] {
			return false
		}
	}
	return true
}
