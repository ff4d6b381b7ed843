package proxmox

import (
	"context"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"

	"golang.org/x/sync/singleflight"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
)

// place is where templates are kept: a storage as one node sees it.
type place struct{ node, storage string }

// templates finds and fetches what containers are made from. It remembers what
// it found for its whole life, so that many creates ask once, and fetches a
// file once however many wait for it.
type templates struct {
	client  *pve.Client
	mu      sync.Mutex
	found   map[string]string // by place and spec: the volume id
	fetches singleflight.Group
}

func key(at place, from origin) string {
	return strings.Join([]string{at.node, at.storage, from.attr, from.spec}, "/")
}

// find returns the volume id of what is on the storage already, or "".
func (t *templates) find(ctx context.Context, at place, from origin) (string, error) {
	if from.attr == "template" && isVolumeID(from.spec) {
		return from.spec, nil
	}
	t.mu.Lock()
	volid := t.found[key(at, from)]
	t.mu.Unlock()
	if volid != "" {
		return volid, nil
	}
	files, err := t.files(ctx, at)
	if err != nil {
		return "", err
	}
	if volid = newest(files, from); volid != "" {
		t.remember(at, from, volid)
	}
	return volid, nil
}

func (t *templates) remember(at place, from origin, volid string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.found == nil {
		t.found = map[string]string{}
	}
	t.found[key(at, from)] = volid
}

// files returns the volume ids of the templates on a storage. Those who ask at
// one time share one answer.
func (t *templates) files(ctx context.Context, at place) ([]string, error) {
	v, err, _ := t.fetches.Do("list "+at.node+" "+at.storage, func() (any, error) {
		var rows []struct{ VolID string }
		path := pve.Path("nodes", at.node, "storage", at.storage, "content")
		if err := t.client.Read(ctx, path, url.Values{"content": {"vztmpl"}}, &rows); err != nil {
			return nil, err
		}
		volids := make([]string, len(rows))
		for i, r := range rows {
			volids[i] = r.VolID
		}
		return volids, nil
	})
	if err != nil {
		return nil, fmt.Errorf("templates on storage %q: %w", at.storage, err)
	}
	return v.([]string), nil
}

// newest returns the file that a spec means: an image's own file, or of a
// template the highest version.
func newest(volids []string, from origin) string {
	best := ""
	for _, volid := range volids {
		if isMeant(fileOf(volid), from) && (best == "" || naturalLess(best, volid)) {
			best = volid
		}
	}
	return best
}

// isMeant reports whether a file is one that a spec means.
func isMeant(file string, from origin) bool {
	if from.attr == "image" {
		return file == imageFile(from.spec)+".tar"
	}
	return file == from.spec || strings.HasPrefix(file, from.spec+"_")
}

var notInFileNames = regexp.MustCompile(`[^a-zA-Z0-9_.-]`)

// imageFile names the file of an image, without the .tar that Proxmox appends.
// Proxmox would take the last part of the reference only, which is the same
// for the images of different registries.
func imageFile(reference string) string { return notInFileNames.ReplaceAllString(reference, "_") }

// resolve returns the volume id of what a container is made from, and fetches
// it first when it is not there.
func (t *templates) resolve(ctx context.Context, at place, from origin, report providers.Reporter) (string, error) {
	volid, err := t.find(ctx, at, from)
	if err != nil || volid != "" {
		return volid, err
	}
	v, err, _ := t.fetches.Do("fetch "+key(at, from), func() (any, error) {
		if volid, err := t.find(ctx, at, from); err != nil || volid != "" {
			return volid, err // somebody was faster
		}
		return t.fetch(ctx, at, from, report)
	})
	if err != nil {
		return "", err
	}
	return v.(string), nil
}

// fetch downloads a template from Proxmox's list, or an image from its registry.
func (t *templates) fetch(ctx context.Context, at place, from origin, report providers.Reporter) (string, error) {
	path, form := pve.Path("nodes", at.node, "storage", at.storage, "oci-registry-pull"), url.Values{}
	file := imageFile(from.spec) + ".tar"
	if from.attr == "image" {
		if err := t.canPull(ctx, from.spec); err != nil {
			return "", err
		}
		form.Set("reference", from.spec)
		form.Set("filename", imageFile(from.spec))
	} else {
		name, err := t.appliance(ctx, at.node, from.spec)
		if err != nil {
			return "", err
		}
		path, file = pve.Path("nodes", at.node, "aplinfo"), name
		form = url.Values{"storage": {at.storage}, "template": {name}}
	}
	upid, err := t.client.Post(ctx, path, form)
	if err == nil && upid != "" {
		if err := report.Task(upid); err != nil {
			return "", reportError{err}
		}
		_, err = t.client.Wait(ctx, upid, report.Say)
	}
	if err != nil && !pve.IsFileThere(err) {
		return "", fmt.Errorf("fetch %s %q: %w", from.attr, from.spec, err)
	}
	volid := at.storage + ":vztmpl/" + file
	t.remember(at, from, volid)
	return volid, nil
}

func (t *templates) canPull(ctx context.Context, reference string) error {
	version, err := t.client.Version(ctx)
	if err == nil && !version.AtLeast(9, 1) {
		err = fmt.Errorf("image %q: images need Proxmox VE 9.1, and this is %s", reference, version.Text)
	}
	return err
}

// appliance is an entry of Proxmox's list of templates.
type appliance struct{ Template, Package, Type string }

// index returns Proxmox's list of templates, which every node has for itself.
func (t *templates) index(ctx context.Context, node string) ([]appliance, error) {
	var entries []appliance
	if err := t.client.Read(ctx, pve.Path("nodes", node, "aplinfo"), nil, &entries); err != nil {
		return nil, fmt.Errorf("list of templates: %w", err)
	}
	return entries, nil
}

// appliance returns the newest entry of the list that a spec means.
func (t *templates) appliance(ctx context.Context, node, spec string) (string, error) {
	entries, err := t.index(ctx, node)
	if err != nil {
		return "", err
	}
	return inIndex(entries, spec)
}

// inIndex returns the newest of the entries that a spec means, or a noTemplate.
func inIndex(entries []appliance, spec string) (string, error) {
	best, names := "", []string(nil)
	for _, e := range entries {
		if e.Type != "" && e.Type != "lxc" {
			continue
		}
		names = append(names, e.Package)
		fits := e.Package == spec || isMeant(e.Template, origin{"template", spec})
		if fits && (best == "" || naturalLess(best, e.Template)) {
			best = e.Template
		}
	}
	if best == "" {
		return "", noTemplate{spec, near(spec, names)}
	}
	return best, nil
}

// noTemplate is a spec that neither the storage nor Proxmox's list knows.
type noTemplate struct {
	spec    string
	similar []string // names that are there, the nearest first
}

func (e noTemplate) Error() string {
	text := fmt.Sprintf("template %q is neither on the storage nor in Proxmox's list", e.spec)
	if len(e.similar) > 0 {
		text += "; there are " + strings.Join(e.similar, ", ")
	}
	return text
}
