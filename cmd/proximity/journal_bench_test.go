package main_test

import (
	"context"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/config"
	"github.com/proximity-cli/proximity/internal/inventory"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/local"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// timed is a store that measures how long its journal is being written.
type timed struct {
	*local.Store
	spent atomic.Int64
	lines atomic.Int64
}

type timedLock struct {
	state.Lock
	store *timed
}

func (s *timed) Lock(ctx context.Context, who state.Who) (context.Context, state.Lock, error) {
	ctx, lock, err := s.Store.Lock(ctx, who)
	return ctx, timedLock{lock, s}, err
}

func (l timedLock) measure(do func() error) error {
	begin := time.Now()
	defer func() { l.store.spent.Add(int64(time.Since(begin))) }()
	return do()
}

func (l timedLock) Append(ctx context.Context, line []byte) error {
	l.store.lines.Add(1)
	return l.measure(func() error { return l.Lock.Append(ctx, line) })
}

func (l timedLock) Save(ctx context.Context, s state.Snapshot) error {
	return l.measure(func() error { return l.Lock.Save(ctx, s) })
}

// BenchmarkJournal measures how much longer an apply of 1,000 containers takes,
// on a host whose tasks take no time at all, when its state is on the local disk
// instead of in memory: from the first intent until the state file is written,
// the best of five rounds of each. Beside it, for how long the disk was busy with
// state, while other steps went on.
func BenchmarkJournal(b *testing.B) {
	const rounds = 5
	onDisk, inMemory, busy, writes := time.Hour, time.Hour, time.Duration(0), int64(0)
	for b.Loop() {
		for range rounds {
			_, dir := estate(b, pvesim.Options{Tasks: func(string) time.Duration { return 0 }}, unchanged(1000))
			inMemory = min(inMemory, applyInProcess(b, dir, &statetest.Memory{}))
			_, dir = estate(b, pvesim.Options{Tasks: func(string) time.Duration { return 0 }}, unchanged(1000))
			store := &timed{Store: local.New(b.TempDir())}
			if took := applyInProcess(b, dir, store); took < onDisk {
				onDisk, busy, writes = took, time.Duration(store.spent.Load()), store.lines.Load()
			}
		}
	}
	b.ReportMetric(onDisk.Seconds(), "s-on-disk")
	b.ReportMetric(inMemory.Seconds(), "s-in-memory")
	b.ReportMetric(100*(onDisk-inMemory).Seconds()/onDisk.Seconds(), "%-for-state")
	b.ReportMetric(busy.Seconds(), "s-disk-busy")
	b.ReportMetric(float64(writes), "journal-writes")
}

// applyInProcess plans and applies the configuration of dir, and returns how
// long the steps took until they were all in the state file.
func applyInProcess(b *testing.B, dir string, store state.Store) time.Duration {
	b.Helper()
	kinds := map[string]*resource.Kind{}
	for _, k := range proxmox.Kinds() {
		kinds[k.Name] = k
	}
	c, problems := config.Load(config.Options{Dir: dir, Kinds: kinds, LookupEnv: os.LookupEnv})
	check(b, problems.Err())
	h := c.Hosts["pve"]
	client, err := pve.New(pve.Options{Endpoints: h.Endpoints, TokenID: h.TokenID, TokenSecret: h.TokenSecret.Reveal(),
		Fingerprint: h.Fingerprint, Parallel: h.Limits.Parallel})
	check(b, err)
	set := providers.Set{"pve": proxmox.New(proxmox.Options{Host: "pve", Client: client, Range: h.Range,
		PerNode: h.Limits.PerNode, PerStorage: h.Limits.PerStorage, Parallel: h.Limits.Parallel})}
	ctx, s, err := state.Open(b.Context(), store, state.Who{}, state.Options{Kinds: kinds})
	check(b, err)
	check(b, s.Init(ctx))
	st := s.State()
	inv, err := inventory.Observe(ctx, set, c.Resources, st)
	check(b, err)
	p := plan.New(plan.Input{
		Kinds: kinds, Desired: c.Resources, Resolver: c, Config: c.Sources.Hash(), Seen: inv.Seen, Surveys: inv.Surveys,
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: st.Objects, Seal: st.Sealer()},
	})
	begin := time.Now()
	_, err = apply.Run(ctx, p, apply.Options{Session: s, Providers: set, Resolver: c, Kinds: kinds})
	check(b, err)
	check(b, s.Close(b.Context()))
	return time.Since(begin)
}

func check(tb testing.TB, err error) {
	tb.Helper()
	if err != nil {
		tb.Fatal(err)
	}
}
