package cli

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// testKeeper returns what works on a state in memory, whose locks stay.
func testKeeper(t *testing.T) (*engine, *statetest.Memory) {
	t.Helper()
	store := &statetest.Memory{}
	return &engine{app: testApp(t), soft: t.Context(), hard: t.Context(), kinds: kindsByName(), store: store}, store
}

func printed(e *engine) string { return e.Stdout.(*bytes.Buffer).String() }

func TestUnlockTakesALockThatStays(t *testing.T) {
	e, store := testKeeper(t)
	ctx, lock, err := store.Lock(t.Context(), state.Who{ID: "5f0c", User: "kim", Host: "desk", Since: time.Now().Add(-2 * time.Hour)})
	require.NoError(t, err)

	e.Stdin = bytes.NewReader([]byte("no\n"))
	require.ErrorContains(t, e.unlock("5f0c"), "not approved")
	require.NoError(t, ctx.Err(), "it is still held")

	e.yes = true
	require.ErrorContains(t, e.unlock("other"), `the lock has not the ID "other"`)
	require.NoError(t, ctx.Err())
	require.NoError(t, e.unlock("5f0c"))
	require.Error(t, ctx.Err())
	require.Contains(t, printed(e), "memory is locked by kim@desk")
	require.Contains(t, printed(e), ", for 2h.\n")
	require.Contains(t, printed(e), "The lock is free.")
	require.ErrorAs(t, lock.Append(t.Context(), []byte("late\n")), new(*state.ErrLost))
	require.ErrorContains(t, e.unlock("5f0c"), "nobody holds the lock")
}

func TestPutAsideWritesOverNothing(t *testing.T) {
	dir := t.TempDir()
	for i, want := range []string{"x.json", "x.2.json", "x.3.json"} {
		path, err := putAside(filepath.Join(dir, "x.json"), []byte{byte('a' + i)})
		require.NoError(t, err)
		require.Equal(t, filepath.Join(dir, want), path)
		data, err := os.ReadFile(path)
		require.NoError(t, err)
		require.Equal(t, string(rune('a'+i)), string(data))
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o600), info.Mode().Perm())
	}
	_, err := putAside(filepath.Join(dir, "missing", "x.json"), nil)
	require.ErrorContains(t, err, "no such file or directory")
}

// TestAStateThatItsStoreRefusedGoesIntoAFile also when the run ended with an
// error of its own.
func TestAStateThatItsStoreRefusedGoesIntoAFile(t *testing.T) {
	for name, ended := range map[string]error{"": nil, "with an error": errors.New("of the run")} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			e, store := testKeeper(t)
			ctx, session, err := state.Open(t.Context(), store, state.Who{}, e.options())
			require.NoError(t, err)
			_, err = session.Begin(ctx, state.Intent{Addr: addr.New("app", "web"), Op: state.Drop})
			require.NoError(t, err)
			store.Fail = func(string) error { return errors.New("no space left") }
			err = e.release(ctx, session, ended)
			if ended == nil {
				require.ErrorContains(t, err, "no space left")
				require.ErrorContains(t, err, "proximity.errored.json")
				require.Contains(t, err.(hinted).Hint(), "proximity state push proximity.errored.json")
			} else {
				require.Equal(t, ended, err)
				said := e.Stderr.(*bytes.Buffer).String()
				require.Contains(t, said, "proximity state push proximity.errored.json")
			}
			data, err := os.ReadFile("proximity.errored.json")
			require.NoError(t, err)
			st, err := state.Parse("errored", data, e.options())
			require.NoError(t, err)
			require.Len(t, st.Open, 1)
		})
	}
}

func TestWordsThatArePasted(t *testing.T) {
	for word, want := range map[string]string{
		"app.web": "app.web", `app.web["blue"]`: `'app.web["blue"]'`, "it's": `'it'\''s'`, "": "''", "a b": "'a b'",
	} {
		require.Equal(t, want, pasted(word))
	}
}

func TestWhatRemainsOfWhatIsForgotten(t *testing.T) {
	for _, c := range []struct {
		object resource.Object
		want   string
	}{
		{resource.Object{Addr: addr.New("app", "web"), Host: "lab", ID: "2000"}, `container 2000 on host "lab" stays as it is`},
		{resource.Object{Addr: addr.New("backup_policy", "b"), Host: "lab", ID: "job"}, `job on host "lab" stays as it is`},
		{resource.Object{Addr: addr.New("secret", "s"), Host: resource.NoHost}, "it was nowhere else, and is lost"},
	} {
		require.Equal(t, c.want, remains(c.object))
	}
}

// TestDoctorSaysToRemoveOnlyWhatIsNotNeeded: a file that cannot be read, or is of
// another state, may be all that is left of something.
func TestDoctorSaysToRemoveOnlyWhatIsNotNeeded(t *testing.T) {
	t.Chdir(t.TempDir())
	e, store := testKeeper(t)
	first := savedState(t, e, store)
	another, other := testKeeper(t)
	foreign := savedState(t, another, other)
	_, session, err := state.Open(t.Context(), store, state.Who{}, e.options())
	require.NoError(t, err)
	require.NoError(t, session.Edit(t.Context(), state.Entry{Action: "rm"}, func(*state.State) error { return nil }))
	require.NoError(t, session.Close(t.Context()))
	x, err := state.Examine(t.Context(), store, e.options())
	require.NoError(t, err)
	for name, c := range map[string]struct {
		data       []byte
		wrong      bool
		text, hint string
	}{
		"older":   {first, false, "not needed any more: it is older", "rm proximity.errored.json"},
		"foreign": {foreign, false, "not for this store: it is another state", ""},
		"torn":    {first[:len(first)/2], true, "whether it is needed cannot be told: it is torn", ""},
	} {
		t.Run(name, func(t *testing.T) {
			require.NoError(t, os.WriteFile(erroredFile, c.data, 0o600))
			found := e.checkErrored(x)
			require.Len(t, found, 1)
			require.Equal(t, c.wrong, found[0].wrong)
			require.Contains(t, found[0].text, c.text)
			require.Equal(t, c.hint, found[0].hint)
		})
	}
}

// savedState returns the state file of a store after its first save.
func savedState(t *testing.T, e *engine, store *statetest.Memory) []byte {
	t.Helper()
	_, session, err := state.Open(t.Context(), store, state.Who{}, e.options())
	require.NoError(t, err)
	require.NoError(t, session.Init(t.Context()))
	require.NoError(t, session.Close(t.Context()))
	files, err := store.Load(t.Context())
	require.NoError(t, err)
	return files.State
}

// unlisted is a store whose versions cannot be listed.
type unlisted struct{ *statetest.Memory }

func (unlisted) Versions(context.Context) ([]state.Version, error) {
	return nil, errors.New("no access")
}

func TestVersionsThatCannotBeReadAreNotTakenForNone(t *testing.T) {
	e, store := testKeeper(t)
	savedState(t, e, store)
	e.store = unlisted{store}
	require.EqualError(t, e.restore(1), "no access")
}
