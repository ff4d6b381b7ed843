package faultschedule

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// people work on the cluster by hand while the process runs: they change, stop,
// move and remove what is ours, take VMIDs, start backups, and nodes go down
// and come back.
type people struct {
	*chaos
	rand *rand.Rand
	down map[string]bool
}

// work goes on until ctx ends.
func (p *people) work(ctx context.Context) {
	for {
		if pve.Pause(ctx, time.Duration(p.rand.Int64N(int64(12*time.Second)))) != nil {
			return
		}
		p.act()
	}
}

func (p *people) act() {
	var ours []pvesim.Guest
	world := p.sim.World()
	for id := lowest; id <= highest; id++ {
		g, there := world.Guests[id]
		if _, marker := resource.Split(g.Config["description"]); there && marker.Lineage != "" && g.Config["lock"] == "" {
			ours = append(ours, g)
		}
	}
	do := p.rand.IntN(9)
	if do < 6 && len(ours) == 0 {
		return
	}
	var g pvesim.Guest
	if len(ours) > 0 {
		g = ours[p.rand.IntN(len(ours))]
	}
	node := nodes[p.rand.IntN(len(nodes))]
	act := map[int]struct {
		name string
		edit func(*pvesim.Edit)
	}{
		0: {"changed by hand", func(e *pvesim.Edit) { e.SetConfig(g.VMID, "memory", "1024") }},
		1: {"tagged by hand", func(e *pvesim.Edit) { e.SetConfig(g.VMID, "tags", "by-hand") }},
		2: {"removed by hand", func(e *pvesim.Edit) { e.Remove(g.VMID) }},
		3: {"started or stopped by hand", func(e *pvesim.Edit) { e.SetRunning(g.VMID, !g.Running) }},
		4: {"moved by hand", func(e *pvesim.Edit) { e.Move(g.VMID, node) }},
		5: {"locked by a backup", func(e *pvesim.Edit) { e.SetConfig(g.VMID, "lock", "backup") }},
		6: {"VMID taken", func(e *pvesim.Edit) { p.takeID(e, world, node) }},
		7: {"node down", func(e *pvesim.Edit) { e.SetOffline(node, true); p.down[node] = true }},
		8: {"node up", func(e *pvesim.Edit) { p.allUp(e) }},
	}[do]
	if do == 5 {
		p.backup(g.VMID)
	}
	p.count(act.name)
	p.say("  %s: %d, %s", act.name, g.VMID, node)
	if err := p.sim.Edit(act.edit); err != nil {
		panic(err) // it is in memory
	}
}

// takeID gives a VMID that nobody has to somebody else.
func (p *people) takeID(e *pvesim.Edit, world pvesim.World, node string) {
	id := lowest + p.rand.IntN(12)
	if _, taken := world.Guests[id]; !taken {
		config := strangerGuest(id, node).Config
		delete(config, "rootfs")
		e.AddGuest(id, node, config)
	}
}

func (p *people) allUp(e *pvesim.Edit) {
	for _, node := range nodes {
		if p.down[node] {
			e.SetOffline(node, false)
			p.down[node] = false
		}
	}
}

// backup ends the lock of a backup after a while.
func (p *people) backup(id int) {
	wait := time.Duration(p.rand.Int64N(int64(3 * time.Minute)))
	p.late.Go(func() {
		time.Sleep(wait)
		if p.sim.World().Guests[id].Config["lock"] == "backup" {
			_ = p.sim.Edit(func(e *pvesim.Edit) { e.SetConfig(id, "lock", "") })
		}
	})
}
