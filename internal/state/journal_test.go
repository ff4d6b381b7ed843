package state_test

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

var update = flag.Bool("update", false, "write the golden files anew")

func kinds(version int) map[string]*resource.Kind {
	return map[string]*resource.Kind{"thing": {
		Name: "thing", Version: version,
		Schema: resource.Block{Attrs: map[string]*resource.Attr{"label": {Type: cty.String}}},
		Migrate: func(_ int, attrs map[string]any) map[string]any {
			return map[string]any{"label": fmt.Sprint("new ", attrs["label"])}
		},
	}}
}

func thing(name, label string) resource.Object {
	return resource.Object{
		Addr: addr.New("thing", name), Host: "pve", ID: "100", Nonce: "n", Schema: 1,
		Attrs:   cty.ObjectVal(map[string]cty.Value{"label": cty.StringVal(label)}),
		Changed: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
}

func intent(name string) state.Intent {
	o := thing(name, "<coming> & going")
	return state.Intent{
		Addr: o.Addr, Op: state.Put, Host: "pve", ID: "100", Nonce: "n", Attrs: o.Attrs,
		Needs: []addr.Addr{addr.New("thing", "z")}, PreventDestroy: true, At: o.Changed,
	}
}

// written returns a store with two finished things, one open intent and a
// journal of all of it that was not folded.
func written(t *testing.T) *statetest.Memory {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	for _, name := range []string{"a", "b"} {
		seq, err := s.Begin(t.Context(), intent(name))
		require.NoError(t, err)
		o := thing(name, "there")
		require.NoError(t, s.Task(t.Context(), seq, "task "+name))
		require.NoError(t, s.Done(t.Context(), seq, o.Addr, &o))
	}
	_, err = s.Begin(t.Context(), intent("c"))
	require.NoError(t, err)
	store.Kill(false)
	return store
}

func files(t *testing.T, store state.Store) state.Files {
	f, err := store.Load(t.Context())
	require.NoError(t, err)
	return f
}

// disk is a store with just these files.
type disk struct {
	statetest.Memory
	files state.Files
}

func (d *disk) Load(context.Context) (state.Files, error) { return d.files, nil }

func read(f state.Files) (*state.State, error) {
	return state.Read(context.Background(), &disk{files: f}, state.Options{Kinds: kinds(1)})
}

func TestAnOpenIntentSurvivesFolding(t *testing.T) {
	store := written(t)
	for range 2 {
		_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
		require.NoError(t, err)
		st := s.State()
		require.Len(t, st.Objects, 2)
		require.Len(t, st.Open, 1)
		want := intent("c")
		want.Seq = st.Open[0].Seq
		want.Edits = st.Open[0].Edits // none, in whatever form
		require.Equal(t, want, st.Open[0])
		seq, err := s.Begin(t.Context(), intent("d"))
		require.NoError(t, err)
		require.Greater(t, seq, want.Seq, "numbers are not used twice")
		require.NoError(t, s.Failed(t.Context(), seq, addr.New("thing", "d"), nil, errors.New("no")))
		require.NoError(t, s.Close(t.Context()))
		require.Empty(t, files(t, store).Journal)
	}
}

func TestEveryTruncationOfTheJournalIsAnEarlierMoment(t *testing.T) {
	f := files(t, written(t))
	objects := 0
	for n := range len(f.Journal) + 1 {
		if n == 1 || n > 1 && f.Journal[n-2] == '\n' {
			continue // one byte is no line that a crash cut: those end with a sector
		}
		st, err := read(state.Files{State: f.State, Journal: f.Journal[:n]})
		require.NoError(t, err, "cut at %d", n)
		require.GreaterOrEqual(t, len(st.Objects), objects)
		objects = len(st.Objects)
	}
	require.Equal(t, 2, objects)
}

func TestEveryFlippedByteIsFoundOrHarmless(t *testing.T) {
	store := written(t)
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	_, err = s.Begin(t.Context(), intent("d"))
	require.NoError(t, err)
	store.Kill(false)
	f := files(t, store)
	want, err := read(f)
	require.NoError(t, err)
	for i := range f.State {
		damaged := bytes.Clone(f.State)
		damaged[i] ^= 0x04
		if st, err := read(state.Files{State: damaged, Journal: f.Journal}); err == nil {
			require.Equal(t, want, st, "byte %d of the state", i)
		}
		if i < len(f.State)-2 {
			_, err := read(state.Files{State: f.State[:i], Journal: f.Journal})
			require.Error(t, err, "the state cut at %d", i)
		}
	}
	for i := range len(f.Journal) - 1 { // without its last byte the last line is torn
		damaged := bytes.Clone(f.Journal)
		damaged[i] ^= 0x04
		_, err := read(state.Files{State: f.State, Journal: damaged})
		var damage *state.ErrDamaged
		require.ErrorAs(t, err, &damage, "byte %d of the journal", i)
	}
}

func TestWhatIsNoStateIsNeverTakenForNone(t *testing.T) {
	f, other := files(t, written(t)), files(t, written(t))
	for name, c := range map[string]state.Files{
		"empty":                {State: []byte{}},
		"blank":                {State: []byte(" \n")},
		"no JSON":              {State: []byte("hello")},
		"foreign JSON":         {State: []byte(`{"version":4,"terraform_version":"1.9"}`)},
		"only a journal":       {Journal: f.Journal},
		"another's journal":    {State: f.State, Journal: other.Journal},
		"damage in the middle": {State: f.State, Journal: append([]byte("x"), f.Journal...)},
	} {
		_, err := read(c)
		var damage *state.ErrDamaged
		require.ErrorAs(t, err, &damage, name)
	}
	newer := bytes.Replace(f.State, []byte(`"version": 1`), []byte(`"version": 2`), 1)
	_, err := read(state.Files{State: newer})
	var tooNew *state.ErrNewer
	require.ErrorAs(t, err, &tooNew)
	require.Equal(t, 2, tooNew.Version)
	st, err := read(state.Files{})
	require.NoError(t, err)
	require.Empty(t, st.Objects)
}

func TestANewerStateIsLeftAsItIs(t *testing.T) {
	store := &statetest.Memory{}
	_, lock, err := store.Lock(t.Context(), state.Who{})
	require.NoError(t, err)
	f := files(t, written(t))
	newer := bytes.Replace(f.State, []byte(`"version": 1`), []byte(`"version": 2`), 1)
	require.NoError(t, lock.Save(t.Context(), state.Snapshot{Serial: 1, State: newer}))
	require.NoError(t, lock.Append(t.Context(), f.Journal))
	require.NoError(t, lock.Unlock())

	before := files(t, store)
	store.Fail = func(write string) error {
		t.Errorf("%s: a newer state was written to", write)
		return nil
	}
	for range 2 { // the second finds the lock given back
		_, _, err = state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
		var tooNew *state.ErrNewer
		require.ErrorAs(t, err, &tooNew)
		require.Equal(t, state.ErrNewer{Store: "memory", Version: 2, Have: 1}, *tooNew)
	}
	require.Equal(t, before, files(t, store))
}

// unfolded is a store whose holder died after its state file was replaced and
// before its journal was emptied.
type unfolded struct {
	*statetest.Memory
	journal []byte
}

func (u unfolded) Load(ctx context.Context) (state.Files, error) {
	f, err := u.Memory.Load(ctx)
	f.Journal = u.journal
	return f, err
}

func TestDyingInTheMiddleOfASaveRepeatsNothing(t *testing.T) {
	store := written(t)
	journal := files(t, store).Journal
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	require.NoError(t, s.Close(t.Context()))
	st, err := state.Read(t.Context(), unfolded{store, journal}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	require.Len(t, st.Objects, 2)
	require.Len(t, st.Open, 1, "the folded journal is not replayed again")
}

func TestALateReportCannotSpoilTheJournal(t *testing.T) {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	seq, err := s.Begin(t.Context(), intent("a"))
	require.NoError(t, err)
	require.NoError(t, s.Done(t.Context(), seq, addr.New("thing", "a"), nil))
	require.ErrorContains(t, s.Task(t.Context(), seq, "late"), "not open")
	require.ErrorContains(t, s.Done(t.Context(), seq, addr.New("thing", "a"), nil), "not open")
	store.Kill(false)
	_, err = state.Read(t.Context(), store, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
}

func TestMigratedAttributesAreMigratedOnce(t *testing.T) {
	store := written(t)
	for range 3 {
		_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(2)})
		require.NoError(t, err)
		o, _ := s.Object(addr.New("thing", "a"))
		require.Equal(t, "new there", o.Attr("label").AsString())
		require.Equal(t, 2, o.Schema)
		require.Equal(t, "new <coming> & going", s.State().Open[0].Attrs.GetAttr("label").AsString())
		seq, err := s.Begin(t.Context(), intent("x"))
		require.NoError(t, err)
		require.NoError(t, s.Done(t.Context(), seq, addr.New("thing", "x"), nil))
		require.NoError(t, s.Close(t.Context()))
	}
}

func TestASessionIsSafeForConcurrentUse(t *testing.T) {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	var wg sync.WaitGroup
	for i := range 50 {
		wg.Go(func() {
			o := thing(fmt.Sprint("t", i), "there")
			seq, err := s.Begin(t.Context(), intent(o.Addr.Name))
			if err == nil {
				err = s.Done(t.Context(), seq, o.Addr, &o)
			}
			s.State()
			if err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	require.NoError(t, s.Close(t.Context()))
	st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds(1)})
	require.NoError(t, err)
	require.Len(t, st.Objects, 50)
	require.Empty(t, st.Open)
}

// TestVersion1StaysReadable holds a state file that must be readable for ever.
func TestVersion1StaysReadable(t *testing.T) {
	const path = "testdata/state-v1.json"
	if _, err := os.Stat(path); err != nil && *update { // what is there is never written anew
		store := written(t)
		_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds(1)})
		require.NoError(t, err)
		require.NoError(t, s.Close(t.Context()))
		require.NoError(t, os.WriteFile(path, files(t, store).State, 0o644))
	}
	data, err := os.ReadFile(path)
	require.NoError(t, err)
	st, err := read(state.Files{State: data})
	require.NoError(t, err)
	require.Equal(t, thing("a", "there"), st.Objects[addr.New("thing", "a")])
	require.Equal(t, uint64(2), st.Serial)
	require.Len(t, st.Key, 32)
	require.Equal(t, "<coming> & going", st.Open[0].Attrs.GetAttr("label").AsString())
}

func FuzzRead(f *testing.F) {
	data, err := os.ReadFile("testdata/state-v1.json")
	require.NoError(f, err)
	f.Add(data, []byte("0123456789abcdef {}\n"))
	f.Fuzz(func(t *testing.T, data, journal []byte) {
		if st, err := read(state.Files{State: data, Journal: journal}); err == nil {
			require.NotNil(t, st.Objects)
		}
	})
}
