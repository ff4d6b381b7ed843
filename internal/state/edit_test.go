package state_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
)

// recording returns a state that records these addresses, each of which needs
// the one before.
func recording(t *testing.T, addresses ...string) *state.State {
	st := state.New()
	var needs []addr.Addr
	for _, a := range parsed(t, addresses...) {
		st.Objects[a] = resource.Object{Addr: a, ID: a.String(), Needs: needs}
		needs = []addr.Addr{a}
	}
	return st
}

func parsed(t *testing.T, texts ...string) []addr.Addr {
	var all []addr.Addr
	for _, text := range texts {
		a, err := addr.Parse(text)
		require.NoError(t, err)
		all = append(all, a)
	}
	return all
}

func TestRename(t *testing.T) {
	cases := []struct {
		name     string
		has      []string
		from, to string
		want     map[string]string // address: ID, which is what it was called
		fails    string
	}{
		{"a block", []string{"app.a", "app.b"}, "app.a", "app.c", map[string]string{"app.c": "app.a", "app.b": "app.b"}, ""},
		{"into an instance", []string{"app.a"}, "app.a", `app.a["x"]`, map[string]string{`app.a["x"]`: "app.a"}, ""},
		{"out of one", []string{"app.a[0]", "app.a[1]"}, "app.a[1]", "app.b", map[string]string{"app.a[0]": "app.a[0]", "app.b": "app.a[1]"}, ""},
		{"all instances", []string{"app.a[0]", `app.a["x"]`}, "app.a", "app.b", map[string]string{"app.b[0]": "app.a[0]", `app.b["x"]`: `app.a["x"]`}, ""},
		{"several to one", []string{"app.a[0]", "app.a[1]"}, "app.a", "app.b[0]", nil, "app.a has instances, and app.b[0] is only one address"},
		{"to itself", []string{"app.a"}, "app.a", "app.a", nil, "app.a has that address already"},
		{"nothing there", []string{"app.a"}, "app.b", "app.c", nil, "nothing has the address app.b"},
		{"taken", []string{"app.a", "app.b"}, "app.a", "app.b", nil, "app.b is taken"},
		{"an instance is taken", []string{"app.a[0]", "app.b[0]"}, "app.a", "app.b", nil, "app.b[0] is taken"},
		{"another kind", []string{"app.a"}, "app.a", "secret.a", nil, `what is of the kind "app" stays so`},
		{"a part", []string{"app.a"}, "app.a", "app.a@x", nil, "is not one that a state records"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			st := recording(t, c.has...)
			before := st.Clone()
			list := parsed(t, c.from, c.to)
			_, err := st.Rename(list[0], list[1])
			if c.fails != "" {
				require.ErrorContains(t, err, c.fails)
				require.Equal(t, before, st, "nothing was changed")
				return
			}
			require.NoError(t, err)
			got := map[string]string{}
			for a, o := range st.Objects {
				require.Equal(t, a, o.Addr)
				for _, need := range o.Needs {
					require.Contains(t, st.Objects, need, "needs follow")
				}
				got[a.String()] = o.ID
			}
			require.Equal(t, c.want, got)
		})
	}
}

func TestForget(t *testing.T) {
	st := recording(t, "app.a", "app.b[0]", "app.b[1]", "app.c")
	_, err := st.Forget(parsed(t, "app.a", "app.x"))
	require.EqualError(t, err, "nothing has the address app.x")
	require.Len(t, st.Objects, 4, "all or nothing")

	gone, err := st.Forget(parsed(t, "app.b", "app.b[1]"))
	require.NoError(t, err)
	require.Len(t, gone, 2)
	require.Equal(t, "app.b[0]", gone[0].ID)
	require.Len(t, st.Objects, 2)
	require.Empty(t, st.Objects[parsed(t, "app.c")[0]].Needs, "nothing needs what nobody knows")
}

// TestWhatIsOpenIsNotEdited: only a look at the host tells what it is.
func TestWhatIsOpenIsNotEdited(t *testing.T) {
	st := recording(t, "app.a", "app.b")
	st.Open = []state.Intent{{Seq: 1, Addr: parsed(t, "app.b")[0]}}
	list := parsed(t, "app.a", "app.b", "app.c")
	_, err := st.Forget(list[1:2])
	require.ErrorAs(t, err, new(*state.ErrOpen))
	_, err = st.Rename(list[1], list[2])
	require.ErrorAs(t, err, new(*state.ErrOpen))
	st.Open[0].Addr = parsed(t, "app.d[0]")[0]
	_, err = st.Forget(parsed(t, "app.d"))
	require.ErrorAs(t, err, new(*state.ErrOpen), "an instance that is about to be made")
	_, err = st.Rename(st.Open[0].Addr, list[2])
	require.ErrorAs(t, err, new(*state.ErrOpen))
	st.Open[0].Addr = list[1]
	st.Objects = recording(t, "app.a").Objects
	_, err = st.Rename(list[0], list[1])
	require.ErrorAs(t, err, new(*state.ErrOpen), "what is being made under that address")
	st.Open[0].Needs = list[:1]
	_, err = st.Rename(list[0], list[2])
	require.NoError(t, err)
	require.Equal(t, list[2:], st.Open[0].Needs)
}
