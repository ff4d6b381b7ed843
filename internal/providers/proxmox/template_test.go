package proxmox

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestNewestTemplate(t *testing.T) {
	files := []string{
		"local:vztmpl/debian-12-standard_12.2-1_amd64.tar.zst", "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst",
		"local:vztmpl/debian-12-standard-extra_99_amd64.tar.zst", "local:vztmpl/docker.io_library_nginx_1.27.tar", "local:vztmpl/nginx_1.27.tar",
	}
	for _, c := range []struct{ name, attr, spec, want string }{
		{"the highest version", "template", "debian-12-standard", files[1]},
		{"the very file", "template", "debian-12-standard_12.2-1_amd64.tar.zst", files[0]},
		{"none", "template", "debian-13-standard", ""},
		{"an image by its whole reference", "image", "docker.io/library/nginx:1.27", files[3]},
		{"an image of another registry", "image", "ghcr.io/library/nginx:1.27", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, c.want, newest(files, origin{c.attr, c.spec}))
		})
	}
}

func TestNaturalOrder(t *testing.T) {
	want := []string{"a-1", "a-2", "a-02b", "a-10", "a-10.1", "a-10.1.5", "b"}
	got := slices.Clone(want)
	slices.Reverse(got)
	slices.SortFunc(got, func(a, b string) int {
		switch {
		case naturalLess(a, b):
			return -1
		case naturalLess(b, a):
			return 1
		}
		return 0
	})
	require.Equal(t, want, got)
}

// A template that is on the storage is there, one of Proxmox's list will be
// fetched, and of one that nobody knows the plan says so.
func TestTemplatesAreForeseen(t *testing.T) {
	for _, c := range []struct {
		spec string
		want resource.Presence
		says string
	}{
		{"debian-13-standard", resource.Present, ""},
		{"fedora-42-default", resource.Gone, ""},
		{"debian-99-standard", resource.Gone, `there is no template "debian-99-standard"`},
	} {
		t.Run(c.spec, func(t *testing.T) {
			l := openLab(t, pvesim.Options{})
			implied := impliedTemplates(app("web", values{"template": str(c.spec)}))
			require.Len(t, implied, 1)
			require.Equal(t, "template.pve@pve1/local/"+c.spec, implied[0].Addr.String())
			require.Equal(t, c.want, l.see(&implied[0], nil).Presence)
			found := l.Precheck(t.Context(), resource.Survey{}, proposals(true, implied[0]))
			if c.says == "" {
				require.Empty(t, found)
				made, err := l.Create(t.Context(), l.job(implied[0], implied[0].Addr.Part))
				require.NoError(t, err)
				require.True(t, strings.HasPrefix(resource.Text(made.Attrs, "volume"), "local:vztmpl/"+c.spec+"_"))
				return
			}
			require.Equal(t, c.says, found[0].Summary)
			require.NotEmpty(t, found[0].Hint)
		})
	}
}

// An image brings an environment of its own; what people set is added to it,
// and a second plan is empty.
func TestAppOfAnImage(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		set := values{"template": cty.NilVal, "image": str("docker.io/library/nginx:1.27"),
			"env": cty.MapVal(map[string]cty.Value{"NGINX_PORT": str("8081")})}
		want := app("web", set)
		made := l.create(want, 2000)
		edits, _ := l.edits(want, made)
		require.Empty(t, edits)
		env := parseEnv(l.config("2000")["env"])
		require.Contains(t, env, "NGINX_PORT=8081")
		require.Greater(t, len(env), 1, "the image's own variables stay")

		set["env"] = cty.MapVal(map[string]cty.Value{"OTHER": str("1")})
		l.change(app("web", set), made)
		env = parseEnv(l.config("2000")["env"])
		require.NotContains(t, env.names(), "NGINX_PORT")
		require.Greater(t, len(env), 1)
	})
}

// A clone becomes what its block says, whatever its source is.
func TestAppOfAClone(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		l.create(app("source", values{"running": cty.False, "memory": mebis(128), "tags": textSet([]string{"source"})}), 2000)
		time.Sleep(time.Minute) // until the listing knows its name
		want := app("web", values{"template": cty.NilVal, "clone": str("source"), "memory": mebis(256), "cores": whole(2),
			"disk":    object("disk", values{"size": gibibytes(6), "storage": str("local-lvm")}),
			"network": labelled("network", map[string]values{"eth0": {"bridge": str("vmbr0"), "ip": str("dhcp")}})})
		made := l.create(want, 2001)
		edits, _ := l.edits(want, made)
		require.Empty(t, edits)
		require.Equal(t, "running", resource.Text(made.Attrs, "status"))
	})
}

// Proxmox locks the source of a clone, so that many clones of one source wait
// for each other.
func TestManyClonesOfOneSource(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{Tasks: func(string) time.Duration { return 5 * time.Second }})
		l.create(app("source", values{"running": cty.False}), 2000)
		errs := make([]error, 4)
		var wg sync.WaitGroup
		for i := range errs {
			wg.Go(func() {
				want := app(fmt.Sprint("web", i), values{"template": cty.NilVal, "clone": str("2000"), "running": cty.False})
				_, errs[i] = l.Create(t.Context(), l.job(want, fmt.Sprint(2001+i)))
			})
		}
		wg.Wait()
		for _, err := range errs {
			require.NoError(t, err)
		}
	})
}
