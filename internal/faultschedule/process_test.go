package faultschedule

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// lab is one cluster, one disk, and the processes that come and go.
type lab struct {
	sim    *pvesim.Sim
	store  *statetest.Memory
	chaos  *chaos
	people *people
	before pvesim.World // as strangers had it
	want   estate
	limits proxmox.Options // of each process's provider, without its client

	steps, kills, panics int
	told                 []string // what processes ended with
}

func openLab(r *rand.Rand, number uint64) (*lab, error) { return openLabOn(seed(r), number) }

func openLabOn(s *pvesim.Seed, number uint64) (*lab, error) {
	sim, err := pvesim.Open(pvesim.Options{Seed: s, Rand: number})
	if err != nil {
		return nil, err
	}
	l := &lab{sim: sim, store: &statetest.Memory{}, before: sim.World()}
	l.limits = proxmox.Options{Host: "pve", Range: resource.IDRange{Low: lowest, High: highest}}
	l.chaos = &chaos{
		inner: sim.Transport(), sim: sim, seed: number, sent: map[string]int{}, lost: map[string]bool{}, dead: map[string]bool{},
		tally: map[string]int{},
	}
	l.chaos.calm, err = l.client(sim.Transport())
	l.people = &people{chaos: l.chaos, rand: rand.New(rand.NewPCG(number, 2)), down: map[string]bool{}}
	return l, err
}

// client returns one with a way to the cluster, as a process of its own has.
func (l *lab) client(way http.RoundTripper) (*pve.Client, error) {
	id, secret := l.sim.Token()
	return pve.New(pve.Options{TokenID: id, TokenSecret: secret, Transport: way})
}

// trouble runs a process in which things go wrong, until it ends or is killed.
func (l *lab) trouble(r *rand.Rand, run int) {
	ctx, cancel := context.WithTimeout(context.Background(), 6*time.Hour)
	defer cancel()
	kill := func(torn bool) {
		if ctx.Err() == nil { // else this process is gone already
			l.store.Kill(torn)
			cancel()
		}
	}
	l.chaos.mu.Lock()
	l.chaos.run, l.chaos.kill, l.chaos.level = run, kill, []float64{0.02, 0.1, 0.3}[r.IntN(3)]
	l.chaos.mu.Unlock()
	l.store.Fail = l.fullDisk(r, []float64{0, 0, 0.01}[r.IntN(3)])
	if r.IntN(2) == 0 {
		torn := r.IntN(2) == 0
		defer time.AfterFunc(time.Duration(r.Int64N(int64(time.Minute))), func() { kill(torn) }).Stop()
	}
	drain := make(chan struct{})
	if r.IntN(4) == 0 {
		defer time.AfterFunc(time.Duration(r.Int64N(int64(time.Minute))), func() { close(drain) }).Stop()
	}
	var hands sync.WaitGroup
	if r.IntN(2) == 0 {
		hands.Go(func() { l.people.work(ctx) })
	}
	p, err := l.converge(ctx, drain)
	if p != nil {
		l.steps += p.Steps.Len()
	}
	if ctx.Err() != nil {
		l.kills++
	}
	l.note(err)
	cancel()
	hands.Wait()
}

// fullDisk makes some writes of state fail, and leaves no trace of them.
func (l *lab) fullDisk(r *rand.Rand, level float64) func(string) error {
	odds := rand.New(rand.NewPCG(r.Uint64(), 3))
	return func(string) error { // the store calls it under its lock
		if odds.Float64() >= level {
			return nil
		}
		l.chaos.count("disk full")
		return errors.New("no space left on device")
	}
}

// calm ends all faults and waits for what is still under way.
func (l *lab) calm() error {
	l.chaos.late.Wait()
	l.chaos.mu.Lock()
	l.chaos.level, l.chaos.kill = 0, nil
	l.chaos.mu.Unlock()
	l.store.Fail = nil
	l.sim.ClearFaults()
	if err := l.sim.Edit(l.people.allUp); err != nil {
		return err
	}
	time.Sleep(15 * time.Second) // until the listing has what was done by hand
	if l.chaos.tally["node down"] == 0 {
		return nil // what still runs is for the next process
	}
	return l.clearUp()
}

// clearUp is a person who does on the nodes what the program tells when it finds
// what a task left that died with its node: pct unlock, and pct destroy where
// there is nothing but the lock.
func (l *lab) clearUp() error {
	world := l.idle()
	return l.sim.Edit(func(e *pvesim.Edit) {
		for id := lowest; id <= highest; id++ {
			g, there := world.Guests[id]
			switch lock := g.Config["lock"]; {
			case !there || lock == "":
			case g.Config["description"] == "":
				e.Remove(id)
				l.chaos.tally["half a guest cleared up"]++
			default:
				e.SetConfig(id, "lock", "")
				l.chaos.tally["dead lock cleared up"]++
			}
		}
	})
}

// idle waits until nothing is at work and returns what there is then.
func (l *lab) idle() pvesim.World {
	world := l.sim.World()
	for range 1000 {
		if len(world.Running) == 0 {
			break
		}
		time.Sleep(10 * time.Second)
		world = l.sim.World()
	}
	return world
}

// converge is one process: what `apply --yes` does. See engine.converge of
// package cli, which asks a person in between.
func (l *lab) converge(ctx context.Context, drain <-chan struct{}) (*plan.Plan, error) {
	locked, session, err := state.Open(ctx, l.store, state.Who{Command: "apply"}, state.Options{Kinds: kinds})
	if err != nil {
		return nil, err
	}
	defer func() { l.note(session.Close(context.Background())) }()
	client, err := l.client(l.chaos)
	if err != nil {
		return nil, err
	}
	options := l.limits
	options.Client = client
	set := providers.Set{"pve": proxmox.New(options)}
	if err := apply.Recover(locked, session, set, kinds, nil); err != nil {
		return nil, err
	}
	p, err := l.plan(locked, set, session.State())
	if err != nil {
		return nil, err
	}
	l.chaos.say("plan:\n  %s", describe(p))
	_, err = apply.Run(locked, p, apply.Options{Session: session, Providers: set, Resolver: l.want, Kinds: kinds, Drain: drain})
	return p, err
}

// plan looks and plans. A plan with errors among its diagnostics is an error.
func (l *lab) plan(ctx context.Context, set providers.Set, st *state.State) (*plan.Plan, error) {
	desired := l.want.desired()
	inv, err := inventory.Observe(ctx, set, desired, st)
	if err != nil {
		return nil, err
	}
	p := plan.New(plan.Input{
		Kinds: kinds, Desired: desired, Resolver: l.want, Seen: inv.Seen, Surveys: inv.Surveys,
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: st.Objects, Seal: st.Sealer()},
	})
	p.Diagnostics = append(p.Diagnostics, inventory.Precheck(ctx, set, p)...)
	return p, p.Diagnostics.Err()
}

// note keeps what a process ended with, and looks for panics that were turned
// into errors.
func (l *lab) note(err error) {
	if err == nil {
		return
	}
	l.told = append(l.told, err.Error())
	l.chaos.say("process: %v", err)
	if strings.Contains(err.Error(), "a fault in the program") || strings.Contains(err.Error(), "panic in") {
		l.panics++
	}
}

func describe(p *plan.Plan) string {
	var out []string
	for _, c := range p.Changes {
		line := fmt.Sprintf("%c %s %s", c.Action, c.Addr, c.Why)
		for _, e := range c.Edits {
			line += fmt.Sprintf(" %s: %#v -> %#v (%v)", e.Path, e.Old, e.New, e.Effect)
		}
		out = append(out, line)
	}
	for _, d := range p.Diagnostics {
		out = append(out, d.Summary+": "+d.Detail)
	}
	return strings.Join(out, "\n  ")
}
