package pvesim

import (
	"fmt"
	"strings"
	"time"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

type resizePlan struct {
	VMID int
	Disk string
	Size string // as asked for
}

// resizeDisk grows a disk. Sizes are checked at once and again in the task.
func (x *tx) resizeDisk(c *request) (any, error) {
	g, err := x.container(c)
	if err != nil {
		return nil, err
	}
	p := resizePlan{VMID: c.vmid, Disk: c.params.Str("disk"), Size: c.params.Str("size")}
	if err := g.unlocked(); err != nil {
		return nil, err
	}
	if err := g.unmodified(c); err != nil {
		return nil, err
	}
	v, _, err := x.resizable(g, p)
	if err != nil {
		return nil, err
	}
	if err := x.check(c.who, "/storage/"+v.Storage, "Datastore.AllocateSpace"); err != nil {
		return nil, err
	}
	steps := []step{powerLock(c.vmid), call("ct.resize", p).after(300 * time.Millisecond)}
	return x.spawn(c, "resize", vmidKey(c.vmid), steps...), nil
}

// resizable returns the volume of a disk and the size in bytes that it is to have.
func (x *tx) resizable(g *guest, p resizePlan) (*volume, int64, error) {
	text, there := g.Config[p.Disk]
	if !there {
		return nil, 0, x.unsetDisk(p.Disk)
	}
	volid := volumeOf(text)
	if mountKind(volid) != "volume" {
		return nil, 0, die("can't resize mount point of type '%s'", mountKind(volid))
	}
	if owner := ownerOf(volid); owner != vmidKey(g.VMID) {
		return nil, 0, die("can't resize mount point owned by another container (%s)", owner)
	}
	v := x.volume(g.Node, volid)
	if v == nil {
		return nil, 0, die("volume '%s' does not exist", volid)
	}
	size, _ := parseSize(strings.TrimPrefix(p.Size, "+")) // the schema allows sizes only
	if strings.HasPrefix(p.Size, "+") {
		size += v.Size
	}
	switch {
	case size < v.Size:
		return nil, 0, die("unable to shrink disk size")
	case size == v.Size:
		return nil, 0, die("disk is already at specified size")
	}
	return v, size, nil
}

// unsetDisk is what comes of reading a setting that is not there as a property string.
func (x *tx) unsetDisk(key string) error {
	missing := map[string]string{"volume": "property is missing and it is not optional"}
	if key != "rootfs" {
		missing["mp"] = missing["volume"]
	}
	return &apiError{status: 500, message: "format error", errors: missing}
}

// biggestFile is the size in bytes above which the file systems of the simulated nodes hold no file.
const biggestFile = 16 << 40

// cannotGrow is what qemu-img says of a volume that cannot have a size, "" for nothing. Volumes of templates are read-only.
func (s *storage) cannotGrow(v *volume, size int64) string {
	switch {
	case size > biggestFile:
		return "Could not resize file: File too large"
	case s.Type == "btrfs" && strings.Contains(v.Name, "/base-"):
		could := fmt.Sprintf("Could not open '%s': ", s.filePath(v))
		return could + could + "Read-only file system"
	}
	return ""
}

func (x *tx) resizeNow(t *task, p resizePlan) error {
	g, err := x.containerOn(t.Node, p.VMID)
	if err != nil {
		return err
	}
	if err := g.unlocked(); err != nil {
		return err
	}
	v, size, err := x.resizable(g, p)
	if err != nil {
		return err
	}
	s := x.storages.at(v.Storage)
	if trouble := s.cannotGrow(v, size); trouble != "" {
		t.logf("qemu-img: %s", trouble)
		return die("command '/usr/bin/qemu-img resize '--preallocation=off' -f raw %s %d' failed: exit code 1", s.filePath(v), size)
	}
	x.changed(g)
	old := v.Size
	v.Size = size
	x.touchVolume(v)
	mount := parseMount(p.Disk, g.Config[p.Disk])
	mount["size"] = formatSize(size)
	g.Config[p.Disk] = schema.PrintProps(diskFormatName(p.Disk), mount)
	t.logf("Image resized.")
	if !g.Running && v.Format == "raw" {
		t.Log = append(t.Log, checkLines(s.filePath(v), old, size)...)
	}
	return nil
}

func diskFormatName(key string) string {
	if key == "rootfs" {
		return "rootfs"
	}
	return "mp"
}

// checkLines is what checking and growing the file system of a stopped container says.
func checkLines(path string, old, size int64) []string {
	blocks := size / 4096
	return []string{
		"e2fsck 1.47.0 (5-Feb-2023)",
		"Pass 1: Checking inodes, blocks, and sizes",
		"Pass 2: Checking directory structure",
		"Pass 3: Checking directory connectivity",
		"Pass 4: Checking reference counts",
		"Pass 5: Checking group summary information",
		fmt.Sprintf("%s: 311/%d files (0.0%% non-contiguous), %d/%d blocks", path, ext4Of(old).inodes(), old/4096/20, old/4096),
		"resize2fs 1.47.0 (5-Feb-2023)",
		fmt.Sprintf("Resizing the filesystem on %s to %d (4k) blocks.", path, blocks),
		fmt.Sprintf("The filesystem on %s is now %d (4k) blocks long.", path, blocks),
		"",
	}
}
