package cli

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// The file gets the new blocks behind what it had when it was read. What somebody
// writes into it while the plan is being looked at is not lost.
func TestAnAdoptionWritesOverNothing(t *testing.T) {
	t.Chdir(t.TempDir())
	there := func(text string) { require.NoError(t, os.WriteFile("adopted.hcl", []byte(text), 0o644)) }
	has := func() string {
		raw, err := os.ReadFile("adopted.hcl")
		require.NoError(t, err)
		return string(raw)
	}
	fresh := adoption{file: "adopted.hcl"}
	require.NoError(t, fresh.add([]byte("b {}\n")))
	require.NoError(t, fresh.write())
	require.Equal(t, "b {}\n", has())

	there("a {}\n")
	ad := adoption{file: "adopted.hcl"}
	require.NoError(t, ad.add([]byte("b {}\n")))
	there("a {}\nc {}\n")
	require.ErrorContains(t, ad.write(), `"adopted.hcl" was changed meanwhile`)
	require.Equal(t, "a {}\nc {}\n", has())
	there("a {}\n")
	require.NoError(t, ad.write())
	require.Equal(t, "a {}\n\nb {}\n", has())
}
