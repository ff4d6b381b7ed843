package pvesim

func (x *tx) updateConfig(c *request) (any, error) { return nil, die("no") }

func (x *tx) applyWaiting(g *guest) {}
