package proxmox

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// counted counts the requests for a guest's configuration, and does something
// before one of them.
type counted struct {
	http.RoundTripper
	reads  atomic.Int64
	before func(n int64)
}

func (c *counted) RoundTrip(r *http.Request) (*http.Response, error) {
	if c.before != nil {
		c.before(c.reads.Load() + 1)
	}
	c.reads.Add(1)
	return c.RoundTripper.RoundTrip(r)
}

// An ordinary look takes one request and tells what waits from what is in
// force; only the full one tells the lines of lxc of a running container.
func TestViewsOfAConfiguration(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	raw := []string{"lxc.mount.entry: /opt opt none bind 0 0", "lxc.mount.entry: /srv srv none bind 0 0", "lxc.environment.runtime: TOKEN"} // and no value
	l.create(app("web", nil), 2000)
	require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) {
		e.SetConfig(2000, "lxc", "lxc.mount.entry = /opt opt none bind 0 0\nlxc.mount.entry = /srv srv none bind 0 0\nlxc.environment.runtime = TOKEN=canary")
	}))
	l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"timezone": {"UTC"}})
	for _, c := range []struct {
		view            view
		requests        int64
		current, coming string
		raw             []string
		waiting         []string
	}{
		{asSet, 1, "UTC", "UTC", raw, nil},
		{withWaiting, 1, "", "UTC", nil, []string{"timezone"}},
		{inFull, 2, "", "UTC", raw, []string{"timezone"}},
	} {
		counter := &counted{RoundTripper: l.sim.Transport()}
		cfg, err := newLab(t, l.sim, counter).readConfig(t.Context(), "pve1", "2000", c.view)
		require.NoError(t, err)
		require.Equal(t, c.requests, counter.reads.Load())
		require.Equal(t, c.current, cfg.current["timezone"])
		require.Equal(t, c.coming, cfg.coming["timezone"])
		require.Equal(t, c.raw, cfg.raw)
		require.Equal(t, c.waiting, cfg.waiting)
	}
	require.Equal(t, withWaiting, viewOf("running"))
	require.Equal(t, asSet, viewOf("stopped"))
}

// Of variables that nobody asked for only the names are told: they often hold
// secrets.
func TestValuesOfUnaskedVariablesAreNotTold(t *testing.T) {
	env := cty.MapVal(map[string]cty.Value{"TOKEN": str("canary"), "DEBUG": str("1")})
	require.Equal(t, []string{"env: DEBUG, TOKEN"}, unaskedOf(appKind(), values{"env": env}, cty.NilVal, cty.NilVal))
}

// What is ours and not recorded, as after an older state was brought back, is
// looked at whole: it is recorded as it was seen, and what is there by then is
// nothing that came behind our back.
func TestWhatIsNotRecordedIsSeenWhole(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := app("web", values{"vmid": whole(2000)})
	made := l.create(want, 2000)
	require.NoError(t, l.sim.Edit(func(e *pvesim.Edit) { e.SetConfig(2000, "lxc", "lxc.mount.entry = /opt opt none bind 0 0") }))
	const line = "lxc.mount.entry: /opt opt none bind 0 0"
	require.NotContains(t, l.see(&want, &made).Object.Kept, line)
	require.Contains(t, l.see(&want, nil).Object.Kept, line)
}

// The two halves of the full view belong together: when somebody changes the
// container in between, both are read again.
func TestFullViewIsOfOneMoment(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	l.create(app("web", nil), 2000)
	counter := &counted{RoundTripper: l.sim.Transport()}
	counter.before = func(n int64) {
		if n == 2 {
			l.by("PUT", "/nodes/pve1/lxc/2000/config", url.Values{"memory": {"777"}})
		}
	}
	cfg, err := newLab(t, l.sim, counter).readConfig(t.Context(), "pve1", "2000", inFull)
	require.NoError(t, err)
	require.Equal(t, int64(4), counter.reads.Load())
	require.Equal(t, "777", cfg.current["memory"])
}

// What a node may hold and people would not expect, in words: what becomes an
// attribute and what is only listed.
func TestOddConfigurations(t *testing.T) {
	for _, c := range []struct {
		name      string
		cfg       map[string]string
		path      resource.Path
		want      cty.Value
		unmanaged []string
	}{
		{"a limit in another spelling", map[string]string{"cpulimit": "1.50"}, resource.Path{"cpu_limit"}, cty.MustParseNumberVal("1.5"), nil},
		{"a blank where a list was emptied", map[string]string{"nameserver": " "}, resource.Path{"dns", "servers"}, cty.ListValEmpty(cty.String), nil},
		{"servers as older releases wrote them", map[string]string{"nameserver": "9.9.9.9, 1.1.1.1"}, resource.Path{"dns", "servers"},
			texts([]string{"9.9.9.9", "1.1.1.1"}), nil},
		{"a delay without an order", map[string]string{"startup": "up=30"}, resource.Path{"startup", "up_delay"}, whole(30), nil},
		{"an order that stands last", map[string]string{"startup": "up=30,4"}, resource.Path{"startup", "order"}, whole(4), nil},
		{"features in words", map[string]string{"features": "nesting=on,fuse=no"}, resource.Path{"features", "nesting"}, cty.True, nil},
		{"a size in bytes is cut to what people can ask for", map[string]string{"rootfs": "a:b,size=1073741825"},
			resource.Path{"disk", "size"}, gibibytes(1), nil},
		{"a fraction", map[string]string{"rootfs": "a:b,size=1.5G"}, resource.Path{"disk", "size"}, mebis(1536), nil},
		{"a directory without a limit", map[string]string{"rootfs": "a:b,size=0T"}, resource.Path{"disk", "size"}, cty.NullVal(cty.Number),
			[]string{"rootfs.size: 0T"}},
		{"a volume without a size", map[string]string{"mp0": "a:b,mp=/data"}, resource.Path{"volume", "data"}, cty.NullVal(cty.DynamicPseudoType),
			[]string{"mp0: a:b,mp=/data"}},
		{"a path that does not begin at the root", map[string]string{"mp0": "a:b,mp=data,size=1G"}, resource.Path{"volume", "data", "path"}, str("/data"), nil},
		{"two on one path", map[string]string{"mp0": "a:b,mp=/x,size=1G", "mp1": "a:c,mp=/x,size=2G"}, resource.Path{"volume", "x-2", "volid"}, str("a:c"), nil},
		{"two directories on one path", map[string]string{"mp0": "/a,mp=/x", "mp1": "/b,mp=/x"}, resource.Path{"bind", "/x", "source"}, str("/a"),
			[]string{"mp1: /b,mp=/x"}},
		{"two interfaces of one name", map[string]string{"net0": "name=eth0,tag=1", "net1": "name=eth0,tag=2"}, resource.Path{"network", "eth0", "vlan"},
			whole(1), []string{"net1: name=eth0,tag=2"}},
		{"an interface without a bridge", map[string]string{"net0": "name=eth0,type=veth"}, resource.Path{"network", "eth0", "bridge"}, cty.NullVal(cty.String), nil},
		{"a rate that nobody may write", map[string]string{"net0": "name=eth0,rate=-1"}, resource.Path{"network", "eth0", "rate"}, cty.NullVal(cty.Number),
			[]string{"net0.rate: -1"}},
		{"a field of a release to come", map[string]string{"mp0": "a:b,mp=/x,size=1G,idmap=u:0:1:2"}, resource.Path{"volume", "x", "path"}, str("/x"),
			[]string{"mp0.idmap: u:0:1:2"}},
		{"a system that a node finds and does not take", map[string]string{"ostype": "openeuler"}, resource.Path{"os_type"}, cty.NullVal(cty.String),
			[]string{"ostype: openeuler"}},
		{"a variable of several equal signs", map[string]string{"env": "A=b=c;d"}, resource.Path{"env", "A"}, str("b=c;d"), nil},
		{"marks of snapshots and templates", map[string]string{"parent": "before", "template": "1", "lock": "backup", "unused0": "a:c"},
			resource.Path{"hostname"}, cty.NullVal(cty.String), []string{"lock: backup", "parent: before", "template: 1", "unused0: a:c"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			attrs, unmanaged := readAlone(c.cfg)
			require.True(t, same(c.want, valueAt(attrs, c.path)), "%#v", valueAt(attrs, c.path))
			require.Equal(t, c.unmanaged, unmanaged)
		})
	}
}

// Variables that nobody names keep their place and every byte.
func TestEnvironment(t *testing.T) {
	env := parseEnv("B=1\x00A=e\u0301\x00B=2\x00ODD")
	value, found := env.value("B")
	require.True(t, found)
	require.Equal(t, "2", value, "the last counts")
	require.Equal(t, "B=x\x00A=e\u0301\x00B=x\x00ODD\x00C=\x00D=a=b", env.with(map[string]string{"B": "x", "D": "a=b", "C": ""}).String())
	require.Equal(t, "A=e\u0301\x00ODD", env.without("B").String())
	require.Empty(t, parseEnv("").names())
	require.Equal(t, "B=1\x00A=e\u0301\x00B=2\x00ODD", env.String(), "it is left as it was")
}

// What Proxmox refuses is not sent: it never forgets memory, system,
// architecture and root disk, and whether the container is privileged.
func TestWhatIsRequiredIsNeverDeleted(t *testing.T) {
	cfg := map[string]string{"memory": "256", "ostype": "alpine", "arch": "amd64", "unprivileged": "1", "hostname": "old",
		"rootfs": "local:1/vm-1-disk-0.raw,acl=1,mountoptions=noatime,size=1G"}
	w := &work{p: New(Options{}), cfg: config{coming: cfg, current: cfg}}
	w.job.Want = app("web", nil)
	for _, path := range []resource.Path{{"memory"}, {"os_type"}, {"arch"}, {"unprivileged"}, {"hostname"}, {"disk", "acl"}, {"disk", "mount_options"}} {
		w.edits = append(w.edits, resource.Edit{Path: path, New: cty.NullVal(cty.DynamicPseudoType), Verdict: resource.Verdict{Effect: resource.Live}})
	}
	c, _ := w.gather()
	require.Equal(t, []url.Values{{"memory": {"512"}, "hostname": {"web"}, "rootfs": {"local:1/vm-1-disk-0.raw,size=1G"}}}, c.forms())
}

// A volume that is destroyed for good is the one that was meant, also when
// another one has got its slot meanwhile.
func TestOnlyTheMeantVolumeIsDestroyed(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	with := app("web", values{"volume": oneVolume(values{"on_remove": str("destroy")})["volume"], "running": cty.False})
	made := l.create(with, 2000)
	const config = "/nodes/pve1/lxc/2000/config"
	changed := false
	other := newLab(t, l.sim, roundTrip(func(r *http.Request) (*http.Response, error) {
		if r.Method == "PUT" && !changed {
			body, err := io.ReadAll(r.Body)
			require.NoError(t, err)
			r.Body = io.NopCloser(bytes.NewReader(body))
			if changed = strings.Contains(string(body), "delete=unused0"); changed {
				l.by("PUT", config, url.Values{"mp7": {"local-lvm:1,mp=/theirs"}})
				l.by("PUT", config, url.Values{"delete": {"unused0"}})
				l.by("PUT", config, url.Values{"delete": {"mp7"}})
			}
		}
		return l.sim.Transport().RoundTrip(r)
	}))
	other.change(app("web", values{"volume": without("volume")["volume"], "running": cty.False}), made)
	require.True(t, changed)
	cfg, err := l.readConfig(t.Context(), "pve1", "2000", asSet)
	require.NoError(t, err)
	require.NotEmpty(t, cfg.current["unused0"], "theirs stays")
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }
