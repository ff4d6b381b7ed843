package main

import (
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sync/errgroup"

	"github.com/proximity-cli/proximity/internal/pvesim"
)

var (
	kills    = flag.Int("kills", 100, "how often applies are killed at random moments")
	killSeed = flag.Uint64("kill-seed", 0, "kill only in the estate of this seed; 0: in as many as it takes, from seed 1 on")
)

// killsOfEach is how many applies of one estate are killed before the next one
// has its turn.
const killsOfEach = 5

// TestKilledAppliesLoseNothing draws estates, changes what is wanted of them,
// and kills the applies with SIGKILL at random moments, and the applies after
// those. Each time one more apply has to bring everything in order: no
// container lost, doubled or left over, and nothing to do in the plan after it.
func TestKilledAppliesLoseNothing(t *testing.T) {
	bin, home := buildProgram(t, ""), t.TempDir()
	var l toll
	var all errgroup.Group
	all.SetLimit(8) // mostly they wait for the cluster
	first, last := uint64(1), uint64((*kills+killsOfEach-1)/killsOfEach)
	if *killSeed != 0 {
		first, last = *killSeed, *killSeed
	}
	var rounds, spared atomic.Int64
	for seed := first; seed <= last; seed++ {
		all.Go(func() error {
			v := &victim{stage: stage{bin: bin, dir: filepath.Join(home, fmt.Sprint(seed))}, rand: rand.New(rand.NewPCG(seed, 0)), toll: &l, usual: 400 * time.Millisecond}
			err := v.live()
			rounds.Add(v.rounds)
			spared.Add(v.spared)
			if err != nil {
				t.Errorf("estate %d: %v\nto run it again: go test ./cmd/proximity -run TestKilledApplies -kill-seed %d\nit wanted:\n%s", seed, err, seed, v.want.hcl())
			}
			return nil
		})
	}
	require.NoError(t, all.Wait())
	t.Logf("report: kills: %d at random moments in %d estates, %s, at most 1 extra apply", l.kills.Load(), last-first+1, &l)
}

// victim is an estate whose applies are killed.
type victim struct {
	stage
	rand   *rand.Rand
	toll   *toll
	want   *wanted
	before pvesim.World // as others had it
	state  written
	usual  time.Duration // how long its applies take

	kills, rounds, spared int64
}

// live kills its applies so often as is due to each estate, and has everything
// removed in the end.
func (v *victim) live() error {
	v.want = drawWanted(v.rand)
	err := os.MkdirAll(v.dir, 0o700)
	if err == nil {
		err = v.write()
	}
	if err == nil {
		err = v.run("plan") // makes the cluster
	}
	if err != nil {
		return err
	}
	if v.before, err = look(v.dir, "pve"); err != nil {
		return err
	}
	for v.kills < killsOfEach {
		if v.rounds++; v.rounds > 20*killsOfEach {
			return errors.New("its applies end before they can be killed")
		}
		if err := v.round(); err != nil {
			return fmt.Errorf("round %d: %w", v.rounds, err)
		}
		for range 1 + v.rand.IntN(2) {
			v.want.change(v.rand)
		}
	}
	v.want = &wanted{}
	return errors.Join(v.run("destroy", "--yes"), v.inOrder())
}

func (v *victim) write() error {
	return os.WriteFile(filepath.Join(v.dir, "main.hcl"), []byte(v.want.hcl()), 0o600)
}

// round kills an apply, sometimes that which comes after it too, and sees that
// one more is enough.
func (v *victim) round() error {
	if err := v.write(); err != nil {
		return err
	}
	for again := true; again; again = v.rand.IntN(3) == 0 {
		if err := v.killed(); err != nil {
			return err
		}
	}
	begin := time.Now()
	if err := v.run("apply", "--yes"); err != nil {
		return err
	}
	v.usual = (v.usual + time.Since(begin)) / 2
	if err := v.run("plan", "--detailed-exitcode"); err != nil {
		return err
	}
	return v.inOrder()
}

// killed starts an apply and kills it at a moment between its start and its end.
func (v *victim) killed() error {
	cmd, out := v.command([]string{"apply", "--yes"})
	after := time.Duration(v.rand.Int64N(int64(v.usual)))
	if err := cmd.Start(); err != nil {
		return err
	}
	timer := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	err := cmd.Wait()
	timer.Stop()
	switch status := cmd.ProcessState.Sys().(syscall.WaitStatus); {
	case status.Signaled():
		v.kills++
		v.toll.kills.Add(1)
	case err != nil:
		return fmt.Errorf("%w:\n%s", err, out)
	default:
		v.spared++
	}
	return v.later()
}

// later reads the files of the state, which never go back.
func (v *victim) later() error {
	now, err := v.read(v.toll)
	err = errors.Join(err, now.notBefore(v.state, v.toll))
	v.state = now
	return err
}

// inOrder holds the files and the cluster against what is wanted.
func (v *victim) inOrder() error {
	if err := v.later(); err != nil {
		return err
	}
	now, err := look(v.dir, "pve")
	if wrong := v.want.against(now, v.before, v.toll); len(wrong) > 0 {
		err = errors.Join(err, errors.New(strings.Join(wrong, "\n")))
	}
	return err
}
