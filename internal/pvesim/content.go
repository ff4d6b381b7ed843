package pvesim

import (
	"cmp"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

func contentHandlers() map[string]handler {
	const list, one = "/nodes/{node}/storage/{storage}/content", "/nodes/{node}/storage/{storage}/content/{volume}"
	return map[string]handler{
		"GET " + list:   (*tx).contentList,
		"POST " + list:  (*tx).contentAllocate,
		"GET " + one:    (*tx).contentShow,
		"PUT " + one:    (*tx).contentUpdate,
		"DELETE " + one: (*tx).contentDelete,
	}
}

func contentEffects() map[string]effect {
	return map[string]effect{"content.remove": effectOf((*tx).removeContent)}
}

// volumeName is what the name of a volume tells, without a look at the storage.
type volumeName struct {
	kind string // vztmpl, iso, backup, snippets, import, or images for disks
	vmid int    // the owner, 0 for none
}

// archiveName is the name of a backup with its kind of guest, VMID and time, and with its format.
var archiveName = sync.OnceValue(func() *regexp.Regexp {
	const stamp, ending = `\d{4}_\d\d_\d\d-\d\d_\d\d_\d\d`, `tgz|(?:tar|vma)(?:\.(?:gz|lzo|zst|bz2))?`
	return regexp.MustCompile(`^vzdump-(lxc|openvz|qemu)-(\d+)-(` + stamp + `)\.(` + ending + `)$`)
})

// diskOwner finds the VMID in the name of a disk on a storage that has no directories.
var diskOwner = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(?:basevol-\d+-disk-\d+/|base-\d+-disk-\d+/)?(?:vm|base|subvol|basevol)-(\d+)-\S+$`)
})

// describe takes the name of a volume apart, which parseVolume has found good.
func (s *storage) describe(name string) volumeName {
	dir, file := path.Split(name)
	d := volumeName{kind: contentOf(name)}
	switch {
	case d.kind == "backup":
		if m := archiveName().FindStringSubmatch(file); m != nil {
			d.vmid, _ = strconv.Atoi(m[2]) // digits
		}
	case d.kind == "images" && s.isDir():
		d.vmid, _ = strconv.Atoi(strings.TrimSuffix(dir, "/")) // 0 for what is no VMID
	case d.kind == "images":
		if m := diskOwner().FindStringSubmatch(name); m != nil {
			d.vmid, _ = strconv.Atoi(m[1]) // digits
		}
	}
	return d
}

// fileFormat is the format that a file of some content is listed with.
func fileFormat(content, file string) string {
	if content != "vztmpl" {
		return cmp.Or(strings.TrimPrefix(path.Ext(file), "."), content)
	}
	for ending, format := range map[string]string{
		".tar.gz": "tgz", ".tgz": "tgz", ".tar.xz": "txz", ".tar.zst": "tzst", ".tar.bz2": "tbz2", ".tar": "tar",
	} {
		if strings.HasSuffix(file, ending) {
			return format
		}
	}
	return ""
}

// contentOf is what a volume is listed as. Disks are named after what their owner is now.
func (x *tx) contentOf(v *volume) string {
	if v.Content != "rootdir" && v.Content != "images" {
		return v.Content
	}
	if g := x.guests.at(vmidKey(v.VMID)); g != nil && g.Kind == "lxc" {
		return "rootdir"
	}
	return "images"
}

// mayRead decides about a single volume, nil for yes. The rules are those of check_volume_access.
func (x *tx) mayRead(who *identity, s *storage, name volumeName) error {
	at := "/storage/" + s.ID
	switch {
	case x.allowed(who, at, "Datastore.Allocate"):
		return nil
	case name.kind == "vztmpl" || name.kind == "iso" || name.kind == "import":
		return x.checkAny(who, at, "Datastore.AllocateSpace", "Datastore.Audit")
	case name.kind == "backup" && name.vmid != 0:
		return cmp.Or(x.check(who, at, "Datastore.AllocateSpace"), x.check(who, "/vms/"+vmidKey(name.vmid), "VM.Backup"))
	case name.kind == "images" && name.vmid != 0:
		return cmp.Or(x.check(who, at, "Datastore.Audit"), x.check(who, "/vms/"+vmidKey(name.vmid), "VM.Config.Disk"))
	}
	return forbidden("%s", at)
}

// volumesOn returns the volumes of a storage that a node sees, in the order in which they are listed.
func (x *tx) volumesOn(s *storage, node string) []*volume {
	var found []*volume
	for _, v := range x.volumes.rows {
		if v.Storage == s.ID && v.Node == s.home(node) {
			found = append(found, v)
		}
	}
	slices.SortFunc(found, func(a, b *volume) int {
		return strings.Compare(strings.ToLower(a.id()), strings.ToLower(b.id()))
	})
	return found
}

func (x *tx) contentList(c *request) (any, error) {
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	if err == nil {
		err = s.online()
	}
	if err != nil {
		return nil, err
	}
	only, vmid := c.params.Str("content"), c.params.Int("vmid", 0)
	rows := []map[string]any{}
	for _, v := range x.volumesOn(s, c.node) {
		content := x.contentOf(v)
		kind := volumeName{kind: v.Content, vmid: v.VMID}
		if v.Content == "rootdir" {
			kind.kind = "images"
		}
		switch {
		case only != "" && only != content, vmid != 0 && vmid != v.VMID, !s.holds(content) && !s.holds(v.Content),
			x.mayRead(c.who, s, kind) != nil:
			continue
		}
		rows = append(rows, x.contentRow(s, v))
	}
	return rows, nil
}

func (x *tx) contentRow(s *storage, v *volume) map[string]any {
	row := map[string]any{
		"volid": v.id(), "content": x.contentOf(v), "format": v.Format, "size": v.Size, "ctime": v.Created.Unix(),
	}
	if v.VMID != 0 {
		row["vmid"] = v.VMID
	}
	switch v.Content {
	case "rootdir", "images":
		row["used"] = v.Used
		if v.Parent != "" {
			_, row["parent"], _ = strings.Cut(v.Parent, ":")
		} else if s.isDir() {
			row["parent"] = nil
		}
	case "backup":
		if v.Archive != nil {
			row["subtype"] = v.Archive.Kind
		}
		if first, _, _ := strings.Cut(v.Notes, "\n"); first != "" {
			row["notes"] = first
		}
		if v.Protected {
			row["protected"] = 1
		}
	}
	return row
}

// located is what the path of a request names: a volume of a storage, nil when there is none of that name.
type located struct {
	storage *storage
	name    string // on the storage
	volumeName
	volume *volume
}

func (x *tx) locate(c *request) (located, error) {
	sent, id := c.params.Str("volume"), c.params.Str("storage")
	if prefix, _, ok := strings.Cut(sent, ":"); ok && prefix != id && !strings.Contains(prefix, "/") {
		return located{}, badParam("volume", "storage ID mismatch (%s != %s)\n", prefix, id)
	}
	if _, err := x.storageFor(id, c.node); err != nil {
		return located{}, err
	}
	s, name, err := x.parseVolume(id + ":" + strings.TrimPrefix(sent, id+":"))
	if err != nil {
		return located{}, err
	}
	return located{s, name, s.describe(name), x.volume(c.node, id+":"+name)}, nil
}

func (x *tx) contentShow(c *request) (any, error) {
	at, err := x.locate(c)
	if err != nil {
		return nil, err
	}
	if err := x.mayRead(c.who, at.storage, at.volumeName); err != nil {
		return nil, err
	}
	s, v := at.storage, at.volume
	if v == nil {
		return nil, die("volume_size_info on '%s:%s' failed - no format", s.ID, at.name)
	}
	row := map[string]any{
		"path": s.filePath(v), "size": (v.Size + 511) / 512 * 512, "used": (v.Used + 4095) / 4096 * 4096, "format": "raw",
	}
	switch v.Content {
	case "backup":
		row["notes"], row["protected"] = v.Notes, bit(v.Protected)
	case "rootdir", "images":
		row["format"] = v.Format
	}
	return row, nil
}

func (x *tx) contentUpdate(c *request) (any, error) {
	at, err := x.locate(c)
	if err == nil {
		err = x.mayRead(c.who, at.storage, at.volumeName)
	}
	s, v := at.storage, at.volume
	switch {
	case err != nil:
		return nil, err
	case at.kind != "backup" && c.params.Has("notes"):
		return nil, die("only backups can have notes")
	case at.kind != "backup" && c.params.Has("protected"):
		return nil, die("only backups support attribute 'protected'")
	case v == nil:
		return nil, nil // Proxmox writes the file beside an archive that is not there
	}
	if c.params.Bool("protected") && !v.Protected {
		if err := x.mayProtect(c.who, s, v.VMID); err != nil {
			return nil, err
		}
	}
	if c.params.Has("notes") {
		v.Notes = c.params.Str("notes")
	}
	if c.params.Has("protected") {
		v.Protected = c.params.Bool("protected")
	}
	x.touchVolume(v)
	return nil, nil
}

// mayProtect decides whether one more backup of a guest can be protected.
func (x *tx) mayProtect(who *identity, s *storage, vmid int) error {
	limit := 5
	if x.allowed(who, "/storage/"+s.ID, "Datastore.Allocate") {
		limit = -1
	}
	if n, err := strconv.Atoi(s.Options["max-protected-backups"]); err == nil {
		limit = n
	}
	count := 0
	for _, v := range x.volumes.rows {
		if v.Storage == s.ID && v.VMID == vmid && v.Protected {
			count++
		}
	}
	if limit >= 0 && count >= limit {
		return die("The number of protected backups per guest is limited to %d on storage '%s'", limit, s.ID)
	}
	return nil
}

// contentAllocate makes a disk by hand, for any VMID.
func (x *tx) contentAllocate(c *request) (any, error) {
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	if err == nil {
		err = s.online()
	}
	if err != nil {
		return nil, err
	}
	vmid, file := c.params.Int("vmid", 0), c.params.Str("filename")
	v := &volume{
		Storage: s.ID, Node: s.home(c.node), Name: file, Content: "images", Format: c.params.Str("format"), VMID: vmid,
		Size: sizeOf(c.params.Str("size")), Used: 4096, Created: x.now,
	}
	if s.isDir() {
		v.Name = vmidKey(vmid) + "/" + file
	} else if !strings.HasPrefix(file, "vm-"+vmidKey(vmid)+"-") && !strings.HasPrefix(file, "subvol-"+vmidKey(vmid)+"-") {
		return nil, die("illegal name '%s' - should be 'vm-%d-*'", file, vmid)
	}
	v.Format = cmp.Or(v.Format, strings.TrimPrefix(path.Ext(file), "."), s.diskFormat())
	if x.volume(c.node, v.id()) != nil {
		return nil, die("disk image '%s' already exists", s.filePath(v))
	}
	x.putVolume(v)
	return v.id(), nil
}

// sizeOf reads a size in KiB, or with the unit M or G, as bytes.
func sizeOf(text string) int64 {
	unit := int64(1 << 10)
	switch {
	case strings.HasSuffix(text, "M"):
		unit = 1 << 20
	case strings.HasSuffix(text, "G"):
		unit = 1 << 30
	}
	n, _ := strconv.ParseInt(strings.TrimRight(text, "MG"), 10, 64) // the schema wants digits
	return n * unit
}
