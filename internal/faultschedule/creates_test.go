package faultschedule

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// A storage allocates one volume at a time, and who waits for that longer than
// ten seconds fails: at two and a half seconds each it admits four. However many
// an apply creates at once, all of them succeed, and each is made once.
func TestCreatesOnACrowdedStorage(t *testing.T) {
	for _, c := range []struct{ apps, perStorage, nodes int }{
		{12, 4, 1}, {12, 12, 1}, {200, 4, 3}, {200, 12, 3},
	} {
		name := fmt.Sprintf("%d creates, %d at once", c.apps, c.perStorage)
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := crowded(t, c.perStorage)
				for i := range c.apps {
					l.want[addr.New("app", fmt.Sprint("web", i))] = smallApp(nodes[i%c.nodes])
				}
				begun := time.Now()
				p, err := l.converge(context.Background(), nil)
				require.NoError(t, err)
				require.Equal(t, c.apps, p.Steps.Len())

				world := l.sim.World()
				made, refused := world.Tasks["vzcreate"], 0
				for _, failure := range world.Failed {
					if strings.HasPrefix(failure, "vzcreate ") {
						require.Contains(t, failure, "got timeout")
						refused++
					}
				}
				guests := 0
				for _, g := range world.Guests {
					if _, marker := resource.Split(g.Config["description"]); marker.Lineage != "" {
						guests++
					}
				}
				require.Equal(t, []int{c.apps, c.apps}, []int{made - refused, guests}, "creates that succeeded, and guests")
				t.Logf("report: creates: %s on a storage that admits 4: %d made, %d lock timeouts waited out, %v",
					name, guests, refused, time.Since(begun).Round(time.Second))
			})
		})
	}
}

// crowded is a cluster whose storage takes two and a half seconds for a volume.
func crowded(t *testing.T, perStorage int) *lab {
	t.Helper()
	s := pvesim.Cluster()
	for i := range s.Storages {
		s.Storages[i].LockSeconds, s.Storages[i].LockAdmits = 2.5, 4
	}
	l, err := openLabOn(s, 1)
	require.NoError(t, err)
	l.limits.PerStorage, l.limits.PerNode, l.limits.Parallel = perStorage, 64, 64
	l.limits.Range = resource.IDRange{Low: 2000, High: 2999}
	l.want = estate{}
	return l
}

func smallApp(node string) wish {
	return wish{set: values{
		"host": cty.StringVal("pve"), "node": cty.StringVal(node), "template": cty.StringVal("alpine-3.22-default"),
		"template_storage": cty.StringVal("local"), "unprivileged": cty.True, "running": cty.False, "restart": cty.StringVal("auto"),
		"memory": cty.NumberIntVal(64 << 20),
		"disk": kinds["app"].Schema.Blocks["disk"].Value(values{
			"size": cty.NumberIntVal(1 << 30), "storage": cty.StringVal("local-lvm"),
		}),
	}}
}
