package proxmox

import (
	"context"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/proxmox/pve"
	"github.com/proximity-cli/proximity/internal/resource"
)

// createApp makes a container and brings it to what is wanted. The marker is
// in the first request, so that from the first moment on it can be told whose
// it is, whatever happens to the answer.
func (p *Provider) createApp(ctx context.Context, job providers.Job) (resource.Object, error) {
	node, err := p.nodeFor(ctx, job.Want)
	if err != nil {
		return resource.Object{}, err
	}
	path, form, err := p.origin(ctx, job, node)
	if err != nil {
		return resource.Object{}, err
	}
	if err := p.allocate(ctx, job, node, path, form); err != nil {
		return resource.Object{}, err
	}
	made := resource.Object{Addr: job.Addr, Host: p.Host, ID: job.ID, Nonce: job.Marker.Nonce}
	object, err := p.converge(ctx, job, node)
	if err != nil {
		if pve.IsWaiting(err) {
			return resource.Object{}, err // the next run waits for the task and looks
		}
		return made, err
	}
	object.Attrs = p.madeFrom(object.Attrs, form.Get("ostemplate"))
	return object, nil
}

// madeFrom notes the file that a container was made from: it cannot be read
// back, and tells later whether there is a newer one.
func (p *Provider) madeFrom(attrs cty.Value, volid string) cty.Value {
	set := attrs.AsValueMap()
	set["made_from"] = textOrNull(volid)
	return p.kinds["app"].Schema.Value(set)
}

// nodeFor returns the node that a container is wanted on; on a host with one
// node nobody has to say which.
func (p *Provider) nodeFor(ctx context.Context, want resource.Resource) (string, error) {
	if node := resource.Text(want.Want, "node"); node != "" {
		return node, nil
	}
	all, err := p.list(ctx)
	if err != nil {
		return "", err
	}
	if nodes := all.nodes(); len(nodes) == 1 {
		return nodes[0], nil
	}
	return "", fmt.Errorf("no node is said and host %q has several", p.Host)
}

// origin returns the request that makes the container, from a template, an
// image or another container.
func (p *Provider) origin(ctx context.Context, job providers.Job, node string) (path string, form url.Values, err error) {
	if source := resource.Text(job.Want.Want, "clone"); source != "" {
		return p.cloneForm(ctx, job, node, source)
	}
	from, found := originOf(job.Want.Want)
	if !found {
		return "", nil, fmt.Errorf("neither a template, an image nor a container to clone is given")
	}
	volid, err := p.templates.resolve(ctx, place{node, templateStorage(job.Want.Want)}, from, job.Report)
	if err != nil {
		return "", nil, err
	}
	return pve.Path("nodes", node, "lxc"), createForm(job, volid), nil
}

func (p *Provider) cloneForm(ctx context.Context, job providers.Job, node, source string) (string, url.Values, error) {
	all, err := p.list(ctx)
	if err != nil {
		return "", nil, err
	}
	from, found := all.guest(source)
	if !found {
		if from, found = all.guestNamed(source); !found {
			return "", nil, fmt.Errorf("clone %q: the host has no such container, or several of that name", source)
		}
	}
	form := url.Values{
		"newid":       {job.ID},
		"hostname":    {hostname(job.Want)},
		"description": {notes(job)},
	}
	if pool := resource.Text(job.Want.Want, "pool"); pool != "" {
		form.Set("pool", pool)
	}
	if storage := resource.Text(resource.Attribute(job.Want.Want, "disk"), "storage"); storage != "" {
		form.Set("full", "1")
		form.Set("storage", storage)
	}
	if node != from.Node {
		form.Set("target", node)
	}
	return containerPath(from.Node, from.VMID, "clone"), form, nil
}

// notes returns the notes that a container is to have, with its marker.
func notes(job providers.Job) string {
	return resource.Join(resource.Text(job.Want.Want, "description"), job.Marker)
}

// createForm writes everything that Proxmox takes at creation.
func createForm(job providers.Job, template string) url.Values {
	want := job.Want.Want
	form := url.Values{
		"vmid":         {job.ID},
		"ostemplate":   {template},
		"hostname":     {hostname(job.Want)},
		"description":  {notes(job)},
		"unprivileged": {"1"},
	}
	if isFalse(want, "unprivileged") {
		form.Set("unprivileged", "0")
	}
	for name, key := range scalarKeys {
		setParam(form, key, encodeScalar(name, resource.Attribute(want, name)))
	}
	form.Set("hostname", hostname(job.Want))
	for _, name := range []string{"pool", "password"} {
		setParam(form, name, resource.Text(want, name))
	}
	setParam(form, "ssh-public-keys", encode(resource.Attribute(want, "ssh_keys"), "\n"))
	if env := valueMap(want, "env"); len(env) > 0 {
		form.Set("env", environment(nil).with(plainEnv(env)).String())
	}
	setBlocks(form, want)
	setMounts(form, want)
	return form
}

func setParam(form url.Values, key, value string) {
	if value != "" {
		form.Set(key, value)
	}
}

func plainEnv(env map[string]cty.Value) map[string]string {
	plain := make(map[string]string, len(env))
	for name, v := range env {
		plain[name] = v.AsString()
	}
	return plain
}

// setBlocks writes the blocks that are one setting each.
func setBlocks(form url.Values, want cty.Value) {
	for name, key := range dnsKeys {
		setParam(form, key, encode(resource.Attribute(resource.Attribute(want, "dns"), name), " "))
	}
	for name, key := range consoleKeys {
		setParam(form, key, encode(resource.Attribute(resource.Attribute(want, "console"), name), ""))
	}
	features := pve.ParseLine("", "")
	setFields(&features, featureKeys, resource.Attribute(want, "features"))
	setParam(form, "features", features.String())
	startup := pve.ParseLine("", "")
	setFields(&startup, startupKeys, resource.Attribute(want, "startup"))
	setParam(form, "startup", startup.String())
	if isTrue(resource.Attribute(want, "startup"), "on_boot") {
		form.Set("onboot", "1")
	}
	for i, name := range sortedLabels(want, "network") {
		form.Set("net"+strconv.Itoa(i), lineText(newNetworkLine(name, element(want, "network", name))))
	}
	for i, path := range sortedLabels(want, "device") {
		form.Set("dev"+strconv.Itoa(i), lineText(newDeviceLine(path, element(want, "device", path))))
	}
}

func lineText(l pve.Line) string { return l.String() }

func setMounts(form url.Values, want cty.Value) {
	disk := resource.Attribute(want, "disk")
	size := bytesOf(unmarked(resource.Attribute(disk, "size")))
	if size == 0 {
		size = defaultDisk
	}
	if storage := resource.Text(disk, "storage"); storage != "" {
		root := pve.ParseLine(newVolume(storage, size), "volume")
		setFields(&root, mountKeys, disk)
		form.Set("rootfs", root.String())
	}
	n := 0
	for _, name := range sortedLabels(want, "volume") {
		form.Set("mp"+strconv.Itoa(n), lineText(newMountLine(element(want, "volume", name))))
		n++
	}
	for _, path := range sortedLabels(want, "bind") {
		form.Set("mp"+strconv.Itoa(n), lineText(newBindLine(path, element(want, "bind", path))))
		n++
	}
}

// creation is the patience with creates that left nothing behind: the storage
// was busy, or the container to clone was, which Proxmox copies once at a time.
var creation = pve.Patience{First: 500 * time.Millisecond, Most: 10 * time.Second, Limit: time.Hour}

// allocate makes the container. It never sends a second request before it has
// looked what became of the first.
func (p *Provider) allocate(ctx context.Context, job providers.Job, node, path string, form url.Values) error {
	unclear, taken, blind := 0, 0, false
	return creation.Repeat(ctx, func() error {
		upid, err := p.Client.Post(ctx, path, form)
		if err == nil {
			err = p.follow(ctx, job, upid)
		}
		switch {
		case err == nil || pve.IsWaiting(err) || isReporting(err):
			return err
		case pve.IsRefused(err):
			return providers.ErrNothingMade{Cause: err}
		}
		if pve.IsUnclear(err) {
			unclear++
		}
		if pve.IsTaken(err) { // by what is gone again, or it is a volume that was left over
			taken++
		}
		found, lookErr := p.lookFor(ctx, job, node, pve.IsUnclear(err))
		switch {
		case lookErr != nil:
			blind = true
			return fmt.Errorf("%w (then could not look what became of it: %w)", err, lookErr)
		case found == foundOurs:
			return nil
		case found == foundOther:
			return providers.ErrTaken{ID: job.ID}
		case pve.IsUnclear(err):
			return err
		}
		return providers.ErrNothingMade{Cause: err}
	}, func(err error) bool {
		mayHelp := pve.IsBusy(err) || pve.IsLocked(err) || pve.IsUnclear(err) && unclear < 3 || pve.IsTaken(err) && taken < 3
		if blind || !mayHelp {
			return false
		}
		job.Report.Say("waiting: " + err.Error())
		return true
	})
}

// converge brings a container that was just made to what is wanted: what the
// create could not set, what an image brought of its own, and whether it runs.
func (p *Provider) converge(ctx context.Context, job providers.Job, node string) (resource.Object, error) {
	id, err := strconv.Atoi(job.ID)
	if err != nil {
		return resource.Object{}, fmt.Errorf("%q is no VMID", job.ID)
	}
	w := work{p: p, job: job, guest: row{Type: "lxc", Node: node, VMID: pve.Int(id)}}
	if resource.Text(job.Want.Want, "pool") != "" {
		// A create whose last step, the pool, found the lock of the users' file busy
		// leaves the container outside of it.
		all, err := p.list(ctx)
		if err != nil {
			return resource.Object{}, err
		}
		listed, _ := all.guest(job.ID)
		w.guest.Pool = listed.Pool
	}
	if err := w.read(ctx); err != nil {
		return resource.Object{}, err
	}
	target := providers.Target{Addr: job.Addr, Want: &job.Want, Marker: job.Marker}
	seen := p.seen(ctx, target, w.guest, w.guest.Status, w.cfg)
	for _, e := range resource.Diff(p.kinds["app"], nil, job.Want, seen, resource.Sealer{}) {
		if e.Effect > resource.Record && e.Effect < resource.Replace {
			w.edits = append(w.edits, e)
		}
	}
	if err := w.make(ctx); err != nil {
		return resource.Object{}, err
	}
	return p.look(ctx, target, w.guest, true)
}

// look returns the container as it is now. After a start it gives DHCP a
// moment, so that others can be told the address.
func (p *Provider) look(ctx context.Context, t providers.Target, guest row, wait bool) (resource.Object, error) {
	id := fmt.Sprint(int64(guest.VMID))
	cfg, err := p.readConfig(ctx, guest.Node, id, fullViewOf(guest.Status)) // all that is there counts as there
	if err != nil {
		return resource.Object{}, err
	}
	object := p.seen(ctx, t, guest, guest.Status, cfg).Object
	if _, complete := staticAddresses(t.Want.Want); complete || !wait || guest.Status != "running" {
		return object, nil
	}
	if live := p.awaitAddress(ctx, guest, t.Want.Want); len(live) > 0 { // what was recorded is of before the change
		set := object.Attrs.AsValueMap()
		setAddresses(set, object.Attrs, live)
		object.Attrs = p.kinds["app"].Schema.Value(set)
	}
	return object, nil
}

// isBare reports a configuration that holds nothing but the mark of a create or
// removal that is still running.
func isBare(cfg config) bool {
	lock := cfg.coming["lock"]
	return (lock == "create" || lock == "destroyed") && strings.TrimSpace(cfg.coming["description"]) == ""
}
