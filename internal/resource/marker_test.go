package resource_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestNotesKeepWhatPeopleWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		notes := rapid.String().Draw(t, "notes")
		m := resource.Marker{
			Lineage: "l" + rapid.StringMatching(`[ -~]*`).Draw(t, "lineage"),
			Addr:    addr.New("app", "web").Each(rapid.String().Draw(t, "key")),
			Nonce:   rapid.SampledFrom([]string{"", "-->", "<!-- proximity ", "a\nb"}).Draw(t, "nonce"),
		}
		joined := resource.Join(notes, m)
		got, marker := resource.Split(joined)
		require.Equal(t, m, marker)
		require.Equal(t, strings.TrimRight(notes, "\n"), got)
		require.Equal(t, joined, resource.Join(joined, m), "joining again changes nothing")
		require.Equal(t, 1, strings.Count(m.String(), "-->"), "the comment is closed once, at its end")
		require.NotContains(t, m.String(), "\n")
	})
}

func TestWhatIsNoMarkerStays(t *testing.T) {
	for _, line := range []string{
		"<!-- proximity {} -->",
		"<!-- proximity -->",
		`<!-- proximity {"lineage":1} -->`,
		`<!-- proximity {"lineage":"l","addr":"nonsense","nonce":"n"} -->`,
		`<!-- other {"lineage":"l","addr":"app.web","nonce":"n"} -->`,
	} {
		got, m := resource.Split(line)
		require.Equal(t, line, got)
		require.Zero(t, m)
	}
}

func FuzzSplit(f *testing.F) {
	m := resource.Marker{Lineage: "l", Addr: addr.New("app", "web"), Nonce: "n"}
	f.Add("notes\n\n" + m.String())
	f.Add("<!-- proximity {} -->\r\n")
	f.Fuzz(func(t *testing.T, notes string) {
		kept, _ := resource.Split(notes)
		again, marker := resource.Split(resource.Join(notes, m))
		require.Equal(t, m, marker)
		require.Equal(t, kept, again)
	})
}
