package apply_test

import (
	"maps"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/providers/secret"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/vault"
)

var token = addr.New("secret", "token")

// keeper is a configuration of one secret, and the encrypted state beside it.
type keeper struct {
	store   *statetest.Memory
	options state.Options
	want    resource.Resource
}

func newKeeper(t *testing.T) *keeper {
	k, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	v, err := vault.New(vault.Options{Identities: k.String()})
	require.NoError(t, err)
	kind := secret.Kind()
	kept := &keeper{store: &statetest.Memory{}, options: state.Options{Kinds: map[string]*resource.Kind{"secret": kind}, Vault: v}}
	kept.want = resource.Resource{Addr: token, Host: resource.NoHost, Want: kind.Schema.Value(map[string]cty.Value{
		"length": kind.Schema.Attrs["length"].Default, "alphabet": kind.Schema.Attrs["alphabet"].Default,
	})}
	return kept
}

func (k *keeper) Resolve(addr.Addr, map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	return k.want, nil
}

func (k *keeper) rotate(text string) {
	set := k.want.Want.AsValueMap()
	set["rotate"] = cty.StringVal(text)
	k.want.Want = cty.ObjectVal(set)
}

// apply is one run; it returns what the plan was going to do.
func (k *keeper) apply(t *testing.T) string {
	set := providers.Set{resource.NoHost: secret.Provider{}}
	_, session, err := state.Open(t.Context(), k.store, state.Who{}, k.options)
	require.NoError(t, err)
	require.NoError(t, apply.Recover(t.Context(), session, set, k.options.Kinds, nil))
	p, err := planOf(t, k, set, session.State())
	require.NoError(t, err)
	_, err = apply.Run(t.Context(), p, apply.Options{Session: session, Providers: set, Resolver: k, Kinds: k.options.Kinds})
	require.NoError(t, err)
	require.NoError(t, session.Close(t.Context()))
	if p.Empty() {
		return "nothing"
	}
	return p.Changes[0].Action.Word()
}

func planOf(t *testing.T, k *keeper, set providers.Set, st *state.State) (*plan.Plan, error) {
	target := providers.Target{Addr: token, Want: &k.want}
	if o, ok := st.Objects[token]; ok {
		target.Prior = &o
	}
	found, err := set[resource.NoHost].Observe(t.Context(), []providers.Target{target})
	require.NoError(t, err)
	p := plan.New(plan.Input{
		Kinds: k.options.Kinds, Desired: []resource.Resource{k.want}, Resolver: k, Seen: found.Seen,
		Prior: plan.Prior{Lineage: st.Lineage, Serial: st.Serial, Objects: maps.Clone(st.Objects), Seal: st.Sealer()},
	})
	return p, p.Diagnostics.Err()
}

func (k *keeper) value(t *testing.T) string {
	st, err := state.Read(t.Context(), k.store, k.options)
	require.NoError(t, err)
	o := st.Objects[token]
	return resource.Text(o.Attrs, "value")
}

func TestASecretIsMadeOnceAndAgainWhenItIsRotated(t *testing.T) {
	k := newKeeper(t)
	require.Equal(t, "create", k.apply(t))
	first := k.value(t)
	require.Len(t, first, 24)
	require.Equal(t, "nothing", k.apply(t))
	require.Equal(t, first, k.value(t))
	k.want.Life.PreventDestroy = true
	require.Equal(t, "update", k.apply(t))
	require.Equal(t, first, k.value(t), "what is only recorded makes no new value")
	k.rotate("2026-11")
	require.Equal(t, "update", k.apply(t))
	require.NotEqual(t, first, k.value(t))
	require.Equal(t, "nothing", k.apply(t))
}

// A step about a secret that was cut short never was: what is recorded holds, and
// the next plan says what is left to do.
func TestASecretIsWhatIsRecordedWhateverWasBegun(t *testing.T) {
	for _, c := range []struct {
		name   string
		made   bool // before
		op     state.Op
		rotate string // what the configuration asks for, and asked for when the step began
		next   string // action
		same   bool   // the value stays
	}{
		{"created", false, state.Put, "", "create", false},
		{"rotated", true, state.Put, "2026-11", "update", false},
		{"changed, and the change was taken back", true, state.Put, "", "nothing", true},
		{"removed", true, state.Drop, "", "nothing", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			k := newKeeper(t)
			if c.made {
				k.apply(t)
			}
			before := k.value(t)
			if c.rotate != "" {
				k.rotate(c.rotate)
			}
			_, session, err := state.Open(t.Context(), k.store, state.Who{}, k.options)
			require.NoError(t, err)
			i := state.Intent{Addr: token, Op: c.op, Host: resource.NoHost, ID: "secret.token", Nonce: "n"}
			if c.op == state.Put {
				i.Attrs = k.want.Want
			}
			_, err = session.Begin(t.Context(), i)
			require.NoError(t, err)
			require.NoError(t, session.Close(t.Context()))

			require.Equal(t, c.next, k.apply(t))
			require.NotEmpty(t, k.value(t))
			require.Equal(t, c.same, before == k.value(t))
			require.Equal(t, "nothing", k.apply(t))
		})
	}
}
