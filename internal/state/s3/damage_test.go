package s3_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/s3"
)

// written returns a store in which each of its objects has something.
func written(t *testing.T) (bucket, *s3.Store) {
	server, store := start(t)
	_, lock := lock(t, store)
	big := strings.Repeat("x", 70_000) + "\n"
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("first"), Trail: []byte(big)}))
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 2, State: []byte("second")}))
	require.NoError(t, lock.Append(t.Context(), []byte(big)))
	require.NoError(t, lock.Append(t.Context(), []byte("line\n")))
	require.NoError(t, lock.Unlock())
	return bucketOf(t, server), store
}

func requireDamaged(t *testing.T, err error, what string) {
	t.Helper()
	var damaged *state.ErrDamaged
	require.ErrorAs(t, err, &damaged)
	require.Equal(t, what, damaged.What)
}

func TestAHeadThatIsNotOursIsDamage(t *testing.T) {
	b, store := written(t)
	good := b.data(s3.DefaultKey)
	for name, text := range map[string]string{
		"empty":                     "",
		"a text":                    "hello",
		"an empty object":           "{}",
		"JSON of others":            `{"version":4,"serial":7,"lineage":"x","resources":[]}`,
		"a state file":              `{"format":"proximity-state","version":1,"checksum":"x","state":{}}`,
		"torn":                      string(good[:len(good)/2]),
		"without its last byte":     string(good[:len(good)-1]),
		"with a byte more":          string(good) + "\n",
		"of a version that was not": strings.Replace(string(good), `"version":1`, `"version":0`, 1),
		"null":                      "null",
	} {
		t.Run(name, func(t *testing.T) {
			b.put(s3.DefaultKey, []byte(text))
			_, err := store.Load(t.Context())
			requireDamaged(t, err, "head")
			_, _, err = store.Lock(t.Context(), state.Who{})
			requireDamaged(t, err, "head")
			_, err = store.Versions(t.Context())
			requireDamaged(t, err, "head")
			require.Equal(t, text, string(b.data(s3.DefaultKey)), "it is left as it is")
		})
	}
}

func TestAHeadOfANewerProgramIsLeftAlone(t *testing.T) {
	b, store := written(t)
	newer := []byte(`{"format":"proximity-store","version":2,"something":"else"}`)
	b.put(s3.DefaultKey, newer)
	var refused *state.ErrNewer
	_, err := store.Load(t.Context())
	require.ErrorAs(t, err, &refused)
	_, _, err = store.Lock(t.Context(), state.Who{})
	require.ErrorAs(t, err, &refused)
	require.Equal(t, &state.ErrNewer{Store: store.String(), Version: 2, Have: 1}, refused)
	require.Equal(t, newer, b.data(s3.DefaultKey))
}

// TestNoChangedByteGoesUnnoticed flips a bit of each byte of the head, and
// leaves off each of its ends.
func TestNoChangedByteGoesUnnoticed(t *testing.T) {
	server, store := start(t)
	b := bucketOf(t, server)
	_, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state"), Trail: []byte("line\n")}))
	require.NoError(t, lock.Unlock())
	good, tried := b.data(s3.DefaultKey), 0
	for i := range good {
		flipped := bytes.Clone(good)
		flipped[i] ^= 1 << (i % 8)
		for _, bad := range [][]byte{flipped, good[:i]} {
			b.put(s3.DefaultKey, bad)
			_, err := store.Load(t.Context())
			require.Error(t, err, "%q in the place of %q at %d", bad, good, i)
			tried++
		}
	}
	t.Logf("report: stores: s3: %d heads with a changed byte or a cut, all noticed", tried)
}

// TestAMissingHeadIsNotNoState lets somebody remove the head: the states are
// there, and nobody sweeps them away.
func TestAMissingHeadIsNotNoState(t *testing.T) {
	b, store := written(t)
	b.remove(s3.DefaultKey)
	before := b.keys("")
	_, err := store.Load(t.Context())
	requireDamaged(t, err, "head")
	require.Contains(t, hint(t, err), "aws s3 mv --recursive s3://states/proximity.state.d/ s3://states/proximity.state.lost/ --region us-east-1 --endpoint-url http://127.0.0.1:")
	_, _, err = store.Lock(t.Context(), state.Who{})
	requireDamaged(t, err, "head")
	require.Equal(t, before, b.keys(""))
}

func TestAHolderNoticesThatTheHeadIsGone(t *testing.T) {
	server, store := start(t)
	ctx, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: []byte("state")}))
	bucketOf(t, server).remove(s3.DefaultKey)
	<-ctx.Done()
	var lost *state.ErrLost
	require.ErrorAs(t, lock.Append(t.Context(), []byte("line\n")), &lost)
	require.Empty(t, bucketOf(t, server).keys(s3.DefaultKey+"\x00"), "it is not made anew")
	_, err := store.Load(t.Context())
	requireDamaged(t, err, "head")
}

func TestAnObjectThatIsNotAsItWasWrittenIsDamage(t *testing.T) {
	for _, c := range []struct{ object, what string }{
		{".d/state-00000000000000000002-", "state file"},
		{".d/journal-", "journal"},
		{".d/trail-", "trail"},
	} {
		for _, how := range []string{"gone", "empty", "shorter", "longer", "altered"} {
			t.Run(fmt.Sprint(c.what, " ", how), func(t *testing.T) {
				b, store := written(t)
				keys := b.keys(c.object)
				require.Len(t, keys, 1)
				data := b.data(keys[0])
				switch how {
				case "gone":
					b.remove(keys[0])
				case "empty":
					b.put(keys[0], nil)
				case "shorter":
					b.put(keys[0], data[1:])
				case "longer":
					b.put(keys[0], append(data, 'x'))
				case "altered":
					data[len(data)/2] ^= 1
					b.put(keys[0], data)
				}
				_, err := store.Load(t.Context())
				requireDamaged(t, err, c.what)
				require.ErrorContains(t, err, keys[0])
				require.Equal(t, 1, strings.Count(err.Error(), store.String()))
			})
		}
	}
}

// TestADamagedStateLeavesTheRest is what `state restore` needs: the journal, a
// list of what can be gone back to, the lock, and a save.
func TestADamagedStateLeavesTheRest(t *testing.T) {
	b, store := written(t)
	b.remove(b.keys(".d/state-00000000000000000002-")[0])
	files, err := store.Load(t.Context())
	requireDamaged(t, err, "state file")
	require.Nil(t, files.State)
	require.Contains(t, string(files.Journal), "\nline\n")
	all, err := store.Versions(t.Context())
	require.NoError(t, err)
	require.Len(t, all, 2)
	require.Nil(t, all[0].State)
	require.Equal(t, "first", string(all[1].State))
	_, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 3, State: all[1].State}))
	require.NoError(t, lock.Unlock())
	require.Equal(t, "first", string(load(t, store).State))
}

func TestADamagedJournalLeavesTheRest(t *testing.T) {
	b, store := written(t)
	b.remove(b.keys(".d/journal-")[0])
	files, err := store.Load(t.Context())
	requireDamaged(t, err, "journal")
	require.Equal(t, "second", string(files.State))
	require.Equal(t, "line\n", string(files.Journal))
}

func TestADamagedTrailLeavesTheRest(t *testing.T) {
	b, store := written(t)
	_, lock := lock(t, store)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 3, State: []byte("third"), Trail: []byte("last\n")}))
	require.NoError(t, lock.Unlock())
	b.remove(b.keys(".d/trail-")[0])
	text, err := store.Trail(t.Context())
	requireDamaged(t, err, "trail")
	require.Equal(t, "last\n", string(text))
	require.Equal(t, state.Files{State: []byte("third"), Last: []byte("last")}, load(t, store))
}

// TestADamagedStateIsExamined as `state doctor` does: it is told which part is
// damaged, and what is not.
func TestADamagedStateIsExamined(t *testing.T) {
	server, store := start(t)
	b := bucketOf(t, server)
	for range 2 {
		_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{})
		require.NoError(t, err)
		require.NoError(t, s.Edit(t.Context(), state.Entry{Action: "nothing"}, func(*state.State) error { return nil }))
		require.NoError(t, s.Close(t.Context()))
	}
	b.remove(b.keys(".d/state-00000000000000000002-")[0])
	x, err := state.Examine(t.Context(), store, state.Options{})
	require.NoError(t, err)
	requireDamaged(t, x.StateErr, "state file")
	require.NoError(t, x.JournalErr)
	require.NoError(t, x.TrailErr)
	require.Error(t, x.Past[0].Err)
	require.EqualValues(t, 1, x.Best().Serial)
}

// TestADamagedTrailIsExamined and read as far as it can be.
func TestADamagedTrailIsExamined(t *testing.T) {
	server, store := start(t)
	b := bucketOf(t, server)
	for i := range 3 {
		_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{})
		require.NoError(t, err)
		entry := state.Entry{Action: fmt.Sprint("edit ", i), Text: strings.Repeat("x", 40_000)}
		require.NoError(t, s.Edit(t.Context(), entry, func(*state.State) error { return nil }))
		require.NoError(t, s.Close(t.Context()))
	}
	for _, key := range b.keys(".d/trail-") {
		b.remove(key)
	}
	x, err := state.Examine(t.Context(), store, state.Options{})
	require.NoError(t, err)
	require.NoError(t, x.StateErr)
	requireDamaged(t, x.TrailErr, "trail")
	require.NoError(t, x.LastErr)
	entries, err := state.Trail(t.Context(), store, state.Options{})
	requireDamaged(t, err, "trail")
	require.Len(t, entries, 1)
	require.Equal(t, "edit 2", entries[0].Action)
}
