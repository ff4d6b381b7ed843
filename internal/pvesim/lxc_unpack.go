package pvesim

import (
	"fmt"
	"strings"

	"github.com/proximity-cli/proximity/internal/pvesim/schema"
)

type unpackPlan struct {
	VMID     int
	Template string
	Arch     bool // the architecture was given
	OSType   string
	Limit    int // KiB per second, 0 for none
}

// unpack begins to fill the root disk of a container that is being made.
func (x *tx) unpack(t *task, p unpackPlan) error {
	g, err := x.inTheMaking(t, p.VMID)
	if err != nil {
		return err
	}
	template := x.volume(t.Node, p.Template)
	if template == nil {
		t.logf("volume '%s' does not exist", p.Template)
		return die("%svolume '%s' does not exist", t.Doing, p.Template)
	}
	t.logf("extracting archive '%s'", x.storages.at(template.Storage).filePath(template))
	t.Doing += fmt.Sprintf("command '%s' failed: ", unpackCommand(p, template))
	if template.Software == nil {
		t.logf("%s: (stdin): File format not recognized", packerOf(template))
		t.logf("tar: Child returned status 1")
		t.logf("tar: Error is not recoverable: exiting now")
		return die("%sexit code 2", t.Doing)
	}
	root := x.volume(t.Node, volumeOf(g.Making.Config["rootfs"]))
	if root != nil && template.Software.Unpacked > root.Size {
		t.logf("tar: write error: No space left on device")
		return die("%sexit code 2", t.Doing)
	}
	return nil
}

// unpackCommand is the command that errors of unpacking name.
func unpackCommand(p unpackPlan, template *volume) string {
	packer := map[string]string{"tzst": "--zstd ", "txz": "-J ", "tgz": "-z ", "tbz2": "-j "}[template.Format]
	command := fmt.Sprintf("lxc-usernsexec -m u:0:100000:65536 -m g:0:100000:65536 -- tar xpf - %s--totals "+
		"--one-file-system -p --sparse --numeric-owner --acls --xattrs '--xattrs-include=user.*' "+
		"'--xattrs-include=security.capability' '--warning=no-file-ignored' '--warning=no-xattr-write' -C /var/lib/lxc/%d/rootfs "+
		"--skip-old-files --anchored --exclude './dev/*'", packer, p.VMID)
	if p.Limit > 0 {
		command = fmt.Sprintf("set -o pipefail && cstream -t %d | %s", p.Limit*1024, command)
	}
	return command
}

// unpacked ends what unpack began: it looks at what the template holds and sets the container up.
func (x *tx) unpacked(t *task, p unpackPlan) error {
	g, err := x.inTheMaking(t, p.VMID)
	if err != nil {
		return err
	}
	t.Doing = "unable to create CT " + t.ID + " - "
	template := x.volume(t.Node, p.Template)
	if template == nil {
		return die("%svolume '%s' does not exist", t.Doing, p.Template)
	}
	facts := *template.Software
	t.logf("Total bytes read: %d (%.1fMiB, 300MiB/s)", facts.Unpacked, float64(facts.Unpacked)/(1<<20))
	g.Software = facts
	x.setUp(t, p, g)
	if root := x.volume(t.Node, volumeOf(g.Making.Config["rootfs"])); root != nil {
		root.Used = facts.Unpacked
		root.Files = map[string]string{"/etc/os-release": contentHash(p.Template)}
		x.touchVolume(root)
		x.makeMountDirs(t.Node, g.Making.Config)
	}
	x.warnNesting(t, facts, g.Making.Config)
	x.touchGuest(g)
	return nil
}

// setUp fits the settings to what the template holds.
func (x *tx) setUp(t *task, p unpackPlan, g *guest) {
	config, facts := g.Making.Config, g.Software
	if !p.Arch {
		t.logf("Detected container architecture: %s", facts.Arch)
		config["arch"] = facts.Arch
	}
	if p.OSType == "" {
		config["ostype"] = facts.OSType
	}
	zone := config["timezone"]
	if zone == "host" {
		zone = timezone
	}
	if zone != "" && facts.OSType == "alpine" {
		t.logf("container does not have /usr/share/zoneinfo/%s, timezone can not be modified", zone)
	}
	if facts.OCI != nil {
		facts.OCI.configure(config)
	}
}

// warnNesting warns of a container with systemd that needs nesting and does not have it.
func (x *tx) warnNesting(t *task, facts software, config map[string]string) {
	if facts.WantsNesting && x.has(nestingWarnings) && config["unprivileged"] == "1" && props("features", config["features"])["nesting"] != "1" {
		systemd := facts.Systemd
		if systemd == 0 {
			systemd = 252
		}
		t.warnf("Systemd %d detected. You may need to enable nesting.", systemd)
	}
}

// configure puts what an OCI image says over the settings of its container.
func (i *image) configure(config map[string]string) {
	if len(i.Env) > 0 {
		config["env"] = strings.Join(i.Env, "\x00")
	}
	if i.Entrypoint == "" || strings.HasPrefix(i.Entrypoint, "/sbin/init") {
		return
	}
	config["entrypoint"], config["cmode"] = i.Entrypoint, "console"
	for key, text := range config {
		if stem(key) == "net" {
			nic := props("net", text)
			if nic["host-managed"] == "" {
				nic["host-managed"] = "1"
			}
			config[key] = schema.PrintProps("net", nic)
		}
	}
}
