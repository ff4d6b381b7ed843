package state_test

import (
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
	"github.com/proximity-cli/proximity/internal/state/vault"
)

// A value that nobody else knows is recorded as it is. That is never written
// in clear: not into the state, not into the journal.
func TestASecretIsWrittenOnlyEncrypted(t *testing.T) {
	kinds := map[string]*resource.Kind{"secret": {Name: "secret", Version: 1, Hostless: true, Schema: resource.Block{Attrs: map[string]*resource.Attr{
		"value": {Type: cty.String, Role: resource.Computed, Sensitive: true},
	}}}}
	a := addr.New("secret", "a")
	object := &resource.Object{Addr: a, Host: resource.NoHost, ID: "a", Schema: 1,
		Attrs: kinds["secret"].Schema.Value(map[string]cty.Value{"value": cty.StringVal("hunter2")})}
	record := func(store state.Store, o state.Options) error {
		_, s, err := state.Open(t.Context(), store, state.Who{}, o)
		require.NoError(t, err)
		seq, err := s.Begin(t.Context(), state.Intent{Addr: a, Op: state.Put, Host: resource.NoHost, ID: "a"})
		require.NoError(t, err)
		err = s.Done(t.Context(), seq, a, object)
		files, loadErr := store.Load(t.Context())
		require.NoError(t, loadErr)
		require.NotContains(t, string(files.State)+string(files.Journal), "hunter2")
		require.NoError(t, s.Close(t.Context()))
		files, loadErr = store.Load(t.Context())
		require.NoError(t, loadErr)
		require.NotContains(t, string(files.State)+string(files.Journal)+string(files.Last), "hunter2")
		return err
	}
	require.ErrorContains(t, record(&statetest.Memory{}, state.Options{Kinds: kinds}), "secret.a: its value is kept only where state is encrypted")

	k, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	v, err := vault.New(vault.Options{Identities: k.String()})
	require.NoError(t, err)
	store, sealed := &statetest.Memory{}, state.Options{Kinds: kinds, Vault: v}
	require.NoError(t, record(store, sealed))
	st, err := state.Read(t.Context(), store, sealed)
	require.NoError(t, err)
	o := st.Objects[a]
	require.Equal(t, "hunter2", resource.Text(o.Attrs, "value"))
	var shut *state.ErrSealed
	_, err = state.Read(t.Context(), store, state.Options{Kinds: kinds})
	require.ErrorAs(t, err, &shut)
}

// When others may read from now on, the next run writes the state for them before
// it does anything else, and what was written before stays readable for it.
func TestNewReadersAreWrittenForAtOnce(t *testing.T) {
	before, err := vault.New(vault.Options{Passphrase: "correct horse", WorkFactor: 8})
	require.NoError(t, err)
	after, err := vault.New(vault.Options{Passphrase: "battery staple", OldPassphrase: "correct horse", WorkFactor: 8})
	require.NoError(t, err)
	store, kinds := &statetest.Memory{}, map[string]*resource.Kind{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds, Vault: before})
	require.NoError(t, err)
	require.NoError(t, s.Init(t.Context()))
	require.NoError(t, s.Edit(t.Context(), state.Entry{Action: "state mv"}, func(*state.State) error { return nil }))
	require.NoError(t, s.Close(t.Context()))

	_, s, err = state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: kinds, Vault: after})
	require.NoError(t, err)
	_, err = state.Read(t.Context(), store, state.Options{Kinds: kinds, Vault: before})
	var shut *state.ErrSealed
	require.ErrorAs(t, err, &shut)
	require.NoError(t, s.Close(t.Context()))

	only, err := vault.New(vault.Options{Passphrase: "battery staple", WorkFactor: 8})
	require.NoError(t, err)
	st, err := state.Read(t.Context(), store, state.Options{Kinds: kinds, Vault: only})
	require.NoError(t, err)
	require.EqualValues(t, 3, st.Serial)
	entries, err := state.Trail(t.Context(), store, state.Options{Kinds: kinds, Vault: only})
	require.NoError(t, err)
	require.Len(t, entries, 1)
}
