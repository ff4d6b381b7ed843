package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	keys "filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/vault"
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
	bin, home, places := buildProgram(t, ""), t.TempDir(), keptIn(t)
	places["local"] = nil // the files themselves are read
	var l toll
	first, last := uint64(1), uint64((*kills+killsOfEach-1)/killsOfEach)
	if *killSeed != 0 {
		first, last = *killSeed, *killSeed
	}
	var lives []func() error
	for seed := first; seed <= last; seed++ {
		lives = append(lives, func() error {
			v := &victim{rand: rand.New(rand.NewPCG(seed, 0)), toll: &l, want: newWanted(), usual: 400 * time.Millisecond}
			kind := storesOfEstates[seed%uint64(len(storesOfEstates))]
			var err error
			if v.stage, err = stageAt(bin, filepath.Join(home, fmt.Sprint(seed)), places[kind]); err == nil && seed/2%2 == 0 {
				err = v.encrypt()
			}
			if err == nil {
				err = v.live()
			}
			if err != nil {
				return fmt.Errorf("estate %d, state in %s: %w\nto run it again: go test ./cmd/proximity -run TestKilledApplies -kill-seed %d\nit wanted:\n%s",
					seed, kind, err, seed, v.want.hcl())
			}
			return nil
		})
	}
	require.NoError(t, atOnce(lives))
	t.Logf("report: kills: %d at random moments in %d estates on %d kinds of stores, half of them encrypted, %d with steps under way, %s, at most 1 extra apply",
		l.kills.Load(), last-first+1, len(places), l.open.Load(), &l)
}

// storesOfEstates are where the estates keep their state, in turn.
var storesOfEstates = []string{"local", "postgres", "local", "s3", "local", "http"}

// victim is an estate whose applies are killed.
type victim struct {
	stage
	rand   *rand.Rand
	toll   *toll
	want   *wanted
	before pvesim.World // as others had it
	state  written
	usual  time.Duration // how long its applies take

	kills, rounds int
}

// encrypt gives the estate a key, and a secret that some of its apps get.
func (v *victim) encrypt() error {
	key, err := keys.GenerateX25519Identity()
	if err != nil {
		return err
	}
	v.want.secrets = true
	if v.vault, err = vault.New(vault.Options{Identities: key.String()}); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(v.dir, "key.txt"), []byte(key.String()+"\n"), 0o600),
		v.settings(v.block+"\n  encryption { identity_file = \"key.txt\" }"),
	)
}

// live kills its applies so often as is due to each estate, and has everything
// removed in the end.
func (v *victim) live() error {
	v.want.draw(v.rand)
	err := v.write()
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
	v.want = newWanted()
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
	v.usual = min((v.usual+time.Since(begin))/2, 1500*time.Millisecond) // what waits for a lost request takes long
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
		if st, err := state.Read(context.Background(), v.place(), v.options()); err == nil && len(st.Open) > 0 {
			v.toll.open.Add(1)
		}
	case err != nil:
		return fmt.Errorf("%w:\n%s", err, out)
	}
	return errors.Join(v.later(), v.unlock())
}

// later reads the files of the state, which never go back.
func (v *victim) later() error {
	now, err := v.read(v.toll)
	err = errors.Join(err, now.notBefore(v.state, v.toll), now.remembers(v.toll))
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
