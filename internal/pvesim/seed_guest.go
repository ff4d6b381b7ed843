package pvesim

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
)

// SeedGuest is a guest that is there already. What it is said to have is taken as it stands: nothing is checked, as little
// as a configuration file is that somebody wrote by hand.
type SeedGuest struct {
	VMID    int      `json:"vmid"`
	Type    string   `json:"type"` // lxc (also when empty) or qemu
	Node    string   `json:"node"`
	Running bool     `json:"running"`
	Config  Settings `json:"config"` // every key that a configuration file can have
	Size    int64    `json:"size"`   // bytes of each volume whose setting names none; 0: 4 GiB

	Pending   Settings       `json:"pending"` // values that wait
	Delete    []string       `json:"delete"`  // settings that wait to be deleted
	Snapshots []SeedSnapshot `json:"snapshots"`
	// Raw are lines such as lxc.apparmor.profile with their values, any number of each. In Config they may stand as well, with
	// a line for each of several values.
	Raw  [][2]string `json:"lxc"`
	Pool string      `json:"pool"` // made when it is not there
	HA   string      `json:"ha"`   // the state wanted of it; "": high availability does not know it

	IgnoresShutdown bool `json:"ignores_shutdown"`
}

// SeedSnapshot is a snapshot of a guest.
type SeedSnapshot struct {
	Name        string   `json:"name"`
	Description string   `json:"description"`
	Parent      string   `json:"parent"`
	Age         int      `json:"age"`    // seconds
	Config      Settings `json:"config"` // nil: as the guest's
}

// Settings are lines of a configuration. In JSON their values may be numbers and booleans too.
type Settings map[string]string

// UnmarshalJSON implements json.Unmarshaler.
func (s *Settings) UnmarshalJSON(text []byte) error {
	var raw map[string]any
	decoder := json.NewDecoder(strings.NewReader(string(text)))
	decoder.UseNumber()
	if err := decoder.Decode(&raw); err != nil {
		return err
	}
	*s = make(Settings, len(raw))
	for key, value := range raw {
		switch value := value.(type) {
		case string:
			(*s)[key] = value
		case json.Number:
			(*s)[key] = value.String()
		case bool:
			(*s)[key] = strconv.Itoa(bit(value))
		default:
			return fmt.Errorf("%s: a text, a number or a boolean is expected", key)
		}
	}
	return nil
}

// rawKey is where a configuration keeps its raw lines, joined by newlines.
const rawKey = "lxc"

// plantGuest makes a guest with its volumes.
func (x *tx) plantGuest(s SeedGuest, byDefault string) error {
	if s.VMID == 0 {
		return fmt.Errorf("it has no vmid")
	}
	on := cmp.Or(s.Node, byDefault)
	if x.nodes.at(on) == nil {
		return fmt.Errorf("there is no node %q", on)
	}
	g := &guest{
		VMID: s.VMID, Kind: cmp.Or(s.Type, "lxc"), Node: on, Config: cloneOrNew(s.Config), Pending: maps.Clone(s.Pending),
		Running: s.Running, Changed: x.now.Add(-time.Hour),
		Software: software{OSType: s.Config["ostype"], Arch: s.Config["arch"], IgnoreShutdown: s.IgnoresShutdown},
	}
	for _, key := range s.Delete {
		g.Deletes = cloneOrNew(g.Deletes)
		g.Deletes[key] = 1
	}
	if g.Running {
		g.Since, g.PID = x.now.Add(-time.Hour), 2000+s.VMID
	}
	var lines []string
	for _, line := range append(takeRaw(g.Config), s.Raw...) {
		lines = append(lines, line[0]+" = "+line[1])
	}
	if len(lines) > 0 {
		g.Config[rawKey] = strings.Join(lines, "\n")
	}
	x.guests.put(vmidKey(g.VMID), g)
	x.plantMembership(s)
	if err := x.plantSnapshots(g, s); err != nil {
		return err
	}
	return x.plantDisks(g, s.Size)
}

// takeRaw takes the lines of lxc itself out of a configuration.
func takeRaw(config map[string]string) [][2]string {
	var raw [][2]string
	for _, key := range slices.Sorted(maps.Keys(config)) {
		if strings.HasPrefix(key, "lxc.") {
			for value := range strings.SplitSeq(config[key], "\n") {
				raw = append(raw, [2]string{key, value})
			}
			delete(config, key)
		}
	}
	return raw
}

func (x *tx) plantMembership(s SeedGuest) {
	if s.HA != "" {
		h := x.lookAfter(s.VMID, s.HA)
		h.Current, h.Due = "started", time.Time{}
		if !s.Running {
			h.Current = "stopped"
		}
	}
	if s.Pool == "" {
		return
	}
	if x.pools.at(s.Pool) == nil {
		x.pools.put(s.Pool, &pool{ID: s.Pool})
	}
	x.joinPool(s.Pool, s.VMID)
}

func (x *tx) plantSnapshots(g *guest, s SeedGuest) error {
	names := map[string]bool{"": true}
	for _, snap := range s.Snapshots {
		if names[snap.Name] || !names[snap.Parent] {
			return fmt.Errorf("snapshot %q: it comes twice, or before its parent %q", snap.Name, snap.Parent)
		}
		names[snap.Name] = true
		config := maps.Clone(snap.Config)
		if config == nil {
			config = maps.Clone(g.Config)
			delete(config, "parent")
		}
		at := x.now.Add(-time.Duration(snap.Age) * time.Second)
		config["snaptime"] = itoa(at.Unix())
		if delete(config, "description"); snap.Description != "" {
			config["description"] = normal("description", snap.Description)
		}
		if g.Snaps == nil {
			g.Snaps = map[string]*snapshot{}
		}
		g.Snaps[snap.Name] = &snapshot{
			Config: config, Time: at, Parent: snap.Parent, Content: map[string]map[string]string{}, Sizes: map[string]int64{},
		}
		if _, told := s.Config["parent"]; !told {
			g.Config["parent"] = snap.Name
		}
	}
	return nil
}

// plantDisks makes the volumes that a guest's settings name, those that wait and those of its snapshots too.
func (x *tx) plantDisks(g *guest, size int64) error {
	all := []map[string]string{g.Config, g.Pending}
	for _, name := range slices.Sorted(maps.Keys(g.Snaps)) {
		all = append(all, g.Snaps[name].Config)
	}
	for _, config := range all {
		for _, key := range slices.Sorted(maps.Keys(config)) {
			volid := volumeOf(config[key])
			isVolume := isDisk(key) || stem(key) == "unused"
			if g.Kind == "qemu" {
				isVolume = isQemuDisk(key)
			}
			if !isVolume || mountKind(volid) != "volume" || x.volume(g.Node, volid) != nil {
				continue
			}
			if err := x.plantDisk(g, config[key], size); err != nil {
				return fmt.Errorf("%s: %w", key, err)
			}
		}
	}
	for _, s := range g.Snaps {
		for _, key := range diskOrder(s.Config) {
			if v := x.volume(g.Node, volumeOf(s.Config[key])); v != nil {
				s.Sizes[v.id()] = v.Size
			}
		}
	}
	return nil
}

func (x *tx) plantDisk(g *guest, text string, size int64) error {
	id, name, ok := strings.Cut(volumeOf(text), ":")
	st := x.storages.at(id)
	if !ok || st == nil {
		return fmt.Errorf("no storage %q", id)
	}
	_, told, _ := strings.Cut(text, ",size=")
	told, _, _ = strings.Cut(told, ",")
	if n, ok := parseSize(told); ok && told != "" && size == 0 {
		size = n
	}
	size = cmp.Or(size, 4<<30)
	owner := g.VMID
	if n, err := strconv.Atoi(ownerOf(volumeOf(text))); err == nil {
		owner = n
	}
	v := &volume{
		Storage: id, Node: st.home(g.Node), Name: name, Content: "rootdir", Format: "raw", Size: size, Used: size / 4, VMID: owner,
		Created: x.now,
	}
	if strings.Contains(name, "subvol-") {
		v.Format = "subvol"
	}
	if g.Kind == "qemu" {
		v.Content = "images"
	}
	x.putVolume(v)
	return nil
}

func isQemuDisk(key string) bool {
	return strings.HasPrefix(key, "scsi") && key != "scsihw" || strings.HasPrefix(key, "virtio")
}
