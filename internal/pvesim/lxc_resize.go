package pvesim

type resizePlan struct {
	VMID int
	Disk string
	Size string
}

func (x *tx) resizeDisk(c *request) (any, error) { return nil, die("no") }

func (x *tx) resizeNow(t *task, p resizePlan) error { return nil }

func (x *tx) interfaces(g *guest) any { return nil }
