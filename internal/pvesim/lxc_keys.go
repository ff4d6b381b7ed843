package pvesim

import (
	"regexp"
	"strings"
	"sync"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

// Texts of what only root@pam itself may do: a token of root@pam may not.
const (
	onlyRootDevices  = "configuring device passthrough is only allowed for root@pam"
	onlyRootHooks    = "changing the hookscript is only allowed for root@pam"
	onlyRootFeatures = "changing feature flags (except nesting) is only allowed for root@pam"
	onlyRootPaths    = "Only root can pass arbitrary filesystem paths. at /usr/share/perl5/PVE/Storage.pm line 651."
)

// change is a set of settings that a caller wants to set or delete on a container.
type change struct {
	vmid         int
	node         string
	pool         string            // rights on it count too
	old          map[string]string // settings in force; nil for a new container
	unprivileged bool
}

// mayChange checks the rights to one setting. Value is nil for a delete.
func (x *tx) mayChange(c *request, ch change, key string, value *string) error {
	if c.who.isRoot() {
		return nil
	}
	switch kind := stem(key); {
	case isDisk(key):
		return x.mayChangeDisk(c, ch, key, value)
	case kind == "unused":
		return x.mayConfig(c, ch, "VM.Config.Disk")
	case kind == "dev":
		return forbidden(onlyRootDevices)
	case key == "hookscript":
		return forbidden(onlyRootHooks)
	case key == "features":
		return x.mayChangeFeatures(c, ch, value)
	case kind == "net":
		if err := x.mayConfig(c, ch, "VM.Config.Network"); err != nil {
			return err
		}
		return x.mayUseBridge(c, ch.old[key], value)
	}
	switch key {
	case "unprivileged":
		return x.mayConfig(c, ch, "VM.Allocate")
	case "memory", "swap":
		return x.mayConfig(c, ch, "VM.Config.Memory")
	case "cores", "cpuunits", "cpulimit":
		return x.mayConfig(c, ch, "VM.Config.CPU")
	case "nameserver", "searchdomain", "hostname":
		return x.mayConfig(c, ch, "VM.Config.Network")
	}
	return x.mayConfig(c, ch, "VM.Config.Options")
}

// mayConfig wants a privilege on the container or its pool.
func (x *tx) mayConfig(c *request, ch change, priv string) error {
	if ch.pool != "" && x.allowed(c.who, "/pool/"+ch.pool, priv) {
		return nil
	}
	return x.check(c.who, "/vms/"+vmidKey(ch.vmid), priv)
}

func (x *tx) mayChangeDisk(c *request, ch change, key string, value *string) error {
	if err := x.mayConfig(c, ch, "VM.Config.Disk"); err != nil || value == nil {
		return err
	}
	if kind := mountKind(volumeOf(*value)); kind != "volume" {
		return forbidden("mount point type %s is only allowed for root@pam", kind)
	}
	return nil
}

// mayChangeFeatures: nesting of an unprivileged container may be switched by who may make containers, all else by root.
func (x *tx) mayChangeFeatures(c *request, ch change, value *string) error {
	old, want := map[string]string{}, map[string]string{}
	if text, ok := ch.old["features"]; ok {
		old = props("features", text)
	}
	if value != nil {
		want = props("features", *value)
	}
	for _, f := range []string{"fuse", "keyctl", "mknod", "mount", "force_rw_sys"} {
		if old[f] != want[f] {
			return forbidden(onlyRootFeatures)
		}
	}
	if !ch.unprivileged {
		return forbidden("changing feature flags for privileged container is only allowed for root@pam")
	}
	return x.mayConfig(c, ch, "VM.Allocate")
}

// mayUseBridge wants the right to use the bridge an interface had and the one it gets.
func (x *tx) mayUseBridge(c *request, old string, value *string) error {
	nics := []string{old}
	if value != nil {
		nics = append(nics, *value)
	}
	for _, text := range nics {
		nic := props("net", text)
		if nic["bridge"] == "" || !x.has(bridgeRights) {
			continue
		}
		path := "/sdn/zones/localnetwork/" + nic["bridge"]
		if nic["tag"] != "" && x.allowed(c.who, path+"/"+nic["tag"], "SDN.Use") {
			continue
		}
		if err := x.check(c.who, path, "SDN.Use"); err != nil {
			return err
		}
	}
	return nil
}

// volumeOf is the volume of a disk's setting.
func volumeOf(text string) string {
	first, _, _ := strings.Cut(text, ",")
	return strings.TrimPrefix(first, "volume=")
}

// mountKind says what a disk's volume is: a volume of a storage, a device of the node, or a bind mount.
func mountKind(volume string) string {
	switch {
	case strings.HasPrefix(volume, "/dev/"):
		return "device"
	case strings.HasPrefix(volume, "/"):
		return "bind"
	}
	return "volume"
}

// newVolume matches the request for a new volume: storage and size in GiB.
var newVolume = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^([^:\s]+):(\d+(?:\.\d+)?)$`) })

// parseNewVolume returns the storage and size in bytes of a volume that is asked for.
func parseNewVolume(volume string) (storage string, size int64, ok bool) {
	m := newVolume().FindStringSubmatch(volume)
	if m == nil {
		return "", 0, false
	}
	size, ok = parseSize(m[2] + "G")
	return m[1], size >> 20 << 20, ok
}

var (
	dirVolume = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:\d+/[^/]+\.(?:raw|qcow2|vmdk|subvol)|(?:iso|backup|snippets|import|rootdir)/.+)$`)
	})
	blockVolume = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^(?:vm|base)-(\d+)-\S+$`) })
	zfsVolume   = sync.OnceValue(func() *regexp.Regexp {
		return regexp.MustCompile(`^(?:(?:base|basevol)-\d+-\S+/)?(?:vm|base|subvol|basevol)-(\d+)-\S+$`)
	})
)

// parseVolume splits the id of an existing volume and holds its name against what its storage allows.
func (x *tx) parseVolume(volid string) (*storage, string, error) {
	id, name, ok := strings.Cut(volid, ":")
	if !ok || id == "" || name == "" {
		return nil, "", die(onlyRootPaths)
	}
	s := x.storages.at(id)
	if s == nil {
		return nil, "", die("storage '%s' does not exist", id)
	}
	valid, kind := false, ""
	switch s.Type {
	case "zfspool":
		valid, kind = zfsVolume().MatchString(name), "zfs"
	case "lvm", "lvmthin":
		valid, kind = blockVolume().MatchString(name), "lvm"
	case "rbd":
		valid, kind = blockVolume().MatchString(name), "rbd"
	default:
		valid, kind = dirVolume().MatchString(name) || x.templateName(name), "directory"
	}
	if !valid {
		return nil, "", die("unable to parse %s volume name '%s'", kind, name)
	}
	return s, name, nil
}

// contentOf is the content type that the name of a volume says.
func contentOf(name string) string {
	kind, _, _ := strings.Cut(name, "/")
	switch kind {
	case "vztmpl", "iso", "backup", "snippets", "import":
		return kind
	}
	return "images"
}

// sshKeys reports whether every line is an SSH public key.
func sshKeys(text string) bool {
	for line := range strings.SplitSeq(text, "\n") {
		fields := strings.Fields(line)
		if len(fields) == 0 || strings.HasPrefix(fields[0], "#") {
			continue
		}
		known := strings.HasPrefix(fields[0], "ssh-") || strings.HasPrefix(fields[0], "ecdsa-") || strings.HasPrefix(fields[0], "sk-")
		if !known || len(fields) < 2 || !strings.HasPrefix(fields[1], "AAAA") {
			return false
		}
	}
	return true
}

// printMount prints a disk's setting.
func printMount(key string, values map[string]string) string {
	if key == "rootfs" {
		return schema.PrintProps("rootfs", values)
	}
	return schema.PrintProps("mp", values)
}

// parseMount parses a disk's setting.
func parseMount(key, text string) map[string]string {
	if key == "rootfs" {
		return props("rootfs", text)
	}
	return props("mp", text)
}
