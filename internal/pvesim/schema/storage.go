package schema

import "slices"

func storageMethods() []*Method {
	const list, one = "/storage", "/storage/{storage}"
	write := allowed("/storage", "Datastore.Allocate")
	return []*Method{
		get(list, anybody(), params{"type": storageType()}),
		post(list, write, merge(storageOptions(), storageIdentity())).root(),
		get(one, allowed("/storage/{storage}", "Datastore.Allocate"), nil),
		put(one, write, merge(storageOptions(), params{
			"delete": text().as("pve-configid-list").most(4096),
			"digest": text().most(64),
		})).root(),
		del(one, write, nil).root(),
	}
}

func storageType() *Param {
	const gluster = "glusterfs" // the last release that has it is 8.4
	types := []string{"btrfs", "cephfs", "cifs", "dir", "esxi", "iscsi", "iscsidirect", "lvm", "lvmthin", "nfs", "pbs", "rbd", "zfs", "zfspool"}
	at := slices.Index(types, "iscsi")
	return choice(types...).before(900, choice(slices.Insert(slices.Clone(types), at, gluster)...))
}

// storageIdentity is what a storage is given at its creation only.
func storageIdentity() params {
	return params{
		"authsupported": text(),
		"base":          text().as("pve-volume-id"),
		"datastore":     text(),
		"export":        path(),
		"iscsiprovider": text(),
		"path":          path(),
		"portal":        text().as("pve-storage-portal-dns"),
		"share":         text(),
		"storage":       req(text().as("pve-storage-id")),
		"target":        text(),
		"thinpool":      text().as("pve-storage-vgname"),
		"type":          req(storageType()),
		"vgname":        text().as("pve-storage-vgname"),
	}
}

func path() *Param { return text().as("pve-storage-path") }

// storageOptions are what creation and update of a storage take, of all types of storage together.
func storageOptions() params {
	return merge(anyStorage(), blockStorage(), remoteStorage())
}

// anyStorage are the options of directories and those that all types share.
func anyStorage() params {
	return params{
		"bwlimit":                  props(bandwidthLine()),
		"content":                  text().as("pve-storage-content-list"),
		"content-dirs":             text().as("pve-dir-override-list"),
		"create-base-path":         flag().or("yes"),
		"create-subdirs":           flag().or("yes"),
		"disable":                  flag(),
		"format":                   choice("raw", "qcow2", "subvol", "vmdk"),
		"is_mountpoint":            text().or("no"),
		"maxfiles":                 integer().min(0).until(900),
		"max-protected-backups":    integer().min(-1).or("Unlimited for users with Datastore.Allocate privilege, 5 for other users"),
		"mkdir":                    flag().or("yes"),
		"nodes":                    text().as("pve-node-list"),
		"preallocation":            choice("off", "metadata", "falloc", "full").or("metadata"),
		"prune-backups":            text().as("prune-backups"),
		"shared":                   flag(),
		"snapshot-as-volume-chain": flag().or("0"),
	}
}

// blockStorage are the options of local file systems and volume managers.
func blockStorage() params {
	return params{
		"blocksize":             text(),
		"comstar_hg":            text(),
		"comstar_tg":            text(),
		"lio_tpg":               text(),
		"mountpoint":            path(),
		"nocow":                 flag().or("0"),
		"nowritecache":          flag(),
		"pool":                  text(),
		"saferemove":            flag(),
		"saferemove-stepsize":   integer().among("1", "2", "4", "8", "16", "32").or("32").since(901),
		"saferemove_throughput": text(),
		"sparse":                flag(),
		"tagged_only":           flag(),
		"zfs-base-path":         path(),
	}
}

// remoteStorage are the options of storages behind a network.
func remoteStorage() params {
	return params{
		"data-pool":              text(),
		"domain":                 text().most(256),
		"encryption-key":         text(),
		"fingerprint":            text().like(`([A-Fa-f0-9]{2}:){31}[A-Fa-f0-9]{2}`),
		"fs-name":                configID(),
		"fuse":                   flag(),
		"keyring":                text(),
		"krbd":                   flag().or("0"),
		"master-pubkey":          text(),
		"monhost":                text().as("pve-storage-portal-dns-list"),
		"namespace":              text(),
		"options":                text().as("pve-storage-options"),
		"password":               text().most(256),
		"port":                   integer().min(1).max(65535),
		"server":                 text().as("pve-storage-server"),
		"server2":                text().as("pve-storage-server").until(900),
		"skip-cert-verification": flag().or("false"),
		"smbversion":             choice("default", "2.0", "2.1", "3", "3.0", "3.11").or("default"),
		"subdir":                 path(),
		"transport":              choice("tcp", "rdma", "unix").until(900),
		"username":               text(),
		"volume":                 text().until(900),
	}
}

func bandwidthLine() *Props {
	p := keys(params{})
	for _, operation := range []string{"clone", "default", "migration", "move", "restore"} {
		p.Keys[operation] = number().min(0)
	}
	return p
}

const (
	nodeStorages = "/nodes/{node}/storage"
	nodeStorage  = "/nodes/{node}/storage/{storage}"
)

func nodeStorageMethods() []*Method {
	return slices.Concat(storageReads(), contentMethods(), downloadMethods())
}

func mayLookAt() *Permission {
	return anyOf("/storage/{storage}", "Datastore.Audit", "Datastore.AllocateSpace")
}

func storageReads() []*Method {
	prune := params{
		"prune-backups": text().as("prune-backups"),
		"type":          choice("qemu", "lxc"),
		"vmid":          vmid(),
	}
	return []*Method{
		get(nodeStorages, anybody(), params{
			"content": text().as("pve-storage-content-list"),
			"enabled": flag().or("0"),
			"format":  flag().or("0"),
			"storage": text().as("pve-storage-id"),
			"target":  text().as("pve-node"),
		}).root().onNode(),
		get(nodeStorage, mayLookAt(), nil),
		get(nodeStorage+"/status", mayLookAt(), nil).root().onNode(),
		get(nodeStorage+"/rrddata", mayLookAt(), rrd()).root().onNode(),
		get(nodeStorage+"/prunebackups", mayLookAt(), prune).root().onNode(),
		del(nodeStorage+"/prunebackups", anybody(), prune).root().onNode(),
	}
}

func contentMethods() []*Method {
	const list, one = nodeStorage + "/content", nodeStorage + "/content/{volume}"
	// The storage in the path is not required here: the volume names it.
	volume := func(more params) params {
		return merge(params{"storage": text().as("pve-storage-id")}, more)
	}
	return []*Method{
		get(list, mayLookAt(), params{"content": text().as("pve-storage-content"), "vmid": vmid()}).root().onNode(),
		post(list, allowed("/storage/{storage}", "Datastore.AllocateSpace"), params{
			"filename": req(text()),
			"format":   choice("raw", "qcow2", "subvol", "vmdk").needs("size"),
			"size":     req(text().like(`\d+[MG]?`)),
			"vmid":     req(vmid()),
		}).root().onNode(),
		get(one, anybody(), volume(nil)).root().onNode(),
		post(one, nil, volume(params{"target": req(text()), "target_node": text().as("pve-node")})).root().onNode(),
		put(one, anybody(), volume(params{"notes": text(), "protected": flag()})).root().onNode(),
		del(one, anybody(), volume(params{"delay": integer().min(1).max(30)})).root().onNode(),
	}
}

func downloadMethods() []*Method {
	file := params{
		"checksum":           text().needs("checksum-algorithm"),
		"checksum-algorithm": choice("md5", "sha1", "sha224", "sha256", "sha384", "sha512").needs("checksum"),
		"content": req(choice("iso", "vztmpl", "import").as("pve-storage-content").
			before(803, req(choice("iso", "vztmpl").as("pve-storage-content")))),
		"filename": req(text().most(255)),
	}
	fill := priv("/storage/{storage}", "Datastore.AllocateTemplate")
	reachOut := priv("/nodes/{node}", "Sys.AccessNetwork")
	return []*Method{
		post(nodeStorage+"/upload", when(fill), merge(file, params{
			"tmpfilename": text().like(`/var/tmp/pveupload-[0-9a-f]+`),
		})).root(),
		post(nodeStorage+"/download-url", when(both(fill, mayQueryURL())), merge(file, params{
			"compression":         text(),
			"url":                 req(text().like(`https?://.*`)),
			"verify-certificates": flag().or("1"),
		})).root().onNode(),
		post(nodeStorage+"/oci-registry-pull", when(both(fill, reachOut)), params{
			"filename":  text().least(1).most(255),
			"reference": req(text().like(`^` + ociRepository + `:\w[\w.-]{0,127}$`)),
		}).root().onNode().since(901),
	}
}

// ociRepository is a repository of container images: [host[:port]/]name/name.
const (
	ociHost       = `(?:[a-zA-Z\d]|[a-zA-Z\d][a-zA-Z\d-]*[a-zA-Z\d])`
	ociName       = `[a-z\d]+(?:(?:[._]|__|[-]*)[a-z\d]+)*`
	ociRepository = `(?:` + ociHost + `(?:\.` + ociHost + `)*(?::\d+)?/)?` + ociName + `(?:/` + ociName + `)*`
)

// mayQueryURL is the right to make the node fetch something.
func mayQueryURL() *Check {
	return either(priv("/", "Sys.Audit", "Sys.Modify"), priv("/nodes/{node}", "Sys.AccessNetwork").from(801))
}
