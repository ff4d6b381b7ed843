package apply_test

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/addr"
	"github.com/proximity-cli/proximity/internal/apply"
	"github.com/proximity-cli/proximity/internal/diag"
	"github.com/proximity-cli/proximity/internal/plan"
	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
	"github.com/proximity-cli/proximity/internal/state"
	"github.com/proximity-cli/proximity/internal/state/statetest"
)

var (
	image      = addr.Addr{Kind: "image", Name: "debian", Part: "node/local"}
	imageKinds = map[string]*resource.Kind{"image": {
		Name: "image", Version: 1, Lasting: true,
		Schema: resource.Block{Attrs: map[string]*resource.Attr{"file": {Type: cty.String}}},
	}}
)

// images is a configuration of one image.
type images struct{}

func (images) Resolve(a addr.Addr, _ map[addr.Addr]cty.Value) (resource.Resource, diag.List) {
	want := imageKinds["image"].Schema.Value(map[string]cty.Value{"file": cty.StringVal("debian.tar")})
	return resource.Resource{Addr: a, Host: "pve", Want: want}, nil
}

// library is a host that downloads images, and ends with err.
type library struct {
	providers.Provider // nothing else may be called
	err                error
}

func (l library) Create(_ context.Context, job providers.Job) (resource.Object, error) {
	return resource.Object{Addr: job.Addr, ID: job.ID, Attrs: job.Want.Want}, l.err
}

func TestLastingThingsAreNotRecorded(t *testing.T) {
	for name, want := range map[string]error{"downloaded": nil, "there, but something else went wrong": errors.New("checksum")} {
		t.Run(name, func(t *testing.T) {
			store := &statetest.Memory{}
			ctx, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: imageKinds})
			require.NoError(t, err)
			r, _ := images{}.Resolve(image, nil)
			p := plan.New(plan.Input{
				Kinds: imageKinds, Desired: []resource.Resource{r}, Resolver: images{},
				Seen: map[addr.Addr]resource.Seen{image: {Presence: resource.Gone}},
			})
			sum, err := apply.Run(ctx, p, apply.Options{
				Session: s, Providers: providers.Set{"pve": library{err: want}}, Resolver: images{}, Kinds: imageKinds,
			})
			require.ErrorIs(t, err, want)
			require.Equal(t, want == nil, sum.Complete())
			require.Empty(t, s.State().Objects)
			require.Empty(t, s.State().Open)
		})
	}
}

// TestLastingThingsAreNotSettled: whether they are there is looked at anew by
// whoever needs them.
func TestLastingThingsAreNotSettled(t *testing.T) {
	store := &statetest.Memory{}
	_, s, err := state.Open(t.Context(), store, state.Who{}, state.Options{Kinds: imageKinds})
	require.NoError(t, err)
	r, _ := images{}.Resolve(image, nil)
	_, err = s.Begin(t.Context(), state.Intent{Addr: image, Op: state.Put, Host: "pve", ID: image.Part, Attrs: r.Want})
	require.NoError(t, err)
	require.NoError(t, apply.Recover(t.Context(), s, providers.Set{"pve": library{}}, imageKinds, nil))
	require.Empty(t, s.State().Open)
	require.Empty(t, s.State().Objects)
}
