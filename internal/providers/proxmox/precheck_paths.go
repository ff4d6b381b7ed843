package proxmox

import (
	"fmt"
	"path"

	"github.com/proximity-cli/proximity/internal/resource"
)

// paths refuses two things at one place inside a guest: Proxmox takes them, and
// the later one hides the other.
func (c *checker) paths(want resource.Resource) {
	taken := map[string]resource.Path{}
	claim := func(where string, by, at resource.Path) {
		where = path.Clean(where)
		if first, clash := taken[where]; clash {
			c.err(want.Where(at), fmt.Sprintf("%s is asked for twice in %s", where, want.Addr), "give one of them another path",
				"%s and %s are both to be mounted there", first, by)
		}
		taken[where] = by
	}
	for _, label := range sortedLabels(want.Want, "volume") {
		by := resource.Path{"volume", label}
		if where := resource.Text(element(want.Want, "volume", label), "path"); where != "" {
			claim(where, by, resource.Path{"volume", label, "path"})
		}
	}
	for _, label := range sortedLabels(want.Want, "bind") {
		claim(label, resource.Path{"bind", label}, resource.Path{"bind", label})
	}
}
