package pvesim

import "maps"

// Stats are counts of one Sim since it was opened; they are not kept with the estate.
type Stats struct {
	Requests map[string]int // by method and path template, such as "GET /nodes/{node}/lxc/{vmid}/config"
	MaxTasks map[string]int // most tasks that ran at once, by node

	rolls uint64
}

func newStats() Stats { return Stats{Requests: map[string]int{}, MaxTasks: map[string]int{}} }

func (s *Stats) count(verb, template string) { s.Requests[verb+" "+template]++ }

// Stats returns the counts so far.
func (s *Sim) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	return Stats{Requests: maps.Clone(s.stats.Requests), MaxTasks: maps.Clone(s.stats.MaxTasks)}
}

// countTasks notes how many tasks run on a node now.
func (x *tx) countTasks(on string) {
	n := 0
	for _, t := range x.active {
		if t.Node == on {
			n++
		}
	}
	x.sim.stats.MaxTasks[on] = max(x.sim.stats.MaxTasks[on], n)
}
