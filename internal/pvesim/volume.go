package pvesim

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// on reports whether a storage is there for a node.
func (s *storage) on(node string) bool { return len(s.Nodes) == 0 || slices.Contains(s.Nodes, node) }

func (s *storage) holds(content string) bool { return slices.Contains(s.Content, content) }

func (s *storage) content() string { return strings.Join(s.Content, ",") }

// isDir reports whether volumes are files in a directory.
func (s *storage) isDir() bool {
	switch s.Type {
	case "dir", "nfs", "cifs", "cephfs", "btrfs":
		return true
	}
	return false
}

// home is the node part of the keys of a storage's volumes.
func (s *storage) home(node string) string {
	if s.Shared {
		return ""
	}
	return node
}

// usedOn is the space taken on a storage as a node sees it, in bytes.
func (x *tx) usedOn(s *storage, node string) int64 {
	used := int64(0)
	for _, v := range x.volumes.rows {
		if v.Storage == s.ID && v.Node == s.home(node) {
			used += v.Used
		}
	}
	return used
}

// storageFor returns a storage that a node can use now.
func (x *tx) storageFor(id, node string) (*storage, error) {
	s := x.storages.at(id)
	switch {
	case s == nil:
		return nil, die("storage '%s' does not exist", id)
	case s.Disabled:
		return nil, die("storage '%s' is disabled", id)
	case !s.on(node):
		return nil, die("storage '%s' is not available on node '%s'", id, node)
	}
	return s, nil
}

// online is the error of a storage that does not answer.
func (s *storage) online() error {
	switch {
	case !s.Offline:
		return nil
	case s.Type == "nfs" || s.Type == "cifs" || s.Type == "pbs":
		return die("storage '%s' is not online", s.ID)
	}
	return die("unable to activate storage '%s' - directory '%s' does not exist or is unreachable", s.ID, s.Path)
}

// volume returns the volume of an id as a node sees it, or nil.
func (x *tx) volume(node, volid string) *volume {
	id, _, _ := strings.Cut(volid, ":")
	s := x.storages.at(id)
	if s == nil {
		return nil
	}
	return x.volumes.at(volumeKey(s.home(node), volid))
}

// putVolume stores a volume.
func (x *tx) putVolume(v *volume) { x.volumes.put(volumeKey(v.Node, v.id()), v) }

// touchVolume marks a volume as changed.
func (x *tx) touchVolume(v *volume) { x.volumes.touch(volumeKey(v.Node, v.id())) }

// dropVolume removes a volume.
func (x *tx) dropVolume(v *volume) { x.volumes.drop(volumeKey(v.Node, v.id())) }

// diskName makes the name of the nth disk of a container on a storage: prefix is vm or base.
func (s *storage) diskName(prefix string, vmid, n int) string {
	switch {
	case s.Type == "zfspool" && prefix == "base":
		return fmt.Sprintf("basevol-%d-disk-%d", vmid, n)
	case s.Type == "zfspool":
		return fmt.Sprintf("subvol-%d-disk-%d", vmid, n)
	case s.isDir():
		return fmt.Sprintf("%d/%s-%d-disk-%d.raw", vmid, prefix, vmid, n)
	}
	return fmt.Sprintf("%s-%d-disk-%d", prefix, vmid, n)
}

// diskFormat is the format of containers' disks on a storage.
func (s *storage) diskFormat() string {
	if s.Type == "zfspool" {
		return "subvol"
	}
	return "raw"
}

// freeDisk returns the name of a new disk: the lowest number that no disk of the container has on the storage.
func (x *tx) freeDisk(s *storage, node string, vmid int) string {
	for n := 0; ; n++ {
		taken := false
		for _, prefix := range []string{"vm", "base"} {
			name := s.diskName(prefix, vmid, n)
			taken = taken || x.volumes.at(volumeKey(s.home(node), s.ID+":"+name)) != nil
		}
		if !taken {
			return s.diskName("vm", vmid, n)
		}
	}
}

// allocate makes an empty disk for a container.
func (x *tx) allocate(s *storage, node string, vmid int, size int64) (*volume, error) {
	if err := s.online(); err != nil {
		return nil, err
	}
	v := &volume{
		Storage: s.ID, Node: s.home(node), Name: x.freeDisk(s, node, vmid), Content: "rootdir", Format: s.diskFormat(),
		Size: size, VMID: vmid, Created: x.now,
	}
	if s.Type == "lvm" || s.Type == "rbd" {
		v.Used = size
	}
	if x.usedOn(s, node)+v.Used > s.Size || s.Type == "zfspool" && size > s.Size {
		return nil, s.outOfSpace(v)
	}
	x.putVolume(v)
	return v, nil
}

func (s *storage) outOfSpace(v *volume) error {
	switch s.Type {
	case "zfspool":
		return die("zfs error: cannot create '%s/%s': out of space", s.Options["pool"], v.Name)
	case "lvm", "lvmthin":
		return die("lvcreate '%s/%s' error:   Volume group \"%s\" has insufficient free space", s.Options["vgname"], v.Name, s.Options["vgname"])
	}
	return die("unable to create image: No space left on device")
}

// filePath is where a volume lies in the node's file system, as task logs name it.
func (s *storage) filePath(v *volume) string {
	kind, file, _ := strings.Cut(v.Name, "/")
	switch kind {
	case "vztmpl":
		return path.Join(s.Path, "template/cache", file)
	case "iso":
		return path.Join(s.Path, "template/iso", file)
	case "backup":
		return path.Join(s.Path, "dump", file)
	case "snippets", "import":
		return path.Join(s.Path, kind, file)
	}
	switch {
	case s.Type == "btrfs" && v.Format == "raw":
		return path.Join(s.Path, "images", strings.TrimSuffix(v.Name, ".raw"), "disk.raw")
	case s.isDir():
		return path.Join(s.Path, "images", v.Name)
	case s.Type == "zfspool":
		return "/" + path.Join(s.Options["pool"], v.Name)
	}
	return "/dev/" + path.Join(s.Options["vgname"], v.Name)
}

// filesystemLines is what a new disk leaves in a task's log. The numbers are those of ext4 with 4 KiB blocks.
func (x *tx) filesystemLines(s *storage, v *volume) []string {
	var lines []string
	switch {
	case v.Format != "raw":
		return nil
	case s.isDir() && s.Type != "btrfs":
		lines = append(lines, fmt.Sprintf("Formatting '%s', fmt=raw size=%d preallocation=off", s.filePath(v), v.Size))
	case s.Type == "lvm" || s.Type == "lvmthin":
		lines = append(lines, fmt.Sprintf("  Logical volume \"%s\" created.", v.Name))
	}
	fs := ext4Of(v.Size)
	lines = append(lines,
		fmt.Sprintf("Creating filesystem with %d %dk blocks and %d inodes", fs.blocks, fs.blockSize>>10, fs.inodes()),
		"Filesystem UUID: "+x.newUUID())
	if copies := fs.superblocks(); copies != "" {
		lines = append(lines, "Superblock backups stored on blocks: ", "\t"+copies)
	}
	return lines
}

// ext4 is the geometry that mke2fs gives a file system.
type ext4 struct{ blockSize, blocks, first, perInode int64 }

// ext4Of returns the geometry for a size in bytes: below 512 MiB blocks are smaller and inodes denser.
func ext4Of(size int64) ext4 {
	if size < 512<<20 {
		return ext4{blockSize: 1024, blocks: size / 1024, first: 1, perInode: 4096}
	}
	return ext4{blockSize: 4096, blocks: size / 4096, perInode: 16384}
}

func (f ext4) groupSize() int64 { return f.blockSize * 8 }

func (f ext4) groups() int64 { return (f.blocks - f.first + f.groupSize() - 1) / f.groupSize() }

// inodes are spread evenly over the groups, in multiples of eight.
func (f ext4) inodes() int64 {
	all := f.blocks * f.blockSize / f.perInode
	return all / f.groups() / 8 * 8 * f.groups()
}

// superblocks lists where copies of the superblock are: in groups 1 and the powers of 3, 5 and 7.
func (f ext4) superblocks() string {
	var at []int64
	for n := int64(1); n < f.groups(); n++ {
		if n == 1 || isPower(n, 3) || isPower(n, 5) || isPower(n, 7) {
			at = append(at, f.first+n*f.groupSize())
		}
	}
	texts := make([]string, len(at))
	for i, b := range at {
		texts[i] = itoa(b)
	}
	return strings.Join(texts, ", ")
}

func isPower(n, of int64) bool {
	for n > 1 && n%of == 0 {
		n /= of
	}
	return n == 1
}

// templateName reports whether a volume may be a container template by its name.
func (x *tx) templateName(name string) bool {
	switch {
	case strings.HasSuffix(name, ".tar"):
		return x.has(plainTarTemplates) && templateFile().MatchString(name)
	case strings.HasSuffix(name, ".bz2"):
		return x.has(bzip2Templates) && templateFile().MatchString(name)
	}
	return templateFile().MatchString(name)
}

var templateFile = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^vztmpl/([^/]+\.(?:tar\.gz|tar\.xz|tar\.zst|tar\.bz2|tgz|tar))$`)
})

// contentHash stands for the content of a file.
func contentHash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// longHash stands for the checksum of an appliance.
func longHash(text string) string {
	sum := sha512.Sum512([]byte(text))
	return hex.EncodeToString(sum[:])
}
