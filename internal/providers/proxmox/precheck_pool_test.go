package proxmox

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/pvesim"
)

// A pool has to be there before anything can be put into it. A token that may
// not see pools is not told that there is none.
func TestPrecheckOfPools(t *testing.T) {
	timeless(t, "", func(t *testing.T) {
		l := openLab(t, pvesim.Options{})
		l.by("POST", "/pools", url.Values{"poolid": {"ours"}})
		in := func(pool string) providers.Proposal {
			want := app("web", values{"pool": str(pool)})
			return providers.Proposal{Addr: want.Addr, ID: "2000", Create: true, Want: want}
		}
		none := []string{`error: there is no pool "outs"`}
		require.Empty(t, l.says(l.survey(), in("ours")))
		require.Equal(t, none, l.says(l.survey(), in("outs")))
		found := l.Precheck(t.Context(), l.survey(), []providers.Proposal{in("outs")})
		require.Equal(t, "pool = \"ours\"\nor on a node:\npvesh create /pools --poolid outs", found[0].Hint)

		made := l.create(app("web", nil), 2000)
		require.Equal(t, none, l.says(l.survey(), l.proposed(app("web", values{"pool": str("outs")}), made)))
		require.Empty(t, l.says(l.survey(), l.proposed(app("web", values{"pool": str("ours")}), made)))

		covered := policy(values{"pool": str("outs"), "enabled": cty.False})
		require.Equal(t, none, l.says(l.survey(), providers.Proposal{Addr: covered.Addr, ID: "x", Create: true, Want: covered}))

		blind := l.withRole(roleNames(), "/")
		require.Empty(t, blind.says(blind.survey(), in("outs")))
	})
}
