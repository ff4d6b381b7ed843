package pve

import (
	"encoding/json"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTolerantDecoding(t *testing.T) {
	for _, c := range []struct {
		in    string
		int   Int
		float Float
		on    Bool
		text  Text
	}{
		{`null`, 0, 0, false, ""},
		{`""`, 0, 0, false, ""},
		{`1`, 1, 1, true, "1"},
		{`"1"`, 1, 1, true, "1"},
		{`true`, 1, 1, true, "1"},
		{`0`, 0, 0, false, "0"},
		{`false`, 0, 0, false, "0"},
		{`"1.50"`, 1, 1.5, false, "1.50"},
		{`1048576000000`, 1048576000000, 1048576000000, false, "1048576000000"},
	} {
		var all struct {
			Int   Int
			Float Float
			Bool  Bool
			Text  Text
		}
		text := `{"int":` + c.in + `,"float":` + c.in + `,"bool":` + c.in + `,"text":` + c.in + `}`
		require.NoError(t, json.Unmarshal([]byte(text), &all), c.in)
		require.Equal(t, c.int, all.Int, c.in)
		require.Equal(t, c.float, all.Float, c.in)
		require.Equal(t, c.on, all.Bool, c.in)
		require.Equal(t, c.text, all.Text, c.in)
	}
}

func FuzzDecode(f *testing.F) {
	for _, seed := range []string{`1`, `"x"`, `[]`, `{}`, `1e400`, `"NaN"`, `-9223372036854775808`} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		var n Int
		var x Float
		var b Bool
		var s Text
		for _, target := range []json.Unmarshaler{&n, &x, &b, &s} {
			_ = target.UnmarshalJSON(data) // must not panic
		}
	})
}
