package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"
)

var (
	everywhere = flag.Bool("everywhere", false, "kill every scenario each time that it reaches any point")
	only       = flag.String("scenario", "", "kill only this scenario, such as local/create")
)

// enough is in how many scenarios a point of a store is killed, unless
// everywhere: every scenario reaches nearly all of them.
const enough = 3

// TestEveryFailpoint kills the program at every point of
// internal/failpoint/points.txt: at what changes a host in every scenario that
// does so, at what a store writes in a few. What a person types next has to
// bring all in order.
//
// The scenarios of testdata/kills keep their state in local files, those of
// testdata/kills/stores in each other kind of store, at real servers. There only
// the points of the store itself count.
func TestEveryFailpoint(t *testing.T) {
	points := listedPoints(t)
	bin := buildProgram(t, "failpoint")
	casts := []cast{castOf(t, "local", "testdata/kills/*.txtar", bin, nil)}
	for kind, place := range keptIn(t) {
		if kind != "local" {
			casts = append(casts, castOf(t, kind, "testdata/kills/stores/*.txtar", bin, place))
		}
	}
	var plays, kills []func() error
	for _, c := range casts {
		plays = append(plays, c.plays()...)
	}
	require.NoError(t, atOnce(plays))
	var toll toll
	for _, c := range casts {
		if *only == "" {
			c.requireReached(t, points)
		}
		kills = append(kills, c.kills(t.TempDir(), &toll)...)
	}
	require.NoError(t, atOnce(kills))
	if *only != "" {
		t.Logf("%s alone: %d kills, %s", *only, toll.kills.Load(), &toll)
		return
	}
	t.Logf("report: failpoints: %d points, each killed at least once, %d kills on %d kinds of stores, %s", len(points), toll.kills.Load(), len(casts), &toll)
}

// atOnce does many things, several at a time: mostly they wait for tasks.
func atOnce(all []func() error) error {
	var group errgroup.Group
	group.SetLimit(12 * runtime.GOMAXPROCS(0))
	wrong := make([]error, len(all))
	for i, do := range all {
		group.Go(func() error {
			wrong[i] = do()
			return nil
		})
	}
	return errors.Join(append(wrong, group.Wait())...)
}

func listedPoints(t *testing.T) []string {
	text, err := os.ReadFile(filepath.Join("..", "..", "internal", "failpoint", "points.txt"))
	require.NoError(t, err)
	points := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Greater(t, len(points), 50, "the list is too short")
	return points
}

// cast is the scenarios that keep their state in one kind of store.
type cast struct {
	kind, bin, home string
	place           func(dir, name string) (kept, error) // nil: local files
	all             []*played
}

// played is a scenario that was carried out once without dying.
type played struct {
	scenario
	ready   stage    // before the kill; only copied
	reached []string // points, in their order
	state   written  // before
	world   census   // as all has to be in the end
	files   []string // likewise
	adopts  bool     // it takes something over also without a kill
}

func castOf(t *testing.T, kind, pattern, bin string, place func(dir, name string) (kept, error)) cast {
	scenarios, err := readScenarios(pattern)
	require.NoError(t, err)
	require.NotEmpty(t, scenarios)
	c := cast{kind: kind, bin: bin, home: t.TempDir(), place: place}
	for _, s := range scenarios {
		if *only == "" || *only == kind+"/"+s.name {
			c.all = append(c.all, &played{scenario: s})
		}
	}
	return c
}

func (c cast) plays() (all []func() error) {
	for _, p := range c.all {
		all = append(all, func() error {
			if err := c.play(p); err != nil {
				return fmt.Errorf("scenario %s/%s: %w", c.kind, p.name, err)
			}
			return nil
		})
	}
	return all
}

func (c cast) play(p *played) error {
	ready, err := c.open(p, filepath.Join(c.home, p.name))
	if err != nil {
		return err
	}
	p.ready = ready
	if p.state, err = ready.read(&toll{}); err != nil && !p.isDamaged {
		return err
	}
	calm, err := c.another(p, filepath.Join(c.home, p.name+"-calm"))
	if err != nil {
		return err
	}
	reached, err := calm.trace(p.kill...)
	if err != nil {
		return err
	}
	if err := calm.play(p.after); err != nil {
		return fmt.Errorf("without a kill: %w", err)
	}
	p.files = namesIn(calm.dir)
	calmly, err := calm.read(&toll{})
	if err != nil {
		return err
	}
	p.adopts = len(calmly.adopted) > 0
	world, err := look(calm.dir, "lab")
	p.world, p.reached = count(world), reached
	return errors.Join(err, p.world.against(p.world, &toll{}))
}

// open returns a stage with a scenario on it, up to the kill.
func (c cast) open(p *played, dir string) (stage, error) {
	at, err := stageAt(c.bin, dir, c.place)
	if err == nil {
		err = p.prepare(at)
	}
	if err != nil {
		return at, fmt.Errorf("before the kill: %w", err)
	}
	return at, nil
}

// another returns one more stage of the kind. What is kept at a server cannot be
// copied, and is made anew.
func (c cast) another(p *played, dir string) (stage, error) {
	if c.place != nil {
		return c.open(p, dir)
	}
	return stage{bin: c.bin, dir: dir}, os.CopyFS(dir, os.DirFS(p.ready.dir))
}

// namesIn returns the names of the files in a directory.
func namesIn(dir string) (names []string) {
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		name, _, isDamaged := strings.Cut(e.Name(), ".damaged.") // put aside once, or once more
		if isDamaged && slices.Contains(names, name) {
			continue
		} else if !isDamaged {
			name = e.Name()
		}
		names = append(names, name)
	}
	return names
}

// counts reports whether a point has to be reached by the cast.
func (c cast) counts(point string) bool {
	_, of, ofStore := strings.Cut(point, " state/")
	return c.place == nil && (!ofStore || strings.HasPrefix(of, "local")) || strings.HasPrefix(of, c.kind+":")
}

// requireReached fails for a point that is in no scenario.
func (c cast) requireReached(t *testing.T, points []string) {
	for _, point := range points {
		isReached := slices.ContainsFunc(c.all, func(p *played) bool { return slices.Contains(p.reached, point) })
		if c.counts(point) && !isReached {
			t.Errorf("no scenario of testdata/kills reaches the point %q: write one", point)
		}
	}
}

// death is a kill of a scenario at a point, when it is reached for the n-th time.
type death struct {
	*played
	point string
	n     int
}

// kills are all that are to be suffered, those of short scenarios first.
func (c cast) kills(home string, l *toll) (all []func() error) {
	slices.SortFunc(c.all, func(a, b *played) int { return cmp.Compare(len(a.reached), len(b.reached)) })
	suffered := map[string]int{} // scenarios by point
	for _, p := range c.all {
		for i, d := range c.deaths(p, suffered) {
			all = append(all, func() error {
				at, err := c.another(d.played, filepath.Join(home, p.name, fmt.Sprint(i)))
				if err == nil {
					err = d.suffer(at, l)
				}
				if err != nil {
					return fmt.Errorf("scenario %s/%s, killed %s, when it got there for the %d. time: %w", c.kind, p.name, d.point, d.n, err)
				}
				return nil
			})
		}
	}
	return all
}

// deaths are the kills that a scenario is to suffer at each point that was not
// suffered enough: when it is reached for the first and for the last time, or
// each time. The first Save of a run has nothing to fold, the last one has.
func (c cast) deaths(p *played, suffered map[string]int) (list []death) {
	times, last := map[string]int{}, map[string]int{}
	for _, point := range p.reached {
		last[point]++
	}
	for _, point := range p.reached {
		_, _, isOfStore := strings.Cut(point, " state/")
		if !c.counts(point) && (c.place == nil || !isOfStore) { // a move has two stores
			continue
		}
		if times[point]++; times[point] == 1 {
			suffered[point]++
		}
		isDue := (times[point] == 1 || times[point] == last[point]) && (!isOfStore || suffered[point] <= enough)
		if isDue || *everywhere {
			list = append(list, death{p, point, times[point]})
		}
	}
	return list
}

// suffer kills the program, types what comes after, and compares with a run that
// was not killed.
func (d death) suffer(at stage, l *toll) error {
	if err := at.die(d.point, d.n, d.kill...); errors.Is(err, errSpared) {
		return nil
	} else if err != nil {
		return err
	}
	l.kills.Add(1)
	if d.isDamaged {
		return d.recovers(at, d.state, l)
	}
	dead, err := at.read(l)
	if err := errors.Join(err, dead.notBefore(d.state, l)); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	return d.recovers(at, dead, l)
}

// recovers types what comes after the kill, and looks at all there is then.
func (d death) recovers(at stage, dead written, l *toll) error {
	if err := at.play(d.after); err != nil {
		return fmt.Errorf("after the kill: %w", err)
	}
	alive, err := at.read(l)
	err = errors.Join(err, alive.notBefore(dead, l))
	if !d.adopts {
		err = errors.Join(err, alive.remembers(l))
	}
	if err != nil {
		return err
	}
	if names := namesIn(at.dir); !slices.Equal(names, d.files) {
		err = fmt.Errorf("there are the files %q, not %q", names, d.files)
	}
	world, lookErr := look(at.dir, "lab")
	return errors.Join(err, lookErr, count(world).against(d.world, l))
}
