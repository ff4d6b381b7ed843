package pvesim

import (
	"bytes"
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"hash"
	"path"
	"regexp"
	"strings"
	"sync"
)

// upload takes a file that the request brought with it. Fields behind the file do not count.
func (x *tx) upload(c *request) (any, error) {
	s, err := x.storageFor(c.params.Str("storage"), c.node)
	if err != nil {
		return nil, err
	}
	file := c.file()
	content, name := c.params.Str("content"), normalName(c.params.Str("filename"))
	switch {
	case s.Path == "":
		return nil, die("can't upload to storage type '%s'", s.Type)
	case file == nil:
		return nil, die("missing temporary file name")
	case !x.goodEnding(content, name):
		return nil, badParam("filename", "wrong file extension")
	case !s.holds(content):
		return nil, die("storage '%s' does not support '%s' content", s.ID, content)
	}
	v := &volume{
		Storage: s.ID, Node: s.home(c.node), Name: content + "/" + name, Content: content, Format: fileFormat(content, name),
		Size: file.Size, Used: file.Size, Sum: file.SHA256, Software: unpacked(name, file),
	}
	arrival := importing{
		Volume: v, Temporary: "/var/tmp/pveupload-" + contentHash(x.newUUID())[:32],
		Algorithm: c.params.Str("checksum-algorithm"), Want: c.params.Str("checksum"),
	}
	if arrival.Algorithm != "" {
		arrival.Got = sumOf(arrival.Algorithm, file)
	}
	return x.spawn(c, "imgcopy", "", call("content.import", arrival).after(seconds(0.15))), nil
}

// file is the uploaded file, nil for none.
func (c *request) file() *part {
	for i, p := range c.parts {
		if p.File != "" {
			return &c.parts[i]
		}
	}
	return nil
}

// sumOf is the checksum of an uploaded file; of a large one only its SHA-256 is known.
func sumOf(algorithm string, file *part) string {
	if algorithm == "sha256" {
		return file.SHA256
	}
	return checksum(algorithm, file.Content)
}

func checksum(algorithm string, content []byte) string {
	var h hash.Hash
	switch algorithm {
	case "md5":
		h = md5.New()
	case "sha1":
		h = sha1.New()
	case "sha224":
		h = sha256.New224()
	case "sha384":
		h = sha512.New384()
	case "sha512":
		h = sha512.New()
	default:
		h = sha256.New()
	}
	h.Write(content)
	return hex.EncodeToString(h.Sum(nil))
}

var oddCharacters = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`[^a-zA-Z0-9_.-]`) })

// normalName is what Proxmox makes of a file's name: without directories, odd characters replaced.
func normalName(sent string) string {
	name := strings.TrimSpace(sent[strings.LastIndexAny(sent, `/\`)+1:])
	return oddCharacters().ReplaceAllString(name, "_")
}

func (x *tx) goodEnding(content, name string) bool {
	switch content {
	case "vztmpl":
		return x.templateName("vztmpl/" + name)
	case "iso":
		ending := strings.ToLower(path.Ext(name))
		return ending == ".iso" || ending == ".img"
	}
	return path.Ext(name) != ""
}

// unpacked tells what is in an uploaded template, nil when it is no archive at all. Whose distribution it is can only be
// told from the file's name.
func unpacked(name string, file *part) *software {
	magic := map[string]string{
		".xz": "\xfd7zXZ\x00", ".gz": "\x1f\x8b", ".tgz": "\x1f\x8b", ".zst": "\x28\xb5\x2f\xfd", ".bz2": "BZh",
	}[path.Ext(name)]
	isTar := path.Ext(name) == ".tar" && len(file.Head) > 262 && string(file.Head[257:262]) == "ustar"
	if !isTar && (magic == "" || !bytes.HasPrefix(file.Head, []byte(magic))) {
		return nil
	}
	facts := distribution(name)
	facts.Unpacked = 3 * file.Size
	if isTar && bytes.Contains(file.Content, []byte("oci-layout")) {
		facts.OCI = &image{}
	}
	return &facts
}

// distribution guesses from the name of a template what runs in its containers.
func distribution(name string) software {
	for _, os := range []string{"debian", "ubuntu", "alpine", "fedora", "centos", "archlinux", "opensuse", "devuan", "gentoo"} {
		if strings.Contains(name, os) {
			return software{OSType: os, Arch: "amd64", WantsNesting: os != "alpine" && os != "devuan"}
		}
	}
	return software{OSType: "unmanaged", Arch: "amd64"}
}

// importing is a file on its way into a storage.
type importing struct {
	Volume               *volume
	Temporary            string
	Algorithm, Want, Got string // checksum, as asked for and as found; empty for none
}

func (x *tx) importFile(t *task, in importing) error {
	s, err := x.storageFor(in.Volume.Storage, t.Node)
	if err != nil {
		return err
	}
	t.logf("starting file import from: %s", in.Temporary)
	if in.Algorithm != "" && !strings.EqualFold(in.Want, in.Got) {
		t.logf("calculating checksum...")
		return fmt.Errorf("checksum mismatch: got '%s' != expect '%s'", in.Got, in.Want)
	}
	if in.Algorithm != "" {
		t.logf("calculating checksum...OK, checksum verified")
	}
	target := s.filePath(in.Volume)
	t.logf("target node: %s", t.Node)
	t.logf("target file: %s", target)
	t.logf("file size is: %d", in.Volume.Size)
	t.logf("command: cp -- %s %s", in.Temporary, target)
	if err := x.store(s, in.Volume); err != nil {
		return err
	}
	t.logf("finished file import successfully")
	return nil
}

// store puts a file on a storage, in place of one with the same name.
func (x *tx) store(s *storage, v *volume) error {
	node := v.Node
	if x.usedOn(s, node)+v.Size > s.Size {
		return die("write error: No space left on device")
	}
	v.Created = x.now
	x.putVolume(v)
	return nil
}

// packerOf is the program that packs templates of a format.
func packerOf(template *volume) string {
	return map[string]string{"tzst": "zstd", "txz": "xz", "tgz": "gzip", "tbz2": "bzip2"}[template.Format]
}
