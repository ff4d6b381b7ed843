package config

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"

	"github.com/proximity-cli/proximity/internal/diag"
)

// Sources is everything that a configuration was made from, so that the same
// can be loaded again later, on another machine too. It holds no sensitive
// value; it can be kept as JSON.
type Sources struct {
	Files     map[string][]byte          `json:"files"`               // by name below the directory: configuration, and what functions read
	Listed    []string                   `json:"listed,omitempty"`    // names whose existence functions asked for, sorted
	Vars      map[string]json.RawMessage `json:"vars,omitempty"`      // values of variables that are not sensitive
	Sensitive []string                   `json:"sensitive,omitempty"` // names of the variables that are, sorted
}

// Hash returns a text that is equal for equal sources.
func (s Sources) Hash() string {
	plain, err := json.Marshal(s) // maps are written in the order of their keys
	if err != nil {
		return "" // cannot happen: the values were JSON before
	}
	sum := sha256.Sum256(plain)
	return hex.EncodeToString(sum[:])
}

// Load makes the configuration again from its sources. Of o it takes the
// kinds, the version and, for sensitive variables only, the values.
func (s Sources) Load(o Options) (*Config, diag.List) {
	o.FS, o.Dir = nil, ""
	return load(o, &directory{files: s.Files, listed: s.Listed}, &s)
}

// directory is where a configuration lies. It remembers what was read from
// it. Nothing outside of it can be reached, not through links either.
type directory struct {
	fs     fs.FS             // nil: only files and listed exist
	files  map[string][]byte // what a configuration was made from before
	listed []string
	added  map[string][]byte // before they are written

	mu   sync.Mutex // functions also run while resources are resolved
	read map[string][]byte
	seen map[string]bool
}

// openDirectory returns the configuration's directory and what closes it.
func openDirectory(o Options) (*directory, func(), error) {
	if o.FS != nil {
		return &directory{fs: o.FS, added: o.Added}, func() {}, nil
	}
	root, err := os.OpenRoot(cmp.Or(o.Dir, "."))
	if err != nil {
		return nil, nil, err
	}
	return &directory{fs: root.FS(), added: o.Added}, func() { root.Close() }, nil
}

// readFile returns a file's content. The error names the file.
func (d *directory) readFile(name string) ([]byte, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if content, ok := d.read[name]; ok {
		return content, nil
	}
	content, err := d.content(name)
	if err != nil {
		return nil, err
	}
	if d.read == nil {
		d.read = map[string][]byte{}
	}
	d.read[name] = content
	return content, nil
}

func (d *directory) content(name string) ([]byte, error) {
	if !fs.ValidPath(name) {
		return nil, fmt.Errorf("%q lies outside of the configuration's directory", name)
	}
	if content, ok := d.added[name]; ok {
		return content, nil
	}
	if d.fs == nil {
		if content, ok := d.files[name]; ok {
			return content, nil
		}
		return nil, fmt.Errorf("%q is not among the files that were saved", name)
	}
	info, err := fs.Stat(d.fs, name)
	if link, found := fs.Lstat(d.fs, name); err != nil && found == nil && link.Mode()&fs.ModeSymlink != 0 {
		return nil, fmt.Errorf("read %q: it is a link that leads out of this directory, or nowhere", name)
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, plainCause(err))
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read %q: it is not a regular file", name)
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("read %q: it has %d bytes, at most %d are allowed", name, info.Size(), maxFile)
	}
	content, err := fs.ReadFile(d.fs, name)
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", name, plainCause(err))
	}
	return content, nil
}

// plainCause takes the operation and the path off an error, since callers
// name both.
func plainCause(err error) error {
	var pathError *fs.PathError
	if errors.As(err, &pathError) {
		return pathError.Err
	}
	return err
}

// exists reports whether there is a regular file of that name.
func (d *directory) exists(name string) bool {
	if !fs.ValidPath(name) {
		return false
	}
	found := slices.Contains(d.listed, name)
	if d.fs != nil {
		info, err := fs.Stat(d.fs, name)
		found = err == nil && info.Mode().IsRegular()
	}
	if found {
		d.note(name)
	}
	return found
}

// below returns the names of the regular files in a folder, at any depth.
func (d *directory) below(folder string) ([]string, error) {
	if !fs.ValidPath(folder) {
		return nil, fmt.Errorf("%q lies outside of the configuration's directory", folder)
	}
	if d.fs == nil {
		return slices.DeleteFunc(slices.Clone(d.listed), func(name string) bool {
			return folder != "." && !strings.HasPrefix(name, folder+"/")
		}), nil
	}
	var names []string
	err := fs.WalkDir(d.fs, folder, func(name string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			names = append(names, name)
		}
		if len(names) > maxResources {
			return fmt.Errorf("%q holds more than %d files", folder, maxResources)
		}
		return err
	})
	return names, err
}

func (d *directory) note(name string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen == nil {
		d.seen = map[string]bool{}
	}
	d.seen[name] = true
}

// top returns the names of the files right in the directory, sorted, without
// dot-files.
func (d *directory) top() ([]string, error) {
	if d.fs == nil {
		names := slices.Sorted(maps.Keys(d.files))
		return slices.DeleteFunc(names, func(name string) bool { return path.Dir(name) != "." }), nil
	}
	entries, err := fs.ReadDir(d.fs, ".")
	if err != nil {
		return nil, plainCause(err)
	}
	var names []string
	for _, entry := range entries {
		if !entry.IsDir() && !strings.HasPrefix(entry.Name(), ".") {
			names = append(names, entry.Name())
		}
	}
	for name := range d.added {
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// configuration returns the names of the configuration's own files, sorted.
func (d *directory) configuration() ([]string, error) {
	names, err := d.top()
	return slices.DeleteFunc(names, func(name string) bool { return !isConfiguration(name) }), err
}

func isJSON(name string) bool { return strings.HasSuffix(name, ".json") }

// isConfiguration and isVariables tell files by their names.
func isConfiguration(name string) bool {
	return (strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")) && !isVariables(name) && name != lockFile
}

func isVariables(name string) bool {
	name = strings.TrimSuffix(name, ".json")
	return name == "proximity.vars.hcl" || strings.HasSuffix(name, ".auto.vars.hcl")
}

// lockFile pins what was resolved once; it is no configuration.
const lockFile = "proximity.lock.hcl"
