package apply

import (
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"github.com/zclconf/go-cty/cty"

	"github.com/proximity-cli/proximity/internal/providers"
	"github.com/proximity-cli/proximity/internal/resource"
)

func TestWhatAHostSaysAgainIsStrippedOfSecrets(t *testing.T) {
	block := &resource.Block{Attrs: map[string]*resource.Attr{
		"password": {Type: cty.String, Sensitive: true}, "notes": {Type: cty.String}, "env": {Type: cty.Map(cty.String)}, "name": {Type: cty.String},
	}}
	marked := func(text string) cty.Value { return cty.StringVal(text).Mark("sensitive") }
	hidden := secretsOf(block, cty.ObjectVal(map[string]cty.Value{
		"password": cty.StringVal("by-schema"), "notes": marked("by-mark"), "name": cty.StringVal("plain"),
		"env": cty.MapVal(map[string]cty.Value{"A": marked("in-a-map"), "B": cty.StringVal("open"), "C": marked("on")}),
	}))
	cause := providers.ErrTaken{ID: "2000"}
	err := hidden.scrub(fmt.Errorf("%w: by-schema by-mark in-a-map plain open on", cause))
	require.EqualError(t, err, cause.Error()+": (sensitive) (sensitive) (sensitive) plain open on")
	require.ErrorAs(t, err, &cause, "who branches on it still can")
	require.Equal(t, "pull (sensitive)", hidden.hide("pull by-mark"))

	plain := errors.New("plain")
	require.Same(t, plain, hidden.scrub(plain))
	require.NoError(t, hidden.scrub(nil))
	require.NoError(t, secrets(nil).scrub(nil))
}

func TestASecretIsHiddenInEveryFormThatAHostMaySayItIn(t *testing.T) {
	hidden := secrets{`pass`, `pass "word"/1`, "sensitive"}
	for form, text := range map[string]string{
		"as it is": `pass "word"/1`, "in JSON": `pass \"word\"/1`, "in a query": "pass+%22word%22%2F1",
		"in a path": "pass%20%22word%22%2F1", "in base64": "cGFzcyAid29yZCIvMQ==", "another one": "sensitive",
	} {
		require.Equal(t, "a (sensitive) b", hidden.hide("a "+text+" b"), form)
	}
}
