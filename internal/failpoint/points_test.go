package failpoint_test

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

var update = flag.Bool("update", false, "write points.txt anew")

// TestTheListIsWhatTheSourcesHave makes the list of points from the sources. A
// new one has to be reached by a scenario of cmd/proximity, and is killed there.
func TestTheListIsWhatTheSourcesHave(t *testing.T) {
	var list strings.Builder
	for _, name := range names(t, parse(t)) {
		fmt.Fprintf(&list, "before %s\nafter %s\n", name, name)
	}
	if *update {
		require.NoError(t, os.WriteFile("points.txt", []byte(list.String()), 0o644))
	}
	have, err := os.ReadFile("points.txt")
	require.NoError(t, err)
	require.Equal(t, list.String(), string(have), "run: go test ./internal/failpoint -update")
}

// names returns the names of all effects, each once.
func names(t *testing.T, all sources) []string {
	list, problems := all.requests()
	require.Empty(t, problems)
	require.NotEmpty(t, list)
	for _, p := range all.inOrder() {
		for _, c := range p.calls {
			if calledName(c.CallExpr) != "failpoint.Around" {
				continue
			}
			name, isText := text(c.Args[0])
			require.True(t, isText, "%s: write the name of the failpoint out, so that the list can be made", p.at(c))
			require.NotContains(t, list, name, "%s: a name stands for one place", p.at(c))
			list = append(list, name)
		}
	}
	slices.Sort(list)
	return list
}

func TestEveryDurableWriteLiesBetweenPoints(t *testing.T) {
	require.Empty(t, parse(t).unguarded())
}

// TestEveryRequestLiesBetweenPoints holds that whatever changes a host goes
// through the one place that has points. A login changes nothing.
func TestEveryRequestLiesBetweenPoints(t *testing.T) {
	p := parse(t)["internal/providers/proxmox/pve"]
	points := p.callsOf("failpoint.Request")
	require.Len(t, points, 1)
	require.Equal(t, "write", points[0].in.Name.Name)
	for _, c := range p.callsOf("once") {
		require.Contains(t, []string{"Read", "Probe", "write"}, c.in.Name.Name, "%s: send what changes something through write, which has the failpoints", p.at(c))
		require.True(t, c.in.Name.Name != "write" || c.points != "", "%s: outside of its failpoints", p.at(c))
	}
	for _, c := range p.callsOf("exchange") {
		require.Contains(t, []string{"once", "login"}, c.in.Name.Name, "%s: send what changes something through write, which has the failpoints", p.at(c))
	}
}

// TestTheProgramHasNoFailpoints builds it as people get it.
func TestTheProgramHasNoFailpoints(t *testing.T) {
	for _, c := range []struct {
		tags string
		has  bool
	}{{"", false}, {"failpoint", true}} {
		bin := filepath.Join(t.TempDir(), "proximity")
		build := exec.Command("go", "build", "-tags", c.tags, "-trimpath", "-ldflags", "-s -w", "-o", bin, "../../cmd/proximity")
		build.Env = append(os.Environ(), "CGO_ENABLED=0")
		out, err := build.CombinedOutput()
		require.NoError(t, err, string(out))
		code, err := os.ReadFile(bin)
		require.NoError(t, err)
		require.Equal(t, c.has, strings.Contains(string(code), "PROXIMITY_FAILPOINT"), "built with tags %q", c.tags)
	}
}
