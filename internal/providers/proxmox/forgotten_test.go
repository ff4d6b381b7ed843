package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// renamed returns a container that was made as app.web and is recorded as
// app.site now.
func renamed(l *lab) (resource.Resource, resource.Object) {
	made := l.create(app("web", nil), 2000)
	made.Addr = addr.New("app", "site")
	return app("site", values{"hostname": str("web")}), made
}

// TestANewAddressIsWrittenIntoTheMarker: the nonce tells whose it is, whatever
// it is called.
func TestANewAddressIsWrittenIntoTheMarker(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want, made := renamed(l)
	seen := l.see(&want, &made)
	require.Equal(t, resource.Present, seen.Presence)
	require.True(t, seen.Renamed)
	job := l.job(want, "2000")
	job.Prior, job.Digest = &made, seen.Digest
	_, err := l.Update(t.Context(), job)
	require.NoError(t, err)
	_, marker := resource.Split(l.config("2000")["description"])
	require.Equal(t, job.Marker, marker)
	require.False(t, l.see(&want, &made).Renamed)
}

func TestWhatGotANewAddressCanBeDeleted(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want, made := renamed(l)
	job := l.job(want, "2000")
	job.Prior = &made
	require.NoError(t, l.Delete(t.Context(), job))
	require.Equal(t, resource.Gone, l.see(&want, &made).Presence)
}

func TestWhatWasForgottenIsFoundByItsMarker(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	made := l.create(app("web", nil), 2000)
	web, other := app("web", nil), app("other", values{"hostname": str("web")})
	seen := l.see(&web, nil)
	require.Equal(t, resource.Present, seen.Presence)
	require.Equal(t, "2000", seen.Object.ID)
	require.Equal(t, made.Nonce, seen.Object.Nonce)
	require.Equal(t, resource.Gone, l.see(&other, nil).Presence, "the name alone is no proof")
}

// TestOneContainerHasOneAddress: until the marker is written anew, it names the
// container by an address that something else may want.
func TestOneContainerHasOneAddress(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	site, made := renamed(l)
	for name, set := range map[string]values{"by its name": nil, "by its VMID": {"vmid": cty.NumberIntVal(2000)}} {
		t.Run(name, func(t *testing.T) {
			web := app("web", set)
			found, err := l.Observe(t.Context(), []providers.Target{
				{Addr: site.Addr, Want: &site, Prior: &made, Marker: resource.Marker{Lineage: "l1", Addr: site.Addr, Nonce: made.Nonce}},
				{Addr: web.Addr, Want: &web, Marker: resource.Marker{Lineage: "l1", Addr: web.Addr}},
			})
			require.NoError(t, err)
			require.Equal(t, resource.Present, found.Seen[site.Addr].Presence)
			require.Equal(t, resource.Gone, found.Seen[web.Addr].Presence)
		})
	}
}

func TestAPolicyKeepsItsJobUnderANewAddress(t *testing.T) {
	l := openLab(t, pvesim.Options{})
	want := policy(nil)
	made := l.createPolicyNow(want)
	made.Addr, want.Addr = addr.New("backup_policy", "weekly"), addr.New("backup_policy", "weekly")
	seen := l.see(&want, &made)
	require.Equal(t, resource.Present, seen.Presence)
	require.True(t, seen.Renamed)
	job := l.job(want, made.ID)
	job.Prior, job.Digest = &made, seen.Digest
	_, err := l.Update(t.Context(), job)
	require.NoError(t, err)
	require.False(t, l.see(&want, &made).Renamed)
	found := l.see(&want, nil)
	require.Equal(t, resource.Present, found.Presence, "also when the state forgot it, though its ID is made of the old address")
	require.Equal(t, made.ID, found.Object.ID)
	l.hasJobs(made.ID)
}
