package pvesim

// removal is a volume to be removed by a task.
type removal struct{ Storage, Name string }

func (x *tx) contentDelete(c *request) (any, error) {
	if c.spawned != "" {
		return x.awaitRemoval(c)
	}
	at, err := x.locate(c)
	if err != nil {
		return nil, err
	}
	s := at.storage
	if at.kind == "backup" && at.vmid != 0 {
		err = x.mayRead(c.who, s, at.volumeName)
	} else {
		err = x.check(c.who, "/storage/"+s.ID, "Datastore.Allocate")
	}
	if err != nil {
		return nil, err
	}
	id := s.ID
	if at.vmid != 0 {
		id = vmidKey(at.vmid) + "@" + s.ID
	}
	upid := x.spawn(c, "imgdel", id, call("content.remove", removal{s.ID, at.name}).after(seconds(0.15)))
	if !c.params.Has("delay") {
		return upid, nil
	}
	c.spawned = upid
	return nil, &errWait{seconds(float64(c.params.Int("delay", 0)))}
}

// awaitRemoval answers with null when the task ended in time, else with its UPID.
func (x *tx) awaitRemoval(c *request) (any, error) {
	t := x.tasks.at(c.spawned)
	switch {
	case t.ended() && t.Exit != "OK":
		return nil, die("%s", t.Exit)
	case t.ended():
		return nil, nil
	case c.waited:
		return c.spawned, nil
	}
	return nil, &errWait{seconds(float64(c.params.Int("delay", 0)))}
}

func (x *tx) removeContent(t *task, what removal) error {
	s, err := x.storageFor(what.Storage, t.Node)
	if err != nil {
		return err
	}
	volid := what.Storage + ":" + what.Name
	v := x.volume(t.Node, volid)
	switch {
	case v == nil && s.isDir():
		missing := &volume{Name: what.Name}
		t.logf("disk image '%s' does not exist", s.filePath(missing))
	case v == nil:
		return die("lvremove '%s/%s' error:   Failed to find logical volume", s.Options["vgname"], what.Name)
	case v.Protected:
		return die("cannot remove protected volume '%s' on '%s'", what.Name, what.Storage)
	case x.linkedTo(v) != nil:
		return die("base volume '%s' is still in use by linked clones", what.Name)
	default:
		x.dropVolume(v)
	}
	t.logf("Removed volume '%s'", volid)
	return nil
}
