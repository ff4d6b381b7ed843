package pvesim

import (
	"strconv"
	"time"
)

// estate is everything that is kept.
type estate struct {
	meta      *table[meta] // one row, key ""
	nodes     *table[node]
	storages  *table[storage]
	guests    *table[guest]  // by VMID
	volumes   *table[volume] // by volumeKey
	tasks     *table[task]   // by UPID
	jobs      *table[job]
	pools     *table[pool]
	users     *table[user]
	groups    *table[group]
	roles     *table[role]
	tokens    *table[token]    // by user!id
	acl       *table[aclEntry] // by aclKey
	appliance *table[appliance]

	ha           *table[haResource] // by SID
	haGroups     *table[haGroup]
	replications *table[replication] // by id

	active map[string]*task // running tasks by UPID: an index of tasks
}

func newEstate() *estate {
	e := &estate{
		meta: newTable[meta]("meta"), nodes: newTable[node]("node"), storages: newTable[storage]("storage"),
		guests: newTable[guest]("guest"), volumes: newTable[volume]("volume"), tasks: newTable[task]("task"),
		jobs: newTable[job]("job"), pools: newTable[pool]("pool"), users: newTable[user]("user"),
		groups: newTable[group]("group"), roles: newTable[role]("role"), tokens: newTable[token]("token"),
		acl: newTable[aclEntry]("acl"), appliance: newTable[appliance]("appliance"),
		ha: newTable[haResource]("ha"), haGroups: newTable[haGroup]("hagroup"), replications: newTable[replication]("replication"),
		active: map[string]*task{},
	}
	e.tasks.watch = func(key string, t *task) {
		if t == nil || t.ended() {
			delete(e.active, key)
		} else {
			e.active[key] = t
		}
	}
	return e
}

func (e *estate) ledgers() []ledger {
	return []ledger{e.meta, e.nodes, e.storages, e.guests, e.volumes, e.tasks, e.jobs, e.pools, e.users, e.groups,
		e.roles, e.tokens, e.acl, e.appliance, e.ha, e.haGroups, e.replications}
}

// meta is what the estate as a whole remembers.
type meta struct {
	Version   string    // version profile
	Start     time.Time // simulated time at RealStart
	RealStart time.Time
	Speed     float64
	Rand      uint64 // state of the random numbers
	Seq       uint64 // last number given to a task
	Key       string // signs tickets
	Token     string // made with the estate
	MACPrefix string
	Clustered bool
	Bridges   map[string]bridge // the same on every node
}

type bridge struct {
	Address string `json:"address,omitempty"` // with prefix length
	MTU     int    `json:"mtu,omitempty"`     // 0: 1500
	Ports   string `json:"ports,omitempty"`
}

// node is a member of the cluster.
type node struct {
	Name    string
	ID      int
	Local   bool // answers the API
	Offline bool
	CPUs    int
	Memory  int64     // bytes
	Boot    time.Time // collector ticks count from here
	PID     int       // last process id given
	IP      string
	CGroup  int // version of the control groups
}

// storage is one entry of the storage configuration.
type storage struct {
	ID        string
	Type      string
	Content   []string
	Path      string // "" for block storages
	Nodes     []string
	Shared    bool
	Disabled  bool
	Size      int64 // bytes on each node, or in all when shared
	Snapshots bool
	Options   map[string]string // further settings, as sent: prune-backups, vgname, pool, server and so on

	LockSeconds float64 // how long an allocation holds the storage's lock
	LockAdmits  int     // allocations that may hold or wait for it at a time; 0: any number
	Offline     bool
}

// guest is a container, or a virtual machine that is only there to be left alone.
type guest struct {
	VMID    int
	Kind    string // lxc or qemu
	Node    string
	Config  map[string]string // as in its file
	Pending map[string]string // waiting values
	Deletes map[string]int    // waiting deletes; 1, or 2 when forced
	Snaps   map[string]*snapshot
	Running bool
	Since   time.Time // of the last start
	PID     int

	Software software  // what its root file system came from
	Changed  time.Time // last change of what the node's collector reports
	Seen     *sight    // what the collector last saw before Changed; nil: nothing
	Making   *making   // while a task makes it
}

// making is a container that a task still makes: its file has only the lock so far.
type making struct {
	Config  map[string]string // as it will be
	Volumes []string          // made for it: they go away when the task fails

	Old    map[string]string // of a container that is restored in place: its settings before
	OldIDs []string          // and its volumes, which go away in the end
}

// snapshot is a container's configuration and content at one time.
type snapshot struct {
	Config  map[string]string
	Time    time.Time
	Text    string // description
	Parent  string
	State   string                       // snapstate while it is made
	Content map[string]map[string]string // files by volume id
	Sizes   map[string]int64             // by volume id
}

// software are facts about a template that show in what its containers do.
type software struct {
	OSType         string    `json:"ostype,omitempty"`
	Arch           string    `json:"arch,omitempty"`
	IgnoreShutdown bool      `json:"ignores_shutdown,omitempty"`
	WantsNesting   bool      `json:"wants_nesting,omitempty"`
	Systemd        int       `json:"systemd,omitempty"`        // its version, where it wants nesting; 0: 252
	Unpacked       int64     `json:"unpacked_bytes,omitempty"` // bytes
	OCI            *image    `json:"oci,omitempty"`            // set for an OCI image
	Contents       *Contents `json:"contents,omitempty"`       // nil: not counted
}

// image is the configuration of an OCI image.
type image struct {
	Entrypoint string   `json:"entrypoint,omitempty"`
	Env        []string `json:"env,omitempty"`
	WorkDir    string   `json:"workdir,omitempty"`
}

// volume is anything on a storage: a container's disk, a template, an archive and so on.
type volume struct {
	Storage   string
	Node      string // "" on a shared storage
	Name      string // behind the colon of the volume id
	Content   string // rootdir, images, vztmpl, iso, backup, snippets, import
	Format    string
	Size      int64
	Used      int64
	VMID      int // owner, 0 for none
	Created   time.Time
	Parent    string // volume id of the base
	Notes     string
	Protected bool
	Files     map[string]string // hash of each file that matters, by path
	MountDirs []string          // directories that were made on it to mount others at
	Sum       string            // SHA-256 of an uploaded or downloaded file
	Software  *software         // of a template
	Archive   *archive          // of a backup
}

func (v *volume) id() string { return v.Storage + ":" + v.Name }

// archive is what a backup holds.
type archive struct {
	Config   map[string]string
	Disks    map[string]disk // by key: rootfs, mp0 and so on
	Software software
	Kind     string // lxc or qemu
}

// disk is the content of one volume in an archive.
type disk struct {
	Size  int64
	Files map[string]string
}

type job struct {
	ID     string
	Config map[string]string
	Next   time.Time         // of its next run; zero when it was never planned
	Last   map[string]string // UPIDs of its last runs by node
}

type pool struct {
	ID       string
	Comment  string
	Guests   []int
	Storages []string
}

type user struct {
	ID       string // with realm
	Password string // hex SHA-256 of it
	Enabled  bool
	Expire   int64
	Groups   []string
	Fields   map[string]string // email, comment and so on, as sent
}

type group struct {
	ID      string
	Comment string
}

type role struct {
	ID    string
	Privs []string
}

type token struct {
	User    string
	ID      string
	Secret  string
	Privsep bool
	Expire  int64
	Comment string
}

func (t *token) full() string { return t.User + "!" + t.ID }

// aclEntry grants a role to a user, group or token on a path.
type aclEntry struct {
	Path      string
	Kind      string // user, group or token
	Who       string
	Role      string
	Propagate bool
}

func (a *aclEntry) key() string { return a.Path + " " + a.Kind + " " + a.Who + " " + a.Role }

// appliance is an entry of the index of downloadable templates.
type appliance struct {
	Template string   `json:"template"`
	Package  string   `json:"package"`
	Version  string   `json:"version"`
	OS       string   `json:"os"`
	Section  string   `json:"section"`
	Headline string   `json:"headline"`
	Source   string   `json:"source"`
	SHA512   string   `json:"sha512sum"`
	Size     int64    `json:"size"`
	Software software `json:"software"`
}

func vmidKey(vmid int) string { return strconv.Itoa(vmid) }

func volumeKey(node, volid string) string { return node + "/" + volid }
