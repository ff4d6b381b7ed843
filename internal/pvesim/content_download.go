package pvesim

import (
	"fmt"
	"hash/fnv"
	"net/url"
	"path"
	"strings"
	"time"
)

func downloadHandlers() map[string]handler {
	const at = "/nodes/{node}/storage/{storage}"
	return map[string]handler{
		"POST " + at + "/upload":                (*tx).upload,
		"POST " + at + "/download-url":          (*tx).downloadURL,
		"POST " + at + "/oci-registry-pull":     (*tx).pullImage,
		"GET /nodes/{node}/aplinfo":             (*tx).appliances,
		"POST /nodes/{node}/aplinfo":            (*tx).downloadAppliance,
		"GET /nodes/{node}/query-oci-repo-tags": (*tx).imageTags,
		"GET /nodes/{node}/query-url-metadata":  (*tx).urlMetadata,
	}
}

func downloadEffects() map[string]effect {
	return map[string]effect{
		"content.import":   effectOf((*tx).importFile),
		"content.download": effectOf((*tx).finishDownload),
		"content.pull":     effectOf((*tx).finishPull),
	}
}

// The outside world, as far as the simulator has one: each URL and each image is there, and its content and size depend
// on its name alone. Hosts below .invalid cannot be found; an image whose name contains "no-such" is not in its registry.

// remoteSize is the size of what lies at an address, between 20 and 220 MiB.
func remoteSize(address string) int64 {
	h := fnv.New32a()
	h.Write([]byte(address))
	return int64(20+h.Sum32()%200) << 20
}

// downloadTime is how long a download takes, at some 80 MiB a second.
func downloadTime(size int64) time.Duration { return seconds(0.5 + float64(size)/(80<<20)) }

func unreachable(address string) bool {
	u, err := url.Parse(address)
	return err != nil || strings.HasSuffix(u.Hostname(), ".invalid")
}

// remoteSum is the checksum of what lies at a URL: that of an appliance is the index's, any other that of its address.
func (x *tx) remoteSum(address, algorithm string) string {
	for _, a := range x.appliance.all() {
		if a.Source == address && algorithm == "sha512" {
			return a.SHA512
		}
	}
	return checksum(algorithm, []byte(address))
}

// fetching is a download on its way.
type fetching struct {
	Volume          *volume
	URL             string
	Algorithm, Want string
}

func (x *tx) downloadURL(c *request) (any, error) {
	content, name := c.params.Str("content"), normalName(c.params.Str("filename"))
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	switch {
	case err != nil:
		return nil, err
	case s.Path == "":
		return nil, die("can't upload to storage type '%s'", s.Type)
	case !x.goodEnding(content, name):
		return nil, badParam("filename", "wrong file extension")
	case !s.holds(content):
		return nil, die("storage '%s' is not configured for content-type '%s'", s.ID, content)
	}
	address := c.params.Str("url")
	facts := distribution(name)
	size := remoteSize(address)
	facts.Unpacked = 3 * size
	v := &volume{
		Storage: s.ID, Node: s.home(c.node), Name: content + "/" + name, Content: content, Format: fileFormat(content, name),
		Size: size, Used: size, Software: &facts, Sum: x.remoteSum(address, "sha256"),
	}
	f := fetching{Volume: v, URL: address, Algorithm: c.params.Str("checksum-algorithm"), Want: c.params.Str("checksum")}
	return x.spawn(c, "download", name, call("content.download", f).after(downloadTime(size))), nil
}

func (x *tx) finishDownload(t *task, f fetching) error {
	s, err := x.storageFor(f.Volume.Storage, t.Node)
	if err != nil {
		return err
	}
	target := s.filePath(f.Volume)
	t.logf("downloading %s to %s", f.URL, target)
	if x.volume(t.Node, f.Volume.id()) != nil {
		if f.Algorithm == "" {
			return fmt.Errorf("refusing to override existing file '%s'", target)
		}
		t.logf("file already exists with correct checksum, skipping download")
		return nil
	}
	if unreachable(f.URL) {
		return fmt.Errorf("download failed: 500 Can't connect to %s (Name or service not known)", f.URL)
	}
	if got := x.remoteSum(f.URL, f.Algorithm); f.Algorithm != "" && !strings.EqualFold(got, f.Want) {
		return fmt.Errorf("checksum mismatch: got '%s' != expect '%s'", got, f.Want)
	}
	if err := x.store(s, f.Volume); err != nil {
		return err
	}
	t.logf("download of '%s' to '%s' finished", f.URL, target)
	return nil
}

func (x *tx) appliances(*request) (any, error) {
	rows := []map[string]any{}
	for _, a := range x.appliance.all() {
		rows = append(rows, map[string]any{
			"template": a.Template, "package": a.Package, "version": a.Version, "type": "lxc", "os": a.OS, "section": a.Section,
			"headline": a.Headline, "description": a.Headline, "architecture": a.Software.Arch,
			"location": a.Source, "source": "https://download.proxmox.com/images",
			"infopage": "https://pve.proxmox.com/wiki/Linux_Container", "maintainer": "Proxmox Support Team <support@proxmox.com>",
			"sha512sum": a.SHA512, "md5sum": checksum("md5", []byte(a.Template)),
		})
	}
	return rows, nil
}

func (x *tx) downloadAppliance(c *request) (any, error) {
	a := x.appliance.at(c.params.Str("template"))
	if a == nil {
		return nil, badParam("template", "no such template")
	}
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	switch {
	case err != nil:
		return nil, err
	case !s.holds("vztmpl") || s.Path == "":
		return nil, die("storage '%s' does not support templates", s.ID)
	}
	facts := a.Software
	v := &volume{
		Storage: s.ID, Node: s.home(c.node), Name: "vztmpl/" + a.Template, Content: "vztmpl", Format: fileFormat("vztmpl", a.Template),
		Size: a.Size, Used: a.Size, Software: &facts, Sum: a.SHA512,
	}
	f := fetching{Volume: v, URL: a.Source, Algorithm: "sha512", Want: a.SHA512}
	work := call("content.download", f)
	if x.volume(c.node, v.id()) == nil {
		work = work.after(downloadTime(a.Size))
	}
	return x.spawn(c, "download", a.Template, work), nil
}

// urlMetadata tells what a download would bring.
func (x *tx) urlMetadata(c *request) (any, error) {
	address := c.params.Str("url")
	if unreachable(address) {
		return nil, die("invalid server response: '500 Can't connect to %s (Name or service not known)'", address)
	}
	u, err := url.Parse(address)
	if err != nil {
		return nil, die("invalid URL '%s'", address)
	}
	return map[string]any{
		"filename": path.Base(u.Path), "size": remoteSize(address), "mimetype": "application/octet-stream",
	}, nil
}

func (x *tx) imageTags(c *request) (any, error) {
	reference := c.params.Str("reference")
	if noSuchImage(reference) {
		return nil, die("skopeo: Error listing repository tags: fetching tags list: name unknown")
	}
	return []string{"1", "1.27", "1.27-alpine", "2", "2.0", "latest", "stable"}, nil
}

func noSuchImage(reference string) bool {
	host, _, _ := strings.Cut(reference, "/")
	return strings.Contains(reference, "no-such") || strings.HasSuffix(host, ".invalid")
}

// pullImage fetches an image from a registry. It becomes a template whose name ends in .tar, whatever name was asked for.
func (x *tx) pullImage(c *request) (any, error) {
	reference := c.params.Str("reference")
	name := c.params.Str("filename")
	if name == "" {
		name = strings.ReplaceAll(path.Base(reference), ":", "_")
	}
	name = normalName(name) + ".tar"
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	switch {
	case err != nil:
		return nil, err
	case s.Path == "" || !s.holds("vztmpl"):
		return nil, die("storage '%s' is not configured for content-type 'vztmpl'", s.ID)
	}
	size := remoteSize(reference)
	facts := imageSoftware(reference)
	facts.Unpacked = 3 * size
	v := &volume{
		Storage: s.ID, Node: s.home(c.node), Name: "vztmpl/" + name, Content: "vztmpl", Format: "tar",
		Size: size, Used: size, Software: &facts, Sum: contentHash(reference),
	}
	if x.volume(c.node, v.id()) != nil {
		return nil, die("refusing to override existing file '%s'", name)
	}
	work := call("content.pull", fetching{Volume: v, URL: reference}).after(downloadTime(size))
	return x.spawn(c, "ociregistrypull", name, work), nil
}

// imageSoftware makes up the configuration of an image: it runs a program called like its repository.
func imageSoftware(reference string) software {
	name, tag, _ := strings.Cut(path.Base(reference), ":")
	facts := distribution(tag)
	if facts.OSType == "unmanaged" {
		facts.OSType = "debian"
	}
	facts.WantsNesting = false
	facts.OCI = &image{
		Entrypoint: "/docker-entrypoint.sh " + name,
		Env: []string{
			"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
			strings.ToUpper(strings.ReplaceAll(name, "-", "_")) + "_VERSION=" + tag,
		},
		WorkDir: "/srv/" + name,
	}
	return facts
}

func (x *tx) finishPull(t *task, f fetching) error {
	s, err := x.storageFor(f.Volume.Storage, t.Node)
	if err != nil {
		return err
	}
	t.logf("pulling image %s", f.URL)
	if noSuchImage(f.URL) {
		t.logf("level=fatal msg=\"initializing source docker://%s: reading manifest: manifest unknown\"", f.URL)
		return fmt.Errorf("command 'skopeo copy docker://%s oci-archive:%s' failed: exit code 1", f.URL, s.filePath(f.Volume))
	}
	if x.volume(t.Node, f.Volume.id()) != nil {
		return fmt.Errorf("refusing to override existing file '%s'", path.Base(f.Volume.Name))
	}
	t.Log = append(t.Log,
		"Getting image source signatures", "Copying blob", "Copying config", "Writing manifest to image destination")
	return x.store(s, f.Volume)
}
