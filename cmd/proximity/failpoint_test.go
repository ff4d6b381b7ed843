package main_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

var everywhere = flag.Bool("everywhere", false, "kill every scenario each time that it reaches a point, not the first time only")

// played is a scenario that was carried out once without dying.
type played struct {
	scenario
	ready   stage    // before the kill; only copied
	reached []string // points, in their order
	state   kept     // before
	world   census   // as all has to be in the end
	files   []string // likewise
}

// TestEveryFailpoint kills the program at every point of
// internal/failpoint/points.txt, in every scenario that reaches it. What a
// person types next has to bring all in order.
func TestEveryFailpoint(t *testing.T) {
	points := listedPoints(t)
	all, isComplete := playAll(t, buildWithFailpoints(t))
	for _, point := range points {
		isReached := slices.ContainsFunc(all, func(p *played) bool { return slices.Contains(p.reached, point) })
		if isComplete && !isReached {
			t.Errorf("no scenario of testdata/kills reaches the point %q: write one", point)
		}
	}
	var toll toll
	t.Run("kill", func(t *testing.T) {
		for _, p := range all {
			t.Run(p.name, func(t *testing.T) {
				t.Parallel()
				require.NoError(t, sufferAll(p.deaths(), t.TempDir(), &toll))
			})
		}
	})
	t.Logf("report: failpoints: %d points, each killed at least once, %d kills in %d scenarios, %s", len(points), toll.kills.Load(), len(all), &toll)
}

func listedPoints(t *testing.T) []string {
	text, err := os.ReadFile(filepath.Join("..", "..", "internal", "failpoint", "points.txt"))
	require.NoError(t, err)
	points := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Greater(t, len(points), 50, "the list is too short")
	return points
}

func buildWithFailpoints(t *testing.T) string {
	bin := filepath.Join(t.TempDir(), "proximity")
	cmd := exec.Command("go", "build", "-tags", "failpoint", "-o", bin, ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

// playAll carries out every scenario once. It is complete unless the test runs
// only some of them.
func playAll(t *testing.T, bin string) (all []*played, isComplete bool) {
	scenarios, err := readScenarios("testdata/kills/*.txtar")
	require.NoError(t, err)
	require.NotEmpty(t, scenarios)
	all = make([]*played, len(scenarios))
	home := t.TempDir()
	t.Run("play", func(t *testing.T) {
		for i, s := range scenarios {
			t.Run(s.name, func(t *testing.T) {
				t.Parallel()
				p, err := play(s, stage{bin: bin, dir: filepath.Join(home, s.name)})
				require.NoError(t, err)
				all[i] = p
			})
		}
	})
	all = slices.DeleteFunc(all, func(p *played) bool { return p == nil })
	return all, len(all) == len(scenarios)
}

func play(s scenario, at stage) (*played, error) {
	p := &played{scenario: s, ready: at}
	err := os.MkdirAll(at.dir, 0o700)
	if err == nil {
		err = s.prepare(at)
	}
	if err != nil {
		return nil, fmt.Errorf("before: %w", err)
	}
	if p.state, err = readKept(at.dir, &toll{}); err != nil {
		return nil, err
	}
	calm := stage{bin: at.bin, dir: at.dir + "-calm"}
	if err := os.CopyFS(calm.dir, os.DirFS(at.dir)); err != nil {
		return nil, err
	}
	if p.reached, err = calm.trace(s.kill...); err != nil {
		return nil, err
	}
	if err := calm.play(s.after); err != nil {
		return nil, fmt.Errorf("without a kill: %w", err)
	}
	p.files = namesIn(calm.dir)
	world, err := look(calm.dir, "lab")
	p.world = count(world)
	return p, errors.Join(err, p.world.against(p.world, &toll{}))
}

// namesIn returns the names of the files in a directory.
func namesIn(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// death is a kill of a scenario at a point, when it is reached for the n-th time.
type death struct {
	*played
	point string
	n     int
}

// deaths are the kills that a scenario is to suffer: one at each point, or one
// for each time that it is reached.
func (p *played) deaths() (list []death) {
	times := map[string]int{}
	for _, point := range p.reached {
		if times[point]++; times[point] == 1 || *everywhere {
			list = append(list, death{p, point, times[point]})
		}
	}
	return list
}

// sufferAll suffers several deaths at a time: mostly they wait for tasks.
func sufferAll(list []death, home string, l *toll) error {
	var all errgroup.Group
	all.SetLimit(12)
	wrong := make([]error, len(list))
	for i, d := range list {
		all.Go(func() error {
			if err := d.suffer(filepath.Join(home, fmt.Sprint(i)), l); err != nil {
				wrong[i] = fmt.Errorf("killed %s, when it got there for the %d. time: %w", d.point, d.n, err)
			}
			return nil
		})
	}
	return errors.Join(append(wrong, all.Wait())...)
}

// suffer kills the program, types what comes after, and compares with a run that
// was not killed.
func (d death) suffer(dir string, l *toll) error {
	at := stage{bin: d.ready.bin, dir: dir}
	if err := os.CopyFS(dir, os.DirFS(d.ready.dir)); err != nil {
		return err
	}
	if err := at.die(d.point, d.n, d.kill...); errors.Is(err, errSpared) {
		return nil
	} else if err != nil {
		return err
	}
	l.kills.Add(1)
	dead, err := readKept(dir, l)
	if err := errors.Join(err, dead.notBefore(d.state, l)); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	if err := at.play(d.after); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	alive, err := readKept(dir, l)
	if err := errors.Join(err, alive.notBefore(dead, l)); err != nil {
		return err
	}
	if names := namesIn(dir); !slices.Equal(names, d.files) {
		err = fmt.Errorf("there are the files %q, not %q", names, d.files)
	}
	world, lookErr := look(dir, "lab")
	return errors.Join(err, lookErr, count(world).against(d.world, l))
}
