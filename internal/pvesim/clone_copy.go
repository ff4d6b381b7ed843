package pvesim

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// Contents are what a template's root file system holds, as far as a copy of it tells.
type Contents struct {
	Files     int   `json:"files"`      // regular ones
	Dirs      int   `json:"dirs"`       // the root itself not counted
	Links     int   `json:"links"`      // symbolic ones
	Bytes     int64 `json:"bytes"`      // of the files
	LinkBytes int64 `json:"link_bytes"` // of the links: the length of what they point to
}

// contents of a template that nobody counted are what its size lets expect.
func (s software) contents() Contents {
	if s.Contents != nil {
		return *s.Contents
	}
	n := int(s.Unpacked / (32 << 10))
	return Contents{Files: n, Dirs: n / 8, Links: n / 10, Bytes: s.Unpacked - s.Unpacked/10, LinkBytes: int64(n/10) * 12}
}

// shuffled returns disks in the order in which a copy meets them. Proxmox takes it from a hash, whose order differs each
// time: the copy's volumes are numbered in it, so that its root disk need not be number 0.
func (x *tx) shuffled(config map[string]string) []string {
	keys := diskOrder(config)
	for i := len(keys) - 1; i > 0; i-- {
		j := int(x.random() % uint64(i+1))
		keys[i], keys[j] = keys[j], keys[i]
	}
	return keys
}

// makeMountDirs makes the directories that mount points need on the root disk, as mounting them does.
func (x *tx) makeMountDirs(node string, config map[string]string) {
	root := x.volume(node, volumeOf(config["rootfs"]))
	if root == nil {
		return
	}
	for _, key := range diskOrder(config) {
		path := props("mp", config[key])["mp"]
		if key != "rootfs" && path != "" && !slices.Contains(root.MountDirs, path) {
			root.MountDirs = append(root.MountDirs, path)
			x.touchVolume(root)
		}
	}
}

// copyLines are what rsync says when it has copied a volume: the file system it copies to has its root and lost+found.
func (g *guest) copyLines(key string, from *volume) []string {
	const made = 2
	var c Contents
	if key == "rootfs" {
		c = g.Software.contents()
		c.Dirs += len(from.MountDirs)
	}
	total := c.Bytes + c.LinkBytes
	sent, received := 93+c.Bytes+int64(c.Files+c.Dirs+c.Links)*34, 23+int64(c.Files+c.Dirs+c.Links)*4
	return []string{
		"",
		"Number of files: " + counted(c.Files, c.Dirs+made, c.Links),
		"Number of created files: " + counted(c.Files, c.Dirs, c.Links),
		"Number of deleted files: 0",
		fmt.Sprintf("Number of regular files transferred: %s", thousands(int64(c.Files))),
		fmt.Sprintf("Total file size: %s bytes", thousands(total)),
		fmt.Sprintf("Total transferred file size: %s bytes", thousands(c.Bytes)),
		fmt.Sprintf("Literal data: %s bytes", thousands(c.Bytes)),
		"Matched data: 0 bytes",
		"File list size: 0",
		"File list generation time: 0.001 seconds",
		"File list transfer time: 0.000 seconds",
		"Total bytes sent: " + thousands(sent),
		"Total bytes received: " + thousands(received),
		"",
		fmt.Sprintf("sent %s bytes  received %s bytes  %s.00 bytes/sec", thousands(sent), thousands(received), thousands((sent+received)*2)),
		fmt.Sprintf("total size is %s  speedup is %.2f", thousands(total), float64(total)/float64(sent+received)),
	}
}

// counted is a number of files with its parts.
func counted(files, dirs, links int) string {
	var parts []string
	for _, p := range []struct {
		name string
		n    int
	}{{"reg", files}, {"dir", dirs}, {"link", links}} {
		if p.n > 0 {
			parts = append(parts, p.name+": "+thousands(int64(p.n)))
		}
	}
	sum := thousands(int64(files + dirs + links))
	if len(parts) == 0 {
		return sum
	}
	return sum + " (" + strings.Join(parts, ", ") + ")"
}

// thousands prints a number with commas.
func thousands(n int64) string {
	text := itoa(n)
	for at := len(text) - 3; at > 0; at -= 3 {
		text = text[:at] + "," + text[at:]
	}
	return text
}

// copiedConfig is the configuration that a copy begins with: without disks and with new MAC addresses.
func (x *tx) copiedConfig(c *request, p clonePlan) map[string]string {
	config := map[string]string{}
	for key, value := range p.Config {
		switch {
		case isDisk(key), stem(key) == "unused", key == "lock", key == "parent", key == "template", key == "snaptime":
		case stem(key) == "net":
			nic := props("net", value)
			delete(nic, "hwaddr")
			config[key] = x.normalNet(schema.PrintProps("net", nic))
		default:
			config[key] = value
		}
	}
	for _, key := range []string{"hostname", "description"} {
		if c.params.Has(key) {
			config[key] = normal(key, c.params.Str(key))
		}
	}
	return config
}

// cloneDisk makes the copy of one disk.
func (x *tx) cloneDisk(t *task, p clonePlan) error {
	g, err := x.inTheMaking(t, p.VMID)
	if err != nil {
		return err
	}
	options := parseMount(p.Key, p.Config[p.Key])
	from := x.volume(t.Node, options["volume"])
	if from == nil {
		return die("clone failed: volume '%s' does not exist", options["volume"])
	}
	s, err := x.storageFor(cmp.Or(p.Storage, from.Storage), p.Node)
	if err != nil {
		return die("clone failed: %v", err)
	}
	v, err := x.allocate(s, p.Node, p.VMID, from.Size)
	if err != nil {
		return die("clone failed: %v", err)
	}
	v.Files, v.MountDirs = maps.Clone(from.Files), slices.Clone(from.MountDirs)
	g.Making.Volumes = append(g.Making.Volumes, v.id())
	if p.Full {
		v.Used = from.Used
		t.logf("create full clone of mountpoint %s (%s)", p.Key, from.id())
		t.Log = append(t.Log, x.filesystemLines(s, v)...)
		t.Log = append(t.Log, g.copyLines(p.Key, from)...)
	} else {
		t.logf("create linked clone of mount point %s (%s)", p.Key, from.id())
		x.link(s, from, v)
	}
	options["volume"], options["size"] = v.id(), formatSize(v.Size)
	g.Making.Config[p.Key] = printMount(p.Key, options)
	x.touchGuest(g)
	return nil
}
