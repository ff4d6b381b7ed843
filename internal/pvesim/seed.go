package pvesim

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Seed is what a new estate has. Its JSON form is that of the recordings.
type Seed struct {
	Nodes        []SeedNode             `json:"nodes"`
	Storages     []SeedStorage          `json:"storages"`
	Features     map[string]SeedFeature `json:"features"` // by storage
	Templates    []SeedTemplate         `json:"templates"`
	Bridges      []string               `json:"bridges"`
	Notes        map[string]string      `json:"bridge_notes"` // begins with the bridge's address with prefix length
	Guests       []SeedGuest            `json:"guests"`
	Pools        []SeedPool             `json:"pools"`
	BackupJobs   []map[string]string    `json:"backup_jobs"`  // with their id
	Replications []map[string]string    `json:"replications"` // with their id, such as 100-0
	Users        []SeedUser             `json:"users"`
	Roles        []SeedRole             `json:"roles"` // beside those that are always there
	ACL          []SeedACL              `json:"acl"`
	Token        SeedToken              `json:"token"`
	Appliances   []appliance            `json:"appliances"` // the index of downloadable templates
	Password     string                 `json:"password"`   // of root@pam; "": "proximity"
	PVE          string                 `json:"pve"`        // version profile; "": the newest
}

// SeedNode is a node. The first one answers the API.
type SeedNode struct {
	Node   string `json:"node"`
	Status string `json:"status"` // online (also when empty) or offline
	CPUs   int    `json:"maxcpu"`
	Memory int64  `json:"maxmem"` // bytes; 0: 32 GiB
	IP     string `json:"ip"`
	CGroup int    `json:"cgroup"` // version of the control groups; 0: 2
}

// SeedStorage is an entry of the storage configuration.
type SeedStorage struct {
	Storage     string            `json:"storage"`
	Type        string            `json:"type"`
	Content     string            `json:"content"`
	Path        string            `json:"path"`
	MountPoint  string            `json:"is_mountpoint"`
	Nodes       []string          `json:"nodes"` // empty: all
	Shared      bool              `json:"shared"`
	Disabled    bool              `json:"disabled"`
	Offline     bool              `json:"offline"`
	Size        int64             `json:"size"` // bytes; 0: 256 GiB
	Options     map[string]string `json:"options"`
	LockSeconds float64           `json:"lock_seconds"` // how long an allocation takes; 0: 0.02
	LockAdmits  int               `json:"lock_admits"`  // allocations at a time, those that wait included; more fail; 0: any
}

// SeedFeature says what a storage can do.
type SeedFeature struct {
	Snapshot bool `json:"snapshot"`
}

// SeedTemplate is a container template on a storage.
type SeedTemplate struct {
	VolID            string    `json:"volid"`
	Size             int64     `json:"size"`
	Format           string    `json:"format"`
	OSType           string    `json:"ostype"`
	Arch             string    `json:"arch"`
	ReactsToShutdown bool      `json:"reacts_to_shutdown"`
	WantsNesting     bool      `json:"wants_nesting"`
	UnpackedBytes    int64     `json:"unpacked_bytes"`
	Contents         *Contents `json:"contents"` // nil: estimated
}

// SeedPool is a resource pool.
type SeedPool struct {
	ID      string `json:"poolid"`
	Comment string `json:"comment"`
	Members []int  `json:"members"`
}

// SeedUser is a user.
type SeedUser struct {
	ID       string `json:"userid"`
	Enable   int    `json:"enable"`
	Expire   int64  `json:"expire"`
	Password string `json:"password"`
}

// SeedRole is a role.
type SeedRole struct {
	ID    string `json:"roleid"`
	Privs string `json:"privs"` // separated by commas
}

// SeedACL is an ACL entry of a user or token.
type SeedACL struct {
	Path      string `json:"path"`
	Who       string `json:"ugid"`
	Role      string `json:"roleid"`
	Propagate int    `json:"propagate"`
}

// SeedToken is the token that Sim.Token returns.
type SeedToken struct {
	ID      string `json:"id"` // user!name; "": root@pam!proximity
	Privsep int    `json:"privsep"`
}

// plant fills the estate with the seed.
func (s *Sim) plant() error {
	seed := s.options.Seed
	if seed == nil {
		seed = Cluster()
	}
	if len(seed.Nodes) == 0 {
		return errors.New("seed: no nodes")
	}
	var err error
	if s.profile, err = profileOf(cmp.Or(s.options.PVE, seed.PVE)); err != nil {
		return err
	}
	if s.clock == nil {
		s.clock = fastClock{start: time.Now(), realStart: time.Now(), speed: 1}
	}
	x := &tx{estate: s.estate, sim: s, now: s.clock.Now()}
	real := time.Now()
	m := &meta{
		Version: s.profile.name, Start: x.now, RealStart: real, Speed: cmp.Or(s.options.Speed, 1), Rand: s.options.Rand,
		MACPrefix: macPrefix(s.has(fixedMACs)), Clustered: len(seed.Nodes) > 1, Bridges: map[string]bridge{},
	}
	for _, name := range seed.Bridges {
		address, _, _ := strings.Cut(seed.Notes[name], ",")
		m.Bridges[name] = bridge{Address: address}
	}
	x.meta.put("", m)
	m.Key = x.newUUID()
	x.plantNodes(seed)
	x.plantStorages(seed)
	x.plantAccess(seed)
	if err := x.plantTemplates(seed); err != nil {
		return err
	}
	for _, p := range seed.Pools {
		x.pools.put(p.ID, &pool{ID: p.ID, Comment: p.Comment, Guests: slices.Clone(p.Members)})
	}
	for _, g := range seed.Guests {
		if err := x.plantGuest(g, seed.Nodes[0].Node); err != nil {
			return fmt.Errorf("seed: guest %d: %w", g.VMID, err)
		}
	}
	for _, config := range seed.BackupJobs {
		x.jobs.put(config["id"], &job{ID: config["id"], Config: maps.Clone(config)})
	}
	for _, r := range seed.Replications {
		id := r["id"]
		delete(r, "id")
		x.replications.put(id, &replication{ID: id, Config: maps.Clone(r)})
	}
	for _, a := range seed.Appliances {
		x.appliance.put(a.Template, &a)
	}
	return nil
}

// macPrefix is how MAC addresses begin that are made; "" for any local one.
func macPrefix(fixed bool) string {
	if fixed {
		return "BC:24:11"
	}
	return ""
}

func (x *tx) plantNodes(seed *Seed) {
	for i, n := range seed.Nodes {
		x.nodes.put(n.Node, &node{
			Name: n.Node, ID: i + 1, Local: i == 0, Offline: n.Status == "offline", CPUs: cmp.Or(n.CPUs, 8),
			Memory: cmp.Or(n.Memory, 32<<30), IP: cmp.Or(n.IP, fmt.Sprintf("192.0.2.%d", i+2)), PID: 1000,
			CGroup: cmp.Or(n.CGroup, 2),
			// Collectors of different nodes do not tick together.
			Boot: x.now.Add(-2*time.Hour - time.Duration(i)*3300*time.Millisecond),
		})
	}
}

func (x *tx) plantStorages(seed *Seed) {
	for _, s := range seed.Storages {
		row := &storage{
			ID: s.Storage, Type: s.Type, Content: strings.Split(s.Content, ","), Path: s.Path, Nodes: s.Nodes, Shared: s.Shared,
			Disabled: s.Disabled, Offline: s.Offline, Size: cmp.Or(s.Size, 256<<30), Options: s.Options,
			Snapshots:   snapshotsByDefault(s.Type),
			LockSeconds: cmp.Or(s.LockSeconds, 0.02), LockAdmits: s.LockAdmits,
		}
		if f, ok := seed.Features[s.Storage]; ok {
			row.Snapshots = f.Snapshot
		}
		if row.Options == nil {
			row.Options = map[string]string{}
		}
		if s.MountPoint != "" {
			row.Options["is_mountpoint"] = s.MountPoint
		}
		x.storages.put(row.ID, row)
	}
}

// snapshotsByDefault reports whether containers on this type of storage can have snapshots.
func snapshotsByDefault(kind string) bool {
	switch kind {
	case "zfspool", "lvmthin", "rbd", "btrfs":
		return true
	}
	return false
}

func (x *tx) plantAccess(seed *Seed) {
	for _, r := range x.builtinRoles() {
		x.roles.put(r.ID, r)
	}
	for _, r := range seed.Roles {
		x.roles.put(r.ID, &role{ID: r.ID, Privs: strings.Split(r.Privs, ",")})
	}
	password := cmp.Or(seed.Password, "proximity")
	x.users.put(rootUser, &user{
		ID: rootUser, Enabled: true, Password: hashPassword(password), Fields: map[string]string{"email": "root@example.com"},
	})
	for _, u := range seed.Users {
		if u.ID == rootUser {
			continue
		}
		row := &user{ID: u.ID, Enabled: u.Enable == 1, Expire: u.Expire, Fields: map[string]string{}}
		if u.Password != "" {
			row.Password = hashPassword(u.Password)
		}
		x.users.put(u.ID, row)
	}
	owner, name, _ := strings.Cut(cmp.Or(seed.Token.ID, "root@pam!proximity"), "!")
	t := &token{User: owner, ID: name, Secret: x.newUUID(), Privsep: seed.Token.Privsep == 1}
	x.tokens.put(t.full(), t)
	x.meta.at("").Token = t.full()
	for _, a := range seed.ACL {
		e := &aclEntry{Path: a.Path, Kind: "user", Who: a.Who, Role: a.Role, Propagate: a.Propagate == 1}
		if strings.Contains(a.Who, "!") {
			e.Kind = "token"
		}
		x.acl.put(e.key(), e)
	}
}

// plantTemplates puts each template on every node that has its storage.
func (x *tx) plantTemplates(seed *Seed) error {
	for _, t := range seed.Templates {
		id, name, _ := strings.Cut(t.VolID, ":")
		st := x.storages.at(id)
		if st == nil {
			return fmt.Errorf("seed: template %q: no storage %q", t.VolID, id)
		}
		facts := software{
			OSType: t.OSType, Arch: t.Arch, IgnoreShutdown: !t.ReactsToShutdown, WantsNesting: t.WantsNesting,
			Unpacked: t.UnpackedBytes, Contents: t.Contents,
		}
		for _, on := range x.copiesOf(st) {
			v := &volume{
				Storage: id, Node: on, Name: name, Content: "vztmpl", Format: t.Format, Size: t.Size, Used: t.Size,
				Created: x.now, Software: &facts,
			}
			x.volumes.put(volumeKey(on, v.id()), v)
		}
	}
	return nil
}

// copiesOf returns the nodes on which a storage keeps content of its own: just "" for a shared one.
func (x *tx) copiesOf(st *storage) []string {
	if st.Shared {
		return []string{""}
	}
	var names []string
	for _, n := range x.nodes.all() {
		if st.on(n.Name) {
			names = append(names, n.Name)
		}
	}
	return names
}
