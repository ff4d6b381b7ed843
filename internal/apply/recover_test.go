package apply_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

// settling is a host that answers Settle, and remembers what it was asked.
type settling struct {
	providers.Provider
	seen   resource.Seen
	err    error
	target providers.Target
	task   string
}

func (s *settling) Settle(_ context.Context, target providers.Target, task string) (resource.Seen, error) {
	s.target, s.task = target, task
	return s.seen, s.err
}

var long = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func attrs(set map[string]cty.Value) cty.Value { return kinds["thing"].Schema.Value(set) }

// leftOpen is a state with one open intent about thing.a, 100, and a record of
// it under the ID and nonce given, if any.
func leftOpen(t *testing.T, op state.Op, recordID, recordNonce string) *statetest.Memory {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	if recordID != "" {
		seq, err := s.Begin(t.Context(), state.Intent{Addr: at("a"), Op: state.Put, Host: "pve", At: long})
		require.NoError(t, err)
		require.NoError(t, s.Done(t.Context(), seq, at("a"), &resource.Object{
			Addr: at("a"), Host: "pve", ID: recordID, Nonce: recordNonce, Schema: 1, Needs: []addr.Addr{at("x")},
			Attrs: attrs(map[string]cty.Value{"label": cty.StringVal("old")}), Changed: long,
		}))
	}
	i := state.Intent{Addr: at("a"), Op: op, Host: "pve", ID: "100", Nonce: "n", At: long.Add(time.Hour)}
	if op == state.Put {
		i.Needs, i.PreventDestroy = []addr.Addr{at("y")}, true
		i.Attrs = attrs(map[string]cty.Value{
			"label": cty.StringVal("new"), "size": cty.NumberIntVal(2), "origin": cty.StringVal("o"), "model": cty.StringVal("m"),
		})
	}
	seq, err := s.Begin(t.Context(), i)
	require.NoError(t, err)
	require.NoError(t, s.Task(t.Context(), seq, "UPID:100"))
	require.NoError(t, s.Close(t.Context()))
	return store
}

// told tells what is recorded of thing.a, as far as recovering may change it.
func told(t *testing.T, store state.Store) string {
	st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds})
	require.NoError(t, err)
	o, ok := st.Objects[at("a")]
	if !ok {
		return "nothing"
	}
	text := fmt.Sprintf("%s/%s %s", o.ID, o.Nonce, o.Changed.Format("15h"))
	for _, name := range []string{"label", "model", "origin", "serial"} {
		if v := resource.Text(o.Attrs, name); v != "" {
			text += " " + name + "=" + v
		}
	}
	if o.Damaged {
		text += " damaged"
	}
	if o.Unfinished {
		text += " unfinished"
	}
	if o.PreventDestroy {
		text += " protected"
	}
	if len(o.Kept) > 0 {
		text += " kept"
	}
	return fmt.Sprint(text, " needs ", o.Needs)
}

func TestRecoverRecordsWhatIsThere(t *testing.T) {
	const (
		before = "100/n 03h label=old needs [thing.x]"
		older  = "99/old 03h label=old needs [thing.x]"
		merged = "100/n 04h label=old model=m origin=o unfinished needs [thing.x thing.y]"
		// The model was not there (yet), the origin cannot be read back.
		made = "100/n 04h label=new origin=o serial=s1 unfinished protected kept needs [thing.y]"
		torn = "100/n 04h label=new origin=o serial=s1 damaged unfinished protected kept needs [thing.y]"
	)
	type row struct {
		op        state.Op
		id, nonce string // of the record
		presence  resource.Presence
		damaged   bool
		want      string
		text      string
	}
	for name, c := range map[string]row{
		"a create that came to nothing":           {op: state.Put, presence: resource.Gone, want: "nothing", text: "100 is not there"},
		"a create that was done":                  {op: state.Put, presence: resource.Present, want: made, text: "100 was made"},
		"a create that was half done":             {op: state.Put, presence: resource.Present, damaged: true, want: torn, text: "100 was made only in part and will be replaced"},
		"a create where others took the ID":       {op: state.Put, presence: resource.Stranger, want: "nothing", text: "100 is not ours (so it is)"},
		"a change, whatever became of it":         {op: state.Put, id: "100", nonce: "n", presence: resource.Present, want: merged, text: "100 is there; what is left to change is in the plan"},
		"a change of what is gone":                {op: state.Put, id: "100", nonce: "n", presence: resource.Gone, want: "nothing", text: "100 is not there"},
		"a change of what is now another's":       {op: state.Put, id: "100", nonce: "n", presence: resource.Stranger, want: "nothing", text: "100 is not ours (so it is)"},
		"made again under its ID":                 {op: state.Put, id: "100", nonce: "old", presence: resource.Present, want: made, text: "100 was made"},
		"made again under its ID, to no avail":    {op: state.Put, id: "100", nonce: "old", presence: resource.Gone, want: "nothing", text: "100 is not there"},
		"made again under another ID":             {op: state.Put, id: "99", nonce: "old", presence: resource.Present, want: made, text: "100 was made"},
		"made again elsewhere, to no avail":       {op: state.Put, id: "99", nonce: "old", presence: resource.Gone, want: older, text: "100 is not there"},
		"made again elsewhere, where others were": {op: state.Put, id: "99", nonce: "old", presence: resource.Stranger, want: older, text: "100 is not ours (so it is)"},
		"a deletion that was done":                {op: state.Drop, id: "100", nonce: "n", presence: resource.Gone, want: "nothing", text: "100 is not there"},
		"a deletion that was not done":            {op: state.Drop, id: "100", nonce: "n", presence: resource.Present, want: before, text: "100 is still there"},
		"a deletion, and others took the ID":      {op: state.Drop, id: "100", nonce: "n", presence: resource.Stranger, want: "nothing", text: "100 is not ours (so it is)"},
		"a deletion of what was never recorded":   {op: state.Drop, presence: resource.Gone, want: "nothing", text: "100 is not there"},
	} {
		t.Run(name, func(t *testing.T) {
			store := leftOpen(t, c.op, c.id, c.nonce)
			host := &settling{seen: resource.Seen{Presence: c.presence, Why: "so it is"}}
			if c.presence == resource.Present {
				host.seen.Object = resource.Object{ID: "100", Damaged: c.damaged, Kept: []string{"a: b"}, Attrs: attrs(map[string]cty.Value{
					"label": cty.StringVal("there"), "size": cty.NumberIntVal(1), "serial": cty.StringVal("s1"),
				})}
			}
			set := providers.Set{"pve": host}
			st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds})
			require.NoError(t, err)
			foreseen, err := apply.Look(t.Context(), st, set, kinds)
			require.NoError(t, err)
			require.Equal(t, resource.Marker{Lineage: st.Lineage, Addr: at("a"), Nonce: "n"}, host.target.Marker)
			require.Equal(t, []string{"100", "n", "UPID:100"}, []string{host.target.Prior.ID, host.target.Prior.Nonce, host.task})
			require.True(t, host.target.Thorough, "what is there counts as there from now on")

			_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
			require.NoError(t, err)
			l := &log{}
			require.NoError(t, apply.Recover(t.Context(), s, set, kinds, l))
			require.Equal(t, []string{"recovered a: " + c.text}, l.lines)
			require.Equal(t, s.State(), apply.Settle(st, foreseen), "what a plan foresees is what recovering records")
			require.NoError(t, s.Close(t.Context()))
			require.Equal(t, c.want, told(t, store))
		})
	}
}

// What cannot be looked at stays open, run after run, and holds up nothing else.
func TestRecoverConcludesNothingWithoutLooking(t *testing.T) {
	for name, c := range map[string]struct {
		set  providers.Set
		want string
	}{
		"it could not be looked at": {providers.Set{"pve": &settling{seen: resource.Seen{Why: "node down"}}}, "cannot look at it: node down"},
		"the host cannot be asked":  {providers.Set{"pve": &settling{err: errors.New("no route")}}, "no route"},
		"the host is not there":     {providers.Set{}, `host "pve" is not in the configuration`},
	} {
		for _, op := range []state.Op{state.Put, state.Drop} {
			t.Run(name+", "+string(op), func(t *testing.T) {
				store := leftOpen(t, op, "100", "n")
				for range 3 {
					_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
					require.NoError(t, err)
					before := s.State()
					foreseen, err := apply.Look(t.Context(), before, c.set, kinds)
					require.NoError(t, err)
					l := &log{}
					require.NoError(t, apply.Recover(t.Context(), s, c.set, kinds, l))
					require.Equal(t, []string{"recovered a: " + c.want + "; it stays as it is until that is known"}, l.lines)
					require.Equal(t, before, s.State())
					require.Equal(t, before, apply.Settle(before, foreseen))
					require.Len(t, s.State().Open, 1, "the intent stays for the next run")
					// Something else happens, so that the journal is folded.
					seq, err := s.Begin(t.Context(), state.Intent{Addr: at("z"), Op: state.Drop, Host: "pve", At: long})
					require.NoError(t, err)
					require.NoError(t, s.Done(t.Context(), seq, at("z"), nil))
					require.NoError(t, s.Close(t.Context()))
				}
				_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
				require.NoError(t, err)
				gone := providers.Set{"pve": &settling{seen: resource.Seen{Presence: resource.Gone}}}
				require.NoError(t, apply.Recover(t.Context(), s, gone, kinds, nil))
				require.Empty(t, s.State().Open, "once it can be looked at it is settled")
				require.NoError(t, s.Close(t.Context()))
			})
		}
	}
}

func TestRecoverEndsWithItsContext(t *testing.T) {
	store := leftOpen(t, state.Put, "", "")
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	err = apply.Recover(ctx, s, providers.Set{"pve": &settling{err: ctx.Err()}}, kinds, nil)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorContains(t, err, "thing.a was left open by an earlier run")
}

func TestRecoverIsWrittenDownAlthoughInterrupted(t *testing.T) {
	store := leftOpen(t, state.Put, "", "")
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	require.NoError(t, apply.Recover(ctx, s, providers.Set{"pve": &settling{seen: resource.Seen{Presence: resource.Gone}}}, kinds, nil))
	require.Empty(t, s.State().Open)
}
