package state_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/vault"
)

// TestWhatADeadRunLeftInVersion1StaysReadable holds files of version 1 as a
// killed run leaves them, in clear and encrypted: a state file, a journal with
// a step that ended, one that failed and one that is open, and a trail. They must be
// readable for ever.
func TestWhatADeadRunLeftInVersion1StaysReadable(t *testing.T) {
	sealing, err := vault.New(vault.Options{Passphrase: "correct horse", WorkFactor: 8})
	require.NoError(t, err)
	for name, v := range map[string]state.Vault{"clear": nil, "sealed": sealing} {
		t.Run(name, func(t *testing.T) {
			dir, o := filepath.Join("testdata", "v1-"+name), state.Options{Kinds: kinds(1), Vault: v}
			if _, err := os.Stat(dir); err != nil && *update { // what is there is never written anew
				writeGolden(t, dir, o)
			}
			store := golden(t, dir)
			st, err := state.Read(t.Context(), store, o)
			require.NoError(t, err)
			require.Equal(t, thing("a", "there"), st.Objects[addr.New("thing", "a")])
			require.Equal(t, thing("b", "there"), st.Objects[addr.New("thing", "b")])
			require.Len(t, st.Open, 1)
			require.Equal(t, "thing.d", st.Open[0].Addr.String())
			entries, err := state.Trail(t.Context(), store, o)
			require.NoError(t, err)
			require.Equal(t, "create thing.a done|create thing.b done|create thing.c failed|", told(entries))
			require.Equal(t, "ann", entries[0].By.User)
			require.Equal(t, []string{"create c", "start c"}, entries[2].Tasks)
			require.Equal(t, "storage is full", entries[2].Text)
		})
	}
}

var goldenFiles = []string{"state.json", "journal", "trail"}

// golden returns a store that has what the files of a directory hold.
func golden(t *testing.T, dir string) state.Store {
	t.Helper()
	content := map[string][]byte{}
	for _, name := range goldenFiles {
		data, err := os.ReadFile(filepath.Join(dir, name))
		require.NoError(t, err)
		content[name] = data
	}
	return kept{&disk{files: state.Files{State: content["state.json"], Journal: content["journal"]}}, content["trail"]}
}

func writeGolden(t *testing.T, dir string, o state.Options) {
	t.Helper()
	store := &statetest.Memory{}
	o.Now = clock()
	for _, names := range [][]string{{"a"}, {"b", "c"}} {
		_, s, err := state.Open(t.Context(), store, ann, o)
		require.NoError(t, err)
		step(t, s, names[0], nil)
		if len(names) > 1 {
			step(t, s, names[1], errors.New("storage is full"))
			_, err = s.Begin(t.Context(), intent("d"))
			require.NoError(t, err)
			store.Kill(false)
			continue
		}
		require.NoError(t, s.Close(t.Context()))
	}
	f := files(t, store)
	trail, err := store.Trail(t.Context())
	require.NoError(t, err)
	require.NoError(t, os.MkdirAll(dir, 0o755))
	for i, data := range [][]byte{f.State, f.Journal, trail} {
		require.NoError(t, os.WriteFile(filepath.Join(dir, goldenFiles[i]), data, 0o644))
	}
}
