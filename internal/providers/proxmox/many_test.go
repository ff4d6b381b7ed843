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

// A look at apps that stay as they are costs one request for each and at most
// six for the host, however many nodes it has, whatever they were made from, and
// although policies cover them; and the checks of an empty plan cost none.
func TestObserveAsksLittle(t *testing.T) {
	for _, status := range []string{"running", "stopped"} {
		timeless(t, status, func(t *testing.T) {
			const apps = 60
			l := openLab(t, pvesim.Options{})
			wants := make([]resource.Resource, apps)
			var targets []providers.Target
			for i := range wants {
				wants[i] = app("web"+strconv.Itoa(i), with(values{
					"node": str(fmt.Sprint("pve", i%3+1)), "template": str([]string{"debian-13-standard", "alpine-3.22-default"}[i%2]),
					"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0"), "ip": str("dhcp")}}),
				}, status))
				prior := l.create(wants[i], 2000+i)
				targets = append(targets, providers.Target{Addr: wants[i].Addr, Want: &wants[i], Prior: &prior,
					Marker: resource.Marker{Lineage: "l1", Addr: wants[i].Addr, Nonce: prior.Nonce}})
				for _, template := range impliedTemplates(wants[i]) {
					targets = append(targets, providers.Target{Addr: template.Addr, Want: &template})
				}
			}
			nightly := policy(nil)
			job := l.createPolicyNow(nightly)
			targets = append(targets, providers.Target{Addr: nightly.Addr, Want: &nightly, Prior: &job,
				Marker: resource.Marker{Lineage: "l1", Addr: nightly.Addr, Nonce: job.Nonce}})
			time.Sleep(time.Minute) // the listing has caught up
			before := l.requests()
			found, err := l.Observe(t.Context(), targets)
			require.NoError(t, err)
			require.Empty(t, l.Precheck(t.Context(), found.Survey, nil))
			t.Logf("%d requests for %d apps", l.requests()-before, apps)
			require.LessOrEqual(t, l.requests()-before, apps+6)
			for _, target := range targets {
				require.Equal(t, resource.Present, found.Seen[target.Addr].Presence, found.Seen[target.Addr].Why)
			}
		})
	}
}

// What may be made anew is worth a look at what it is made from.
func TestTemplatesAreLookedAtForWhatIsMade(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		want := app("web", nil)
		made := l.create(want, 2000)
		template := impliedTemplates(want)[0]
		look := func(app providers.Target) int {
			app.Addr, app.Marker = want.Addr, resource.Marker{Lineage: "l1", Addr: want.Addr, Nonce: made.Nonce}
			before := l.sim.Stats().Requests["GET /nodes/{node}/storage/{storage}/content"]
			_, err := l.Observe(t.Context(), []providers.Target{app, {Addr: template.Addr, Want: &template}})
			require.NoError(t, err)
			l.templates.found = nil
			return l.sim.Stats().Requests["GET /nodes/{node}/storage/{storage}/content"] - before
		}
		other, damaged := app("web", values{"unprivileged": cty.False}), made
		damaged.Damaged = true
		require.Equal(t, 0, look(providers.Target{Want: &want, Prior: &made}))
		require.Equal(t, 1, look(providers.Target{Want: &want, Prior: &made, Anew: true}))
		require.Equal(t, 1, look(providers.Target{Want: &want, Prior: &damaged}))
		require.Equal(t, 1, look(providers.Target{Want: &other, Prior: &made}))
		require.Equal(t, 1, look(providers.Target{Want: &want}))
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
