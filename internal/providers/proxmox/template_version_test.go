package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// Names of templates mean the same template when they differ in the version at
// most; a file of somebody's own has no version that we could know.
func TestVersionsOfOneTemplate(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst", true},
		{"local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", "nfs:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst", true},
		{"debian-12-standard", "local:vztmpl/debian-12-standard_12.12-1_amd64.tar.zst", true},
		{"debian-12-standard", "debian-12-standard_12.12-1_amd64.tar.zst", true},
		{"debian-12-standard", "debian-13-standard", false},
		{"local:vztmpl/alpine-3.22-default_20250617_amd64.tar.xz", "local:vztmpl/alpine-3.22-default_20250617_arm64.tar.xz", false},
		{"local:vztmpl/my_web.tar.gz", "local:vztmpl/my_db.tar.gz", false},
		{"local:vztmpl/my_web.tar.gz", "local:vztmpl/my_web.tar.gz", true},
	} {
		require.Equal(t, c.same, isSameTemplate(c.a, c.b), "%s and %s", c.a, c.b)
		require.Equal(t, c.same, isSameTemplate(c.b, c.a), "%s and %s", c.b, c.a)
	}
}
