package pvesim

// Edit changes the estate as somebody else would: without the API, behind the back of whoever uses it.
type Edit struct{ x *tx }

// SetConfig changes a setting of a guest; "" removes it. A guest that is not there is left alone.
func (e *Edit) SetConfig(vmid int, key, value string) {
	g := e.x.guests.at(vmidKey(vmid))
	if g == nil {
		return
	}
	e.x.changed(g)
	if g.Config[key] = value; value == "" {
		delete(g.Config, key)
	}
}

// Remove makes a guest and its volumes go away.
func (e *Edit) Remove(vmid int) {
	if g := e.x.guests.at(vmidKey(vmid)); g != nil {
		for _, v := range e.x.volumesOf(g) {
			e.x.dropVolume(v)
		}
		e.x.forgetGuest(vmid)
	}
}

// SetRunning starts or stops a guest at once.
func (e *Edit) SetRunning(vmid int, running bool) {
	g := e.x.guests.at(vmidKey(vmid))
	switch {
	case g == nil || g.Running == running:
	case running:
		e.x.setRunning(g)
	default:
		e.x.setStopped(g)
	}
}

// Move puts a guest on another node, as HA does. Its volumes move along.
func (e *Edit) Move(vmid int, node string) {
	g := e.x.guests.at(vmidKey(vmid))
	if g == nil || e.x.nodes.at(node) == nil {
		return
	}
	for _, v := range e.x.volumesOf(g) {
		if v.Node != "" {
			e.x.dropVolume(v)
			v.Node = node
			e.x.putVolume(v)
		}
	}
	e.x.changed(g)
	g.Node = node
	e.x.haNotices(vmid)
}

// AddGuest puts a container of somebody else on a node, without volumes.
func (e *Edit) AddGuest(vmid int, node string, config map[string]string) {
	e.x.guests.put(vmidKey(vmid), &guest{VMID: vmid, Kind: "lxc", Node: node, Config: config, Changed: e.x.now})
}

// HasNode reports whether the cluster has a node.
func (e *Edit) HasNode(node string) bool { return e.x.nodes.at(node) != nil }

// SetOffline takes a node from the cluster or brings it back. Its tasks die with it, and high availability moves what it can.
func (e *Edit) SetOffline(node string, offline bool) {
	if n := e.x.nodes.at(node); n != nil {
		e.x.setOffline(n, offline)
	}
}

// Edit changes the estate outside of any request.
func (s *Sim) Edit(change func(*Edit)) error {
	return s.view(func(x *tx) { change(&Edit{x: x}) })
}

// WriteFile puts a file into a disk of a guest, so that a restore can be seen to bring it back.
func (e *Edit) WriteFile(vmid int, disk, path, content string) {
	g := e.x.guests.at(vmidKey(vmid))
	if g == nil {
		return
	}
	if v := e.x.volume(g.Node, volumeOf(g.Config[disk])); v != nil {
		if v.Files == nil {
			v.Files = map[string]string{}
		}
		v.Files[path] = contentHash(content)
		e.x.touchVolume(v)
	}
}
