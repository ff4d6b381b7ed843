package graph

import (
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"
)

type name string

func (n name) String() string { return string(n) }

func build(edges ...[2]name) *Graph[name] {
	g := &Graph[name]{}
	for _, e := range edges {
		g.Add(e[0])
		g.Add(e[1])
		g.Wait(e[0], e[1])
	}
	return g
}

func TestOrderPutsWhatIsNeededFirst(t *testing.T) {
	g := build([2]name{"web", "db"}, [2]name{"db", "disk"}, [2]name{"cache", "disk"})
	g.Wait("web", "absent") // an end outside of the graph means nothing
	order, cycle := g.Order()
	require.Nil(t, cycle)
	require.Equal(t, []name{"disk", "cache", "db", "web"}, order)
}

func TestOrderNamesTheCycle(t *testing.T) {
	g := build([2]name{"a", "b"}, [2]name{"b", "c"}, [2]name{"c", "b"}, [2]name{"d", "a"})
	order, cycle := g.Order()
	require.Nil(t, order)
	require.Equal(t, []name{"b", "c"}, cycle)
}

func TestSettleKeepsPreferencesThatCloseNoCycle(t *testing.T) {
	g := build([2]name{"put", "drop"})
	g.Add("other")
	g.Prefer("drop", "put")   // would close a cycle
	g.Prefer("drop", "other") // would not
	g.Settle()
	order, cycle := g.Order()
	require.Nil(t, cycle)
	require.Equal(t, []name{"other", "drop", "put"}, order)
}

func TestWalkSkipsWhatWaitsForAFailure(t *testing.T) {
	g := build([2]name{"web", "db"}, [2]name{"proxy", "web"})
	g.Add("dns")
	var mu sync.Mutex
	var visited, skipped []string
	g.Walk(func(n name) error {
		mu.Lock()
		defer mu.Unlock()
		visited = append(visited, string(n))
		if n == "db" {
			return errors.New("no space")
		}
		return nil
	}, func(n, because name) {
		mu.Lock()
		defer mu.Unlock()
		skipped = append(skipped, fmt.Sprintf("%s because of %s", n, because))
	})
	require.ElementsMatch(t, []string{"db", "dns"}, visited)
	require.ElementsMatch(t, []string{"web because of db", "proxy because of db"}, skipped)
}

// TestOrderAndSettleOfRandomGraphs holds that real waits are always kept, that
// preferences never make a cycle, and that the order does not depend on chance.
func TestOrderAndSettleOfRandomGraphs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		size := rapid.IntRange(1, 20).Draw(t, "size")
		node := rapid.IntRange(0, size-1)
		g := &Graph[name]{}
		label := func(i int) name { return name(fmt.Sprintf("n%02d", i)) }
		for i := range size {
			g.Add(label(i))
		}
		var waits [][2]name
		for range rapid.IntRange(0, 40).Draw(t, "waits") {
			a, b := node.Draw(t, "from"), node.Draw(t, "to")
			if a > b { // only downwards: no cycle
				g.Wait(label(a), label(b))
				waits = append(waits, [2]name{label(a), label(b)})
			}
		}
		for range rapid.IntRange(0, 40).Draw(t, "preferences") {
			g.Prefer(label(node.Draw(t, "from")), label(node.Draw(t, "to")))
		}
		g.Settle()
		order, cycle := g.Order()
		require.Nil(t, cycle)
		require.Len(t, order, size)
		for _, w := range waits {
			require.Greater(t, slices.Index(order, w[0]), slices.Index(order, w[1]))
		}
		again, _ := g.Order()
		require.Equal(t, order, again)
	})
}

func BenchmarkOrderOf10000(b *testing.B) {
	g := &Graph[name]{}
	for i := range 10000 {
		n := name(fmt.Sprintf("n%05d", i))
		g.Add(n)
		for _, on := range []int{i / 2, i / 3, i - 1} {
			if on >= 0 && on < i {
				g.Wait(n, name(fmt.Sprintf("n%05d", on)))
			}
		}
	}
	for b.Loop() {
		if order, _ := g.Order(); len(order) != 10000 {
			b.Fatal("incomplete")
		}
	}
}
