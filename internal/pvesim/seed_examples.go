package pvesim

const gib = 1 << 30

// Cluster is an estate of three nodes with the usual kinds of storage, templates, and three guests that belong to somebody
// else.
func Cluster() *Seed {
	seed := Single()
	seed.Nodes = []SeedNode{
		{Node: "pve1", CPUs: 16, Memory: 64 * gib},
		{Node: "pve2", CPUs: 16, Memory: 64 * gib},
		{Node: "pve3", CPUs: 8, Memory: 32 * gib},
	}
	seed.Storages = append(seed.Storages[:2],
		SeedStorage{Storage: "nvme", Type: "zfspool", Content: "images,rootdir", Size: 1024 * gib,
			Options: map[string]string{"pool": "nvme", "sparse": "1"}},
		SeedStorage{
			Storage: "backup", Type: "nfs", Content: "backup,iso", Path: "/mnt/pve/backup", Shared: true, Size: 4096 * gib,
			Options: map[string]string{"server": "192.0.2.10", "export": "/srv/backup"},
		},
	)
	seed.Bridges = append(seed.Bridges, "vmbr1")
	seed.Guests = []SeedGuest{
		{VMID: 100, Node: "pve1", Running: true, Config: map[string]string{
			"arch": "amd64", "ostype": "debian", "hostname": "dns", "memory": "512", "swap": "512", "cores": "1", "unprivileged": "1",
			"description": "Pi-hole of the house.\nAsk the family before touching it.\n", "tags": "dns;family", "onboot": "1",
			"rootfs": "local-lvm:vm-100-disk-0,size=4G",
			"net0":   "name=eth0,bridge=vmbr0,gw=192.0.2.1,hwaddr=BC:24:11:5A:10:0A,ip=192.0.2.53/24,type=veth",
		}},
		{VMID: 101, Node: "pve2", Config: map[string]string{
			"arch": "amd64", "ostype": "ubuntu", "hostname": "wiki-old", "memory": "2048", "swap": "512", "cores": "2",
			"unprivileged": "1", "rootfs": "nvme:subvol-101-disk-0,size=16G", "tags": "archive",
			"net0": "name=eth0,bridge=vmbr0,hwaddr=BC:24:11:5A:10:0B,ip=dhcp,type=veth",
		}},
		{VMID: 102, Type: "qemu", Node: "pve3", Running: true, Config: map[string]string{
			"name": "homeassistant", "memory": "4096", "cores": "2", "ostype": "l26", "scsihw": "virtio-scsi-single",
			"scsi0": "local-lvm:vm-102-disk-0,size=32G", "net0": "virtio=BC:24:11:5A:10:0C,bridge=vmbr0", "boot": "order=scsi0",
		}},
	}
	return seed
}

// Single is an estate of one node.
func Single() *Seed {
	return &Seed{
		Nodes: []SeedNode{{Node: "pve", CPUs: 8, Memory: 32 * gib}},
		Storages: []SeedStorage{
			{Storage: "local", Type: "dir", Content: "backup,import,iso,snippets,vztmpl", Path: "/var/lib/vz", Size: 100 * gib},
			{
				Storage: "local-lvm", Type: "lvmthin", Content: "images,rootdir", Size: 400 * gib, LockSeconds: 0.4,
				Options: map[string]string{"vgname": "pve", "thinpool": "data"},
			},
			{Storage: "backup", Type: "dir", Content: "backup", Path: "/mnt/backup", Size: 1024 * gib},
		},
		Templates:  exampleTemplates(),
		Appliances: exampleAppliances(),
		Bridges:    []string{"vmbr0"},
		Notes:      map[string]string{"vmbr0": "192.0.2.2/24"},
	}
}

func exampleTemplates() []SeedTemplate {
	var all []SeedTemplate
	for _, a := range exampleAppliances()[:4] {
		format := "tzst"
		if a.Software.OSType == "alpine" {
			format = "txz"
		}
		all = append(all, SeedTemplate{
			VolID: "local:vztmpl/" + a.Template, Size: a.Size, Format: format, OSType: a.Software.OSType, Arch: "amd64",
			ReactsToShutdown: true, WantsNesting: a.Software.WantsNesting, UnpackedBytes: a.Software.Unpacked,
		})
	}
	return all
}

func exampleAppliances() []appliance {
	systemd := func(ostype string) software {
		return software{OSType: ostype, Arch: "amd64", WantsNesting: true, Unpacked: 480 << 20}
	}
	entry := func(file, name, version, os string, size int64, facts software) appliance {
		return appliance{
			Template: file, Package: name, Version: version, OS: os, Section: "system", Headline: name,
			Source: "http://download.proxmox.com/images/system/" + file, Size: size, Software: facts,
			SHA512: longHash(file),
		}
	}
	alpine := software{OSType: "alpine", Arch: "amd64", Unpacked: 9 << 20}
	return []appliance{
		entry("debian-13-standard_13.1-2_amd64.tar.zst", "debian-13-standard", "13.1-2", "debian-13", 129<<20, systemd("debian")),
		entry("debian-12-standard_12.12-1_amd64.tar.zst", "debian-12-standard", "12.12-1", "debian-12", 124<<20, systemd("debian")),
		entry("ubuntu-24.04-standard_24.04-2_amd64.tar.zst", "ubuntu-24.04-standard", "24.04-2", "ubuntu-24.04", 135<<20, systemd("ubuntu")),
		entry("alpine-3.22-default_20250617_amd64.tar.xz", "alpine-3.22-default", "20250617", "alpine", 3<<20, alpine),
		entry("ubuntu-22.04-standard_22.04-1_amd64.tar.zst", "ubuntu-22.04-standard", "22.04-1", "ubuntu-22.04", 124<<20, systemd("ubuntu")),
		entry("fedora-42-default_20250428_amd64.tar.xz", "fedora-42-default", "20250428", "fedora", 98<<20, systemd("fedora")),
		entry("rockylinux-9-default_20240912_amd64.tar.xz", "rockylinux-9-default", "20240912", "centos", 92<<20, systemd("centos")),
		entry("archlinux-base_20250813-1_amd64.tar.zst", "archlinux-base", "20250813-1", "archlinux", 154<<20, systemd("archlinux")),
	}
}
