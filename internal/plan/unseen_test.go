package plan_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

// A node that is down is told once, however many things it has, and what nobody
// wrote is not named beside what somebody did.
func TestWhatCannotBeSeenIsToldTogether(t *testing.T) {
	for name, c := range map[string]struct {
		things   int
		template resource.Presence
		says     []string // summary and detail
	}{
		"one":               {1, resource.Present, []string{"cannot look at thing.x0", "so it is; it is left as it is"}},
		"two":               {2, resource.Present, []string{"cannot look at 2 resources", "so it is; they are left as they are: thing.x0, thing.x1"}},
		"one of a template": {1, resource.Unknown, []string{"cannot look at thing.x0", "so it is; it is left as it is"}},
		"no thing but one":  {0, resource.Unknown, []string{"cannot look at source.os", "so it is; it is left as it is"}},
		"very many": {14, resource.Unknown, []string{"cannot look at 14 resources", "so it is; they are left as they are: thing.x0, thing.x1, thing.x10, " +
			"thing.x11, thing.x12, thing.x13, thing.x2, thing.x3, thing.x4, thing.x5, thing.x6, thing.x7, and 2 more"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := newScene()
			s.Kinds["source"] = &resource.Kind{Name: "source", Lasting: true}
			os := addr.New("source", "os")
			s.want[os] = resource.Resource{Addr: os, Host: "pve", Want: s.Kinds["source"].Schema.Value(nil)}
			s.Seen[os] = resource.Seen{Presence: c.template, Why: "so it is"}
			other := addr.New("source", "os2")
			s.want[other] = resource.Resource{Addr: other, Host: "pve", Want: s.Kinds["source"].Schema.Value(nil)}
			s.Seen[other] = s.Seen[os]
			for i := range c.things {
				x := fmt.Sprint("x", i)
				s.has(x, fmt.Sprint(200+i), nil).wants(x, nil).seen(x, resource.Unknown)
				r := s.want[at(x)]
				r.Needs = []addr.Addr{os}
				s.want[at(x)] = r
			}
			p := s.plan()
			require.Len(t, p.Diagnostics, 1)
			require.Equal(t, c.says, []string{p.Diagnostics[0].Summary, p.Diagnostics[0].Detail})
			require.Empty(t, p.Changes)
		})
	}
	s := newScene().has("a", "100", nil).wants("a", nil).has("b", "101", nil)
	s.seen("a", resource.Unknown).seen("b", resource.Unknown)
	require.Len(t, s.plan().Diagnostics, 2, "another outcome is told apart")
	s = newScene().has("a", "100", nil).wants("a", nil).has("b", "101", nil).wants("b", nil).seen("a", resource.Unknown)
	s.Seen[at("b")] = resource.Seen{Why: "another reason"}
	require.Len(t, s.plan().Diagnostics, 2)
}
