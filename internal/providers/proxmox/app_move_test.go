package proxmox

import (
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/pvesim"
	"github.com/proximity-cli/proximity/internal/resource"
)

// Volumes move to other storages and containers to other nodes, running or
// stopped, and are afterwards as before.
func TestMovesAndMigrations(t *testing.T) {
	for _, c := range []struct {
		name          string
		before, after values
		effects       string
		config        string
	}{
		{"the disk moves", nil, values{"disk": object("disk", values{"size": gibibytes(4), "storage": str("nvme")})}, "move", "rootfs: nvme:"},
		{"the disk grows and moves", nil, values{"disk": object("disk", values{"size": gibibytes(5), "storage": str("nvme")})}, "resize move", "rootfs: size=5G"},
		{"a volume moves", oneVolume(nil), oneVolume(values{"storage": str("nvme")}), "move", "mp0: nvme:"},
		{"it moves to another node", nil, values{"node": str("pve2")}, "migrate", "hostname: web"},
	} {
		for _, status := range []string{"running", "stopped"} {
			timeless(t, c.name+", "+status, func(t *testing.T) {
				l := openLab(t, pvesim.Options{})
				made := l.create(app("web", with(c.before, status)), 2000)
				after, edits := l.change(app("web", with(c.after, status)), made)
				require.Equal(t, c.effects, effectsOf(edits))
				require.Equal(t, status, resource.Text(after.Attrs, "status"))
				l.hasConfig("2000", c.config)
			})
		}
	}
}

func with(set values, status string) values {
	all := values{"running": cty.BoolVal(status == "running")}
	for k, v := range set {
		all[k] = v
	}
	return all
}
