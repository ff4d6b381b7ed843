package httpstore_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest/gitlabserver"
)

// written fills a state at GitLab.
func written(t *testing.T, store state.Store) {
	t.Helper()
	_, lock := hold(t, store, "ann")
	for i := range 3 {
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{
			Serial: uint64(i + 1), State: fmt.Appendf(nil, "state %d", i), Trail: fmt.Appendf(nil, "step %d\n", i),
		}))
	}
	require.NoError(t, lock.Append(t.Context(), []byte("one\n")))
	require.NoError(t, lock.Unlock())
}

func TestWhatIsNotOursIsNeverTakenForNoState(t *testing.T) {
	for name, c := range map[string]struct{ text, why string }{
		"Terraform's own state":   {`{"version":4,"terraform_version":"1.11.4","serial":9,"lineage":"x","outputs":{},"resources":[]}`, "it is a state of Terraform 1.11.4, not of proximity"},
		"something else":          {`{"hello":"world"}`, "it is not a state of proximity"},
		"a state file of a disk":  {`{"format":"proximity-state","version":1,"checksum":"sha256:0","state":{}}`, "it is not a state of proximity"},
		"a page to log in":        {"\n<!DOCTYPE html><html>Sign in</html>", "it is a web page"},
		"nothing but white space": {" \n", "it is empty"},
		"half of something":       {`{"version":1000,"serial":1,"proxim`, "it is torn, or no JSON"},
		"a list":                  {`[]`, "it is torn, or no JSON"},
		"ours with other types":   {`{"version":1000,"serial":1,"proximity":{"format":1,"checksum":"","by":"","versions":1}}`, "it was altered"},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := startGitLab(t)
			server.Put("home", []byte(c.text))
			_, err := store.Load(t.Context())
			requireDamaged(t, err, c.why)
			require.Contains(t, hint(err), "use another name in address")
			_, err = store.Versions(t.Context())
			requireDamaged(t, err, c.why)
			_, err = store.Trail(t.Context())
			requireDamaged(t, err, c.why)
			_, _, err = store.Lock(t.Context(), somebody("ann"))
			requireDamaged(t, err, c.why)
			require.Empty(t, server.Locked("home"), "who cannot go on gives the lock back")
			require.Equal(t, c.text, string(server.Document("home")))
		})
	}
}

func TestAnEmptyAnswerIsNotNoState(t *testing.T) {
	store := startPlain(t, &plain{document: []byte{}})
	_, err := store.Load(t.Context())
	requireDamaged(t, err, "it is empty")
}

func TestANewerFormatIsLeftAlone(t *testing.T) {
	server, store := startGitLab(t)
	text := `{"version":1000,"serial":1,"proximity":{"format":2,"all":"new"}}`
	server.Put("home", []byte(text))
	_, _, err := store.Lock(t.Context(), somebody("ann"))
	var newer *state.ErrNewer
	require.ErrorAs(t, err, &newer)
	require.Equal(t, &state.ErrNewer{Store: store.String(), Version: 2, Have: 1}, newer)
	require.Equal(t, text, string(server.Document("home")))
}

// TestEveryChangeOfADocumentIsNoticed flips single bytes and cuts.
func TestEveryChangeOfADocumentIsNoticed(t *testing.T) {
	server, store := startGitLab(t)
	written(t, store)
	whole, random := server.Document("home"), rand.New(rand.NewPCG(1, 2))
	for i := range 2000 {
		text := slices.Clone(whole)
		if at := random.IntN(len(text)); i%4 == 0 {
			text = text[:at]
		} else {
			text[at] ^= byte(1 + random.IntN(255))
		}
		server.Put("home", text)
		_, err := store.Load(t.Context())
		var newer *state.ErrNewer
		var damaged *state.ErrDamaged
		require.Error(t, err, "change %d was not noticed: %q", i, text)
		if !isEither(err, &newer, &damaged) {
			t.Fatalf("change %d: %v", i, err)
		}
	}
	server.Put("home", whole)
	require.Equal(t, "one\n", string(load(t, store).Journal))
	t.Log("report: damage: http document: 2000 flips and cuts, 0 unnoticed")
}

// TestWhatCanBeReadOfAnAlteredDocument is there for a repair, and only a repair
// writes over it.
func TestWhatCanBeReadOfAnAlteredDocument(t *testing.T) {
	const why = "it is not as it was written: it was altered, or the server rewrites what it keeps"
	for name, c := range map[string]struct {
		alter    func(text string) string
		files    state.Files
		versions []string
		trail    string
	}{
		"more in it": {
			alter: func(text string) string { return strings.Replace(text, `"by":`, `"more":1,"by":`, 1) },
			files: state.Files{State: []byte("state 2"), Journal: []byte("one\n"), Last: []byte("step 2")}, versions: []string{"state 2", "state 1", "state 0"},
			trail: "step 0\nstep 1\nstep 2\n",
		},
		"a state that cannot be unpacked": {
			alter: func(text string) string { return strings.Replace(text, `"state":"H4sI`, `"state":"H4sj`, 1) },
			files: state.Files{Journal: []byte("one\n"), Last: []byte("step 2")}, versions: []string{"state 1", "state 0"},
			trail: "step 0\nstep 1\nstep 2\n",
		},
		"a trail that cannot be unpacked": {
			alter: func(text string) string { return strings.Replace(text, `"trail":["H4sI`, `"trail":["H4sj`, 1) },
			files: state.Files{State: []byte("state 2"), Journal: []byte("one\n")}, versions: []string{"state 2", "state 1", "state 0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			server, store := startGitLab(t)
			written(t, store)
			altered := c.alter(string(server.Document("home")))
			require.NotEqual(t, string(server.Document("home")), altered)
			server.Put("home", []byte(altered))
			files, err := store.Load(t.Context())
			requireDamaged(t, err, why)
			require.Equal(t, c.files, files)
			require.Equal(t, c.versions, versions(t, store))
			require.Equal(t, c.trail, trail(t, store))

			_, lock := hold(t, store, "ann")
			requireDamaged(t, lock.Append(t.Context(), []byte("more\n")), why)
			require.Equal(t, altered, string(server.Document("home")))
			require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 9, State: []byte("repaired"), Trail: []byte("repair\n")}))
			require.NoError(t, lock.Append(t.Context(), []byte("two\n")))
			require.NoError(t, lock.Unlock())
			require.Equal(t, state.Files{State: []byte("repaired"), Journal: []byte("two\n"), Last: []byte("repair")}, load(t, store))
			require.Equal(t, append([]string{"repaired"}, c.versions...), versions(t, store))
			require.Equal(t, c.trail+"repair\n", trail(t, store))
		})
	}
}

func versions(t *testing.T, store state.Store) []string {
	t.Helper()
	all, err := store.Versions(t.Context())
	require.NoError(t, err)
	var texts []string
	for _, v := range all {
		texts = append(texts, string(v.State))
	}
	return texts
}

func trail(t *testing.T, store state.Store) string {
	t.Helper()
	text, err := store.Trail(t.Context())
	require.NoError(t, err)
	return string(text)
}

// TestAnAlteredStateIsBackWhenItsVersionIsDeleted is the way out at GitLab,
// which keeps what was before.
func TestAnAlteredStateIsBackWhenItsVersionIsDeleted(t *testing.T) {
	server, store := startGitLab(t)
	written(t, store)
	server.Put("home", []byte("{}"))
	_, err := store.Load(t.Context())
	requireDamaged(t, err, "it is not a state of proximity")
	req, err := http.NewRequest(http.MethodDelete, server.Address("home")+"/versions/4", nil)
	require.NoError(t, err)
	req.Header.Set("Private-Token", gitlabserver.MaintainerToken)
	resp, err := http.DefaultClient.Do(req)
	require.NoError(t, err)
	require.NoError(t, resp.Body.Close())
	require.Equal(t, http.StatusNoContent, resp.StatusCode)
	require.Equal(t, state.Files{State: []byte("state 2"), Last: []byte("step 2")}, load(t, store))
	_, lock := hold(t, store, "ann")
	require.NoError(t, lock.Append(t.Context(), []byte("again\n")))
	require.NoError(t, lock.Unlock())
}

// TestTheDocumentIsOneThatGitLabTakesAndTerraformLeavesAlone: GitLab reads the
// serial at the top, and older ones take all names there for parameters of the
// request; Terraform refuses a version that it does not know.
func TestTheDocumentIsOneThatGitLabTakesAndTerraformLeavesAlone(t *testing.T) {
	server, store := startGitLab(t)
	written(t, store)
	var top map[string]any
	require.NoError(t, json.Unmarshal(server.Document("home"), &top))
	require.Len(t, top, 3)
	require.EqualValues(t, 1000, top["version"])
	require.EqualValues(t, 4, top["serial"], "three saves and an append")
	require.Contains(t, top, "proximity")
}

// TestADocumentStaysSmall holds what an append costs: the state is not sent
// twice, and what is alike is packed.
func TestADocumentStaysSmall(t *testing.T) {
	server, store := startGitLab(t)
	_, lock := hold(t, store, "ann")
	var text bytes.Buffer
	for i := range 1000 {
		fmt.Fprintf(&text, `{"address":"app.web%d","host":"pve","id":"%d","attrs":{"memory":536870912,"cores":2}},`, i, 2000+i)
	}
	for i := range 12 {
		lines := strings.Repeat(fmt.Sprintf(`{"n":%d,"entry":{"action":"create","host":"pve"}}`+"\n", i), 100)
		require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: uint64(i + 1), State: text.Bytes(), Trail: []byte(lines)}))
	}
	before := len(server.Document("home"))
	for i := range 100 {
		line := fmt.Appendf(nil, `0123456789abcdef {"serial":12,"seq":%d,"begin":{"address":"app.web%d"}}`+"\n", i, i)
		require.NoError(t, lock.Append(t.Context(), line))
	}
	after := len(server.Document("home"))
	require.Less(t, before, 10*text.Len()/4, "ten versions and the trail take less than a quarter of their length")
	require.Less(t, after-before, 4<<10, "a hundred lines that are alike")
	t.Logf("a state of %d bytes, kept ten times, is a document of %d bytes; 100 appends add %d", text.Len(), before, after-before)
	require.NoError(t, lock.Unlock())
}
