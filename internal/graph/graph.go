// Package graph orders work: nodes, and which of them wait for which. It knows
// nothing of what the nodes mean.
package graph

import (
	"cmp"
	"container/heap"
	"maps"
	"slices"
	"sync"
)

// Node is what a graph can hold. Its text names it and orders what is
// otherwise free.
type Node interface {
	comparable
	String() string
}

// Graph is a set of nodes and of waits between them. The zero Graph is empty
// and ready. It is not safe for concurrent change; any number may read it.
type Graph[N Node] struct {
	nodes map[N]bool
	waits map[N]map[N]bool // waits[n] holds what n waits for
	soft  map[N]map[N]bool // the same for waits that give way to a cycle
}

// Add puts a node into the graph. Adding it again changes nothing.
func (g *Graph[N]) Add(n N) {
	if g.nodes == nil {
		g.nodes = map[N]bool{}
	}
	g.nodes[n] = true
}

// Has reports whether n is in the graph.
func (g *Graph[N]) Has(n N) bool { return g.nodes[n] }

// Len returns the number of nodes.
func (g *Graph[N]) Len() int { return len(g.nodes) }

// Wait makes n wait for on. Waits with an end that is not in the graph are
// kept but mean nothing, so callers need not ask first.
func (g *Graph[N]) Wait(n, on N) { g.waits = link(g.waits, n, on) }

// Prefer makes n wait for on unless that closes a cycle: Settle decides.
func (g *Graph[N]) Prefer(n, on N) { g.soft = link(g.soft, n, on) }

func link[N Node](edges map[N]map[N]bool, n, on N) map[N]map[N]bool {
	if edges == nil {
		edges = map[N]map[N]bool{}
	}
	if edges[n] == nil {
		edges[n] = map[N]bool{}
	}
	edges[n][on] = true
	return edges
}

// Waits returns what n waits for, of what is in the graph, in order.
func (g *Graph[N]) Waits(n N) []N {
	var on []N
	for m := range g.waits[n] {
		if g.nodes[m] {
			on = append(on, m)
		}
	}
	slices.SortFunc(on, byName[N])
	return on
}

// Order returns the nodes so that each comes after all it waits for, else by
// name, and nil. When there is a cycle it returns nil and the nodes of one
// cycle, each waiting for the next and the last for the first.
func (g *Graph[N]) Order() (order, cycle []N) {
	left, dependants := g.count(g.waits)
	ready := &queue[N]{}
	for n, waits := range left {
		if waits == 0 {
			*ready = append(*ready, n)
		}
	}
	heap.Init(ready)
	for ready.Len() > 0 {
		n := heap.Pop(ready).(N)
		order = append(order, n)
		delete(left, n)
		for _, d := range dependants[n] {
			if left[d]--; left[d] == 0 {
				heap.Push(ready, d)
			}
		}
	}
	if len(left) > 0 {
		return nil, g.findCycle(left)
	}
	return order, nil
}

// Settle turns preferred waits into real ones, save those that would close a
// cycle. It visits the nodes once, in order, and where only preferences hold
// the rest up it drops those of the node that comes first by name. The real
// waits must have no cycle.
func (g *Graph[N]) Settle() {
	hard, hardDependants := g.count(g.waits)
	soft, softDependants := g.count(g.soft)
	free, held := &queue[N]{}, &queue[N]{}
	done := map[N]bool{}
	admit := func(n N) {
		switch {
		case done[n] || hard[n] > 0:
		case soft[n] > 0:
			heap.Push(held, n)
		default:
			heap.Push(free, n)
		}
	}
	for _, n := range slices.SortedFunc(maps.Keys(g.nodes), byName[N]) {
		admit(n)
	}
	for free.Len()+held.Len() > 0 {
		from := free
		if free.Len() == 0 {
			from = held
		}
		n := heap.Pop(from).(N)
		if done[n] {
			continue
		}
		done[n] = true
		for on := range g.soft[n] {
			if done[on] && on != n && g.nodes[on] {
				g.Wait(n, on)
			}
		}
		for _, d := range softDependants[n] {
			soft[d]--
			admit(d)
		}
		for _, d := range hardDependants[n] {
			hard[d]--
			admit(d)
		}
	}
	g.soft = nil
}

// count returns how many nodes each node waits for, and who waits for each.
func (g *Graph[N]) count(edges map[N]map[N]bool) (left map[N]int, dependants map[N][]N) {
	left, dependants = make(map[N]int, len(g.nodes)), make(map[N][]N, len(g.nodes))
	for n := range g.nodes {
		left[n] = 0
		for on := range edges[n] {
			if g.nodes[on] {
				left[n]++
				dependants[on] = append(dependants[on], n)
			}
		}
	}
	return left, dependants
}

// findCycle follows waits inside stuck, where every node waits for another
// one of stuck, until it comes back to where it was.
func (g *Graph[N]) findCycle(stuck map[N]int) []N {
	at := slices.MinFunc(slices.Collect(maps.Keys(stuck)), byName[N])
	var path []N
	seen := map[N]int{}
	for {
		if start, again := seen[at]; again {
			return path[start:]
		}
		seen[at] = len(path)
		path = append(path, at)
		for _, on := range g.Waits(at) {
			if _, isStuck := stuck[on]; isStuck {
				at = on
				break
			}
		}
	}
}

// Walk calls visit once for every node, after it returned for all the node
// waits for, and with no bound on how many at a time: visit does its own
// limiting. When visit returns an error, what waits for the node, however far
// up, is not visited but passed to skip with the node whose visit failed.
// Walk returns when everything has ended. The graph must have no cycle.
func (g *Graph[N]) Walk(visit func(N) error, skip func(n, because N)) {
	type outcome struct {
		done    chan struct{}
		failed  bool // this and because are to be read once done is closed
		because N
	}
	outcomes := make(map[N]*outcome, len(g.nodes))
	for n := range g.nodes {
		outcomes[n] = &outcome{done: make(chan struct{})}
	}
	var wg sync.WaitGroup
	for n, out := range outcomes {
		wg.Go(func() {
			defer close(out.done)
			for _, on := range g.Waits(n) {
				if <-outcomes[on].done; outcomes[on].failed {
					out.failed, out.because = true, outcomes[on].because
					skip(n, out.because)
					return
				}
			}
			out.failed, out.because = visit(n) != nil, n
		})
	}
	wg.Wait()
}

func byName[N Node](a, b N) int { return cmp.Compare(a.String(), b.String()) }

// queue is a heap of nodes by name.
type queue[N Node] []N

func (q queue[N]) Len() int           { return len(q) }
func (q queue[N]) Less(i, j int) bool { return byName(q[i], q[j]) < 0 }
func (q queue[N]) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *queue[N]) Push(n any)        { *q = append(*q, n.(N)) }
func (q *queue[N]) Pop() any {
	last := len(*q) - 1
	n := (*q)[last]
	*q = (*q)[:last]
	return n
}
