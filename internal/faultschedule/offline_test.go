package faultschedule

import (
	"context"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/state"
)

// A run is killed while it makes a container on a node, and the node goes down,
// before or after the container is made. Until it is back that container counts
// as unknown: it is neither made again nor forgotten, what refers to it is held
// back, and the rest of the plan goes on, run after run. Then what was made is
// found; and what was left half made is made again once a person has cleared it
// up as they were told.
func TestANodeThatIsDownHoldsUpNothingElse(t *testing.T) {
	for name, after := range map[string]time.Duration{"before it is made": 0, "after it is made": time.Minute} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := killedOnANode(t)
				time.Sleep(after)
				require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetOffline("pve2", true) }))
				for range 2 {
					l.restGoesOn(t)
				}
				require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetOffline("pve2", false) }))
				if after == 0 {
					p, err := l.converge(context.Background(), nil)
					require.NoError(t, err)
					require.Contains(t, describe(p), "app.lost")
					require.NoError(t, l.clearUp())
				}
				require.NoError(t, l.settled())
				require.NoError(t, l.check())
			})
		})
	}
}

var (
	lost, other, later = addr.New("app", "lost"), addr.New("app", "other"), addr.New("app", "later")
	nightly            = addr.New("backup_policy", "nightly")
)

// killedOnANode is a lab whose first process died just after pve2 began to make
// app.lost. Its configuration has grown since.
func killedOnANode(t *testing.T) *lab {
	t.Helper()
	l, err := openLab(rand.New(rand.NewPCG(1, 1)), 1)
	require.NoError(t, err)
	l.want = estate{lost: smallApp("pve2"), other: smallApp("pve1")}
	ctx, cancel := context.WithCancel(context.Background())
	l.chaos.inner = killer{l.sim.Transport(), "/nodes/pve2/lxc", func() { l.store.Kill(false); cancel() }}
	_, err = l.converge(ctx, nil)
	require.Error(t, err)
	l.chaos.inner = l.sim.Transport()
	l.want[later] = smallApp("pve3")
	l.want[nightly] = wish{set: values{
		"host": cty.StringVal("pve"), "schedule": cty.StringVal("02:30"), "storage": cty.StringVal("backup"),
		"mode": cty.StringVal("snapshot"), "compress": cty.StringVal("zstd"), "enabled": cty.False,
	}, covers: []addr.Addr{lost, other}}
	return l
}

// restGoesOn is a run while the node is down.
func (l *lab) restGoesOn(t *testing.T) {
	t.Helper()
	p, err := l.converge(context.Background(), nil)
	require.NoError(t, err)
	require.Contains(t, describe(p), "cannot look at app.lost")
	require.Contains(t, describe(p), "backup_policy.nightly is held back")
	st, err := state.Read(context.Background(), l.store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	require.Contains(t, st.Objects, other)
	require.Contains(t, st.Objects, later)
	require.NotContains(t, st.Objects, lost)
	require.Len(t, st.Open, 1, "it is not forgotten")
}

// killer is a way on which the process dies with the first create on a node, just
// after the node has begun with it.
type killer struct {
	http.RoundTripper
	path string
	kill func()
}

func (k killer) RoundTrip(r *http.Request) (*http.Response, error) {
	if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, k.path) {
		return k.RoundTripper.RoundTrip(r)
	}
	if _, err := k.RoundTripper.RoundTrip(r); err != nil {
		return nil, err
	}
	k.kill()
	return nil, context.Canceled
}
