package pvesim

import (
	"cmp"
	"crypto/sha1"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

func storageHandlers() map[string]handler {
	all := map[string]handler{
		"GET /storage":                               (*tx).storageConfigs,
		"POST /storage":                              (*tx).storageCreate,
		"GET /storage/{storage}":                     (*tx).storageConfig,
		"PUT /storage/{storage}":                     (*tx).storageUpdate,
		"DELETE /storage/{storage}":                  (*tx).storageDelete,
		"GET /nodes/{node}/storage":                  (*tx).nodeStorages,
		"GET /nodes/{node}/storage/{storage}":        index("subdir", storageAreas()...),
		"GET /nodes/{node}/storage/{storage}/status": (*tx).storageStatus,
	}
	maps.Copy(all, contentHandlers())
	maps.Copy(all, downloadHandlers())
	maps.Copy(all, pruneHandlers())
	return all
}

func storageEffects() map[string]effect {
	all := contentEffects()
	maps.Copy(all, downloadEffects())
	maps.Copy(all, pruneEffects())
	return all
}

func storageAreas() []string {
	return []string{
		"content", "download-url", "file-restore", "import-metadata", "identity", "oci-registry-pull", "prunebackups", "rrd",
		"rrddata", "status", "upload",
	}
}

// typed returns a stored value as the API shows it, after the parameter that it came from: numbers and booleans are
// numbers, arrays arrays, everything else a string.
func typed(p *schema.Param, value string) any {
	if p == nil {
		return value
	}
	switch p.Kind {
	case schema.Integer, schema.Boolean:
		if n, err := strconv.Atoi(value); err == nil {
			return n
		}
	case schema.Array:
		return strings.Split(value, "\x00")
	}
	return value
}

// sharedTypes are storages that are shared whatever their configuration says.
func sharedType(kind string) bool {
	switch kind {
	case "nfs", "cifs", "rbd", "cephfs", "pbs", "iscsi", "iscsidirect", "zfs":
		return true
	}
	return false
}

// requiredOptions are what a storage of a type cannot be without.
func requiredOptions(kind string) []string {
	return map[string][]string{
		"dir": {"path"}, "btrfs": {"path"}, "lvm": {"vgname"}, "lvmthin": {"vgname", "thinpool"}, "zfspool": {"pool"},
		"nfs": {"server", "export"}, "cifs": {"server", "share"}, "pbs": {"server", "datastore", "username"},
	}[kind]
}

// configRow is a storage as its configuration shows it.
func (x *tx) configRow(s *storage) map[string]any {
	method := x.method("POST", "/storage")
	row := map[string]any{"storage": s.ID, "type": s.Type, "content": s.content(), "digest": x.storageDigest()}
	for key, value := range s.Options {
		if key != "password" {
			row[key] = typed(method.Params[key], value)
		}
	}
	if s.Path != "" {
		row["path"] = s.Path
	}
	if len(s.Nodes) > 0 {
		row["nodes"] = strings.Join(s.Nodes, ",")
	}
	if s.Disabled {
		row["disable"] = 1
	}
	if s.Shared {
		row["shared"] = 1
	}
	return row
}

// storageDigest stands for the checksum of the file that all storages are configured in.
func (x *tx) storageDigest() string {
	return fileDigest(x.storages.all())
}

// fileDigest stands for the checksum of a file with that content.
func fileDigest(content any) string {
	text, err := json.Marshal(content)
	if err != nil {
		panic("pvesim: digest: " + err.Error()) // what is kept was JSON before
	}
	sum := sha1.Sum(text)
	return hex.EncodeToString(sum[:])
}

func (x *tx) storageConfigs(c *request) (any, error) {
	rows := []map[string]any{}
	for _, s := range x.storages.all() {
		if kind := c.params.Str("type"); kind != "" && kind != s.Type || !x.maySeeStorage(c.who, s.ID) {
			continue
		}
		rows = append(rows, x.configRow(s))
	}
	return rows, nil
}

func (x *tx) maySeeStorage(who *identity, id string) bool {
	return x.allowedAny(who, "/storage/"+id, "Datastore.Audit", "Datastore.AllocateSpace")
}

func (x *tx) storageConfig(c *request) (any, error) {
	s := x.storages.at(c.params.Str("storage"))
	if s == nil {
		return nil, die("storage '%s' does not exist", c.params.Str("storage"))
	}
	return x.configRow(s), nil
}

func (x *tx) storageCreate(c *request) (any, error) {
	id, kind := c.params.Str("storage"), c.params.Str("type")
	for _, option := range requiredOptions(kind) {
		if !c.params.Has(option) {
			return nil, die("missing value for required option '%s'", option)
		}
	}
	if x.storages.at(id) != nil {
		return nil, die("create storage failed: storage ID '%s' already defined", id)
	}
	s := &storage{
		ID: id, Type: kind, Content: []string{"images", "rootdir"}, Size: 256 << 30, Snapshots: snapshotsByDefault(kind),
		Shared: sharedType(kind), LockSeconds: 0.02, Options: map[string]string{}, Path: c.params.Str("path"),
	}
	if s.Path == "" && sharedType(kind) && s.isDir() {
		s.Path = "/mnt/pve/" + id
	}
	s.set(c.params)
	x.storages.put(id, s)
	return map[string]any{"storage": id, "type": kind}, nil
}

// set takes over the options that a request sends.
func (s *storage) set(params schema.Values) {
	for key, value := range params {
		switch key {
		case "storage", "type", "path", "delete", "digest":
		case "content":
			s.Content = schema.SplitList(value)
		case "nodes":
			s.Nodes = schema.SplitList(value)
		case "disable":
			s.Disabled = value == "1"
		case "shared":
			s.Shared = sharedType(s.Type) || value == "1"
			s.Options[key] = value
		default:
			s.Options[key] = value
		}
	}
}

func (s *storage) unset(key string) {
	switch key {
	case "content":
		s.Content = []string{"images", "rootdir"}
	case "nodes":
		s.Nodes = nil
	case "disable":
		s.Disabled = false
	case "shared":
		s.Shared = sharedType(s.Type)
	}
	delete(s.Options, key)
}

func (x *tx) storageUpdate(c *request) (any, error) {
	id := c.params.Str("storage")
	s := x.storages.at(id)
	if s == nil {
		return nil, die("update storage failed: storage '%s' does not exist", id)
	}
	if sent := c.params.Str("digest"); sent != "" && sent != x.storageDigest() {
		return nil, die("update storage failed: detected modified configuration - file changed by other user? Try again.")
	}
	for _, key := range c.params.List("delete") {
		if c.method.Params[key] == nil || slices.Contains(requiredOptions(s.Type), key) {
			return nil, die("update storage failed: no such option '%s'", key)
		}
	}
	for _, key := range c.params.List("delete") {
		s.unset(key)
	}
	s.set(c.params)
	x.storages.touch(id)
	return map[string]any{"storage": id, "type": s.Type}, nil
}

func (x *tx) storageDelete(c *request) (any, error) {
	id := c.params.Str("storage")
	if x.storages.at(id) == nil {
		return nil, die("delete storage failed: storage '%s' does not exist", id)
	}
	x.storages.drop(id)
	x.dropACL("/storage/" + id)
	return nil, nil
}

// dropACL removes the entries of a path and of everything below it.
func (x *tx) dropACL(path string) {
	for _, e := range x.acl.all() {
		if e.Path == path || strings.HasPrefix(e.Path, path+"/") {
			x.acl.drop(e.key())
		}
	}
}

// statusRow is what a node says about a storage.
func (x *tx) statusRow(s *storage, node string) map[string]any {
	enabled := !s.Disabled && s.on(node)
	row := map[string]any{
		"type": s.Type, "content": s.content(), "enabled": bit(enabled), "active": bit(enabled && !s.Offline),
		"shared": bit(s.Shared), "total": 0, "used": 0, "avail": 0,
	}
	if enabled && !s.Offline {
		used := x.usedOn(s, node)
		row["total"], row["used"], row["avail"] = s.Size, used, max(s.Size-used, 0)
	}
	return row
}

// wantedFor reports whether a storage is listed with a filter by content: then only those that are usable are.
func (s *storage) wantedFor(content []string, node string) bool {
	if len(content) == 0 {
		return true
	}
	return !s.Disabled && s.on(node) && slices.ContainsFunc(content, s.holds)
}

func (x *tx) nodeStorages(c *request) (any, error) {
	only := c.params.Str("storage")
	if only != "" && x.storages.at(only) == nil {
		return nil, badParam("storage", "No such storage.")
	}
	target := cmp.Or(c.params.Str("target"), c.node)
	rows := []map[string]any{}
	for _, s := range x.storages.all() {
		enabled := !s.Disabled && s.on(c.node)
		switch {
		case only != "" && only != s.ID,
			!x.maySeeStorage(c.who, s.ID),
			!s.wantedFor(c.params.List("content"), c.node),
			c.params.Bool("enabled") && !enabled,
			target != c.node && !(s.Shared && enabled && s.on(target)):
			continue
		}
		row := x.statusRow(s, c.node)
		row["storage"] = s.ID
		if row["active"] == 1 && s.Size > 0 {
			row["used_fraction"] = float64(x.usedOn(s, c.node)) / float64(s.Size)
		}
		if c.params.Bool("format") {
			s.addFormats(row, x.has(storageFormats))
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// addFormats says which formats of disks a storage has, in the new and in the old way.
func (s *storage) addFormats(row map[string]any, withList bool) {
	supported := []string{s.diskFormat()}
	if s.isDir() {
		supported = []string{"raw", "qcow2", "vmdk", "subvol"}
	}
	old := map[string]any{}
	for _, f := range supported {
		old[f] = 1
	}
	if withList {
		row["formats"] = map[string]any{"supported": supported, "default": s.diskFormat()}
	}
	row["format"] = []any{old, s.diskFormat()}
}

func (x *tx) storageStatus(c *request) (any, error) {
	s := x.storages.at(c.params.Str("storage"))
	if s == nil {
		return nil, badParam("storage", "No such storage.")
	}
	return x.statusRow(s, c.node), nil
}
