package proxmox

import (
	"fmt"
	"strconv"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Two hundred creates, twelve at a time, whose tasks take a second each, end
// within a tenth of what the tasks must take.
func TestManyCreatesTakeLittleLongerThanTheirTasks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apps, width = 200, 12
		seed := pvesim.Cluster()
		for i := range seed.Storages {
			seed.Storages[i].LockSeconds = 0.0001 // else allocations, one at a time, are the bound
		}
		l := openLab(t, pvesim.Options{
			Seed: seed, Tasks: func(string) time.Duration { return time.Second }, Latency: 2 * time.Millisecond,
		})
		begin := time.Now()
		l.createMany(apps, width, values{"running": cty.False})
		took, least := time.Since(begin), time.Second*((apps+width-1)/width)
		t.Logf("%d creates took %v, at least %v: %.3f", apps, took, least, took.Seconds()/least.Seconds())
		require.Less(t, took, least*110/100)
	})
}

// A look at two hundred containers asks once for the list and once for each.
func TestObserveAsksLittle(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const apps = 200
		l := openLab(t, pvesim.Options{})
		l.createMany(apps, 16, values{"running": cty.False})
		time.Sleep(time.Minute) // the listing has caught up
		var targets []providers.Target
		for i := range apps {
			want := app("web"+strconv.Itoa(i), values{"running": cty.False})
			marker := resource.Marker{Lineage: "l1", Addr: want.Addr, Nonce: "n" + strconv.Itoa(2000+i)}
			prior := &resource.Object{Addr: want.Addr, ID: strconv.Itoa(2000 + i), Attrs: want.Want}
			targets = append(targets, providers.Target{Addr: want.Addr, Want: &want, Prior: prior, Marker: marker})
		}
		before := l.requests()
		found, err := l.Observe(t.Context(), targets)
		require.NoError(t, err)
		for i := range apps {
			a := addr.New("app", fmt.Sprint("web", i))
			require.Equal(t, resource.Present, found.Seen[a].Presence, found.Seen[a].Why)
		}
		require.LessOrEqual(t, l.requests()-before, apps+4, "the list, the version, the rights, one node's bridges")
	})
}

// requests returns how many requests the host got.
func (l *lab) requests() int {
	sum := 0
	for _, n := range l.sim.Stats().Requests {
		sum += n
	}
	return sum
}

// createMany makes apps web0, web1 and so on, from VMID 2000 on.
func (l *lab) createMany(apps, width int, set values) {
	l.t.Helper()
	var wg sync.WaitGroup
	next, failed := make(chan int), make([]error, apps)
	for range width {
		wg.Go(func() {
			for i := range next {
				want := app("web"+strconv.Itoa(i), set)
				_, failed[i] = l.Create(l.t.Context(), l.job(want, strconv.Itoa(2000+i)))
			}
		})
	}
	for i := range apps {
		next <- i
	}
	close(next)
	wg.Wait()
	for _, err := range failed {
		require.NoError(l.t, err)
	}
}
